"""Days and wall-clock times across every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from regimens.domain.clock import day_start, last_day, local_day, local_instant
from regimens.domain.reasons import Refused
from regimens.domain.schedule import TransplantAnchor, plan_windows
from regimens.domain.status import DoseFacts, Status, status
from tests.domain.factory import KIDNEY

ZONES = ("America/New_York", "Europe/London", "Australia/Sydney", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
CHANGES_PER_ZONE = {
    "America/New_York": 24,
    "Europe/London": 24,
    "Australia/Sydney": 24,
    "Asia/Kolkata": 0,
    "Australia/Lord_Howe": 24,
    "UTC": 0,
}


@cache
def changes(zone: str) -> list[datetime]:
    """Every instant 2024 to 2035 at which the zone's offset changes: by days, then by half hours."""
    info, found = ZoneInfo(zone), []
    for days in range(12 * 365 + 3):
        at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)
        offset = at.astimezone(info).utcoffset()
        if (at + timedelta(days=1)).astimezone(info).utcoffset() != offset:
            while at.astimezone(info).utcoffset() == offset:
                at += timedelta(minutes=30)
            found.append(at)
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_72_hours_are_elapsed_time_across_every_change_of_the_clocks(zone: str) -> None:
    info = ZoneInfo(zone)
    found = changes(zone)
    assert len(found) == CHANGES_PER_ZONE[zone]
    for change in found or [datetime(2026, 3, 29, 1, tzinfo=UTC)]:
        for minutes in (*range(-73 * 60, 60, 97), -72 * 60, -72 * 60 - 1, -1, 0, 1):
            transplant = change + timedelta(minutes=minutes)
            first = plan_windows(KIDNEY, TransplantAnchor(transplant, zone), centre_zone=zone)[0]
            assert first.closes_at - transplant == timedelta(hours=72)
            facts = DoseFacts(first.opens_at, first.overdue_at, first.closes_at)
            assert status(facts, first.closes_at - timedelta(minutes=1)) is Status.DUE
            assert status(facts, first.closes_at) is Status.MISSED
            begin, close = transplant.astimezone(info), first.closes_at.astimezone(info)
            moved = close.utcoffset() - begin.utcoffset()  # type: ignore[operator]
            assert close.replace(tzinfo=None) == begin.replace(tzinfo=None) + timedelta(hours=72) + moved


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_begins_at_local_midnight_and_the_instant_before_is_the_day_before(zone: str) -> None:
    info = ZoneInfo(zone)
    for change in changes(zone) or [datetime(2026, 3, 29, 1, tzinfo=UTC)]:
        for days in range(-2, 3):
            on = change.astimezone(info).date() + timedelta(days=days)
            start = day_start(on, info)
            assert start.astimezone(info).replace(tzinfo=None) == datetime.combine(on, time())
            assert (start - timedelta(microseconds=1)).astimezone(info).date() == on - timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "on", "starts"),
    [
        ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00+00:00"),  # 00:00 does not exist: the day begins at 01:00
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00+00:00"),  # 00:00 comes twice: the first
        ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00+00:00"),
        ("America/Santiago", date(2026, 4, 5), "2026-04-05T04:00+00:00"),  # 23:00 the day before comes twice
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00+00:00"),  # the day was left out altogether
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30+00:00"),  # clocks went from 23:30 to 00:30
        ("America/Goose_Bay", date(2009, 11, 1), "2009-11-01T03:00+00:00"),  # a minute old, the day goes back to 23:01
    ],
)
def test_a_day_whose_midnight_is_missing_or_double_begins_at_its_first_instant(zone: str, on: date, starts: str) -> None:
    assert day_start(on, ZoneInfo(zone)) == datetime.fromisoformat(starts)


