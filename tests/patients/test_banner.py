"""The banner: who this is, on every page about one patient (safety.md 2.3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from patients import actions
from patients.banner import banner_of
from tests.factories import NOW, make_answers, make_centre, make_member, make_patient, make_weight

pytestmark = pytest.mark.django_db


def test_the_banner_says_who_this_is():
    patient = make_patient(
        title="Ms", mrn="0042 7719", ward="7 West", allergy_state="known", allergies="immune globulin – rigors"
    )
    make_weight(patient, "70.5", measured_at=NOW - timedelta(days=1))
    banner = banner_of(patient, NOW)
    assert (banner.family_upper, banner.given, banner.title, banner.mrn, banner.ward) == (
        "OKONKWO",
        "Adaeze",
        "Ms",
        "00427719",
        "7 West",
    )
    assert (banner.born_on, banner.age_years, banner.sex) == (date(1979, 7, 14), 47, "Female")
    assert banner.weight_kg == Decimal("70.5")
    assert (banner.allergy_state, banner.allergies) == ("known", "immune globulin – rigors")
    assert (banner.name_alert, banner.died, banner.closed_reason) == ("", False, "")


def test_without_a_weight_the_banner_says_so():
    banner = banner_of(make_patient(), NOW)
    assert banner.weight_kg is None


def test_the_days_of_the_banner_are_the_centres_own():
    patient = make_patient(by=make_member(centre=make_centre(time_zone="Pacific/Honolulu")))
    make_weight(patient, measured_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC))  # still the 21st in Honolulu
    banner = banner_of(patient, datetime(2027, 7, 14, 9, 0, tzinfo=UTC))  # the eve of the birthday there
    assert (banner.today, banner.age_years) == (date(2027, 7, 13), 47)


def test_the_dead_keep_the_age_they_died_at():
    patient = make_patient()
    died_at = NOW - timedelta(days=200)
    actions.close_patient(by=patient.registered_by, at=NOW, patient=patient, closed_reason="died", closed_at=died_at)
    patient.refresh_from_db()
    banner = banner_of(patient, NOW)
    assert (banner.died, banner.closed_reason, banner.age_years, banner.closed_on) == (True, "Died", 46, date(2026, 5, 6))


def test_the_transferred_go_on_ageing():
    patient = make_patient()
    actions.close_patient(
        by=patient.registered_by, at=NOW, patient=patient, closed_reason="transferred", closed_at=NOW - timedelta(days=200)
    )
    patient.refresh_from_db()
    banner = banner_of(patient, NOW)
    assert (banner.died, banner.closed_reason, banner.age_years) == (False, "Transferred elsewhere", 47)


def test_a_weight_in_error_or_waiting_is_not_shown():
    patient = make_patient()
    by = patient.registered_by
    make_weight(patient, "70", measured_at=NOW - timedelta(days=2))
    wrong = make_weight(patient, "71", measured_at=NOW - timedelta(days=1))
    actions.mark_weight_in_error(by=by, at=NOW, weight=wrong, reason="Wrong bed")
    make_weight(patient, "154", keep_for_second=True)
    assert banner_of(patient, NOW).weight_kg == 70


def test_present_risks_stand_in_the_banner():
    patient = make_patient()
    make_answers(patient, iga_deficiency="present", pregnancy="unknown")
    assert banner_of(patient, NOW).precautions == ("Selective IgA deficiency",)


def test_the_name_alert_names_two_and_counts_the_rest():
    patient = make_patient()
    by = patient.registered_by
    assert banner_of(patient, NOW).name_alert == ""
    make_patient(by=by, given_name="Adanna")
    assert banner_of(patient, NOW).name_alert == "OKONKWO, Adanna"
    for given in ("Ada", "Zina", "Zora"):
        make_patient(by=by, given_name=given, birth_on=date(1990, 1, 1))
    assert banner_of(patient, NOW).name_alert == "OKONKWO, Adanna; OKONKWO, Ada and 2 more"


def test_the_banner_takes_three_statements(django_assert_num_queries):
    patient = make_patient()
    with django_assert_num_queries(3):
        banner_of(patient, NOW)
