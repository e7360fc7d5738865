"""Missed doses: only a prescriber decides, once, on what is really missed, and each decision does what it says and no more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from patients.actions import close_patient
from patients.refusal import Refusal
from regimens.actions import missed
from regimens.actions.charting import read_dose
from regimens.domain.transitions import DECIDED_BY
from regimens.models import Decision, MissedDoseDecision, PlannedDose
from regimens.models.status import status_of
from tests.factories import make_answers
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, start, verify

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
# Dose 2: target Fri 04-Dec-2026, last day Mon 07-Dec; New York midnight is 05:00 UTC.
CLOSES = datetime(2026, 12, 8, 5, tzinfo=UTC)
NOW = CLOSES + timedelta(hours=9)
LATE_DAY = date(2026, 12, 9)
# Of a missed dose, where the center does not shift courses.
MAY_BE_DECIDED = ["give_late", "omit", "change_dose", "hold", "stop", "change_protocol"]


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have decided nothing."""
    before = MissedDoseDecision.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert MissedDoseDecision.objects.count() == before
    return caught.value


def missed_second():
    """A ward and a course whose first dose was given and whose second was missed."""
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    assert dose(course, 2).closes_at == CLOSES
    return ward, course


def decide(ward, planned: PlannedDose, decision: str, **changes: Any) -> MissedDoseDecision:
    codes = {"give_late": "no_access", "omit": "declined", "stop": "graft_loss"}
    facts: dict[str, Any] = {"reason_code": codes[decision], "reached_by": "telephone", "by": ward.prescriber, "at": NOW}
    if decision == "give_late":
        facts["give_on"] = LATE_DAY
    return missed.decide(dose=planned, decision=decision, **(facts | changes))


def test_giving_late_makes_a_new_unsigned_row_for_that_day_in_the_old_ones_place():
    ward, course = missed_second()
    old = dose(course, 2)
    decide(ward, old, "give_late")
    old.refresh_from_db()
    new = dose(course, 2)
    assert (old.settled_as, new.replaces, new.number) == ("superseded", old, 2)
    assert (new.verified_at, new.verified_by, new.content_hash) == (None, None, "")
    assert (new.opens_at, new.closes_at) == (datetime(2026, 12, 9, 5, tzinfo=UTC), datetime(2026, 12, 10, 5, tzinfo=UTC))
    assert (new.target_on, new.dose_mg, new.mg_per_kg, new.weight_kg) == (LATE_DAY, old.dose_mg, old.mg_per_kg, old.weight_kg)
    assert new.built_by == ward.prescriber
    assert new.revision == old.revision + 1
    assert new.working[-2]["rule"] == "R-MISS-1"


def test_a_late_dose_starts_only_after_another_person_verified_it():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "give_late")
    noon = datetime(2026, 12, 9, 17, tzinfo=UTC)
    refused("unsigned", lambda: start(ward, dose(course, 2), at=noon))
    verify(ward, course, at=noon - timedelta(hours=1))
    record = start(ward, dose(course, 2), at=noon)
    assert record.flags == []


def test_giving_late_moves_no_other_dose():
    ward, course = missed_second()
    fields = ("pk", "opens_at", "target_on", "closes_at", "dose_mg", "verified_at", "settled_as")
    others = list(course.doses.exclude(number=2).order_by("number").values_list(*fields))
    decide(ward, dose(course, 2), "give_late")
    assert list(course.doses.exclude(number=2).order_by("number").values_list(*fields)) == others


def test_a_late_dose_that_passes_its_day_is_missed_again_and_decided_again():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "give_late")
    at = datetime(2026, 12, 10, 5, tzinfo=UTC)
    again = dose(course, 2)
    assert status_of(again, at) == "missed"
    decide(ward, again, "omit", at=at)
    assert status_of(dose(course, 2), at) == "omitted"


def test_a_late_dose_is_not_booked_until_somebody_books_it():
    ward, course = missed_second()
    second = dose(course, 2)
    PlannedDose.objects.filter(pk=second.pk).update(booked_for=second.opens_at, booked_place="Ward 4B")
    decide(ward, second, "give_late")
    assert (dose(course, 2).booked_for, dose(course, 2).booked_place) == (None, "")


def test_the_late_dose_opens_today_when_it_is_to_be_given_today():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "give_late", give_on=date(2026, 12, 8))
    assert status_of(dose(course, 2), NOW) == "due"


def test_a_dose_given_after_more_than_56_days_takes_the_initial_table_when_it_is_given_late():
    ward, course = missed_second()
    sixth = dose(course, 6)
    at = sixth.closes_at + timedelta(hours=9)
    assert sixth.rate_table == "subsequent"
    decide(ward, sixth, "give_late", at=at, give_on=at.date())
    assert dose(course, 6).rate_table == "initial"


def test_nothing_is_planned_late_for_a_closed_chart_or_against_a_contraindication():
    ward, course = missed_second()
    make_answers(course.patient, at=NOW, iga_deficiency="present")
    refused("contraindicated", lambda: decide(ward, dose(course, 2), "give_late"))
    close_patient(patient=course.patient, closed_reason="transferred", closed_at=NOW, by=ward.prescriber, at=NOW)
    refused("patient_closed", lambda: decide(ward, dose(course, 2), "give_late"))
    decide(ward, dose(course, 2), "omit")


def test_omitting_closes_that_dose_alone():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "omit")
    assert status_of(dose(course, 2), NOW) == "omitted"
    assert course.doses.filter(settled_at=None).count() == 5


