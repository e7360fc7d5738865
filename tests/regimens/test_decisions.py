"""What each decision about a missed or stopped dose does, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from patients.models import Centre
from patients.refusal import Refusal
from regimens.actions import bookings, holds, missed
from regimens.actions.charting import read_dose
from regimens.actions.parts import VialFacts
from regimens.domain.reasons import Refused
from regimens.models import Decision, Hold, MissedDoseDecision, Order, OutsideDose, PlannedDose
from regimens.models.status import status_of
from tests.regimens.ward import LOT_EXPIRES, TRANSPLANTED, dose, give, make_course, make_ward

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
FIRST = TRANSPLANTED + timedelta(hours=20)
# Dose 2 (7,000 mg, 140 mL): target Fri 04-Dec-2026, last day Mon 07-Dec; New York midnight is 05:00 UTC.
TARGET = datetime(2026, 12, 4, 14, tzinfo=UTC)
CLOSES = datetime(2026, 12, 8, 5, tzinfo=UTC)
NOW = CLOSES + timedelta(hours=9)
LATE_DAY = date(2026, 12, 9)
REASONS = {
    "give_late": "no_access",
    "give_late_and_shift": "no_access",
    "give_remainder": "unwell",
    "accept_partial": "serious_reaction",
    "omit": "declined",
    "change_dose": "specialist_advice",
    "hold": "sepsis",
    "stop": "graft_loss",
    "change_protocol": "other_protocol",
}
NEEDS: dict[str, dict[str, Any]] = {
    "give_late": {"give_on": LATE_DAY},
    "give_late_and_shift": {"give_on": LATE_DAY},
    "give_remainder": {"give_on": date(2026, 12, 6)},
    "change_dose": {"give_on": LATE_DAY, "mg_per_kg": Decimal(50), "reason": "After the hematologist's advice"},
    "hold": {"review_on": date(2026, 12, 10)},
}


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have decided nothing."""
    before = (MissedDoseDecision.objects.count(), PlannedDose.objects.count(), Order.objects.count())
    with pytest.raises((Refusal, Refused)) as caught:
        act()
    assert caught.value.code == code
    assert (MissedDoseDecision.objects.count(), PlannedDose.objects.count(), Order.objects.count()) == before
    return caught.value


def missed_second(*, may_shift: bool = False, **transplant: Any):
    """A ward and a course whose first dose was given and whose second was missed."""
    ward = make_ward()
    Centre.objects.filter(pk=ward.centre.pk).update(shift_allowed=may_shift)
    course = make_course(ward, **transplant)
    give(ward, dose(course), at=FIRST)
    return ward, course


def stop_early(ward, planned: PlannedDose, volume_ml: str = "50", *, at: datetime = TARGET, **changes: Any):
    """A dose of which only so much was infused."""
    given = Decimal(volume_ml)
    facts = {"stopped_early_reason": "Rigors after 40 minutes", "vials": [VialFacts("A21K77", LOT_EXPIRES, given)]}
    return give(ward, planned, at=at, volume_ml=given, **(facts | changes))


def stopped_second():
    """The second dose was begun on its day and stopped after 50 of 140 mL."""
    ward, course = missed_second()
    return ward, course, stop_early(ward, dose(course, 2))


def decide(ward, planned: PlannedDose, decision: str, **changes: Any) -> MissedDoseDecision | None:
    facts: dict[str, Any] = {"reason_code": REASONS[decision], "reached_by": "telephone", "by": ward.prescriber, "at": NOW}
    return missed.decide(dose=planned, decision=decision, **(facts | NEEDS.get(decision, {}) | changes))


# Giving late and moving the later doses ------------------------------------------------------------------------------------


def test_a_shift_moves_this_and_every_later_dose_as_new_unsigned_rows():
    ward, course = missed_second(may_shift=True)
    before = {n: dose(course, n) for n in range(1, 8)}
    decide(ward, before[2], "give_late_and_shift")
    after = {n: dose(course, n) for n in range(1, 8)}
    assert after[1].pk == before[1].pk and after[1].shifted_days == 0
    for n in range(2, 8):
        old, new = before[n], after[n]
        assert (new.replaces, new.shifted_days, new.verified_at, new.content_hash) == (old, 5, None, "")
        assert new.target_on == old.target_on + 5 * DAY
        assert (new.dose_mg, new.mg_per_kg, new.weight_kg) == (old.dose_mg, old.mg_per_kg, old.weight_kg)
        assert "R-WIN-6" in {step["rule"] for step in new.working}
    for n in range(3, 8):
        assert after[n].opens_at.date() == before[n].opens_at.date() + 5 * DAY
        assert after[n].closes_at.date() == before[n].closes_at.date() + 5 * DAY
    assert (after[2].opens_at, after[2].target_on) == (NOW, LATE_DAY)
    assert after[2].closes_at == CLOSES + 5 * DAY


