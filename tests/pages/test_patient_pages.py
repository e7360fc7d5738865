"""The pages of the patients floor, as a browser without JavaScript posts to them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.models import Event, Patient, Precaution, Transplant, WeightMeasurement
from patients.roles import Role
from tests.factories import PASSWORD, make_centre, make_member, make_patient, make_transplant, make_weight

pytestmark = pytest.mark.django_db


@pytest.fixture
def centre():
    return make_centre()


@pytest.fixture
def pharmacist(centre):
    return make_member(Role.PHARMACIST, centre=centre)


@pytest.fixture
def patient(pharmacist):
    return make_patient(by=pharmacist, at=timezone.now())


@pytest.fixture
def page(client, pharmacist):
    """The pharmacist's browser."""
    client.force_login(pharmacist.user)
    return client


def chart(patient):
    return reverse("chart", args=[patient.pk])


def text(response):
    return response.content.decode()


NEW = {
    "family_name": "Brandt",
    "given_name": "Otto",
    "birth_on": "30-Sep-1954",
    "sex": "male",
    "mrn": "0040 0023",
    "allergy_state": "none_known",
}


# --- Registering and correcting


def test_a_patient_is_registered(page, pharmacist):
    assert page.get(reverse("patient-new")).status_code == 200
    response = page.post(reverse("patient-new"), NEW)
    registered = Patient.objects.get()
    assert (response.status_code, response["Location"]) == (302, chart(registered))
    assert (registered.mrn, registered.centre, registered.allergy_state) == ("00400023", pharmacist.centre, "none_known")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"birth_on": "09/30/1954"}, "two different days"),
        ({"birth_on": "30-Sep-2054"}, "in the future"),
        ({"mrn": ""}, "Record number"),
        ({"sex": ""}, "Sex"),
        ({"family_name": "Bra\u202endt"}, "U+202E"),
        ({"allergy_state": "known"}, "Name the known allergies"),
    ],
)
def test_a_form_with_an_error_comes_back_with_what_was_typed(page, typed, words):
    response = page.post(reverse("patient-new"), NEW | typed)
    assert response.status_code == 422
    assert words in text(response) and 'value="Otto"' in text(response)
    assert not Patient.objects.exists()


def test_a_taken_record_number_is_refused_without_a_word_about_the_other(page, patient):
    response = page.post(reverse("patient-new"), NEW | {"mrn": patient.mrn})
    assert response.status_code == 422
    assert "already used by another patient" in text(response) and "OKONKWO" not in text(response).upper()


def test_a_likely_duplicate_is_shown_and_then_may_be_another_person(page, patient):
    twin = NEW | {"family_name": "Okonkwa", "birth_on": "14-Jul-1979"}
    response = page.post(reverse("patient-new"), twin)
    assert response.status_code == 422
    assert chart(patient) in text(response) and 'name="is_another_person"' in text(response)
    assert page.post(reverse("patient-new"), twin | {"is_another_person": "on"}).status_code == 302
    assert Patient.objects.count() == 2


def test_extra_fields_change_nothing(page, pharmacist):
    extra = {"centre": make_centre().pk, "registered_by": 1, "version": 7, "closed_reason": "died", "id": "x", "name_key": "x"}
    page.post(reverse("patient-new"), NEW | extra)
    registered = Patient.objects.get()
    assert (registered.centre, registered.registered_by, registered.name_key) == (pharmacist.centre, pharmacist, "brandt,otto")
    assert (registered.version, registered.closed_reason) == (1, "")


def edit_data(patient, **changes):
    return {
        "family_name": patient.family_name, "given_name": patient.given_name, "title": "", "birth_on": "14-Jul-1979", "sex": "female",
        "mrn": patient.mrn, "ward": "", "allergy_state": "not_recorded", "allergies": "", "reason": "", "version": patient.version,
    } | changes  # fmt: skip


def test_details_are_corrected(page, patient):
    address = reverse("patient-edit", args=[patient.pk])
    assert 'value="14-Jul-1979"' in text(page.get(address))
    assert page.post(address, edit_data(patient, ward="ICU 2")).status_code == 302
    patient.refresh_from_db()
    assert patient.ward == "ICU 2"


def test_a_stale_form_shows_both_values_and_keeps_what_was_typed(page, pharmacist, patient):
    address = reverse("patient-edit", args=[patient.pk])
    actions.correct_patient(by=pharmacist, at=timezone.now(), patient=patient, version=1, ward="7 West")
    response = page.post(address, edit_data(patient, ward="ICU 2"))
    assert response.status_code == 422
    assert "7 West" in text(response) and 'value="ICU 2"' in text(response) and "Changed by somebody else" in text(response)
    patient.refresh_from_db()
    assert patient.ward == "7 West"
    assert page.post(address, edit_data(patient, ward="ICU 2", version=2)).status_code == 302


