"""Windows of every protocol: what opens when, what is chosen, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from regimens.domain.changes import (
    compare_windows,
    day_hint,
    mark_before_referral,
    may_count_as_initial,
    move_target,
    shift_window,
)
from regimens.domain.intervals import Timing
from regimens.domain.monograph import Anchor
from regimens.domain.reasons import Refused
from regimens.domain.schedule import FirstDoseAnchor, TransplantAnchor, Window, plan_windows
from tests.domain.factory import HEART_8_WEEK, KIDNEY, PNEUMONITIS, dose_row, protocol

ZONE = "America/New_York"
TRANSPLANT = datetime(2026, 1, 1, 17, tzinfo=UTC)
ANCHOR = TransplantAnchor(TRANSPLANT, ZONE)
DAY_ONE = FirstDoseAnchor(date(2025, 6, 3), ZONE)


def kidney(anchor: TransplantAnchor = ANCHOR, zone: str = ZONE) -> tuple[Window, ...]:
    return plan_windows(KIDNEY, anchor, centre_zone=zone)


def pneumonitis(*chosen: str, dates: tuple[date, ...] = (), review_on: date | None = None) -> tuple[Window, ...]:
    return plan_windows(PNEUMONITIS, DAY_ONE, centre_zone=ZONE, chosen_optional=chosen, repeat_dates=dates, review_on=review_on)


def refused(code: str, *chosen: str, dates: tuple[date, ...] = (), review_on: date | None = None) -> Refused:
    with pytest.raises(Refused) as refusal:
        pneumonitis(*chosen, dates=dates, review_on=review_on)
    assert refusal.value.code == code
    assert refusal.value.source
    return refusal.value


def test_doses_are_numbered_in_order_and_edges_are_in_order() -> None:
    for windows in (kidney(), pneumonitis("D21"), plan_windows(HEART_8_WEEK, ANCHOR, centre_zone=ZONE)):
        assert [window.number for window in windows] == list(range(1, len(windows) + 1))
        for window in windows:
            assert window.opens_at <= window.target_at < window.overdue_at <= window.closes_at
        assert all(a.target_on < b.target_on for a, b in pairwise(windows))


def test_the_initial_dose_is_due_for_the_whole_72_hours_and_never_overdue() -> None:
    first = kidney()[0]
    assert first.in_hours
    assert first.opens_at == first.target_at == TRANSPLANT
    assert first.overdue_at == first.closes_at == TRANSPLANT + timedelta(hours=72)
    assert not kidney()[1].in_hours


def test_the_anchor_day_stays_the_day_where_the_transplant_was_done() -> None:
    at = datetime(2026, 1, 1, 6, 30, tzinfo=UTC)  # 01:30 in New York, the evening before in Los Angeles
    here = kidney(TransplantAnchor(at, ZONE))
    there = kidney(TransplantAnchor(at, ZONE), "America/Los_Angeles")
    assert [w.target_on for w in here] == [w.target_on for w in there]
    assert here[0].closes_at == there[0].closes_at
    assert there[1].closes_at - here[1].closes_at == timedelta(hours=3)
    assert (
        (there[1].opens_on, there[1].last_on) == (here[1].opens_on, here[1].last_on) == (date(2026, 1, 12), date(2026, 1, 18))
    )


def test_every_window_shows_its_working() -> None:
    first, second = kidney()[:2]
    assert first.working.rules == ("R-WIN-1",)
    assert first.working.steps[0].sentence == (
        "open from the transplant, 01-Jan-2026 12:00 (America/New_York), for 72 elapsed hours, until 04-Jan-2026 12:00 (America/New_York)"
    )
    assert first.working.steps[0].source == "Site policy, Dose windows"
    assert second.working.rules == ("R-WIN-2", "R-WIN-4")
    assert [step.sentence for step in second.working] == [
        "target 15-Jan-2026: transplant day 01-Jan-2026 plus 14\u00a0days",
        "open 3\u00a0days before to 3\u00a0days after the target day, in America/New_York",
    ]
    assert second.working.steps[0].source == "Monograph, Dosage"
    assert pneumonitis()[2].working.steps[0].sentence == "target 09-Jun-2025: day 7 with day 1 on 03-Jun-2025"
    assert pneumonitis()[2].working.rules == ("R-WIN-3", "R-WIN-4")


def test_an_unknown_time_of_transplant_is_said() -> None:
    first = kidney(TransplantAnchor(TRANSPLANT, ZONE, time_known=False))[0]
    assert first.working.rules == ("R-WIN-1", "R-WIN-8")
    assert "counted from the start of 01-Jan-2026" in first.working.steps[1].sentence


def test_optional_doses_come_only_when_chosen() -> None:
    assert [w.code for w in pneumonitis()] == ["D1", "D2", "D7", "D14"]
    assert [w.code for w in pneumonitis("D21")] == ["D1", "D2", "D7", "D14", "D21"]
    assert refused("unknown_optional_dose", "D99").limit == "D21, D21_ALT"
    assert refused("unknown_optional_dose", "D14").value == "D14"
    assert refused("both_alternatives", "D21", "D21_ALT").value == "D21_ALT"


def test_twice_weekly_takes_the_days_that_were_chosen_and_a_review() -> None:
    days = (date(2025, 6, 23), date(2025, 6, 26), date(2025, 6, 30), date(2025, 7, 3))
    windows = pneumonitis("D21_ALT", dates=days, review_on=date(2025, 7, 7))
    assert [w.code for w in windows[4:]] == ["D21_ALT.1", "D21_ALT.2", "D21_ALT.3", "D21_ALT.4"]
    assert [w.number for w in windows] == list(range(1, 9))
    assert tuple(w.target_on for w in windows[4:]) == days
    assert windows[4].working.steps[0].sentence == "target 23-Jun-2025: dates chosen, review on 07-Jul-2025"
    assert windows[4].working.rules == ("R-WIN-7", "R-WIN-4")
    assert windows[4].mg_per_kg == 150


def test_twice_weekly_needs_its_dates_and_its_review() -> None:
    day, review = date(2025, 6, 23), date(2025, 7, 7)
    assert refused("repeat_dates_missing", "D21_ALT", review_on=review).field == "repeat_dates"
    assert refused("review_date_missing", "D21_ALT", dates=(day,)).field == "review_on"
    assert refused("review_before_first", "D21_ALT", dates=(day,), review_on=date(2025, 6, 22)).limit == "23-Jun-2025"
    assert len(pneumonitis("D21_ALT", dates=(day,), review_on=day)) == 5


def test_twice_weekly_keeps_three_days_between_and_two_in_seven() -> None:
    review = date(2025, 7, 31)
    close = refused("repeat_dates_too_close", "D21_ALT", dates=(date(2025, 6, 23), date(2025, 6, 25)), review_on=review)
    assert (close.value, close.limit) == ("25-Jun-2025", "26-Jun-2025")
    assert refused("repeat_dates_too_close", "D21_ALT", dates=(date(2025, 6, 18),), review_on=review).limit == "19-Jun-2025"
    assert refused("repeat_dates_too_close", "D21_ALT", dates=(date(2025, 6, 26), date(2025, 6, 23)), review_on=review)
    third = refused(
        "more_than_twice_weekly", "D21_ALT", dates=(date(2025, 6, 23), date(2025, 6, 26), date(2025, 6, 29)), review_on=review
    )
    assert (third.value, third.limit) == ("29-Jun-2025", "30-Jun-2025")
    assert pneumonitis("D21_ALT", dates=(date(2025, 6, 23), date(2025, 6, 26), date(2025, 6, 30)), review_on=review)


def test_the_first_repeat_of_a_protocol_counts_from_the_anchor() -> None:
    only = protocol(
        "x", ("hsct",), (dose_row("R", 0, "100", optional=True, repeats=True, min_interval_hours=25),), anchor=Anchor.FIRST_DOSE
    )
    with pytest.raises(Refused, match="at least 2 days apart"):
        plan_windows(
            only,
            DAY_ONE,
            centre_zone=ZONE,
            chosen_optional=("R",),
            repeat_dates=(date(2025, 6, 4),),
            review_on=date(2025, 7, 1),
        )
    planned = plan_windows(
        only, DAY_ONE, centre_zone=ZONE, chosen_optional=("R",), repeat_dates=(date(2025, 6, 5),), review_on=date(2025, 7, 1)
    )
    assert planned[0].code == "R.1"


def test_dates_without_a_dose_that_repeats_are_refused() -> None:
    assert refused("dates_without_repeats", "D21", dates=(date(2025, 6, 23),)).field == "repeat_dates"


def test_an_anchor_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        plan_windows(KIDNEY, DAY_ONE, centre_zone=ZONE)
    assert (refusal.value.code, refusal.value.limit) == ("wrong_anchor", "transplant")
    with pytest.raises(Refused) as refusal:
        plan_windows(PNEUMONITIS, ANCHOR, centre_zone=ZONE)
    assert (refusal.value.code, refusal.value.limit) == ("wrong_anchor", "first dose")


def test_a_window_in_hours_needs_an_instant() -> None:
    hours = protocol("x", ("hsct",), (dose_row("D1", 0, "100", closes_after_hours=24),), anchor=Anchor.FIRST_DOSE)
    with pytest.raises(Refused) as refusal:
        plan_windows(hours, DAY_ONE, centre_zone=ZONE)
    assert refusal.value.code == "needs_instant"


def test_a_naive_transplant_and_an_unknown_zone_are_refused() -> None:
    with pytest.raises(Refused) as refusal:
        kidney(TransplantAnchor(datetime(2026, 1, 1), ZONE))  # noqa: DTZ001
    assert refusal.value.code == "no_zone"
    with pytest.raises(Refused) as refusal:
        kidney(zone="Nowhere")
    assert (refusal.value.code, refusal.value.field) == ("unknown_zone", "centre_zone")


def test_a_late_referral_marks_what_passed_and_asks_about_a_shut_72_hours() -> None:
    referred = datetime(2026, 2, 5, 15, tzinfo=UTC)  # week 5
    rows = {row.window.code: row for row in mark_before_referral(kidney(), referred, ("W2",))}
    assert [code for code, row in rows.items() if row.is_before_referral] == ["W0", "W4"]
    assert [code for code, row in rows.items() if row.asks_now] == ["W0"]
    assert [code for code, row in rows.items() if row.was_given_outside] == ["W2"]
    assert [rows[code].working.steps[0].sentence for code in ("W0", "W2", "W6")] == [
        "referred on 05-Feb-2026 15:00 (UTC): not given here, before referral",
        "referred on 05-Feb-2026 15:00 (UTC): given elsewhere before referral",
        "referred on 05-Feb-2026 15:00 (UTC): to give here",
    ]
    assert rows["W0"].working.rules == ("R-WIN-5",)


def test_a_window_shut_at_the_very_instant_of_referral_is_before_it() -> None:
    window = kidney()[1]
    assert mark_before_referral(kidney(), window.closes_at)[1].is_before_referral
    assert not mark_before_referral(kidney(), window.closes_at - timedelta(microseconds=1))[1].is_before_referral
    given = mark_before_referral(kidney(), window.closes_at, ("W0",))[0]
    assert given.was_given_outside and not given.asks_now


def test_a_dose_given_elsewhere_must_be_one_of_the_plan() -> None:
    with pytest.raises(Refused) as refusal:
        mark_before_referral(kidney(), TRANSPLANT, ("W3",))
    assert (refusal.value.code, refusal.value.value) == ("unknown_dose", "W3")


def test_a_dose_from_the_seventh_day_before_the_transplant_asks_whether_it_counts() -> None:
    graft = date(2026, 1, 8)
    asked = {on: may_count_as_initial(given_on=on, transplant_on=graft) for on in (date(2025, 12, 31), date(2026, 1, 1), graft)}
    assert list(asked.values()) == [False, True, True]
    assert may_count_as_initial(given_on=date(2026, 3, 1), transplant_on=graft)
    with pytest.raises(Refused):
        may_count_as_initial(given_on="yesterday", transplant_on=graft)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        may_count_as_initial(given_on=graft, transplant_on=None)  # type: ignore[arg-type]


def test_a_corrected_transplant_time_shows_the_difference_and_keeps_what_was_given() -> None:
    new = kidney(TransplantAnchor(TRANSPLANT - timedelta(days=1, hours=2), ZONE))
    given_at = {"W0": TRANSPLANT + timedelta(hours=71)}
    changes = {change.code: change for change in compare_windows(kidney(), new, given_codes=("W2",), given_at=given_at)}
    first, second, third = changes["W0"], changes["W2"], changes["W4"]
    assert first.is_kept and second.is_kept and not third.is_kept
    assert (first.timing_before, first.timing_after) == (Timing.ON_TIME, Timing.OUTSIDE)
    assert (second.timing_before, second.timing_after) == (None, None)
    assert (first.moved_days, third.moved_days) == (-1, -1)
    assert first.closes_moved_by == -timedelta(days=1, hours=2)
    assert third.closes_moved_by == -timedelta(days=1)
    assert all(change.is_changed for change in changes.values())


def test_a_correction_within_the_day_moves_only_the_72_hours() -> None:
    new = kidney(TransplantAnchor(TRANSPLANT + timedelta(minutes=5), ZONE))
    assert [change.code for change in compare_windows(kidney(), new) if change.is_changed] == ["W0"]
    assert not any(change.is_changed for change in compare_windows(kidney(), kidney()))


def test_doses_that_only_one_plan_has_are_listed_too() -> None:
    eight_week = plan_windows(HEART_8_WEEK, ANCHOR, centre_zone=ZONE)
    changes = compare_windows(
        kidney(), eight_week, given_at={"W2": TRANSPLANT + timedelta(days=14), "W8": TRANSPLANT + timedelta(days=56)}
    )
    assert [change.code for change in changes] == ["W0", "W4", "W8", "W2", "W6", "W12", "W16"]
    gone = changes[3]
    assert gone.new is None and gone.is_changed and gone.is_kept
    assert (gone.timing_before, gone.timing_after) == (Timing.ON_TIME, None)
    assert (gone.moved_days, gone.closes_moved_by) == (0, timedelta(0))
    back = compare_windows(eight_week, kidney(), given_at={"W2": TRANSPLANT + timedelta(days=14)})[1]
    assert back.old is None and back.is_changed
    assert (back.timing_before, back.timing_after) == (None, Timing.ON_TIME)


def test_only_a_moved_opening_is_a_change_too() -> None:
    old = kidney()[1]
    new = replace(old, opens_at=old.opens_at + timedelta(days=1))
    assert compare_windows([old], [new])[0].is_changed


def test_a_shift_moves_target_and_edges_together_across_a_change_of_the_clocks() -> None:
    window = kidney()[5]  # target 26-Mar-2026; the clocks went forward on 8 March
    moved = shift_window(window, -20)
    assert moved.target_on == date(2026, 3, 6)
    assert moved.target_at == datetime(2026, 3, 6, 5, tzinfo=UTC)
    assert moved.overdue_at == datetime(2026, 3, 7, 5, tzinfo=UTC)
    assert moved.opens_at == datetime(2026, 2, 27, 5, tzinfo=UTC)
    assert moved.closes_at == datetime(2026, 3, 14, 4, tzinfo=UTC)
    assert moved.working.rules == (*window.working.rules, "R-WIN-6")
    assert moved.working.steps[-1].sentence == "moved by -20\u00a0days to 06-Mar-2026"
    with pytest.raises(Refused) as refusal:
        shift_window(kidney()[0], 1)
    assert (refusal.value.code, refusal.value.value) == ("hours_do_not_shift", "1")


def test_a_target_moves_inside_its_window_and_the_window_stays() -> None:
    window = kidney()[1]  # target 15-Jan-2026, open 12 to 18
    for on in (date(2026, 1, 12), date(2026, 1, 18)):
        moved = move_target(window, on)
        assert (moved.target_on, moved.opens_at, moved.closes_at) == (on, window.opens_at, window.closes_at)
        assert moved.target_at == datetime(on.year, on.month, on.day, 5, tzinfo=UTC)
        assert moved.overdue_at == datetime(on.year, on.month, on.day + 1, 5, tzinfo=UTC)
    assert moved.overdue_at == moved.closes_at
    assert moved.working.rules == (*window.working.rules, "R-WIN-10")
    assert moved.working.steps[-1].sentence == "target moved from 15-Jan-2026 to 18-Jan-2026 inside its window"


def test_a_moved_target_never_begins_before_a_window_that_was_pushed_into_its_day() -> None:
    window = kidney()[1]
    pushed = replace(window, opens_at=datetime(2026, 1, 12, 18, tzinfo=UTC))
    assert move_target(pushed, date(2026, 1, 12)).target_at == pushed.opens_at


@pytest.mark.parametrize(("on", "limit"), [(date(2026, 1, 11), "12-Jan-2026"), (date(2026, 1, 19), "18-Jan-2026")])
def test_a_target_does_not_move_out_of_its_window(on: date, limit: str) -> None:
    with pytest.raises(Refused) as refusal:
        move_target(kidney()[1], on)
    assert (refusal.value.code, refusal.value.limit) == ("outside_window", limit)


def test_a_window_in_hours_has_no_other_day() -> None:
    with pytest.raises(Refused) as refusal:
        move_target(kidney()[0], date(2026, 1, 2))
    assert refusal.value.code == "hours_do_not_move"


def test_a_moved_target_keeps_the_interval_to_the_doses_beside_it() -> None:
    window = kidney()[1]
    assert move_target(window, date(2026, 1, 13), before_on=date(2026, 1, 6)).target_on == date(2026, 1, 13)
    with pytest.raises(Refused) as refusal:
        move_target(window, date(2026, 1, 13), before_on=date(2026, 1, 7))
    assert (refusal.value.code, refusal.value.limit) == ("too_near_before", "14-Jan-2026")
    near = {"after_on": date(2026, 1, 24), "after_interval_hours": 168}
    assert move_target(window, date(2026, 1, 17), **near).target_on == date(2026, 1, 17)
    with pytest.raises(Refused) as refusal:
        move_target(window, date(2026, 1, 18), **near)
    assert (refusal.value.code, refusal.value.limit) == ("too_near_after", "17-Jan-2026")
    with pytest.raises(Refused, match="Not after 17-Jan-2026"):
        move_target(window, date(2026, 1, 18), after_on=date(2026, 1, 18), after_interval_hours=18)
    with pytest.raises(Refused, match="Not after 16-Jan-2026"):
        move_target(window, date(2026, 1, 18), after_on=date(2026, 1, 18), after_interval_hours=25)
    assert move_target(window, date(2026, 1, 18), after_on=date(2026, 1, 18)).target_on == date(2026, 1, 18)


def test_a_closed_day_is_hinted_with_open_days_inside_the_window_nearest_first() -> None:
    window = kidney(TransplantAnchor(datetime(2026, 1, 4, 17, tzinfo=UTC), ZONE))[1]  # target Sunday 18-Jan-2026
    hint = day_hint(window, closed_days=(date(2026, 1, 19),))
    assert (hint.target_on, hint.weekday, hint.is_closed) == (date(2026, 1, 18), "Sunday", True)
    assert hint.alternatives == (date(2026, 1, 16), date(2026, 1, 20), date(2026, 1, 15), date(2026, 1, 21))
    assert day_hint(window, closed_weekdays=()).alternatives == ()
    assert not day_hint(window, closed_weekdays=()).is_closed
    assert day_hint(window, closed_weekdays=(6,)).alternatives[:2] == (date(2026, 1, 17), date(2026, 1, 19))
    assert day_hint(window, closed_days=(date(2026, 1, 18),), closed_weekdays=()).is_closed


def test_a_row_has_its_mg_per_kg_and_its_interval_on_the_window() -> None:
    windows = kidney()
    assert [window.mg_per_kg for window in windows] == [Decimal(n) for n in (150, 100, 100, 100, 100, 50, 50)]
    assert [window.min_interval_hours for window in windows] == [0, *[168] * 6]
    assert [window.title for window in windows][:2] == ["Dose W0", "Dose W2"]
