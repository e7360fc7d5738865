"""The chain over the history: unbroken under load, and broken visibly by whoever owns the tables and tampers with them."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from psycopg import sql

from patients import audit, chain
from patients.history import history_of
from patients.models import Patient, RowChange
from tests.factories import NOW, make_member, make_patient, make_weight
from tests.regimens.ward import dose, give, make_course, make_ward
from tests.support import count

WRITERS = 10
# What is done before there is anybody to do it, and what the test's own set-up does so.
BY_THE_INSTALLATION = ("publish_monograph", "create_centre", "create_account", "add_membership")


def verify_audit(*arguments: str) -> tuple[int, str]:
    """The command's exit code and its only line."""
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    except SystemExit as ended:
        return ended.code, out.getvalue().strip()
    return 0, out.getvalue().strip()


def head() -> str:
    return verify_audit()[1].rpartition(" ")[2]


@contextmanager
def tampering(database) -> Iterator[psycopg.Connection]:
    """Somebody with the owner's password who switches the history's own guards off first, and on again afterwards."""
    tables = ("audit.event", "audit.row_change", "audit.chain", "public.patients_patient", "public.patients_weightmeasurement")
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        for table in tables:
            owner.execute(f"alter table {table} disable trigger user")
        yield owner
        for table in tables:
            owner.execute(f"alter table {table} enable trigger user")


@pytest.fixture
def charts(committed_db) -> list[Patient]:
    """Three patients, whose history has something before, between and after."""
    return [make_patient() for _ in range(3)]