def test_a_shift_drops_the_bookings_of_the_doses_it_moves():
    ward, course = missed_second(may_shift=True)
    third = dose(course, 3)
    bookings.book_dose(dose=third, booked_for=third.opens_at + 2 * DAY, place="Ward 4B", by=ward.nurse, at=NOW)
    decide(ward, dose(course, 2), "give_late_and_shift")
    assert (dose(course, 3).booked_for, dose(course, 3).booked_place) == (None, "")


def test_shifts_are_counted_together_and_end_at_14_days():
    ward, course = missed_second(may_shift=True)
    decide(ward, dose(course, 2), "give_late_and_shift")
    give(ward, dose(course, 2), at=NOW + DAY, reason="Given before it was verified")
    third = dose(course, 3)
    at = third.closes_at + timedelta(hours=9)
    days = (at.date() - third.target_on).days
    refused(
        "not_available", lambda: decide(ward, third, "give_late_and_shift", at=at, give_on=third.target_on + timedelta(days=10))
    )
    decide(ward, third, "give_late_and_shift", at=at, give_on=at.date())
    assert {dose(course, n).shifted_days for n in range(3, 8)} == {5 + days}


def test_no_shift_where_the_center_does_not_allow_it():
    ward, course = missed_second()
    refused("not_available", lambda: decide(ward, dose(course, 2), "give_late_and_shift"))
    assert Decision.GIVE_LATE_AND_SHIFT not in missed.options_for(read_dose(dose(course, 2)), NOW)


# Another dose --------------------------------------------------------------------------------------------------------------


def test_a_changed_dose_is_a_new_row_and_a_new_order_and_nothing_else_changes():
    ward, course = missed_second()
    old, first_order = dose(course, 2), course.orders.get()
    others = list(course.doses.exclude(number=2).order_by("number").values_list("pk", "dose_mg", "verified_at", "settled_as"))
    decide(ward, old, "change_dose")
    new = dose(course, 2)
    assert (new.replaces, new.mg_per_kg, new.dose_mg, new.draw_ml) == (old, 50, 3500, 70)
    assert (new.verified_at, new.target_on, new.opens_at) == (None, LATE_DAY, datetime(2026, 12, 9, 5, tzinfo=UTC))
    now_list = list(course.doses.exclude(number=2).order_by("number").values_list("pk", "dose_mg", "verified_at", "settled_as"))
    assert now_list == others
    order = course.orders.get(superseded_at=None)
    first_order.refresh_from_db()
    assert first_order.superseded_at == NOW
    assert (order.prescriber, order.signed_at, order.mode) == (ward.prescriber, NOW, "written")
    changed = [row for row in order.ordered_rows if row not in first_order.ordered_rows]
    assert changed == [["W2", "50"]]
    assert len(order.ordered_rows) == len(first_order.ordered_rows)


@pytest.mark.parametrize(
    ("mg_per_kg", "code"),
    [("150.01", "over_cap"), ("0.99", "below_limit"), ("100", "same_dose"), ("50.005", "too_many_decimals")],
)
def test_a_changed_dose_stays_within_the_cap_and_is_really_another_one(mg_per_kg, code):
    ward, course = missed_second()
    refused(code, lambda: decide(ward, dose(course, 2), "change_dose", mg_per_kg=Decimal(mg_per_kg)))


@pytest.mark.parametrize("mg_per_kg", ["1", "150"])
def test_a_changed_dose_may_lie_at_either_limit(mg_per_kg):
    ward, course = missed_second()
    decide(ward, dose(course, 2), "change_dose", mg_per_kg=Decimal(mg_per_kg))
    assert dose(course, 2).dose_mg == Decimal(mg_per_kg) * 70


# Holding -------------------------------------------------------------------------------------------------------------------


def test_a_hold_stops_the_course_and_leaves_this_dose_to_be_decided():
    ward, course = missed_second()
    assert decide(ward, dose(course, 2), "hold") is None
    hold = Hold.objects.get(course=course)
    assert (hold.reason_code, hold.review_on, hold.ordered_by) == ("sepsis", date(2026, 12, 10), ward.prescriber)
    assert status_of(dose(course, 2), NOW, (), [hold]) == "missed"
    assert status_of(dose(course, 3), NOW + timedelta(seconds=1), (), [hold]) == "held"
    assert not MissedDoseDecision.objects.exists()
    later = NOW + timedelta(hours=1)
    refused("not_available", lambda: decide(ward, dose(course, 2), "give_late", at=later))
    refused("not_available", lambda: decide(ward, dose(course, 2), "hold", at=later))
    decide(ward, dose(course, 2), "omit", at=later)


def test_a_dose_that_passed_on_hold_is_decided_and_given_late_only_after_the_course_goes_on():
    ward, course = missed_second()
    order = {"course": course, "ordered_by": ward.prescriber, "by": ward.prescriber}
    holds.hold_course(reason_code="sepsis", review_on=date(2026, 12, 8), at=CLOSES - DAY, **order)
    second = dose(course, 2)
    assert missed.read_case(read_dose(second), NOW).status == "passed_on_hold"
    refused("not_available", lambda: decide(ward, second, "give_late"))
    holds.resume_course(reason="Cultures are negative", at=NOW, **order)
    later = NOW + timedelta(hours=1)
    decide(ward, second, "give_late", at=later)
    assert status_of(dose(course, 2), datetime(2026, 12, 9, 15, tzinfo=UTC), (), course.holds.all()) == "due"


