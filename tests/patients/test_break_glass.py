"""Emergency access: one chart of another centre, 30 minutes, reading alone, recorded, and the auditor told (safety A11)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from patients import actions, audit
from patients.access import open_accesses, patient_for, patients_of, reading
from patients.actions.common import locked_patient
from patients.constraints import sentence_for
from patients.models import BreakGlass, Event, Membership, Patient, RowChange, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import NOW, make_centre, make_member, make_patient, make_weight

pytestmark = pytest.mark.django_db
WHY = "Found unconscious in our emergency room"


def stranger(role: str = Role.NURSE) -> Membership:
    return make_member(role, centre=make_centre(name="Far Away Hospital"), given="Amara", family="Sesay")


def asked(by: Membership, patient: Patient, **changes) -> BreakGlass | None:
    facts = {"centre_id": patient.centre_id, "mrn": patient.mrn, "reason": WHY, "by": by, "at": NOW}
    return actions.open_emergency_access(**(facts | changes))


def refused(call) -> str:
    with pytest.raises(Refusal) as refusal, transaction.atomic():
        call()
    return refusal.value.code


def signed_in(client, by: Membership, patient: Patient):
    """Signed in, with an emergency access opened through its page."""
    client.force_login(by.user)
    answer = client.post("/emergency/", {"centre": patient.centre_id, "mrn": patient.mrn, "reason": WHY})
    assert (answer.status_code, answer["Location"]) == (302, f"/patients/{patient.pk}/")
    return client


def test_a_reason_of_ten_characters_opens_one_chart_for_thirty_minutes():
    patient, by = make_patient(), stranger()
    access = asked(by, patient, reason="1234567890")
    assert access is not None
    assert (access.patient, access.membership, access.reason) == (patient, by, "1234567890")
    assert access.expires_at - access.opened_at == timedelta(minutes=30)
    event = Event.objects.get(name="emergency_open")
    assert (event.actor_name, event.patient_id, event.reason) == ("Amara Sesay", patient.pk, "1234567890")


@pytest.mark.parametrize("reason", ["", "123456789", "  short   "])
def test_a_shorter_reason_is_refused(reason):
    patient, by = make_patient(), stranger()
    assert refused(lambda: asked(by, patient, reason=reason)) == "reason_needed"
    assert not BreakGlass.objects.exists()


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER)])
def test_only_clinicians_who_treat_may_ask(role):
    patient, by = make_patient(), stranger(role)
    assert refused(lambda: asked(by, patient)) == "role"


def test_the_answer_is_the_same_for_a_wrong_number_a_wrong_centre_and_the_own_centre(client):
    patient, by = make_patient(mrn="00427719"), stranger()
    own = make_patient(by=make_member(centre=by.centre), mrn="00990011")
    client.force_login(by.user)
    pages = []
    other = make_centre()
    for centre_id, mrn in ((patient.centre_id, "00427710"), (other.pk, patient.mrn), (patient.centre_id, own.mrn)):
        page = client.post("/emergency/", {"centre": centre_id, "mrn": mrn, "reason": WHY})
        assert page.status_code == 422
        assert "No chart was opened. Check the record number and the center." in page.content.decode()
        pages.append(Event.objects.latest("pk"))
    assert {(event.name, event.patient_id) for event in pages} == {("emergency_not_found", None)}
    assert not BreakGlass.objects.exists()


def test_after_five_numbers_that_led_nowhere_even_the_right_one_is_refused_for_an_hour():
    patient, by = make_patient(), stranger()
    for number in range(5):
        assert asked(by, patient, mrn=f"X{number}", at=timezone.now()) is None
    assert refused(lambda: asked(by, patient, at=timezone.now())) == "emergency_locked"
    assert asked(by, patient, at=timezone.now() + timedelta(minutes=61)) is not None


def test_it_opens_that_chart_and_no_other_until_the_last_moment():
    patient, by = make_patient(), stranger()
    neighbour = make_patient(by=patient.registered_by, family_name="Halloran")
    asked(by, patient)
    for at, wanted in ((NOW, 1), (NOW + timedelta(minutes=29, seconds=59), 1), (NOW + timedelta(minutes=30), 0)):
        with reading(by, open_accesses(by, at)):
            assert patients_of(by).filter(pk=patient.pk).count() == wanted
            assert not patients_of(by).filter(pk=neighbour.pk).exists()


def test_the_chart_names_no_other_patient_of_its_centre(client):
    patient, by = make_patient(), stranger()
    make_patient(by=patient.registered_by, given_name="Adanna")
    colleague = make_member(Role.NURSE, centre=patient.centre)
    client.force_login(colleague.user)
    assert "Adanna" in client.get(f"/patients/{patient.pk}/").content.decode()
    page = signed_in(client, by, patient).get(f"/patients/{patient.pk}/").content.decode()
    assert "Adanna" not in page and "1 of similar name" in page


def test_it_opens_nothing_for_anybody_else_of_the_same_centre():
    patient, by = make_patient(), stranger()
    asked(by, patient)
    colleague = make_member(Role.NURSE, centre=by.centre)
    with reading(by, open_accesses(by, NOW)):
        assert not patients_of(colleague).filter(pk=patient.pk).exists()
    assert open_accesses(colleague, NOW) == ()


def test_a_page_is_recorded_once_before_it_is_shown(client):
    patient, by = make_patient(), stranger()
    signed_in(client, by, patient)
    for path in (f"/patients/{patient.pk}/", f"/patients/{patient.pk}/history/"):
        before = Event.objects.filter(name="read_emergency").count()
        page = client.get(path)
        assert page.status_code == 200
        assert "Emergency access" in page.content.decode() and "recorded" in page.content.decode()
        assert Event.objects.filter(name="read_emergency", patient_id=patient.pk).count() == before + 1
    assert "Emergency access" in client.get("/help/").content.decode()


def test_nothing_can_be_sent_to_a_chart_that_only_an_emergency_opened(client):
    patient, by = make_patient(), stranger(Role.PHARMACIST)
    signed_in(client, by, patient)
    assert client.get(f"/patients/{patient.pk}/weights/new/").status_code == 200
    before = RowChange.objects.count()
    typed = {"weight_kg": "70", "measured_at_on": "22-Nov-2026", "measured_at_time": "08:00", "method": "bed_scale"}
    for path in ("edit/", "close/", "weights/new/", "precautions/", "transplants/new/"):
        assert client.post(f"/patients/{patient.pk}/{path}", typed).status_code == 404
    assert RowChange.objects.count() == before


def test_an_action_called_while_the_page_is_read_finds_no_chart():
    patient, by = make_patient(), stranger(Role.PHARMACIST)
    asked(by, patient)
    with reading(by, open_accesses(by, NOW)):
        assert patient_for(by, patient.pk) == patient
        with pytest.raises(Exception, match="Not found"):
            locked_patient(by, patient.pk)


def test_the_database_refuses_the_event_of_a_change_by_somebody_of_another_centre():
    patient, by = make_patient(), stranger(Role.PHARMACIST)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        audit.event("record_weight", by=by, patient=patient)
    assert sentence_for(error.value).code == "charts_change_in_their_own_centre"
    audit.event("read_chart", by=by, patient=patient)


def test_the_database_refuses_the_row_even_under_an_event_that_names_no_patient():
    patient, by = make_patient(), stranger(Role.PHARMACIST)
    weight = make_weight(patient)
    audit.event("something", by=by)
    for change in (
        lambda: Patient.objects.filter(pk=patient.pk).update(ward="7 North"),
        lambda: WeightMeasurement.objects.filter(pk=weight.pk).update(error_at=NOW, error_by=by, error_reason="Not theirs"),
    ):
        with pytest.raises(IntegrityError) as error, transaction.atomic():
            change()
        assert sentence_for(error.value).code == "charts_change_in_their_own_centre"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "123456789"}, "emergency_access_has_a_reason"),
        ({"expires_at": NOW + timedelta(minutes=30, seconds=1)}, "emergency_access_lasts_at_most_30_minutes"),
        ({"acknowledged_at": NOW}, "acknowledged_emergency_has_who_and_when"),
    ],
)
def test_the_database_keeps_an_access_short_and_explained(change, code):
    patient, by = make_patient(), stranger()
    facts = {"reason": WHY, "opened_at": NOW, "expires_at": NOW + timedelta(minutes=30)} | change
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        BreakGlass.objects.create(membership=by, patient=patient, **facts)
    assert sentence_for(error.value).code == code


def test_the_database_refuses_an_access_to_the_own_centre_and_any_change_of_one():
    patient, by = make_patient(), stranger()
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        facts = {"reason": WHY, "opened_at": NOW, "expires_at": NOW + timedelta(minutes=30)}
        BreakGlass.objects.create(membership=patient.registered_by, patient=patient, **facts)
    assert sentence_for(error.value).code == "emergency_access_is_of_another_centre"
    access = asked(by, patient)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        BreakGlass.objects.filter(pk=access.pk).update(opened_at=NOW - timedelta(minutes=1))
    assert sentence_for(error.value).code == "emergency_access_is_never_changed"


def test_the_auditor_of_the_patients_centre_acknowledges_once():
    patient, by = make_patient(), stranger()
    access = asked(by, patient)
    auditor = make_member(Role.AUDITOR, centre=patient.centre)
    elsewhere = make_member(Role.AUDITOR)
    acknowledge = actions.acknowledge_emergency_access
    with pytest.raises(Exception, match="Not found"):
        acknowledge(by=elsewhere, at=NOW, access_id=access.pk)
    assert refused(lambda: acknowledge(by=patient.registered_by, at=NOW, access_id=access.pk)) == "role"
    seen = acknowledge(by=auditor, at=NOW, access_id=access.pk)
    assert (seen.acknowledged_by, seen.acknowledged_at) == (auditor, NOW)
    assert refused(lambda: acknowledge(by=auditor, at=NOW, access_id=access.pk)) == "acknowledged"


def test_signing_out_ends_it(client):
    patient, by = make_patient(), stranger()
    signed_in(client, by, patient)
    client.logout()
    client.force_login(by.user)
    assert client.get(f"/patients/{patient.pk}/").status_code == 404


def test_its_time_ends_it_in_the_middle_of_a_session(client):
    patient, by = make_patient(), stranger()
    opened = timezone.now() - timedelta(minutes=31)
    facts = {"reason": WHY, "opened_at": opened, "expires_at": opened + timedelta(minutes=30)}
    BreakGlass.objects.create(membership=by, patient=patient, **facts)
    client.force_login(by.user)
    session = client.session
    session["emergency"] = True
    session.save()
    assert client.get(f"/patients/{patient.pk}/").status_code == 404
    assert "emergency" not in client.session