def test_a_chart_is_closed_and_opened_again(page, patient):
    address = reverse("patient-close", args=[patient.pk])
    assert page.post(address, {"closed_reason": "died"}).status_code == 422
    assert page.post(address, {"closed_reason": "died", "closed_at_on": "05-Jan-2026"}).status_code == 302
    patient.refresh_from_db()
    assert patient.closed_reason == "died"
    assert "Open the chart again" in text(page.get(address))
    assert page.post(address, {"reason": "Wrong chart"}).status_code == 302
    patient.refresh_from_db()
    assert patient.closed_at is None


# --- Weights


def weight_data(**changes):
    return {
        "weight_kg": "70",
        "measured_at_on": "2026-01-05",
        "measured_at_time": "06:20",
        "method": "bed_scale",
        "reason": "",
    } | changes


def test_a_weight_is_recorded_and_echoed_in_pounds(page, patient):
    response = page.post(reverse("weight-new", args=[patient.pk]), weight_data(), follow=False)
    assert (response.status_code, response["Location"]) == (302, chart(patient))
    weight = WeightMeasurement.objects.get()
    assert weight.weight_kg == Decimal(70)
    assert weight.measured_at.isoformat() == "2026-01-05T11:20:00+00:00"
    follow = text(page.get(reverse("patient-edit", args=[patient.pk])))
    assert "about 154\u00a0lb" in follow and "Mon 05-Jan-2026" in follow


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"weight_kg": "70,5"}, "Use a point"),
        ({"weight_kg": "154 lb"}, "kg only"),
        ({"measured_at_on": "01/05/2026"}, "two different days"),
        ({"measured_at_time": "6:20"}, "09:30"),
        ({"measured_at_on": "2025-03-09", "measured_at_time": "02:30"}, "go forward"),
        ({"measured_at_on": "2099-01-01"}, "in the future"),
        ({"method": "stated"}, "Say why"),
        ({"method": ""}, "How"),
    ],
)
def test_a_weight_with_an_error_comes_back(page, patient, typed, words):
    response = page.post(reverse("weight-new", args=[patient.pk]), weight_data(**typed))
    assert response.status_code == 422 and words in text(response)
    assert not WeightMeasurement.objects.exists()


def test_the_repeated_hour_asks_which_one_and_takes_the_answer(page, patient):
    address = reverse("weight-new", args=[patient.pk])
    assert 'name="measured_at_which"' not in text(page.get(address))
    night = weight_data(measured_at_on="2025-11-02", measured_at_time="01:30")
    response = page.post(address, night)
    assert response.status_code == 422 and 'name="measured_at_which"' in text(response) and "comes twice" in text(response)
    for which, hour in (("1", 5), ("2", 6)):
        assert page.post(address, night | {"measured_at_which": which, "weight_kg": f"7{which}"}).status_code == 302
        assert WeightMeasurement.objects.latest("pk").measured_at.hour == hour


def test_a_slip_is_kept_for_a_second_measurement_by_another_person(page, client, patient, pharmacist):
    make_weight(patient, at=timezone.now())
    address = reverse("weight-new", args=[patient.pk])
    measured = (timezone.now() - timedelta(hours=2)).astimezone(ZoneInfo("America/New_York"))
    slip = weight_data(weight_kg="154", measured_at_on=f"{measured:%Y-%m-%d}", measured_at_time=f"{measured:%H:%M}")
    response = page.post(address, slip)
    assert response.status_code == 422 and "pounds" in text(response) and 'name="keep_for_second"' in text(response)
    assert page.post(address, slip | {"keep_for_second": "on"}).status_code == 302
    assert WeightMeasurement.objects.filter(error_at=None).count() == 1
    client.force_login(make_member(Role.NURSE, centre=patient.centre).user)
    assert "waits for a second one" in text(client.get(address)) and "154" not in text(client.get(address))
    assert client.post(address, slip).status_code == 302
    assert WeightMeasurement.objects.filter(error_at=None, confirms__isnull=False).count() == 1


def test_a_weight_is_marked_in_error_with_a_reason(page, patient):
    weight = make_weight(patient, at=timezone.now())
    address = reverse("weight-error", args=[patient.pk, weight.pk])
    assert "70\u00a0kg" in text(page.get(address))
    assert page.post(address, {"reason": ""}).status_code == 422
    assert page.post(address, {"reason": "Wrong bed"}).status_code == 302
    assert page.get(address).status_code == 404  # it is marked, and not marked twice


def test_a_weight_is_reached_through_its_own_patient_only(page, pharmacist, patient):
    weight = make_weight(make_patient(by=pharmacist), at=timezone.now())
    address = reverse("weight-error", args=[patient.pk, weight.pk])
    assert page.get(address).status_code == 404
    assert page.post(address, {"reason": "Wrong bed"}).status_code == 404
    assert WeightMeasurement.objects.get().error_at is None


# --- Precautions


