"""Dates and times as people type them (safety.md G3, G4; hazards H15, H16, H41)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from patients import when
from patients.refusal import Refusal

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("typed", "on"),
    [
        ("22-Nov-2026", date(2026, 11, 22)),
        (" 22-Nov-2026 ", date(2026, 11, 22)),
        ("22-nov-2026", date(2026, 11, 22)),
        ("01-MAY-1988", date(1988, 5, 1)),
        ("2026-11-22", date(2026, 11, 22)),
        ("29-Feb-1988", date(1988, 2, 29)),
        ("01-Jan-1900", date(1900, 1, 1)),
    ],
)
def test_only_the_two_unmistakable_forms_are_read(typed, on):
    assert when.parse_day(typed) == on


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("03/04/2026", "two different days"),
        ("12/11/26", "two different days"),
        ("22.11.2026", "two different days"),
        ("22-11-2026", "22-Nov-2026"),
        ("22-Nov-26", "four digits"),
        ("2-Nov-2026", "two digits"),
        ("22 Nov 2026", "22-Nov-2026"),
        ("22-Nov-2026 ", None),
        ("22-November-2026", "22-Nov-2026"),
        ("22-Okt-2026", "no month"),
        ("31-Apr-2026", "does not exist"),
        ("29-Feb-2026", "does not exist"),
        ("2026-13-01", "does not exist"),
        ("01-Jan-0001", "outside 1900 to 2100"),
        ("9999-12-31", "outside 1900 to 2100"),
        ("２２-Nov-2026", "22-Nov-2026"),
        ("today", "22-Nov-2026"),
        ("", "Enter a date"),
    ],
)
def test_every_other_form_is_refused_with_help(typed, words):
    if words is None:  # trailing spaces are no other form
        assert when.parse_day(typed)
        return
    with pytest.raises(Refusal) as refused:
        when.parse_day(typed)
    assert refused.value.code == "date_text"
    assert words in refused.value.sentence


@pytest.mark.parametrize(("typed", "clock"), [("14:05", time(14, 5)), ("00:00", time(0, 0)), (" 23:59 ", time(23, 59))])
def test_times_are_read_on_the_24_hour_clock(typed, clock):
    assert when.parse_clock(typed) == clock


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("24:00", "next day"),
        ("2:05 pm", "24-hour"),
        ("9:30", "09:30"),
        ("1405", "colon"),
        ("14:60", "colon"),
        ("25:00", "colon"),
        ("", "colon"),
    ],
)
def test_other_times_are_refused_with_help(typed, words):
    with pytest.raises(Refusal) as refused:
        when.parse_clock(typed)
    assert (refused.value.code, words in refused.value.sentence) == ("time_text", True)


def test_a_typed_date_is_echoed_with_its_weekday():
    assert when.weekday_text(date(2026, 11, 22)) == "Sun 22-Nov-2026"


def test_an_ordinary_time_needs_no_choice():
    assert when.instant_of(date(2026, 11, 22), time(14, 5), NEW_YORK) == datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
    assert when.instant_of(date(2026, 11, 22), time(14, 5), NEW_YORK, 2) == datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
    assert not when.comes_twice(date(2026, 11, 22), time(14, 5), NEW_YORK)


def test_the_repeated_hour_asks_which_and_keeps_both_apart():
    on, clock = date(2026, 11, 1), time(1, 30)
    assert when.comes_twice(on, clock, NEW_YORK)
    with pytest.raises(Refusal, match="time_twice"):
        when.instant_of(on, clock, NEW_YORK)
    first, second = (when.instant_of(on, clock, NEW_YORK, which) for which in (1, 2))
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert second - first == timedelta(hours=1)
    assert when.instant_text(first, NEW_YORK) == "01-Nov-2026 01:30 EDT"
    assert when.instant_text(second, NEW_YORK) == "01-Nov-2026 01:30 EST"


def test_the_hour_that_the_clocks_jump_over_is_refused_with_help():
    with pytest.raises(Refusal) as refused:
        when.instant_of(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert refused.value.code == "time_gap"
    assert "go forward" in refused.value.sentence


@pytest.mark.parametrize(
    ("zone_name", "on", "clock", "code"),
    [
        ("Europe/London", date(2027, 10, 31), time(1, 15), "time_twice"),
        ("Australia/Sydney", date(2027, 10, 3), time(2, 15), "time_gap"),
        ("Australia/Lord_Howe", date(2027, 4, 4), time(1, 45), "time_twice"),
        ("Australia/Lord_Howe", date(2027, 10, 3), time(2, 15), "time_gap"),
    ],
)
def test_every_zone_has_its_own_gap_and_repeated_hour(zone_name, on, clock, code):
    with pytest.raises(Refusal, match=code):
        when.instant_of(on, clock, zone_name)


def test_a_zone_without_changes_never_asks():
    for month in range(1, 13):
        expected = datetime(2027, month, 1, 2, 30, tzinfo=UTC) - timedelta(hours=5, minutes=30)
        assert when.instant_of(date(2027, month, 1), time(2, 30), "Asia/Kolkata") == expected


@pytest.mark.parametrize(
    ("on", "zone_name", "begins"),
    [
        (date(2026, 11, 1), NEW_YORK, datetime(2026, 11, 1, 4, tzinfo=UTC)),
        (date(2018, 11, 4), "America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # clocks jump over midnight
        (date(2025, 11, 2), "America/Havana", datetime(2025, 11, 2, 4, tzinfo=UTC)),  # midnight comes twice: the first
    ],
)
def test_a_day_begins_at_its_first_instant(on, zone_name, begins):
    assert when.day_begins(on, zone_name) == begins
    assert when.local_day(begins, zone_name) == on
    assert when.local_day(begins - timedelta(seconds=1), zone_name) == on - timedelta(days=1)


def test_a_zone_nobody_knows_is_refused():
    for name in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(Refusal, match="zone"):
            when.zone_named(name)


@pytest.mark.parametrize(
    ("birth_on", "code"),
    [
        (date(2026, 11, 23), "birth_future"),
        (date(2026, 11, 22), ""),
        (date(1905, 11, 23), ""),  # 120 years old today
        (date(1905, 11, 22), "birth_too_old"),
    ],
)
def test_a_birth_is_not_in_the_future_nor_more_than_120_years_ago(birth_on, code):
    today = date(2026, 11, 22)
    if code:
        with pytest.raises(Refusal, match=code):
            when.check_birth(birth_on, today)
    else:
        assert when.check_birth(birth_on, today) == birth_on


def test_a_transplant_is_after_the_birth_and_at_most_one_day_ahead():
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    born = date(2026, 11, 20)

    def check(instant):
        return when.check_transplant(instant, birth_on=born, zone_name=NEW_YORK, at=at)

    birth_day_begins = when.day_begins(born, NEW_YORK)
    assert check(birth_day_begins)
    with pytest.raises(Refusal, match="transplant_before_birth"):
        check(birth_day_begins - timedelta(seconds=1))
    assert check(at + timedelta(days=1))
    with pytest.raises(Refusal, match="transplant_too_far_ahead"):
        check(at + timedelta(days=1, seconds=1))


def test_what_happened_is_not_in_the_future():
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert when.check_past(at, at=at, field="measured_at", what="A weight") == at
    with pytest.raises(Refusal, match="in_the_future"):
        when.check_past(at + timedelta(seconds=1), at=at, field="measured_at", what="A weight")
