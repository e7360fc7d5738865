"""A late dose that moves the later ones: where the center allows it, by how much, and never the initial dose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.domain.factory import KIDNEY
from tests.domain.test_missed import DAY_0, WINDOWS, case, day, given, plain, shift


def test_a_shift_is_off_unless_the_centre_allows_it() -> None:
    option = shift(case(), day(20))
    assert not option.is_available and not option.needs_signature
    assert option.reasons_against[:2] == (
        "This center does not shift courses.",
        "Departs from the label schedule: every shifted dose is verified again.",
    )
    assert option.new_targets == ()
    assert option.next_opens_at == WINDOWS[2].opens_at


def test_a_shift_moves_the_late_dose_and_all_later_targets() -> None:
    option = shift(case(allows_shift=True), day(20))
    assert option.is_available and option.needs_signature
    assert [(code, (on - DAY_0).days) for code, on in option.new_targets] == [
        ("W2", 20),
        ("W4", 34),
        ("W6", 48),
        ("W8", 62),
        ("W12", 90),
        ("W16", 118),
    ]
    assert option.days_to_next == 14
    assert option.next_opens_at == datetime(2026, 2, 1, 5, tzinfo=UTC)  # 4 February less 3 days
    assert plain(tuple(step.sentence for step in option.working)) == [
        "all later targets move by 6 days, 14 days at most in all"
    ]
    assert (option.give_at, option.dose_mg) == (day(20), 7000)


def test_a_shifted_opening_still_keeps_the_interval() -> None:
    tight = tuple(replace(window, min_interval_hours=24 * 13) for window in WINDOWS)
    assert shift(case(allows_shift=True, windows=tight), day(20)).next_opens_at == day(33)


@pytest.mark.parametrize(("used", "days", "allowed"), [(0, 14, True), (0, 15, False), (8, 6, True), (9, 6, False)])
def test_shifts_come_to_14_days_at_most_in_all(used: int, days: int, allowed: bool) -> None:
    about = case(allows_shift=True, shifted_days=used, protocol=KIDNEY)
    option = shift(about, day(14 + days))
    assert option.is_available is allowed
    if not allowed:
        assert f"Shifts come to {used + days} days, more than 14 days." in plain(option.reasons_against)


@pytest.mark.parametrize(("days", "allowed"), [(14, True), (15, False)])
def test_a_shift_never_passes_day_126(days: int, allowed: bool) -> None:
    about = case("W16", given("W12", 84, 3500), ordered_mg=Decimal(3500), allows_shift=True)
    option = shift(about, day(112 + days))
    assert option.is_available is allowed
    assert ("W16 would come after day 126." in option.reasons_against) is not allowed
    if allowed:
        assert option.new_targets == (("W16", DAY_0 + timedelta(days=126)),)
        assert option.next_opens_at is None


def test_the_initial_dose_is_never_shifted() -> None:
    option = shift(replace(case("W0", allows_shift=True), given=()), day(4))
    assert not option.is_available
    assert "The initial dose is never shifted: the label counts from the transplant." in option.reasons_against


def test_a_shift_keeps_the_interval_of_the_dose_that_comes_next() -> None:
    tight = tuple(replace(window, min_interval_hours=24 * 13 if window.code == "W4" else 168) for window in WINDOWS)
    assert shift(case(allows_shift=True, windows=tight), day(20)).next_opens_at == day(33)
