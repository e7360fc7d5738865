"""While it runs: rates with their limits, vital signs before each rise, lots, reactions and the end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from patients.refusal import Refusal
from regimens.actions import bedside
from regimens.actions.parts import ReactionFacts, VialFacts
from regimens.actions.standing import lot_sum, standing
from regimens.models import Administration, RateChange
from tests.regimens.ward import LOT_EXPIRES, TRANSPLANTED, dose, give, make_course, make_ward, start, vitals

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
HALF = FIRST + timedelta(minutes=30)
HOUR = FIRST + timedelta(minutes=60)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have set nothing."""
    before = RateChange.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert RateChange.objects.count() == before
    return caught.value


def running(**changes):
    """A ward, and its first infusion of 70 kg: 21, 42, 75 mL per h in steps of 30 minutes."""
    ward = make_ward()
    return ward, start(ward, dose(make_course(ward)), at=FIRST, **changes)


def set_rate(ward, record: Administration, rate: str, at, **changes) -> RateChange:
    facts = {"by": ward.nurse, "at": at} | changes
    return bedside.change_rate(record=record, rate_ml_per_h=Decimal(rate), **facts)


def take_vitals(ward, record: Administration, at) -> None:
    bedside.record_vitals(record=record, facts=vitals(at), by=ward.nurse, at=at)


def test_a_rise_wants_vital_signs_taken_since_the_last_rise():
    ward, record = running(vitals=vitals(FIRST, "before"))
    assert refused("vitals_before_rise", lambda: set_rate(ward, record, "42", HALF)).field == "vitals_not_taken_reason"
    take_vitals(ward, record, HALF)
    set_rate(ward, record, "42", HALF)
    refused("vitals_before_rise", lambda: set_rate(ward, record, "75", HOUR))
    take_vitals(ward, record, HOUR - minutes(1))
    set_rate(ward, record, "75", HOUR)
    assert [rate.rate_ml_per_h for rate in record.rates.all()] == [21, 42, 75]


def test_vital_signs_not_taken_are_recorded_with_their_reason():
    ward, record = running()
    set_rate(ward, record, "42", HALF, vitals_not_taken_reason="Cuff being changed")
    row = record.vitals.get()
    assert (row.moment, row.not_taken_reason, row.at) == ("before_rise", "Cuff being changed", HALF)


def test_slowing_down_and_resuming_want_no_vital_signs_and_a_higher_rate_after_a_pause_does():
    ward, record = running()
    take_vitals(ward, record, HALF)
    set_rate(ward, record, "42", HALF)
    set_rate(ward, record, "21", HALF + minutes(5))
    set_rate(ward, record, "0", HALF + minutes(6), reason="Flushing the line")
    set_rate(ward, record, "21", HALF + minutes(10))
    refused("vitals_before_rise", lambda: set_rate(ward, record, "42", HOUR + minutes(10)))


@pytest.mark.parametrize(
    ("rate", "code"), [("75.1", "over_max_rate"), ("-1", "over_max_rate"), ("42.05", "pump_increment"), ("21", "same_rate")]
)
def test_the_pump_takes_no_rate_beyond_its_limits(rate, code):
    ward, record = running()
    take_vitals(ward, record, HALF)
    assert refused(code, lambda: set_rate(ward, record, rate, HALF, reason="Long enough reason")).field == "rate_ml_per_h"


def test_faster_than_planned_asks_for_a_reason_and_is_flagged():
    ward, record = running()
    take_vitals(ward, record, FIRST + minutes(29))
    refused("above_plan", lambda: set_rate(ward, record, "42", FIRST + minutes(29)))
    set_rate(ward, record, "42", FIRST + minutes(29), reason="Ordered by Dr. Okafor")
    record.refresh_from_db()
    assert record.flags == ["above_plan"]


def test_a_pause_says_why_and_the_plan_waits_for_it():
    ward, record = running()
    refused("pause_reason", lambda: set_rate(ward, record, "0", FIRST + minutes(10)))
    set_rate(ward, record, "0", FIRST + minutes(10), reason="Patient to the bathroom")
    set_rate(ward, record, "21", FIRST + minutes(30))
    take_vitals(ward, record, FIRST + minutes(49))
    refused("above_plan", lambda: set_rate(ward, record, "42", FIRST + minutes(49)))
    set_rate(ward, record, "42", FIRST + minutes(50))


