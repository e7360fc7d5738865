"""Calendar days and wall-clock times of a zone as UTC instants, across every change of the clocks.

Local time becomes UTC straight after the calendar arithmetic, so that nothing is ever added to a wall-clock time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from . import guards
from .reasons import Refused
from .units import day_text

ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)
MIDNIGHT, MIDNIGHT_AGAIN = time(), time(fold=1)  # the second of two, where it comes twice


def local_day(at: datetime, zone_name: str) -> date:
    """The calendar day of an instant in a zone."""
    return guards.instant(at, "at").astimezone(guards.zone(zone_name)).date()


def last_day(closes_at: datetime, zone_name: str) -> date:
    """The last calendar day before a closing instant, which is itself outside."""
    return local_day(closes_at - timedelta(microseconds=1), zone_name)


def day_start(on: date, zone: tzinfo) -> datetime:
    """The first instant of a calendar day in a zone, in UTC.

    Where midnight does not exist (clocks go forward over it) it is the moment after the gap; where it comes twice, the first of
    the two.
    """
    midnight = datetime.combine(on, MIDNIGHT, zone)
    offset = midnight.utcoffset()
    later = datetime.combine(on, MIDNIGHT_AGAIN, zone).utcoffset()
    assert offset is not None and later is not None  # a zone always knows its offset
    if offset >= later:
        return datetime.combine(on, MIDNIGHT, UTC) - offset
    return _first_instant_after_gap(on, zone, (midnight - later).replace(tzinfo=UTC), (midnight - offset).replace(tzinfo=UTC))


def _first_instant_after_gap(on: date, zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The clocks jump over this midnight between the two instants: find the jump to the second."""
    while after - before > ONE_SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).date() < on:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def local_instant(on: date, at: time, zone_name: str, fold: int | None = None) -> datetime:
    """The UTC instant of a wall-clock time.

    Refused ("gap_hour") for a time the clocks jump over, and ("repeated_hour") for one that comes twice until ``fold`` says
    which:
    0 the first, 1 the second. ``fold`` on an ordinary time changes nothing.
    """
    zone = guards.zone(zone_name)
    wall = datetime.combine(guards.day(on, "on"), at.replace(tzinfo=None, fold=0), tzinfo=zone)
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    assert first is not None and second is not None
    shown = f"{day_text(on)} {at.hour:02d}:{at.minute:02d}"
    if first < second:
        raise Refused(
            "gap_hour",
            f"{shown} does not exist in {zone_name}: the clocks go forward over it.",
            source="Time rules",
            field="at",
            value=shown,
            limit="a time that exists",
        )
    if first > second and fold not in (0, 1):
        raise Refused(
            "repeated_hour",
            f"{shown} comes twice in {zone_name}, as the clocks go back: choose the first or the second.",
            source="Time rules",
            field="at",
            value=shown,
            limit="first or second",
        )
    offset = second if first > second and fold == 1 else first
    return (wall - offset).replace(tzinfo=UTC)
