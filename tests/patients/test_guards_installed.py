"""Guards are put in by one command that may be repeated, and the app refuses to serve where they or safe settings are missing."""

from __future__ import annotations

import io
import os

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from patients import checks
from patients.models import RowChange
from patients.roles import Role
from regimens.actions import library
from tests.factories import NOW, make_member, make_patient, make_weight
from tests.patients.test_audit_chain import verify_audit

SAFE = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "TimeZone": "UTC",
    "superuser": "off", "owner": "off",
}  # fmt: skip


@pytest.fixture(autouse=True)
def throwaway(monkeypatch):
    monkeypatch.setenv(checks.THROWAWAY, "1")


@pytest.fixture
def owner(committed_db):
    with psycopg.connect(committed_db.owner_url, autocommit=True) as connection_of_owner:
        yield connection_of_owner


def guard_database() -> str:
    out = io.StringIO()
    call_command("guard_database", stdout=out)
    return out.getvalue()


def snapshot(owner: psycopg.Connection) -> list[tuple]:
    """Every trigger, function and right, as the catalogue has them."""
    return owner.execute(
        "select tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal"
        " union all select proname, prosrc, '', proacl::text from pg_proc where pronamespace = 'audit'::regnamespace"
        " union all select relname, relacl::text, '', '' from pg_class"
        " where relnamespace in ('public'::regnamespace, 'audit'::regnamespace)"
        " order by 1, 2"
    ).fetchall()


def test_guarding_twice_changes_nothing(committed_db, owner):
    make_patient()
    before = snapshot(owner)
    assert "Guarded" in guard_database()
    assert snapshot(owner) == before
    assert verify_audit()[0] == 0


def test_the_database_of_the_tests_is_safe(committed_db):
    assert checks.unsafe() == []
    checks.refuse_unsafe_database()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("alter table patients_patient disable trigger row_history", "public.patients_patient is not guarded by row_history"),
        # Without "always", a superuser's replica role would pass it by.
        ("alter table patients_patient enable trigger row_history", "public.patients_patient is not guarded by row_history"),
        ("drop trigger signed_dose_is_never_changed on regimens_planneddose", "is not guarded by signed_dose_is_never_changed"),
        ("drop trigger entry_is_chained on audit.event", "audit.event is not guarded by entry_is_chained"),
        (
            "alter table audit.chain disable trigger history_is_never_emptied",
            "audit.chain is not guarded by history_is_never_emptied",
        ),
        ("grant delete on patients_patient to {app}", "may DELETE in public.patients_patient"),
        ("grant insert on audit.event to {app}", "may INSERT in audit.event"),
        ("grant truncate on regimens_course to {app}", "may TRUNCATE in public.regimens_course"),
    ],
)
def test_a_damaged_guard_stops_the_start_and_is_repaired_by_guarding_again(committed_db, owner, damage, told):
    owner.execute(damage.format(app=conninfo_to_dict(committed_db.url)["user"]))
    with pytest.raises(ImproperlyConfigured, match=told):
        checks.refuse_unsafe_database()
    guard_database()
    assert checks.unsafe() == []


def test_a_database_without_any_guard_says_so_once(committed_db):
    assert checks.unguarded(set()) == ["No table is guarded: run manage.py guard_database."]


def test_the_start_leaves_no_connection_open_for_forked_workers(committed_db):
    checks.refuse_unsafe_database()
    assert connection.connection is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("fsync", "off", "fsync is off"),
        ("synchronous_commit", "off", "synchronous_commit is off"),
        ("synchronous_commit", "local", "synchronous_commit is local"),
        ("full_page_writes", "off", "full_page_writes is off"),
        ("data_checksums", "off", "data_checksums is off"),
        ("TimeZone", "America/New_York", "timezone is America/New_York"),
        ("superuser", "on", "superuser"),
        ("owner", "on", "owner of tables"),
    ],
)
def test_each_unsafe_setting_stops_the_start(name, value, told):
    assert checks.unsafe_server(SAFE) == []
    problems = checks.unsafe_server(SAFE | {name: value})
    assert len(problems) == 1
    assert told in problems[0]


def test_only_durability_is_forgiven_to_a_throwaway_server(committed_db, monkeypatch):
    unsafe = dict.fromkeys(SAFE, "off") | {"TimeZone": "Asia/Tokyo", "superuser": "on", "owner": "on"}
    assert len(checks.unsafe_server(unsafe, throwaway=True)) == 3
    monkeypatch.delenv(checks.THROWAWAY)
    # The tests' own server runs without fsync, and is told so by its real settings.
    assert any(problem.startswith("fsync is off") for problem in checks.unsafe())