def test_questions_are_answered_and_a_contraindication_is_released_by_a_prescriber(page, client, patient):
    address = reverse("precautions", args=[patient.pk])
    assert "Unable to find out" in text(page.get(address))
    answers = {"iga_deficiency": "present", "iga_deficiency_detail": "IgA below 7", "renal_impairment": "unknown"}
    assert page.post(address, answers).status_code == 302
    assert Precaution.objects.count() == 2
    assert "Planning stops" in text(page.get(address))
    release = reverse("precaution-release", args=[patient.pk, "iga_deficiency"])
    assert page.get(release).status_code == 403
    client.force_login(make_member(Role.PRESCRIBER, centre=patient.centre).user)
    assert client.get(release).status_code == 200
    wrong = client.post(release, {"reason": "Weighed", "password": "not mine"})
    assert wrong.status_code == 422 and "Nothing was signed" in text(wrong) and "not mine" not in text(wrong)
    assert client.post(release, {"reason": "Weighed", "password": PASSWORD}).status_code == 302
    assert Precaution.objects.get(kind="iga_deficiency").released_at
    assert client.get(release).status_code == 404


def test_an_answer_outside_the_list_is_refused(page, patient):
    assert page.post(reverse("precautions", args=[patient.pk]), {"iga_deficiency": "maybe"}).status_code == 422
    assert not Precaution.objects.exists()


# --- Transplants


def transplant_data(**changes):
    return {
        "organs": ["kidney", "pancreas"], "zone_name": "America/New_York",
        "reperfusion_at_on": "20-Nov-2025", "reperfusion_at_time": "18:10",
        "donor_cmv_igg": "positive", "recipient_cmv_igg": "negative", "antiviral": "not_recorded", "antiviral_started_on": "",
    } | changes  # fmt: skip


def test_a_transplant_is_recorded_with_its_risk_group(page, patient):
    assert page.post(reverse("transplant-new", args=[patient.pk]), transplant_data()).status_code == 302
    transplant = Transplant.objects.get()
    assert (transplant.organs, transplant.reperfusion_at.isoformat()) == (["kidney", "pancreas"], "2025-11-20T23:10:00+00:00")
    assert "D+/R−, highest risk" in text(page.get(reverse("patient-edit", args=[patient.pk])))


def test_a_transplant_of_another_zone_is_read_on_its_own_clock(page, patient):
    page.post(reverse("transplant-new", args=[patient.pk]), transplant_data(zone_name="America/Los_Angeles"))
    assert Transplant.objects.get().reperfusion_at.isoformat() == "2025-11-21T02:10:00+00:00"


def test_a_transplant_without_a_time_counts_from_midnight(page, patient):
    page.post(reverse("transplant-new", args=[patient.pk]), transplant_data(reperfusion_at_time=""))
    transplant = Transplant.objects.get()
    assert (transplant.is_time_known, transplant.reperfusion_at.isoformat()) == (False, "2025-11-20T05:00:00+00:00")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"organs": []}, "Organs"),
        ({"donor_cmv_igg": ""}, "Donor"),
        ({"organs": ["hsct", "lung"]}, "two transplants"),
        ({"reperfusion_at_on": "2099-01-01"}, "one day ahead"),
        ({"zone_name": "Mars/Olympus"}, "Clock"),
    ],
)
def test_a_transplant_with_an_error_comes_back(page, patient, typed, words):
    response = page.post(reverse("transplant-new", args=[patient.pk]), transplant_data(**typed))
    assert response.status_code == 422 and words in text(response)
    assert not Transplant.objects.exists()


def test_a_transplant_is_corrected_with_a_reason(page, pharmacist, patient):
    transplant = make_transplant(patient, at=timezone.now())
    address = reverse("transplant-edit", args=[transplant.pk])
    assert page.get(address).status_code == 200
    assert page.post(address, transplant_data(version=1, reason="")).status_code == 422
    assert page.post(address, transplant_data(version=1, reason="Operation note")).status_code == 302
    stale = page.post(address, transplant_data(version=1, reason="Again", organs=["liver"]))
    assert stale.status_code == 422 and "Changed by somebody else" in text(stale) and "Kidney, Pancreas" in text(stale)


# --- History, doors, echo


def test_the_history_shows_who_changed_what_and_why(page, pharmacist, patient):
    actions.correct_patient(
        by=pharmacist, at=timezone.now(), patient=patient, version=1, family_name="Brandt", reason="Wrong form"
    )
    response = text(page.get(reverse("patient-history", args=[patient.pk])))
    assert "Okonkwo" in response and "Brandt" in response and "Wrong form" in response and "Kemi Adeyemi" in response
    assert Event.objects.filter(name="read_chart", patient_id=patient.pk, facts__page="patient-history").exists()


@pytest.mark.parametrize(
    ("kind", "typed", "echo"),
    [
        ("weight", "70", "about 154\u00a0lb"),
        ("weight", "70,5", "Use a point for the decimal, such as 70.5: a comma could be read as thousands."),
        ("day", "22-Nov-2026", "Sun 22-Nov-2026"),
        ("birth", "14-Jul-1979", "Sat 14-Jul-1979, age "),
        ("day", "<b>", "Write the date as 22-Nov-2026 (or 2026-11-22)."),
        ("day", "", ""),
    ],
)
def test_typed_values_are_echoed(page, kind, typed, echo):
    response = page.post(reverse("patient-echo"), {"kind": kind, "field": "x", "x": typed})
    assert response.status_code == 200
    assert text(response).startswith(echo) if kind == "birth" else text(response) == echo
