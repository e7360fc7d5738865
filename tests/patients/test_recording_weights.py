"""Recording weights: what is asked, what is refused, and the way through for a weight that looks like a slip."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.http import Http404

from patients import actions, facts
from patients.models import Event, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import Role
from patients.rules import WeightLimits
from tests.factories import NOW, make_member, make_patient, make_weight

pytestmark = pytest.mark.django_db


@pytest.fixture
def nurse():
    return make_member(Role.NURSE, given="Ann", family="Lund")


@pytest.fixture
def patient(nurse):
    return make_patient(by=make_member(centre=nurse.centre))


def other_nurse(nurse):
    return make_member(Role.NURSE, centre=nurse.centre, given="Ben", family="Ode")


def refused(code, **values):
    rows = WeightMeasurement.objects.count()
    with pytest.raises(Refusal) as refusal:
        make_weight(**values)
    assert refusal.value.code == code
    assert WeightMeasurement.objects.count() == rows
    return refusal.value


def test_a_first_weight_is_recorded_as_measured(nurse, patient):
    weight = make_weight(patient, "70.5", by=nurse)
    assert facts.current_weight(patient) == weight
    assert (weight.weight_kg, weight.recorded_by, weight.error_at) == (Decimal("70.5"), nurse, None)
    assert Event.objects.get(name="record_weight").patient_id == patient.pk


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.COORDINATOR, Role.AUDITOR, Role.ADMINISTRATOR])
def test_other_roles_record_no_weight(nurse, patient, role):
    assert refused("role", patient=patient, by=make_member(role, centre=nurse.centre))


@pytest.mark.parametrize(
    ("weight_kg", "code"),
    [("1.9", "weight_range"), ("300.5", "weight_range"), ("70.55", "weight_decimals"), ("NaN", "weight_text")],
)
def test_an_impossible_weight_is_refused_below_the_form_too(nurse, patient, weight_kg, code):
    refused(code, patient=patient, by=nurse, weight_kg=weight_kg)


def test_a_weight_is_not_measured_in_the_future_nor_before_the_birth(nurse, patient):
    refused("in_the_future", patient=patient, by=nurse, measured_at=NOW + timedelta(seconds=1))
    refused("before_birth", patient=patient, by=nurse, measured_at=NOW - timedelta(days=365 * 60))


def test_a_stated_weight_needs_its_reason(nurse, patient):
    assert refused("reason_needed", patient=patient, by=nurse, method="stated").field == "reason"
    assert make_weight(patient, by=nurse, method="stated", reason="Intubated, no bed scale").reason


def test_ten_percent_asks_and_a_reason_answers(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=3))
    refusal = refused("weight_change_asks", patient=patient, by=nurse, weight_kg="77")
    assert "+10%" in refusal.sentence and "19-Nov-2026" in refusal.sentence and refusal.field == "reason"
    assert make_weight(patient, "76.9", by=nurse)
    assert make_weight(patient, "63", by=nurse, reason="Fluid removed").weight_kg == 63


def test_the_limit_of_change_is_an_argument(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=3))
    refused("weight_change_asks", patient=patient, by=nurse, weight_kg="73.5", limits=WeightLimits(change_percent=Decimal(5)))


@pytest.mark.parametrize(("last", "slip"), [("70", "154"), ("154", "70"), ("32", "70.5"), ("70.5", "7.05"), ("7", "70")])
def test_a_slip_is_refused_and_nothing_is_kept(nurse, patient, last, slip):
    make_weight(patient, last, by=nurse, measured_at=NOW - timedelta(days=3))
    refused("weight_implausible", patient=patient, by=nurse, weight_kg=slip, reason="I am sure")


def test_a_slip_passes_with_a_second_measurement_by_another_person(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    first = make_weight(patient, "154", by=nurse, keep_for_second=True)
    assert facts.is_held(first)
    assert facts.current_weight(patient).weight_kg == 70  # nothing can be computed from it yet
    second = make_weight(patient, "155", by=other_nurse(nurse))
    assert (second.confirms, facts.current_weight(patient)) == (first, second)


def test_nobody_confirms_the_own_measurement(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    make_weight(patient, "154", by=nurse, keep_for_second=True)
    refused("weight_implausible", patient=patient, by=nurse, weight_kg="154", measured_at=NOW)


def test_a_second_measurement_that_differs_confirms_nothing_and_is_not_told_the_first(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    make_weight(patient, "154", by=nurse, keep_for_second=True)
    refusal = refused("weight_implausible", patient=patient, by=other_nurse(nurse), weight_kg="160")
    assert "does not confirm" in refusal.sentence and "154" not in refusal.sentence


def test_a_second_measurement_comes_within_a_day(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    make_weight(patient, "154", by=nurse, keep_for_second=True, measured_at=NOW - timedelta(hours=24))
    late = make_weight(patient, "154", by=other_nurse(nurse), measured_at=NOW)
    assert late.confirms is not None


def test_a_second_measurement_a_day_and_a_second_later_confirms_nothing(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    make_weight(patient, "154", by=nurse, keep_for_second=True, measured_at=NOW - timedelta(hours=24, seconds=1))
    refused("weight_implausible", patient=patient, by=other_nurse(nurse), weight_kg="154", measured_at=NOW)


def test_a_first_measurement_is_used_for_one_confirmation_only(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    make_weight(patient, "154", by=nurse, keep_for_second=True)
    second = make_weight(patient, "154", by=other_nurse(nurse))
    actions.mark_weight_in_error(by=nurse, at=NOW, weight=second, reason="Wrong patient on the scale")
    refused("weight_implausible", patient=patient, by=other_nurse(nurse), weight_kg="154")


def test_a_stated_weight_is_no_half_of_a_doubtful_measurement(nurse, patient):
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=30))
    stated = {"method": "stated", "reason": "Says so"}
    refused("second_must_be_measured", patient=patient, by=nurse, weight_kg="154", keep_for_second=True, **stated)
    make_weight(patient, "154", by=nurse, keep_for_second=True)
    refused("second_must_be_measured", patient=patient, by=other_nurse(nurse), weight_kg="154", **stated)


def test_a_weight_entered_late_is_compared_with_its_own_time(nurse, patient):
    make_weight(patient, "60", by=nurse, measured_at=NOW - timedelta(days=20))
    make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=2), reason="Grew")
    assert make_weight(patient, "61", by=nurse, measured_at=NOW - timedelta(days=19))
    assert facts.current_weight(patient).weight_kg == 70


def test_the_same_measurement_sent_five_times_is_one_row(nurse, patient):
    rows = {make_weight(patient, "70", by=nurse).pk for _ in range(5)}
    assert len(rows) == WeightMeasurement.objects.count() == 1


def test_a_weight_in_error_stays_on_record_and_is_used_no_more(nurse, patient):
    good = make_weight(patient, "70", by=nurse, measured_at=NOW - timedelta(days=1))
    wrong = make_weight(patient, "71", by=nurse)
    marked = actions.mark_weight_in_error(by=nurse, at=NOW, weight=wrong, reason="Read from another bed")
    assert (marked.error_by, marked.error_at, marked.weight_kg) == (nurse, NOW, 71)
    assert facts.current_weight(patient) == good
    with pytest.raises(Refusal, match="already_in_error"):
        actions.mark_weight_in_error(by=nurse, at=NOW, weight=wrong, reason="Again")


def test_marking_in_error_needs_a_reason(nurse, patient):
    weight = make_weight(patient, by=nurse)
    with pytest.raises(Refusal, match="reason_needed"):
        actions.mark_weight_in_error(by=nurse, at=NOW, weight=weight, reason="")


def test_a_closed_chart_takes_no_weight(nurse, patient):
    actions.close_patient(by=patient.registered_by, at=NOW, patient=patient, closed_reason="died")
    refused("patient_closed", patient=patient, by=nurse)


def test_a_weight_of_another_centre_is_not_found(nurse, patient):
    weight = make_weight(patient, by=nurse)
    stranger = make_member(Role.NURSE)
    with pytest.raises(Http404):
        make_weight(patient, by=stranger)
    with pytest.raises(Http404):
        actions.mark_weight_in_error(by=stranger, at=NOW, weight=weight, reason="Not mine")
    assert WeightMeasurement.objects.get().error_at is None