def entry_of(patient: Patient) -> tuple[int, int]:
    """The place in the chain, and the number, of the row change that registered a patient."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.seq, r.id from audit.row_change r join audit.chain c on c.kind = 'row_change' and c.entry_id = r.id"
            " where r.tbl = 'patients_patient' and r.row_pk = %s",
            [str(patient.pk)],
        )
        return cursor.fetchone()


def test_an_untouched_history_is_intact_and_told_with_its_length_and_head(charts):
    code, line = verify_audit()
    with connection.cursor() as cursor:
        cursor.execute("select count(*), encode((array_agg(hash order by seq desc))[1], 'hex') from audit.chain")
        entries, last = cursor.fetchone()
    assert (code, line) == (0, f"{entries} events, head {last}")
    with connection.cursor() as cursor:
        cursor.execute("select (select count(*) from audit.event) + (select count(*) from audit.row_change)")
        assert cursor.fetchone() == (entries,)


def test_the_history_is_intact_in_any_session_zone(charts):
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'Pacific/Chatham'")
    make_patient()
    assert verify_audit()[0] == 0


def test_a_head_noted_earlier_still_verifies_when_history_has_grown(charts):
    noted = head()
    make_patient()
    assert verify_audit("--head", noted.upper()) == (0, verify_audit()[1])
    assert head() != noted


def test_ten_writers_at_once_leave_one_unbroken_chain(committed_db):
    member = make_member()
    patients = [make_patient(by=member) for _ in range(WRITERS)]
    rounds = count(30, 200)
    barrier = threading.Barrier(WRITERS)
    failures = []

    def write(patient: Patient) -> None:
        try:
            barrier.wait()
            for number in range(rounds):
                with transaction.atomic():
                    audit.event("correct_patient", by=member, patient=patient)
                    Patient.objects.filter(pk=patient.pk).update(ward=f"Ward {number}")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    before = int(verify_audit()[1].split()[0])
    threads = [threading.Thread(target=write, args=[patient]) for patient in patients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code, line = verify_audit()
    assert failures == []
    assert (code, int(line.split()[0])) == (0, before + 2 * WRITERS * rounds)
    assert all(len(history_of(patient)) == rounds + 1 for patient in patients)


def test_an_edited_event_is_named(charts, committed_db):
    with tampering(committed_db) as owner:
        number = owner.execute("update audit.event set reason = 'other' where id = 2 returning id").fetchone()[0]
    code, line = verify_audit()
    assert code == 1
    assert re.fullmatch(rf"BROKEN at sequence \d+, table audit\.event, row {number}: the entry .* was changed.*", line)


def test_an_edited_row_change_is_named_with_the_row_it_is_about(charts, committed_db):
    seq, number = entry_of(charts[1])
    with tampering(committed_db) as owner:
        owner.execute("update audit.row_change set new = jsonb_set(new, '{ward}', '\"9\"') where id = %s", [number])
    code, line = verify_audit()
    assert code == 1
    assert line.startswith(f"BROKEN at sequence {seq}, table audit.row_change, row {number} (patients_patient {charts[1].pk})")


def test_an_entry_taken_out_of_the_middle_is_named(charts, committed_db):
    seq, number = entry_of(charts[1])
    with tampering(committed_db) as owner:
        owner.execute("delete from audit.row_change where id = %s", [number])
    assert verify_audit() == (1, f"BROKEN at sequence {seq}, table audit.row_change, row {number}: the entry is missing")
    with tampering(committed_db) as owner:
        owner.execute("delete from audit.chain where seq = %s", [seq])
    assert verify_audit() == (1, f"BROKEN at sequence {seq}, table audit.chain, row {seq}: the link is missing")


def test_an_entry_taken_out_with_the_rest_renumbered_is_named(charts, committed_db):
    seq, number = entry_of(charts[1])
    with tampering(committed_db) as owner:
        owner.execute("delete from audit.row_change where id = %s", [number])
        owner.execute("delete from audit.chain where seq = %s", [seq])
        owner.execute("update audit.chain set seq = -seq where seq > %s", [seq])
        owner.execute("update audit.chain set seq = -seq - 1 where seq < 0")
    code, line = verify_audit()
    assert (code, line.split(",")[0]) == (1, f"BROKEN at sequence {seq}")


def test_an_entry_put_in_is_named(charts, committed_db):
    with tampering(committed_db) as owner:
        number = owner.execute(
            "insert into audit.event (name, request_id, actor_name, role, reason, facts) values ('read_chart', '', 'x', '', '', '{}')"
            " returning id"
        ).fetchone()[0]
    assert verify_audit() == (1, f"BROKEN at sequence none, table audit.event, row {number}: the entry is not in the chain")


def test_two_links_that_changed_places_are_named(charts, committed_db):
    first, second = entry_of(charts[0])[0], entry_of(charts[1])[0]
    with tampering(committed_db) as owner:
        owner.execute("update audit.chain set seq = -seq where seq in (%s, %s)", [first, second])
        owner.execute("update audit.chain set seq = %s + %s + seq where seq < 0", [first, second])
    code, line = verify_audit()
    assert (code, line.split(",")[0]) == (1, f"BROKEN at sequence {first}")


def test_a_link_rewritten_to_follow_another_is_named(charts, committed_db):
    seq, _ = entry_of(charts[1])
    with tampering(committed_db) as owner:
        owner.execute("update audit.chain set prev = hash where seq = %s", [seq])
    code, line = verify_audit()
    assert (code, line.split(",")[0]) == (1, f"BROKEN at sequence {seq}")


def test_a_cut_tail_is_found_by_the_head_kept_elsewhere(charts, committed_db):
    noted = head()
    seq = int(verify_audit()[1].split()[0])
    with tampering(committed_db) as owner:
        kind, number = owner.execute("delete from audit.chain where seq = %s returning kind, entry_id", [seq]).fetchone()
        owner.execute(sql.SQL("delete from audit.{} where id = %s").format(sql.Identifier(kind)), [number])
        owner.execute("delete from public.patients_patient where id = %s", [charts[2].pk])
    code, line = verify_audit("--head", noted)
    assert (code, line.split(",")[0]) == (1, f"BROKEN at sequence {seq}")
    assert "cut off" in line
    assert verify_audit() == (0, f"{seq - 1} events, head {head()}")


def test_a_row_changed_behind_the_triggers_is_named(charts, committed_db):
    seq, _ = entry_of(charts[1])
    with tampering(committed_db) as owner:
        owner.execute("update public.patients_patient set birth_on = '1980-01-01' where id = %s", [charts[1].pk])
    assert verify_audit() == (
        1,
        f"BROKEN at sequence {seq}, table patients_patient, row {charts[1].pk}: the row differs from its history",
    )


def test_a_row_removed_behind_the_triggers_is_named(charts, committed_db):
    weight = make_weight(charts[0])
    with tampering(committed_db) as owner:
        owner.execute("delete from public.patients_weightmeasurement where id = %s", [weight.pk])
    code, line = verify_audit()
    assert (code, line.partition(", ")[2]) == (1, f"table patients_weightmeasurement, row {weight.pk}: the row is gone")


def test_a_row_put_in_behind_the_triggers_is_named(charts, committed_db):
    with tampering(committed_db) as owner:
        owner.execute(
            'insert into public.patients_patient select (jsonb_populate_record(p, \'{"id": "00000000-0000-4000-8000-000000000000",'
            ' "mrn": "put-in"}\')).* from public.patients_patient p limit 1'
        )
    row = "row 00000000-0000-4000-8000-000000000000: the row has no history"
    assert verify_audit() == (1, f"BROKEN at sequence none, table patients_patient, {row}")


def test_a_superusers_ordinary_change_is_in_the_history_with_the_database_role(charts, committed_db):
    with psycopg.connect(committed_db.owner_url) as owner:
        role = owner.execute("select session_user").fetchone()[0]
        owner.execute("update public.patients_patient set ward = '9 West' where id = %s", [charts[0].pk])
    newest = history_of(charts[0])[0]
    assert (newest.who, newest.role, newest.after) == (f"database role {role}", "", "9 West")
    assert verify_audit()[0] == 0


def test_history_not_verified_is_never_called_intact(committed_db):
    with psycopg.connect(committed_db.owner_url) as owner:
        owner.execute("alter table audit.chain rename to chain_elsewhere")
    with pytest.raises(CommandError) as unreadable:
        call_command("verify_audit")
    assert unreadable.value.returncode == 2
    with pytest.raises(CommandError) as misspelt:
        call_command("verify_audit", "--head", "abc")
    assert misspelt.value.returncode == 2


def test_the_whole_history_is_never_in_memory_at_once(charts, monkeypatch):
    monkeypatch.setattr(chain, "BATCH", 2)
    assert verify_audit()[0] == 0


def test_no_action_changes_a_row_without_an_event(committed_db):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=NOW)
    assert RowChange.objects.count() > 50
    assert list(RowChange.objects.filter(event=None).values_list("tbl", "op")) == []
    nameless = RowChange.objects.filter(event__actor_name="").exclude(event__name__in=BY_THE_INSTALLATION)
    assert list(nameless.values_list("tbl", "event__name")) == []