def test_stopping_stops_the_course_and_cancels_everything_that_waits():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "stop")
    course.refresh_from_db()
    assert (course.stopped_at, course.stopped_by, course.stop_reason_code) == (NOW, ward.prescriber, "graft_loss")
    assert [d.settled_as for d in course.doses.order_by("number")] == ["recorded", *["cancelled"] * 6]


def test_a_course_is_not_stopped_under_a_running_infusion():
    ward, course = missed_second()
    third = dose(course, 3)
    start(ward, third, at=third.opens_at + timedelta(hours=9))
    refused("infusion_running", lambda: decide(ward, dose(course, 2), "stop", at=third.opens_at + timedelta(hours=10)))


def test_the_decision_keeps_who_why_how_and_the_options_as_they_were_shown():
    ward, course = missed_second()
    old = dose(course, 2)
    row = decide(ward, old, "omit", reason="Second refusal")
    assert (row.decided_by, row.decided_at, row.reason_code, row.reason) == (ward.prescriber, NOW, "declined", "Second refusal")
    assert row.reached_by == "By telephone"
    assert [option["decision"] for option in row.effects] == MAY_BE_DECIDED
    late = row.effects[0]
    assert (late["dose_mg"], late["days_to_next"], late["latest_on"]) == ("7,000", 10, "2026-12-14")


@pytest.mark.parametrize("who", ["nurse", "pharmacist", "second_pharmacist"])
def test_nobody_but_a_prescriber_decides(who):
    ward, course = missed_second()
    refused("role", lambda: decide(ward, dose(course, 2), "omit", by=getattr(ward, who)))


@pytest.mark.parametrize(("before", "code"), [(timedelta(seconds=1), "not_missed"), (timedelta(days=5), "not_missed")])
def test_a_dose_that_is_not_missed_is_not_decided_on(before, code):
    ward, course = missed_second()
    refused(code, lambda: decide(ward, dose(course, 2), "omit", at=CLOSES - before))


def test_the_closing_instant_itself_is_missed():
    ward, course = missed_second()
    decide(ward, dose(course, 2), "omit", at=CLOSES)


def test_a_dose_that_was_recorded_meanwhile_is_not_decided_on():
    ward, course = missed_second()
    second = dose(course, 2)
    give(ward, second, at=CLOSES - timedelta(days=2), reason="Charted late, from paper")
    assert "Ana Ruiz" in refused("already_recorded", lambda: decide(ward, second, "omit")).sentence


def test_a_decision_is_made_once_and_the_second_prescriber_is_told_whose_it_is():
    ward, course = missed_second()
    old = dose(course, 2)
    decide(ward, old, "give_late")
    refusal = refused("already_decided", lambda: decide(ward, old, "omit", at=NOW + timedelta(minutes=1)))
    assert refusal.sentence == "Already decided by Imani Okafor at 09:00: give late."


@pytest.mark.parametrize(
    ("decision", "changes", "code", "field"),
    [
        ("repeat", {"reason_code": "x"}, "decision", "decision"),
        ("omit", {"reason_code": "no_access"}, "unknown_reason", "reason_code"),
        ("omit", {"reason_code": "other"}, "reason_text", "reason"),
        ("omit", {"reached_by": "rumor"}, "reached_by", "reached_by"),
        ("give_late", {"give_on": None}, "giving_late_has_a_day", "give_on"),
        ("give_late", {"give_on": date(2026, 12, 7)}, "start_in_the_past", "give_on"),
        ("give_late", {"give_on": date(2027, 1, 8)}, "too_far_ahead", "give_on"),
    ],
)
def test_an_incomplete_decision_is_refused_at_its_field(decision, changes, code, field):
    ward, course = missed_second()
    facts = {"reason_code": "declined", "reached_by": "telephone", "by": ward.prescriber, "at": NOW}
    if decision == "give_late":
        facts["reason_code"] = "no_access"
    assert refused(code, lambda: missed.decide(dose=dose(course, 2), decision=decision, **(facts | changes))).field == field


def test_giving_late_keeps_the_interval_to_the_last_dose():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=CLOSES - timedelta(days=4), reason="Given on arrival, before the decision")
    refusal = refused("min_interval", lambda: decide(ward, dose(course, 2), "give_late"))
    assert "11-Dec-2026" in refusal.sentence
    decide(ward, dose(course, 2), "give_late", give_on=date(2026, 12, 11))
    assert dose(course, 2).opens_at == CLOSES + timedelta(days=3)


def test_giving_late_disappears_once_the_next_dose_was_started():
    ward, course = missed_second()
    third = dose(course, 3)
    at = third.opens_at + timedelta(hours=9)
    start(ward, third, at=at)
    refused("not_available", lambda: decide(ward, dose(course, 2), "give_late", at=at, give_on=at.date() + timedelta(days=8)))
    decide(ward, dose(course, 2), "omit", at=at)


def test_the_last_dose_is_missed_and_decided_like_any_other():
    ward, course = missed_second()
    last = dose(course, 7)
    at = last.closes_at
    assert status_of(last, at - timedelta(seconds=1)) == "overdue"
    assert status_of(last, at) == "missed"
    decide(ward, last, "omit", at=at)


def test_every_decision_that_can_be_stored_has_its_reasons_and_its_effect():
    assert set(missed.EFFECTS) == set(missed.REASON_KINDS) == set(Decision)
    assert {str(decision) for decision in Decision} == {str(decision) for decision in DECIDED_BY}


def test_options_are_shown_for_every_decision_and_choose_nothing():
    _, course = missed_second()
    options = missed.options_for(read_dose(dose(course, 2)), NOW)
    assert list(options) == MAY_BE_DECIDED
    assert [decision for decision, option in options.items() if not option.is_available] == [Decision.CHANGE_PROTOCOL]
