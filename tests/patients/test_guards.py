"""No table was forgotten, every refusal has a sentence, and the app's own role cannot get around either."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from psycopg import errors

from patients import guards
from patients.constraints import SENTENCES, known_sentence, sentence_for
from patients.models import Patient
from tests.factories import make_patient
from tests.patients.refusals import copy_of, refused

pytestmark = pytest.mark.django_db


def ask(statement: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


MONOGRAPH_PARTS = (
    "product", "vialsize", "protocol", "protocoldose", "ratetable", "ratestep",
    "limit", "section", "question", "reactionterm", "statement", "reasoncode",
)  # fmt: skip


# -- nothing was forgotten ----------------------------------------------------------------------------------------------


def test_every_managed_model_of_the_two_apps_is_a_guarded_table():
    tables = {table for (table,) in ask("select tablename from pg_tables where tablename ~ '^(patients|regimens)_'")}
    assert {model._meta.db_table for model in guards.clinical_models()} == tables - {"patients_tries"}
    assert len(tables) > 30


def test_every_clinical_table_copies_its_changes_and_nobody_switched_that_off():
    recorded = ask(
        "select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid"
        " where t.tgname = 'row_history' and t.tgenabled = 'A' and p.proname = 'record' and p.prosecdef"
        " and (t.tgtype & 29) = 29"  # for each row, after insert, delete and update
    )
    assert {table for (table,) in recorded} == set(guards.recorded_tables())


@pytest.mark.parametrize("right", ["DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"])
def test_the_app_may_delete_only_parts_of_drafts_rights_and_sessions(right):
    allowed = {
        table
        for (table,) in ask(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
            " and has_table_privilege(oid, %s)",
            right,
        )
    }
    monograph = {f"regimens_{name}" for name in MONOGRAPH_PARTS}
    rights = {
        "patients_user_groups",
        "patients_user_user_permissions",
        "auth_group",
        "auth_group_permissions",
        "django_session",
        "patients_tries",
        "otp_totp_totpdevice",
        "otp_static_staticdevice",
        "otp_static_statictoken",
    }
    assert allowed == (monograph | rights if right == "DELETE" else set())


def test_every_row_under_a_patient_knows_the_way_to_the_patient():
    without = {model._meta.db_table for model in guards.clinical_models() if not guards.way_to_patient(model)}
    about_patients = {
        t for t in without if not t.startswith("regimens_") or t in ("regimens_course", "regimens_administration")
    }
    people = {"patients_user", "patients_centre", "patients_closedday", "patients_membership", "patients_patient"}
    assert about_patients == people | {"patients_user_groups", "patients_user_user_permissions"}
    assert without - about_patients == {"regimens_monograph", "regimens_lot", "regimens_notifierrun", *guards.monograph_rows()}


def test_every_constraint_and_every_guard_has_a_sentence():
    named = ask(
        "select conname from pg_constraint where conrelid::regclass::text ~ '^(patients|regimens)_' and contype in ('c', 'u', 'x')"
        " union select indexrelid::regclass::text from pg_index where indisunique and not indisprimary"
        " and indrelid::regclass::text ~ '^(patients|regimens)_'"
        " union select convert_from(rtrim(tgargs, '\\x00'), 'UTF8') from pg_trigger t join pg_proc p on p.oid = t.tgfoid"
        " where p.proname = 'refuse' and pronamespace = 'audit'::regnamespace"
    )
    source = (guards.SQL / "guards.sql").read_text() + (guards.SQL / "audit.sql").read_text()
    raised = set(re.findall(r"'([a-z]+(?:_[a-z]+){2,})',\s*tg_table_name", source))
    raised |= set(re.findall(r"constraint = '([a-z_]+)'", source))
    names = {name for (name,) in named} | raised
    assert {name for name in names if known_sentence(name) is None} == set()
    assert len(raised) > 12
    unused = {name for name in SENTENCES if not any(name == known or known.startswith(name) for known in names)}
    assert unused == set()


def test_sentences_are_plain_sentences():
    for sentence, _ in SENTENCES.values():
        assert sentence[0].isupper() and sentence.endswith("."), sentence
        assert "_" not in sentence and "constraint" not in sentence, sentence


def test_what_the_database_says_about_a_row_is_never_shown():
    patient = make_patient(mrn="CANARY-77")
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        copy_of(patient).save(force_insert=True)
    assert "CANARY-77" in str(refusal.value)
    shown = sentence_for(refusal.value)
    assert (shown.code, shown.field) == ("record_number_is_unique_in_its_centre", "mrn")
    assert "CANARY" not in f"{shown} {shown.sentence}"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"registered_by_id": 10**9}, "missing_reference"),
        ({"birth_on": None}, "missing_value"),
        ({"version": -1}, "number_out_of_range"),
    ],
)
def test_nameless_refusals_have_a_sentence_too(changes, code):
    patient = make_patient()
    assert refused(lambda: Patient.objects.filter(pk=patient.pk).update(**changes)) == code


# -- the app's own role -------------------------------------------------------------------------------------------------

ATTACKS = {
    "update": "update audit.{table} set id = id",
    "delete": "delete from audit.{table}",
    "truncate": "truncate audit.{table}",
    "drop": "drop table audit.{table} cascade",
    "alter": "alter table audit.{table} add column x int",
    "disable trigger": "alter table audit.{table} disable trigger all",
    "insert": "insert into audit.{table} overriding system value select * from audit.{table}",
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("table", ["event", "row_change", "chain"])
def test_the_app_cannot_touch_history(attack, table):
    make_patient()
    statement = (
        ATTACKS[attack].format(table=table).replace("set id = id", "set seq = seq" if table == "chain" else "set at = at")
    )
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refusal.value.__cause__, errors.InsufficientPrivilege)


@pytest.mark.parametrize(
    "statement",
    [
        "set session_replication_role = replica",
        "alter table public.patients_patient disable trigger row_history",
        "drop trigger row_history on public.patients_patient",
        "truncate public.patients_patient cascade",
        "delete from public.patients_patient",
        "drop table public.regimens_vialuse",
        "create trigger forge after insert on public.patients_patient for each row execute function audit.record('', '', '{{}}', '{{}}')",
        "create table public.mine (x int)",
        "create or replace function audit.act() returns int language sql as 'select 1'",
        "call audit.guard('patients_patient', 'x', 'update', 'true')",
    ],
)
def test_the_app_cannot_get_around_the_guards(statement):
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refusal.value.__cause__, errors.InsufficientPrivilege)
