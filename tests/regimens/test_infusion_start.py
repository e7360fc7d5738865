"""Starting an infusion: what stops it, and what a start leaves behind."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from patients.actions import close_patient
from patients.refusal import Refusal
from regimens.actions import courses, departures, disputes, outside, planning, replanning
from regimens.actions.around import read_around
from regimens.actions.charting import read_dose
from regimens.actions.infusions import AlreadyRecorded
from regimens.actions.parts import VialFacts
from regimens.models import Administration, OutsideDose, PlannedDose
from tests.factories import make_weight
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, release, start, verify, vitals

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
SECOND = TRANSPLANTED + timedelta(days=14)


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have recorded nothing new."""
    before = Administration.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert Administration.objects.count() == before
    return caught.value


def test_a_start_records_who_when_the_first_rate_and_settles_the_dose():
    ward = make_ward()
    planned = dose(make_course(ward))
    record = start(ward, planned, at=FIRST, vial_entered_at=FIRST - timedelta(minutes=15))
    assert (record.given_by, record.recorded_by, record.started_at, record.ended_at) == (ward.nurse, ward.nurse, FIRST, None)
    assert record.rate_table == "initial"
    assert record.flags == []
    assert [(rate.at, rate.rate_ml_per_h) for rate in record.rates.all()] == [(FIRST, Decimal(21))]
    planned.refresh_from_db()
    assert (planned.settled_at, planned.settled_as) == (FIRST, "recorded")


def test_the_vital_signs_and_vials_of_a_start_are_kept_with_it():
    ward = make_ward()
    planned = dose(make_course(ward))
    expires = FIRST.date() + timedelta(days=1)
    record = start(ward, planned, at=FIRST, vials=[VialFacts("B7", expires, Decimal(100))], vitals=vitals(FIRST, "before"))
    assert record.vitals.get().moment == "before"
    assert [(vial.lot.number, vial.given_ml) for vial in record.vials.all()] == [("B7", Decimal(50)), ("B7", Decimal(50))]


def test_nobody_but_nurse_and_pharmacist_starts_an_infusion():
    ward = make_ward()
    planned = dose(make_course(ward))
    refused("role", lambda: start(ward, planned, at=FIRST, by=ward.prescriber))


@pytest.mark.parametrize("wrong", [{"mrn_tail": "0000"}, {"birth_year": "1997"}, {"mrn_tail": ""}])
def test_another_patients_identity_stops_a_start(wrong):
    ward = make_ward()
    planned = dose(make_course(ward))
    assert refused("wrong_identity", lambda: start(ward, planned, at=FIRST, **wrong)).field == "mrn_tail"


def test_an_unsigned_dose_does_not_start():
    ward = make_ward()
    planned = dose(make_course(ward, verified=False))
    refused("unsigned", lambda: start(ward, planned, at=FIRST))


def test_a_dose_that_is_not_what_was_signed_does_not_start():
    ward = make_ward()
    chart = read_dose(dose(make_course(ward)))
    chart.dose.dose_mg += 1
    code, plan = planning.sheet_code(chart.dose), planning.infusion_plan_of(chart.dose)
    facts = {"sheet_code": code, "plan": plan, "vial_entered_at": None, "in_stages": False, "vials": (), "at": FIRST}
    around = read_around(chart, chart.dose)
    refused("signature_broken", lambda: departures.refuse_start(chart, chart.dose, around, **facts))


def test_a_code_that_no_sheet_of_the_dose_carries_stops_it_and_says_the_valid_amount():
    ward = make_ward()
    planned = dose(make_course(ward))
    refusal = refused("dead_sheet", lambda: start(ward, planned, at=FIRST, sheet_code="0000-0000"))
    assert "10,500\u00a0mg in 210\u00a0mL" in refusal.sentence
    assert refusal.field == "sheet_code"


def test_case_spaces_and_dash_of_a_sheet_code_do_not_matter():
    ward = make_ward()
    planned = dose(make_course(ward))
    typed = f" {planning.sheet_code(planned).lower().replace('-', ' ')} "
    assert start(ward, planned, at=FIRST, sheet_code=typed).sheet_code == planning.sheet_code(planned)


def test_the_sheet_of_a_recalculated_dose_is_dead():
    ward = make_ward()
    course = make_course(ward)
    old = dose(course)
    code = planning.sheet_code(old)
    at = FIRST - timedelta(hours=2)
    heavier = make_weight(course.patient, "75", at=at)
    verify(ward, replanning.recalculate_course(course=course, weight=heavier, by=ward.pharmacist, at=at), at=at)
    refused("superseded", lambda: start(ward, old, at=FIRST))
    refused("dead_sheet", lambda: start(ward, dose(course), at=FIRST, sheet_code=code))
    assert start(ward, dose(course), at=FIRST).dose.weight_kg == 75


def test_a_stopped_course_and_a_closed_chart_stop_a_start():
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=FIRST)
    refused("course_stopped", lambda: start(ward, planned, at=FIRST))
    other = make_course(ward)
    close_patient(patient=other.patient, closed_reason="died", closed_at=FIRST, by=ward.prescriber, at=FIRST)
    refused("patient_closed", lambda: start(ward, dose(other), at=FIRST))


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (timedelta(days=10, hours=23), "window_not_open"),
        (timedelta(days=18), "missed_undecided"),
    ],
)
def test_a_dose_does_not_start_outside_its_window(offset, code):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    local_midnight = TRANSPLANTED.replace(hour=5)  # 00:00 in New York in winter
    refused(code, lambda: start(ward, dose(course, 2), at=local_midnight + offset))