def test_any_clinician_may_pause_or_slow_down_and_only_those_who_give_may_raise():
    ward, record = running()
    set_rate(ward, record, "0", FIRST + minutes(5), reason="Rigors", by=ward.prescriber)
    refused("role", lambda: set_rate(ward, record, "21", FIRST + minutes(9), by=ward.prescriber))


def test_a_rate_is_not_set_in_the_future_before_the_start_or_before_the_last_one():
    ward, record = running()
    set_rate(ward, record, "10", FIRST + minutes(5))
    refused("in_the_future", lambda: set_rate(ward, record, "9", FIRST + minutes(6), set_at=FIRST + minutes(7)))
    refused("before_start", lambda: set_rate(ward, record, "9", FIRST + minutes(6), set_at=FIRST - minutes(1)))
    refused("before_last_rate", lambda: set_rate(ward, record, "9", FIRST + minutes(6), set_at=FIRST + minutes(4)))


def test_a_time_typed_in_minutes_may_lie_seconds_before_the_start_it_follows():
    ward = make_ward()
    record = start(ward, dose(make_course(ward)), at=FIRST + timedelta(seconds=40))
    set_rate(ward, record, "0", FIRST + minutes(2), set_at=FIRST, reason="Line not connected")
    done = bedside.complete_infusion(
        record=record,
        ended_at=FIRST,
        volume_ml=Decimal(0),
        stopped_early_reason="Line lost",
        by=ward.nurse,
        at=FIRST + minutes(3),
    )
    assert done.ended_at >= done.started_at


def test_the_volume_in_follows_from_rates_and_times_and_pauses_add_nothing():
    ward, record = running()
    take_vitals(ward, record, HALF)
    set_rate(ward, record, "42", HALF)
    set_rate(ward, record, "0", FIRST + minutes(45), reason="Hypotension")
    set_rate(ward, record, "42", FIRST + minutes(65))
    state = standing(record, list(record.rates.all()), FIRST + minutes(65))
    assert state.volume_ml == 21  # 10.5 and 10.5
    assert state.running_for == minutes(45)
    assert state.step is not None and state.step.number == 2
    # 15 more minutes at 42 mL per h (10.5 mL), then the rest of 189 mL at 75.
    assert state.ends_at(FIRST + minutes(65)) == FIRST + minutes(80) + timedelta(seconds=int(178.5 * 3600 / 75) + 1)


def test_the_planned_end_of_a_slowed_infusion_counts_on_no_later_step():
    ward, record = running()
    set_rate(ward, record, "10", FIRST + minutes(6))
    state = standing(record, list(record.rates.all()), FIRST + minutes(6))
    assert state.left_ml == Decimal("207.9")
    assert state.ends_at(FIRST + minutes(6)) == FIRST + minutes(6) + timedelta(seconds=int(207.9 * 360) + 1)


def test_a_stale_page_is_told_so_and_nothing_is_recorded_twice():
    ward, record = running()
    facts = VialFacts("A1", LOT_EXPIRES, Decimal(50))
    bedside.use_vial(record=record, facts=facts, by=ward.nurse, at=HALF, version=1)
    refused("changed_meanwhile", lambda: bedside.use_vial(record=record, facts=facts, by=ward.nurse, at=HALF, version=1))
    assert record.vials.count() == 1


def test_lots_are_summed_against_the_volume_and_what_has_none_is_named():
    ward, record = running()
    bedside.use_vial(record=record, facts=VialFacts("A1", LOT_EXPIRES, Decimal(200)), by=ward.nurse, at=HOUR)
    at = FIRST + timedelta(hours=4)
    done = bedside.complete_infusion(record=record, ended_at=at, volume_ml=Decimal(210), by=ward.nurse, at=at)
    sums = lot_sum(list(done.vials.all()), done.volume_ml)
    assert (sums.from_lots_ml, sums.without_lot_ml, sums.beyond_given_ml) == (200, 10, 0)
    more = VialFacts("A2", LOT_EXPIRES, Decimal("10.01"))
    refused("lots_over_volume", lambda: bedside.use_vial(record=done, facts=more, by=ward.nurse, at=at))