def test_the_owner_may_not_serve(committed_db, monkeypatch):
    role = conninfo_to_dict(committed_db.owner_url)
    monkeypatch.setitem(connection.settings_dict, "USER", role["user"])
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", role["password"])
    connection.close()
    with pytest.raises(ImproperlyConfigured, match="owner of tables"):
        checks.refuse_unsafe_database()


def test_a_server_zone_other_than_utc_is_seen_although_django_sets_its_own(committed_db, owner):
    owner.execute(f"alter database {committed_db.name} set timezone to 'America/New_York'")
    connection.close()
    assert [problem.split(":")[0] for problem in checks.unsafe()] == ["timezone is America/New_York"]


def test_manage_check_reports_the_same(committed_db, owner):
    owner.execute("alter table patients_patient disable trigger row_history")
    with pytest.raises(SystemCheckError, match="row_history"):
        call_command("check", "--database", "default", "--tag", "database")


def test_migrate_runs_as_the_owner_and_the_connection_is_the_apps_again(committed_db, owner):
    app = conninfo_to_dict(committed_db.url)["user"]
    owner.execute("alter table patients_centre add column gone_later int")
    owner.execute("delete from django_migrations where app = 'sessions'")
    call_command("migrate", "sessions", "--fake", "--verbosity=0", "--skip-checks")
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == (app,)
        cursor.execute("select count(*) from django_migrations where app = 'sessions'")
        assert cursor.fetchone() == (1,)
        cursor.execute("select count(*) from pg_tables where tableowner = %s", [app])
        assert cursor.fetchone() == (0,)


def test_the_app_itself_cannot_guard(committed_db, settings):
    settings.DATABASE_OWNER_URL = ""
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
        guard_database()


def test_guarding_before_migrating_says_what_to_do(committed_db, owner):
    owner.execute("alter table regimens_vialuse rename to not_yet_made")
    with pytest.raises(CommandError, match=r"Run manage.py migrate first: there is no table regimens_vialuse\."):
        guard_database()


def test_rows_older_than_their_tables_history_enter_it_as_found(committed_db, owner):
    patient = make_patient(ward="7 North")
    owner.execute("drop trigger row_history on patients_patient")
    owner.execute("update patients_patient set ward = '8 North' where id = %s", [patient.pk])
    assert verify_audit()[0] == 1
    guard_database()
    newest = RowChange.objects.filter(row_pk=str(patient.pk)).order_by("-id").first()
    assert (newest.op, newest.new["ward"]) == ("FOUND", "8 North")
    assert verify_audit()[0] == 0


def test_a_column_added_later_does_not_break_what_history_says(committed_db, owner):
    make_patient()
    owner.execute("alter table patients_patient add column blood_group text not null default ''")
    owner.execute("alter table patients_patient drop column title")
    assert verify_audit()[0] == 0


@pytest.mark.parametrize("first", ["edit", "submission"])
def test_an_edit_and_a_submission_of_one_draft_wait_for_each_other(committed_db, first):
    draft = library.draft_from_published(by=make_member(Role.MONOGRAPH_EDITOR), at=NOW)
    statements = {
        "edit": "update regimens_limit set title = title || '.' where monograph_id = %s and position = 1",
        "submission": "update regimens_monograph set state = 'submitted' where id = %s",
    }
    with psycopg.connect(committed_db.url) as one, psycopg.connect(committed_db.url) as other:
        one.execute(statements.pop(first), [draft.pk])
        other.execute("set lock_timeout to '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(*statements.values(), [draft.pk])


def test_the_environment_names_the_two_roles():
    app, owner = (conninfo_to_dict(os.environ[name])["user"] for name in ("DATABASE_URL", "DATABASE_OWNER_URL"))
    assert app != owner


def test_nothing_waits_for_a_row_once_the_chain_is_locked(committed_db):
    weight = make_weight(make_patient())
    again = "insert into patients_weightmeasurement (patient_id, weight_kg, measured_at, method, reason, recorded_by_id, recorded_at,"
    again += " error_reason) select patient_id, weight_kg, measured_at, method, reason, recorded_by_id, recorded_at, ''"
    with psycopg.connect(committed_db.url) as one, psycopg.connect(committed_db.url) as other:
        assert one.execute("select count(*) from pg_constraint where contype = 'f' and condeferred").fetchone() == (0,)
        one.execute(again + " from patients_weightmeasurement where id = %s", [weight.pk])
        # The person is held from the statement on. Held only from the commit on, the two commits could wait for each other.
        other.execute("set lock_timeout to '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select from patients_membership where id = %s for update", [weight.recorded_by_id])
