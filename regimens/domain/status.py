"""What a planned dose is at an instant: facts in, status out. Nothing is ever stored, no job has to have run.

``PRECEDENCE`` and ``BOUNDARIES`` are the whole rule; the SQL for worklists is generated from the same two tables and mirrored
in a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from . import guards
from .reasons import SITE_POLICY, Derivation, Part


class Status(StrEnum):
    """Every state of a planned dose."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    HELD = "held"
    PASSED_ON_HOLD = "passed_on_hold"
    IN_PROGRESS = "in_progress"
    GIVEN = "given"
    PARTIAL = "partial"
    DISPUTED = "disputed"
    OMITTED = "omitted"
    CANCELLED = "cancelled"
    BEFORE_REFERRAL = "before_referral"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class DoseFacts:
    """What is on record about one revision of a planned dose. Instants are UTC.

    ``is_partial``: the administration ended early and nobody accepted the part as the whole. ``is_disputed``: its record was
    marked entered in error and not yet settled. ``booked_for`` counts only inside the window, and never in one ``in_hours``.
    ``reopened_until`` is the end of a signed give-late decision. ``held_at`` and ``resumed_at`` frame a hold.
    """

    opens_at: datetime
    overdue_at: datetime
    closes_at: datetime
    in_hours: bool = False
    is_superseded: bool = False
    is_disputed: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    is_partial: bool = False
    is_cancelled: bool = False
    is_omitted: bool = False
    is_before_referral: bool = False
    held_at: datetime | None = None
    resumed_at: datetime | None = None
    booked_for: datetime | None = None
    reopened_until: datetime | None = None


# R-STAT-1. Settled facts win over time, in this order; the first whose test holds gives the status, whatever the instant.
PRECEDENCE: tuple[tuple[Status, Callable[[DoseFacts], bool]], ...] = (
    (Status.SUPERSEDED, lambda facts: facts.is_superseded),
    (Status.DISPUTED, lambda facts: facts.is_disputed),
    (Status.IN_PROGRESS, lambda facts: facts.started_at is not None and facts.ended_at is None),
    (Status.PARTIAL, lambda facts: facts.started_at is not None and facts.is_partial),
    (Status.GIVEN, lambda facts: facts.started_at is not None),
    (Status.CANCELLED, lambda facts: facts.is_cancelled),
    (Status.OMITTED, lambda facts: facts.is_omitted),
    (Status.BEFORE_REFERRAL, lambda facts: facts.is_before_referral),
)
# R-STAT-2. Then time: the status holds while the instant is before the named edge; each edge is exclusive, the last has none.
BOUNDARIES: tuple[tuple[Status, str | None], ...] = (
    (Status.UPCOMING, "opens_at"),
    (Status.DUE, "overdue_at"),
    (Status.OVERDUE, "closes_at"),
    (Status.MISSED, None),
)
SETTLED = frozenset({Status.SUPERSEDED, Status.GIVEN, Status.CANCELLED, Status.OMITTED, Status.BEFORE_REFERRAL})
NEEDS_DECISION = frozenset({Status.MISSED, Status.PASSED_ON_HOLD, Status.PARTIAL, Status.DISPUTED})
STARTABLE = frozenset({Status.DUE, Status.OVERDUE})


def overdue_from(facts: DoseFacts) -> datetime:
    """When the dose becomes overdue (R-STAT-3): the booking where there is one inside the window, else the end of the target
    day. In a window of hours it never is.
    """
    booked = facts.booked_for
    if booked is None or facts.in_hours or not facts.opens_at <= booked < facts.closes_at:
        return facts.overdue_at
    return booked


def status(facts: DoseFacts, at: datetime) -> Status:
    """The status at an instant (UTC; a naive one is Refused). A given dose stays given whatever the day; a hold only stops the
    clock's words, not the clock.
    """
    now = guards.instant(at, "at")
    for settled, holds in PRECEDENCE:
        if holds(facts):
            return settled
    # R-STAT-4: a window that closes during a hold waits for a decision; it is never omitted in silence.
    if facts.held_at is not None:
        if (
            facts.held_at < facts.closes_at <= now
            and (facts.resumed_at is None or facts.closes_at <= facts.resumed_at)
            and not _is_reopened(facts, now)
        ):
            return Status.PASSED_ON_HOLD
        if facts.held_at <= now < facts.closes_at and (facts.resumed_at is None or now < facts.resumed_at):
            return Status.HELD
    # R-STAT-5: a signed give-late decision opens the dose again until its end.
    if now >= facts.closes_at and _is_reopened(facts, now):
        return Status.DUE
    edges = {"opens_at": facts.opens_at, "overdue_at": overdue_from(facts), "closes_at": facts.closes_at}
    for word, edge in BOUNDARIES[:-1]:
        if edge is not None and now < edges[edge]:
            return word
    return BOUNDARIES[-1][0]


def explain(facts: DoseFacts, at: datetime, zone_name: str) -> Derivation:
    """Why a dose has its status at an instant, with the instants on the clock of a zone."""
    found = status(facts, at)
    if any(found is word for word, _ in PRECEDENCE):
        return Derivation((("R-STAT-1", "{}: a fact on record, whatever the time", (_spoken(found),), SITE_POLICY),))
    if found in (Status.HELD, Status.PASSED_ON_HOLD):
        return Derivation((("R-STAT-4", "{}: on hold since {}", (_spoken(found), (facts.held_at, zone_name)), SITE_POLICY),))
    if found is Status.DUE and at >= facts.closes_at:
        return Derivation((("R-STAT-5", "due: to be given late until {}", ((facts.reopened_until, zone_name),), SITE_POLICY),))
    edges = ((facts.opens_at, zone_name), (overdue_from(facts), zone_name), (facts.closes_at, zone_name))
    parts: tuple[Part, ...] = (("R-STAT-2", "{}: opens {}, overdue from {}, closes {}", (_spoken(found), *edges), SITE_POLICY),)
    if overdue_from(facts) != facts.overdue_at:
        parts += (("R-STAT-3", "overdue from the booking, {}", (edges[1],), SITE_POLICY),)
    return Derivation(parts)


def _spoken(word: Status) -> str:
    return word.replace("_", " ")


def _is_reopened(facts: DoseFacts, now: datetime) -> bool:
    return facts.reopened_until is not None and now < facts.reopened_until