def test_the_minimum_interval_counts_start_to_start_and_says_from_when():
    ward = make_ward()
    course = make_course(ward)
    late_first = TRANSPLANTED + timedelta(days=8)
    give(ward, dose(course), at=late_first, reason="Given on arrival, before the decision")
    early_second = dose(course, 2).opens_at + timedelta(hours=6)
    assert early_second - late_first < timedelta(days=7)
    refusal = refused("min_interval", lambda: start(ward, dose(course, 2), at=early_second))
    assert "168\u00a0h" in refusal.sentence
    release(ward, dose(course, 2), at=late_first + timedelta(days=7))
    assert start(ward, dose(course, 2), at=late_first + timedelta(days=7)).dose.number == 2


def test_two_overdue_doses_are_never_both_open_for_giving():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    fourth_week = TRANSPLANTED + timedelta(days=28)
    refused("missed_undecided", lambda: start(ward, dose(course, 2), at=fourth_week))
    start(ward, dose(course, 3), at=fourth_week)


def test_an_infusion_that_runs_stops_another_one_of_the_same_patient():
    ward = make_ward()
    course = make_course(ward)
    start(ward, dose(course), at=FIRST)
    refused("other_running", lambda: start(ward, dose(course, 2), at=SECOND))


def test_a_disputed_dose_does_not_start():
    ward = make_ward()
    course = make_course(ward)
    record = give(ward, dose(course), at=FIRST)
    at = FIRST + timedelta(hours=5)
    disputes.enter_in_error(record=record, reason="Recorded on the wrong patient", by=ward.nurse, at=at)
    refused("disputed", lambda: start(ward, dose(course), at=at))


def test_an_expired_lot_and_a_vial_entered_too_long_ago_stop_a_start():
    ward = make_ward()
    planned = dose(make_course(ward))
    local_day = FIRST.date()  # 10:00 or 11:00 in New York: the same day
    refused(
        "expired_lot",
        lambda: start(ward, planned, at=FIRST, vials=[VialFacts("X", local_day - timedelta(days=1), Decimal(50))]),
    )
    refused("vial_time", lambda: start(ward, planned, at=FIRST, vial_entered_at=FIRST - timedelta(hours=6, minutes=1)))
    start(ward, planned, at=FIRST, vial_entered_at=FIRST - timedelta(hours=6), vials=[VialFacts("X", local_day, Decimal(50))])


def test_the_first_rate_may_be_slower_than_the_table_never_faster():
    ward = make_ward()
    planned = dose(make_course(ward))
    refused("first_rate", lambda: start(ward, planned, at=FIRST, rate_ml_per_h=Decimal("21.1")))
    assert start(ward, planned, at=FIRST, rate_ml_per_h=Decimal(10)).rates.get().rate_ml_per_h == 10


def test_the_same_form_sent_five_times_is_one_record():
    ward = make_ward()
    planned = dose(make_course(ward))
    token = uuid.uuid4()
    records = {start(ward, planned, at=FIRST + timedelta(seconds=n), token=token).pk for n in range(5)}
    assert len(records) == 1
    assert Administration.objects.filter(dose=planned).count() == 1


def test_the_second_nurse_is_told_who_was_first_and_when():
    ward = make_ward()
    planned = dose(make_course(ward))
    record = start(ward, planned, at=FIRST)
    refusal = refused("already_recorded", lambda: start(ward, planned, at=FIRST + timedelta(minutes=2), by=ward.second_nurse))
    assert isinstance(refusal, AlreadyRecorded)
    assert refusal.record_id == record.pk
    assert refusal.sentence == "Already recorded by Ana Ruiz at 06:00."


def test_the_initial_table_is_used_again_after_more_than_56_days():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    last = dose(course, 7)
    assert last.rate_table == "subsequent"
    assert start(ward, last, at=last.opens_at + timedelta(days=1)).rate_table == "initial"


def test_a_dose_given_elsewhere_decides_rates_and_distance_at_the_bedside_too():
    ward = make_ward()
    course = make_course(ward)
    second = dose(course, 2)
    at = second.opens_at + timedelta(hours=6)
    told = outside.OutsideFacts(product="cmv_ig", given_at=at - timedelta(days=5), said_by="Letter of the clinic")
    outside.record_outside_dose(patient=course.patient, dose=told, by=ward.nurse, at=at)
    record = give(ward, second, at=at, reason="Given before the letter was read")
    assert (record.rate_table, "under_interval" in record.flags) == ("subsequent", True)


def test_a_start_is_one_event_in_the_history_and_few_statements(django_assert_max_num_queries):
    ward = make_ward()
    planned = dose(make_course(ward))
    release(ward, planned, at=FIRST)
    with django_assert_max_num_queries(10):  # two of them open and close the savepoint that a transaction is in a test
        start(ward, planned, at=FIRST, released=False)
    assert PlannedDose.objects.get(pk=planned.pk).settled_as == "recorded"


def test_another_immune_globulin_since_the_last_dose_takes_the_initial_table_and_says_so():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    told = {"patient": course.patient, "given_mg": Decimal(25000), "said_by": "Their letter"}
    kept = {"recorded_by": ward.nurse, "recorded_at": SECOND}
    OutsideDose.objects.create(product="other_ig", given_at=FIRST - timedelta(hours=1), **told, **kept)
    assert departures.rate_table_for(read_dose(second), second, SECOND).code == "subsequent", "CMV-IGIV was the last"
    OutsideDose.objects.create(product="other_ig", given_at=SECOND - timedelta(days=2), **told, **kept)
    chosen = departures.rate_table_for(read_dose(second), second, SECOND)
    assert (chosen.code, chosen.reasons) == ("initial", ("product_changed",))
    assert [step["rule"] for step in chosen.working.to_json()] == ["R-RATE-4"]
