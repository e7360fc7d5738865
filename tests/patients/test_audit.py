"""History as the database keeps it: who, in which role, what, before, after and why, in the change's own transaction."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from patients import audit
from patients.actions import record_weight
from patients.constraints import sentence_for
from patients.history import history_of
from patients.models import Event, Membership, Patient, RowChange, User, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import Role
from regimens.models import PlannedDose
from tests.factories import NOW, make_account, make_member, make_patient, make_weight
from tests.regimens.ward import make_course, make_ward

pytestmark = pytest.mark.django_db


def changes_of(row, **wanted) -> list[RowChange]:
    return list(RowChange.objects.filter(tbl=row._meta.db_table, row_pk=str(row.pk), **wanted).order_by("id"))


def test_an_event_holds_who_in_which_role_where_whom_why_and_the_request():
    nurse = make_member(Role.NURSE, given="Amara", family="Sesay")
    patient = make_patient(by=make_member(centre=nurse.centre))
    with audit.request("4f2c"):
        number = audit.event(
            "read_chart", by=nurse, patient=patient, reason="handover", dose_mg=Decimal("10500.00"), at_stated=NOW
        )
    event = Event.objects.get(pk=number)
    assert (event.actor_id, event.actor_name, event.role) == (nurse.user_id, "Amara Sesay", "nurse")
    assert (event.centre_id, event.patient_id, event.reason) == (nurse.centre_id, patient.pk, "handover")
    assert (event.name, event.request_id) == ("read_chart", "4f2c")
    assert event.facts == {"app": audit.app_version(), "dose_mg": "10500.00", "at_stated": "2026-11-22T15:00:00Z"}


def test_an_event_is_one_statement():
    member = make_member()
    with CaptureQueriesContext(connection) as queries:
        audit.event("read_chart", by=member)
    assert len(queries) == 1


def test_a_request_ends_with_its_block_and_is_not_shared_between_threads():
    seen = []
    with audit.request("outer"):
        with audit.request("inner"):
            pass
        thread = threading.Thread(target=lambda: seen.append(audit._request_id.get()))
        thread.start()
        thread.join()
        number = audit.event("read_list", by=make_member())
    assert (Event.objects.get(pk=number).request_id, seen) == ("outer", [""])
    assert Event.objects.get(pk=audit.event("read_list", by=None)).request_id == ""


def test_the_role_is_the_one_held_in_the_database_not_in_memory():
    member = make_member(Role.NURSE)
    member.role = Role.PHARMACIST
    assert Event.objects.get(pk=audit.event("read_chart", by=member)).role == "nurse"


def test_history_reads_true_after_a_person_is_renamed_and_deactivated():
    member = make_member(given="Amara", family="Sesay")
    number = audit.event("read_chart", by=member)
    User.objects.filter(pk=member.user_id).update(last_name="Kallon", is_active=False)
    assert Event.objects.get(pk=number).actor_name == "Amara Sesay"


def test_somebody_without_a_role_is_named_and_the_installation_is_not():
    account = make_account(given="Idris", family="Bello")
    signed_in = Event.objects.get(pk=audit.event("sign_in", by=account))
    failed = Event.objects.get(pk=audit.event("sign_in_failed", by=None, username="idriss"))
    assert (signed_in.actor_id, signed_in.actor_name, signed_in.role) == (account.pk, "Idris Bello", "")
    assert (failed.actor_id, failed.actor_name) == (None, "")


def test_an_actor_the_database_does_not_know_is_refused():
    with pytest.raises(Refusal) as refused:
        try:
            with transaction.atomic():
                audit.event("read_chart", by=Membership(pk=10**9))
        except Exception as error:
            raise sentence_for(error) from None
    assert refused.value.code == "actor_is_known"


def test_a_change_is_linked_to_the_event_before_it_in_its_transaction():
    patient = make_patient()
    audit.event("first", by=patient.registered_by)
    Patient.objects.filter(pk=patient.pk).update(ward="7 North")
    audit.event("second", by=patient.registered_by)
    Patient.objects.filter(pk=patient.pk).update(ward="7 South")
    assert [change.event.name for change in changes_of(patient)] == ["register_patient", "first", "second"]


@pytest.mark.parametrize("write", ["save", "update", "bulk_update", "sql"])
def test_every_way_to_write_is_recorded_with_before_and_after(write):
    patient = make_patient(ward="3 East")
    patient.ward = "7 North"
    if write == "save":
        patient.save()
    elif write == "update":
        Patient.objects.filter(pk=patient.pk).update(ward="7 North")
    elif write == "bulk_update":
        Patient.objects.bulk_update([patient], ["ward"])
    else:
        with connection.cursor() as cursor:
            cursor.execute("update patients_patient set ward = '7 North' where id = %s", [patient.pk])
    created, changed = changes_of(patient)
    assert (created.op, created.old, created.new["ward"]) == ("INSERT", None, "3 East")
    assert (changed.op, changed.old["ward"], changed.new["ward"], changed.patient_id) == (
        "UPDATE",
        "3 East",
        "7 North",
        patient.pk,
    )


def test_saving_without_a_change_leaves_no_trace():
    patient = make_patient()
    patient.save()
    assert len(changes_of(patient)) == 1


def test_a_rolled_back_change_leaves_neither_row_nor_history():
    patient = make_patient()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.event("correct_patient", by=patient.registered_by, patient=patient)
        Patient.objects.filter(pk=patient.pk).update(ward="7 North")
        raise ZeroDivisionError
    assert len(changes_of(patient)) == 1
    assert not Event.objects.filter(name="correct_patient").exists()


def test_a_password_is_never_copied_but_its_change_is_recorded():
    account = make_account()
    account.set_password("another-long-password")
    account.save()
    created, changed = changes_of(account)
    assert "password" not in created.new
    assert "password" not in changed.old
    assert changed.new["password"] == "changed"
    assert account.password not in str(changed.new)


def test_signing_in_changes_no_history():
    account = make_account()
    account.last_login = NOW
    account.save(update_fields=["last_login"])
    assert len(changes_of(account)) == 1


def test_instants_are_copied_in_utc_whatever_the_session_zone():
    with connection.cursor() as cursor:
        cursor.execute("set local timezone to 'Pacific/Chatham'")
    patient = make_patient(at=NOW)
    assert changes_of(patient)[0].new["registered_at"] == "2026-11-22T15:00:00+00:00"


def test_numbers_are_read_back_exactly():
    weight = make_weight(make_patient(), "70.1")
    assert changes_of(weight)[0].new["weight_kg"] == Decimal("70.10")


def test_rows_under_a_patient_know_whose_they_are():
    course = make_course(make_ward())
    for model, expected in [("order", 1), ("planneddose", course.doses.count()), ("course", 1)]:
        table = apps.get_model("regimens", model)._meta.db_table
        assert RowChange.objects.filter(tbl=table, op="INSERT", patient_id=course.patient_id).count() == expected > 0


def test_rights_of_accounts_have_a_history():
    group = Group.objects.create(name="Editors of texts")
    account = make_account()
    account.groups.add(group)
    account.groups.remove(group)
    assert [change.op for change in RowChange.objects.filter(tbl="patients_user_groups").order_by("id")] == ["INSERT", "DELETE"]
    assert changes_of(group)[0].new["name"] == "Editors of texts"


def test_a_chart_tells_its_weights_with_before_after_who_and_why():
    nurse = make_member(Role.NURSE, given="Amara", family="Sesay")
    patient = make_patient(by=make_member(centre=nurse.centre))
    make_weight(patient, "72", by=nurse, at=NOW)
    record_weight(
        by=nurse, at=NOW + timedelta(days=1), patient=patient, weight_kg=Decimal("70"), measured_at=NOW + timedelta(hours=20),
        method="stated", reason="Cannot stand",
    )  # fmt: skip
    newest = history_of(patient)[0]
    assert (newest.who, newest.role, newest.act, newest.reason) == ("Amara Sesay", "nurse", "record_weight", "Cannot stand")
    assert (newest.what, newest.field) == ("Weight measurement recorded", "weight_kg")
    assert (newest.before, newest.after) == (Decimal("72"), Decimal("70"))


def test_a_chart_tells_each_changed_field_in_words_and_names():
    patient = make_patient()
    weight = make_weight(patient)
    audit.event("mark_weight_in_error", by=patient.registered_by, patient=patient, reason="Wrong patient on the scale")
    weight.error_at, weight.error_by, weight.error_reason = NOW, patient.registered_by, "Wrong patient on the scale"
    weight.save()
    audit.event("correct_patient", by=patient.registered_by, patient=patient)
    Patient.objects.filter(pk=patient.pk).update(sex="unknown")
    told = {line.field: line for line in history_of(patient)}
    assert told["error_at"].after == NOW
    assert told["error_by_id"].after == "Kemi Adeyemi"
    assert (told["sex"].what, told["sex"].before, told["sex"].after) == ("Patient: sex", "Female", "Not recorded")


def test_a_chart_tells_acts_without_rows_and_reads_only_when_asked():
    patient = make_patient()
    audit.event("print_sheet", by=patient.registered_by, patient=patient)
    audit.event("read_chart", by=patient.registered_by, patient=patient)
    assert "print sheet" in [line.what for line in history_of(patient)]
    assert "read chart" not in [line.what for line in history_of(patient)]
    assert "read chart" in [line.what for line in history_of(patient, with_reads=True)]


def test_a_chart_is_told_in_five_queries_however_long(django_assert_num_queries):
    course = make_course(make_ward())
    patient = Patient.objects.select_related("centre").get(pk=course.patient_id)
    with django_assert_num_queries(5):
        lines = history_of(patient)
    assert len(lines) > PlannedDose.objects.filter(course=course).count()


def test_another_chart_is_not_told():
    one, other = make_patient(), make_patient()
    make_weight(other)
    assert WeightMeasurement.objects.filter(patient=other).exists()
    assert {line.what for line in history_of(one)} == {"Patient recorded"}
    assert isinstance(one.pk, uuid.UUID)