def test_a_hung_vial_of_a_stopped_infusion_never_keeps_its_end_from_being_recorded():
    ward, record = running(vials=[VialFacts("A1", LOT_EXPIRES, Decimal(50))])
    done = bedside.complete_infusion(
        record=record, ended_at=HALF, volume_ml=Decimal("10.5"), stopped_early_reason="Rigors", by=ward.nurse, at=HALF
    )
    assert lot_sum(list(done.vials.all()), done.volume_ml).beyond_given_ml == Decimal("39.5")


def test_an_expired_lot_that_was_used_is_recorded_with_reason_and_flag():
    ward, record = running()
    old = VialFacts("OLD", FIRST.date() - timedelta(days=1), Decimal(50))
    refused("reason_needed", lambda: bedside.use_vial(record=record, facts=old, by=ward.nurse, at=HALF))
    bedside.use_vial(record=record, facts=old, reason="Noticed after it ran in", by=ward.nurse, at=HALF)
    record.refresh_from_db()
    assert (record.flags, record.reason) == (["expired_lot"], "Noticed after it ran in")


def test_the_end_records_volume_and_who_and_closes_the_record_for_rates():
    ward, record = running()
    at = FIRST + timedelta(hours=4)
    done = bedside.complete_infusion(record=record, ended_at=at, volume_ml=Decimal(210), by=ward.second_nurse, at=at)
    assert (done.ended_at, done.volume_ml, done.completed_by, done.flags) == (at, 210, ward.second_nurse, [])
    refused("ended", lambda: set_rate(ward, record, "0", at, reason="Too late"))
    refused(
        "ended", lambda: bedside.complete_infusion(record=record, ended_at=at, volume_ml=Decimal(210), by=ward.nurse, at=at)
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"volume_ml": Decimal(209)}, "stopped_early"),
        ({"volume_ml": Decimal("212.01")}, "reason_needed"),
        ({"volume_ml": Decimal(-1)}, "volume_given_is_not_negative"),
        ({"ended_at": FIRST + timedelta(hours=5)}, "in_the_future"),
        ({"ended_at": FIRST - minutes(1)}, "before_start"),
    ],
)
def test_an_end_that_departs_or_cannot_be_asks(changes, code):
    ward, record = running()
    at = FIRST + timedelta(hours=4)
    facts = {"ended_at": at, "volume_ml": Decimal(210), "by": ward.nurse, "at": at} | changes
    refused(code, lambda: bedside.complete_infusion(record=record, **facts))


def test_more_than_the_order_and_two_ml_is_flagged():
    ward, record = running()
    at = FIRST + timedelta(hours=4)
    facts = {"ended_at": at, "by": ward.nurse, "at": at, "reason": "All five vials were hung whole"}
    assert bedside.complete_infusion(record=record, volume_ml=Decimal(250), **facts).flags == ["over_volume"]


def test_a_reaction_is_recorded_by_a_prescriber_too_and_for_30_days():
    ward = make_ward()
    record = give(ward, dose(make_course(ward)), at=FIRST)
    last = record.ended_at + timedelta(days=30)

    def react(onset_at):
        facts = ReactionFacts(onset_at, "Aseptic meningitis", True, "Lumbar puncture")
        return bedside.record_reaction(record=record, facts=facts, by=ward.prescriber, at=last + timedelta(hours=1))

    assert react(last).is_serious
    assert refused("reaction_too_late", lambda: react(last + minutes(1))).field == "onset_at"


def test_the_dose_after_a_reaction_uses_the_initial_table():
    ward = make_ward()
    course = make_course(ward)
    record = give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    assert second.rate_table == "subsequent"
    facts = ReactionFacts(FIRST + minutes(40), "Flushing", False, "Slowed")
    bedside.record_reaction(record=record, facts=facts, by=ward.nurse, at=record.ended_at)
    assert start(ward, second, at=TRANSPLANTED + timedelta(days=14)).rate_table == "initial"
