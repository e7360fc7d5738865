"""Minimum intervals between infusions, start to start, and when a dose given counts as early, on time or late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from . import guards
from .monograph import Source
from .reasons import SITE_POLICY, Derivation


class Timing(StrEnum):
    """Where the start of an infusion fell in its window."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"
    OUTSIDE = "outside_window"


def timing(
    *, started_at: datetime, opens_at: datetime, target_at: datetime, overdue_at: datetime, closes_at: datetime
) -> Timing:
    """The instant that counts is the infusion's start (R-INT-4). On time is the target day, or anywhere in a window that runs
    in hours.

    Arguments as in ``Window``: an edge belongs to what begins there, so a start at ``closes_at`` is outside.
    """
    start = guards.instant(started_at, "started_at")
    if start < opens_at or start >= closes_at:
        return Timing.OUTSIDE
    if start < target_at:
        return Timing.EARLY
    return Timing.ON_TIME if start < overdue_at else Timing.LATE


def earliest_start(previous_started_at: datetime, min_interval_hours: int) -> datetime:
    """The first instant at which the next infusion may start: start to start, in elapsed hours."""
    return guards.instant(previous_started_at, "previous_started_at") + timedelta(hours=min_interval_hours)


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval to the previous dose given, and whether it is long enough."""

    is_kept: bool
    earliest_at: datetime | None
    short_by: timedelta
    working: Derivation


def check_interval(
    *,
    starts_at: datetime,
    previous_started_at: datetime | None,
    min_interval_hours: int,
    is_remainder: bool = False,
    source: Source = SITE_POLICY,
) -> Interval:
    """Whether an infusion may start at ``starts_at``. The remainder of a stopped dose is exempt; so is a first dose."""
    start = guards.instant(starts_at, "starts_at")
    if previous_started_at is None:
        return Interval(
            True, None, timedelta(0), Derivation((("R-INT-2", "no dose before this one: no interval to keep", (), source),))
        )
    if is_remainder:
        return Interval(
            True,
            None,
            timedelta(0),
            Derivation((("R-INT-3", "the remainder of a stopped dose keeps no interval", (), source),)),
        )
    earliest = earliest_start(previous_started_at, min_interval_hours)
    working = Derivation(
        (
            (
                "R-INT-1",
                "at least {} from the start of the dose before: not before {}",
                ((min_interval_hours, "h"), earliest),
                source,
            ),
        )
    )
    return Interval(start >= earliest, earliest, max(timedelta(0), earliest - start), working)