class EasternJump(tzinfo):
    """Two hours ahead of UTC, and three from 31-Mar-2026 23:30, when the clocks jump to 00:30."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        assert at is not None
        wall = at.replace(tzinfo=None, fold=0)
        is_later = wall >= datetime(2026, 4, 1, 0, 30) or (wall >= datetime(2026, 3, 31, 23, 30) and at.fold == 1)  # noqa: DTZ001
        return timedelta(hours=3 if is_later else 2)

    def dst(self, at: datetime | None) -> timedelta:
        return timedelta(0)

    def fromutc(self, at: datetime) -> datetime:
        return at + timedelta(hours=3 if at.replace(tzinfo=None) >= datetime(2026, 3, 31, 21, 30) else 2)  # noqa: DTZ001


def test_a_jump_that_begins_before_midnight_is_found_east_of_greenwich_too() -> None:
    assert day_start(date(2026, 4, 1), EasternJump()) == datetime(2026, 3, 31, 21, 30, tzinfo=UTC)


def test_the_last_day_of_a_window_is_the_day_of_the_microsecond_before_it_closes() -> None:
    midnight = datetime(2026, 1, 19, 5, tzinfo=UTC)  # in New York
    assert last_day(midnight, "America/New_York") == date(2026, 1, 18)
    assert last_day(midnight + timedelta(microseconds=1), "America/New_York") == date(2026, 1, 19)


def test_a_repeated_hour_asks_which_and_gives_two_instants() -> None:
    on, at = date(2026, 11, 1), time(1, 30)
    with pytest.raises(Refused, match="01-Nov-2026 01:30 comes twice in America/New_York") as refusal:
        local_instant(on, at, "America/New_York")
    assert (refusal.value.code, refusal.value.field, refusal.value.limit) == ("repeated_hour", "at", "first or second")
    first = local_instant(on, at, "America/New_York", fold=0)
    second = local_instant(on, at, "America/New_York", fold=1)
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert second - first == timedelta(hours=1)
    assert local_instant(on, at.replace(fold=1), "America/New_York", fold=0) == first  # only the argument chooses
    with pytest.raises(Refused):
        local_instant(on, at, "America/New_York", fold=2)


@pytest.mark.parametrize("fold", [None, 0, 1])
def test_an_hour_the_clocks_jump_over_is_refused(fold: int | None) -> None:
    with pytest.raises(Refused, match="29-Mar-2026 01:30 does not exist in Europe/London") as refusal:
        local_instant(date(2026, 3, 29), time(1, 30), "Europe/London", fold)
    assert (refusal.value.code, refusal.value.value) == ("gap_hour", "29-Mar-2026 01:30")


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-03-29T00:59", "2026-03-29T00:59"),
        ("2026-03-29T02:00", "2026-03-29T01:00"),
        ("2026-06-01T12:00", "2026-06-01T11:00"),
    ],
)
@pytest.mark.parametrize("fold", [None, 0, 1])
def test_an_ordinary_time_needs_no_choice(wall: str, utc: str, fold: int | None) -> None:
    at = datetime.fromisoformat(wall)
    assert local_instant(at.date(), at.time(), "Europe/London", fold) == datetime.fromisoformat(utc + "+00:00")


@pytest.mark.parametrize("zone", ZONES)
def test_every_changed_hour_can_be_charted_or_is_named_as_missing(zone: str) -> None:
    info = ZoneInfo(zone)
    for change in changes(zone):
        for minutes in range(-90, 91, 10):
            instant = change + timedelta(minutes=minutes)
            local = instant.astimezone(info)
            assert local_instant(local.date(), local.time(), zone, local.fold) == instant


def test_the_day_of_an_instant_is_the_day_in_its_zone() -> None:
    at = datetime(2026, 1, 1, 6, 30, tzinfo=UTC)
    assert local_day(at, "America/New_York") == date(2026, 1, 1)
    assert local_day(at, "America/Los_Angeles") == date(2025, 12, 31)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America", "America/New_York\0"])
def test_an_unknown_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        local_day(datetime(2026, 1, 1, tzinfo=UTC), name)
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("unknown_zone", "zone_name", name)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        local_day(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001
    assert (refusal.value.code, refusal.value.field) == ("no_zone", "at")


def test_a_wall_clock_day_is_a_day() -> None:
    with pytest.raises(Refused) as refusal:
        local_instant(datetime(2026, 1, 1, tzinfo=UTC), time(1), "UTC")
    assert refusal.value.code == "not_a_day"