# The end of the course -----------------------------------------------------------------------------------------------------


def test_a_course_may_stop_on_a_stopped_dose():
    ward, course, _ = stopped_second()
    decide(ward, dose(course, 2), "stop")
    assert [d.settled_as for d in course.doses.order_by("number")] == ["recorded", "recorded", *["cancelled"] * 5]
    refused("already_decided", lambda: decide(ward, dose(course, 2), "accept_partial"))


def test_changing_the_protocol_ends_this_course_and_leaves_an_order_that_waits():
    ward, course = missed_second(organs=["kidney", "heart"])
    decide(ward, dose(course, 2), "change_protocol", protocol_code="kidney")
    course.refresh_from_db()
    assert (course.stopped_at, course.stop_reason_code) == (NOW, "other_protocol")
    order = Order.objects.get(course=None)
    assert (order.transplant, order.protocol_code, order.prescriber, order.signed_at) == (
        course.transplant,
        "kidney",
        ward.prescriber,
        NOW,
    )
    assert dose(course).settled_as == "recorded"


def test_a_kidney_alone_has_no_other_protocol():
    ward, course = missed_second()
    refused("not_available", lambda: decide(ward, dose(course, 2), "change_protocol", protocol_code="other_organ"))


@pytest.mark.parametrize("code", ["", "other_organ", "hsct_pneumonitis"])
def test_only_another_protocol_of_the_same_graft_is_changed_to(code):
    ward, course = missed_second(organs=["kidney", "heart"])
    refused("protocol_code", lambda: decide(ward, dose(course, 2), "change_protocol", protocol_code=code))


# What is asked for ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "changes", "field"),
    [
        ("change_dose", {"mg_per_kg": None}, "mg_per_kg"),
        ("change_dose", {"give_on": None}, "give_on"),
        ("change_dose", {"reason": ""}, "reason"),
        ("hold", {"review_on": None}, "review_on"),
        ("hold", {"review_on": date(2026, 12, 7)}, "review_on"),
        ("hold", {"reason_code": "other"}, "reason"),
        ("hold", {"reason_code": "graft_loss"}, "reason_code"),
    ],
)
def test_what_a_decision_needs_is_asked_for_at_its_field(decision, changes, field):
    ward, course = missed_second()
    with pytest.raises(Refusal) as caught:
        decide(ward, dose(course, 2), decision, **changes)
    assert caught.value.field == field
    assert not Hold.objects.exists()


def test_the_day_by_which_the_rest_is_given_is_asked_for():
    ward, course, _ = stopped_second()
    at = TARGET + timedelta(hours=8)
    act = lambda on: decide(ward, dose(course, 2), "give_remainder", at=at, give_on=on)  # noqa: E731
    assert refused("giving_late_has_a_day", lambda: act(None)).field == "give_on"
    refused("start_in_the_past", lambda: act(date(2026, 12, 3)))
    refused("too_far_ahead", lambda: act(date(2027, 1, 3)))
    act(date(2027, 1, 2))


# Doses given elsewhere -----------------------------------------------------------------------------------------------------


def elsewhere(course, given_mg: str | None, **changes: Any) -> OutsideDose:
    facts = {"product": "cmv_ig", "given_at": NOW - 3 * DAY, "said_by": "Discharge letter"}
    facts |= {"recorded_by": course.built_by, "recorded_at": NOW - DAY}
    mg = Decimal(given_mg) if given_mg else None
    return OutsideDose.objects.create(patient=course.patient, given_mg=mg, **(facts | changes))


def test_a_dose_given_elsewhere_counts_in_the_load_and_keeps_the_interval():
    ward, course = missed_second()
    second = dose(course, 2)
    elsewhere(course, "3500")
    option = missed.options_for(read_dose(second), NOW)[Decision.GIVE_LATE]
    assert (option.give_at, option.days_since_last) == (NOW + 4 * DAY, 7)
    assert option.mg_per_kg_in_28_days == 100 + 50 + 150
    refused("min_interval", lambda: decide(ward, second, "give_late"))


def test_a_dose_given_elsewhere_of_unknown_amount_keeps_the_interval_and_is_named():
    _, course = missed_second()
    row = elsewhere(course, None)
    elsewhere(course, "3500", product="other_ig", given_at=NOW - DAY)
    elsewhere(
        course, "3500", given_at=NOW - DAY, error_at=NOW, error_by=course.built_by, error_reason="Belongs to another patient"
    )
    file = missed.read_case(read_dose(dose(course, 2)), NOW)
    assert file.outside_unknown == (row,)
    assert [given.given_mg for given in file.case.given] == [10500, 0]
