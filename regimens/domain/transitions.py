"""What may be done to a planned dose in each state, by whom, and what it then is. Time passing is not an event: it is computed.

The table is the rule; ``docs/states.csv`` says the same for people, and a test walks both. "by_time" means what the clock then
says (upcoming to missed);
"unchanged" means that the event is recorded and the state stays.
"""

from __future__ import annotations

from enum import StrEnum

from .decisions import Decision
from .reasons import Refused
from .status import NEEDS_DECISION, Status

BY_TIME = "by_time"
UNCHANGED = "unchanged"


class Event(StrEnum):
    """What people do to a planned dose."""

    BOOK = "book"
    VERIFY = "verify"
    RELEASE = "release"
    RECALCULATE = "recalculate"
    START = "start"
    NOT_GIVEN_TODAY = "not_given_today"
    RECORD_GIVEN = "record_given"
    FINISH = "finish"
    STOP_EARLY = "stop_early"
    ADD_REACTION = "add_reaction"
    ENTER_IN_ERROR = "enter_in_error"
    SETTLE_AS_GIVEN = "settle_as_given"
    SETTLE_AS_NOT_GIVEN = "settle_as_not_given"
    GIVE_LATE = "give_late"
    GIVE_LATE_AND_SHIFT = "give_late_and_shift"
    OMIT = "omit"
    GIVE_REMAINDER = "give_remainder"
    ACCEPT_PARTIAL = "accept_partial"
    CHANGE_DOSE = "change_dose"
    CHANGE_PROTOCOL = "change_protocol"
    HOLD = "hold"
    RESUME = "resume"
    MARK_BEFORE_REFERRAL = "mark_before_referral"
    STOP_COURSE = "stop_course"


ROLES = ("pharmacist", "nurse", "prescriber", "technician", "coordinator", "monograph_editor", "auditor", "administrator")
PHARMACIST, NURSE, PRESCRIBER, TECHNICIAN, COORDINATOR = ROLES[:5]
# R-STATE-2. Nobody else may, but for a pharmacist within a center's collaborative protocol: see BY_PROTOCOL in patients/roles.py.
WHO: dict[Event, frozenset[str]] = {
    Event.BOOK: frozenset({NURSE, COORDINATOR, PHARMACIST}),
    Event.VERIFY: frozenset({PHARMACIST}),
    Event.RELEASE: frozenset({PHARMACIST}),
    Event.RECALCULATE: frozenset({PHARMACIST, PRESCRIBER}),
    Event.START: frozenset({NURSE}),
    Event.NOT_GIVEN_TODAY: frozenset({NURSE}),
    Event.RECORD_GIVEN: frozenset({NURSE, PHARMACIST}),
    Event.FINISH: frozenset({NURSE, PHARMACIST}),
    Event.STOP_EARLY: frozenset(
        {NURSE, PHARMACIST, PRESCRIBER, TECHNICIAN, COORDINATOR}
    ),  # any clinician may stop an infusion, always
    Event.ADD_REACTION: frozenset({NURSE, PHARMACIST, PRESCRIBER}),
    Event.ENTER_IN_ERROR: frozenset({NURSE, PHARMACIST}),
    Event.SETTLE_AS_GIVEN: frozenset({PHARMACIST, PRESCRIBER}),
    Event.SETTLE_AS_NOT_GIVEN: frozenset({PHARMACIST, PRESCRIBER}),
    Event.GIVE_LATE: frozenset({PRESCRIBER}),
    Event.GIVE_LATE_AND_SHIFT: frozenset({PRESCRIBER}),
    Event.OMIT: frozenset({PRESCRIBER}),
    Event.GIVE_REMAINDER: frozenset({PRESCRIBER}),
    Event.ACCEPT_PARTIAL: frozenset({PRESCRIBER}),
    Event.CHANGE_DOSE: frozenset({PRESCRIBER}),
    Event.CHANGE_PROTOCOL: frozenset({PRESCRIBER}),
    Event.HOLD: frozenset({PRESCRIBER, PHARMACIST}),
    Event.RESUME: frozenset({PRESCRIBER, PHARMACIST}),
    Event.MARK_BEFORE_REFERRAL: frozenset({PHARMACIST, PRESCRIBER}),
    Event.STOP_COURSE: frozenset({PRESCRIBER}),
}

WAITING = (Status.UPCOMING, Status.DUE, Status.OVERDUE)
UNDECIDED = (Status.MISSED, Status.PASSED_ON_HOLD)
RECORDED = (Status.IN_PROGRESS, Status.GIVEN, Status.PARTIAL)
# What is done to the whole course leaves these doses as they are.
LEFT_ALONE = (
    Status.GIVEN,
    Status.PARTIAL,
    Status.OMITTED,
    Status.BEFORE_REFERRAL,
    Status.DISPUTED,
    Status.SUPERSEDED,
)


def _every(states: tuple[Status, ...], event: Event, result: str) -> dict[tuple[Status, Event], str]:
    return {(state, event): result for state in states}


# R-STATE-1. Every pair that is not here is refused.
RESULTS: dict[tuple[Status, Event], str] = {
    **_every(WAITING, Event.BOOK, BY_TIME),
    (Status.HELD, Event.BOOK): UNCHANGED,
    **_every((*WAITING, Status.HELD, *UNDECIDED), Event.VERIFY, UNCHANGED),
    **_every(WAITING, Event.RELEASE, UNCHANGED),
    **_every((*WAITING, Status.HELD, *UNDECIDED), Event.RECALCULATE, Status.SUPERSEDED),
    **_every((Status.DUE, Status.OVERDUE), Event.START, Status.IN_PROGRESS),
    **_every((Status.DUE, Status.OVERDUE), Event.NOT_GIVEN_TODAY, UNCHANGED),
    # The truth is always recordable, with a reason and a flag; only where a record lives already is it that record which is
    # corrected.
    **_every(
        (
            *WAITING,
            Status.HELD,
            *UNDECIDED,
            Status.OMITTED,
            Status.CANCELLED,
            Status.BEFORE_REFERRAL,
            Status.DISPUTED,
        ),
        Event.RECORD_GIVEN,
        Status.GIVEN,
    ),
    (Status.SUPERSEDED, Event.RECORD_GIVEN): UNCHANGED,  # recorded on the revision that stands in its place
    (Status.IN_PROGRESS, Event.FINISH): Status.GIVEN,
    (Status.IN_PROGRESS, Event.STOP_EARLY): Status.PARTIAL,
    **_every(RECORDED, Event.ADD_REACTION, UNCHANGED),
    **_every(RECORDED, Event.ENTER_IN_ERROR, Status.DISPUTED),
    (Status.DISPUTED, Event.SETTLE_AS_GIVEN): Status.GIVEN,
    (Status.DISPUTED, Event.SETTLE_AS_NOT_GIVEN): BY_TIME,
    **_every(UNDECIDED, Event.GIVE_LATE, Status.DUE),
    **_every(UNDECIDED, Event.GIVE_LATE_AND_SHIFT, Status.SUPERSEDED),
    **_every(UNDECIDED, Event.OMIT, Status.OMITTED),
    (Status.PARTIAL, Event.GIVE_REMAINDER): Status.SUPERSEDED,
    (Status.PARTIAL, Event.ACCEPT_PARTIAL): Status.GIVEN,
    **_every(UNDECIDED, Event.CHANGE_DOSE, Status.SUPERSEDED),
    **_every(UNDECIDED, Event.CHANGE_PROTOCOL, Status.CANCELLED),
    (Status.PARTIAL, Event.CHANGE_PROTOCOL): UNCHANGED,
    # A hold is of the course: it stops what waits, and leaves everything else as it is.
    **_every(WAITING, Event.HOLD, Status.HELD),
    **_every((Status.MISSED, Status.IN_PROGRESS, *LEFT_ALONE), Event.HOLD, UNCHANGED),
    (Status.HELD, Event.RESUME): BY_TIME,
    (Status.PASSED_ON_HOLD, Event.RESUME): UNCHANGED,
    (Status.MISSED, Event.MARK_BEFORE_REFERRAL): Status.BEFORE_REFERRAL,
    **_every((*WAITING, Status.HELD, *UNDECIDED), Event.STOP_COURSE, Status.CANCELLED),
    **_every(LEFT_ALONE, Event.STOP_COURSE, UNCHANGED),
}

# The event that each decision is.
DECIDED_BY: dict[Decision, Event] = {
    decision: Event.STOP_COURSE if decision is Decision.STOP else Event(decision.value) for decision in Decision
}

WHY_NOT = {
    (Status.UPCOMING, Event.START): "The window is not open yet.",
    (Status.MISSED, Event.START): "The window has closed: a prescriber decides first.",
    (Status.PASSED_ON_HOLD, Event.START): "The window closed during a hold: a prescriber decides first.",
    (Status.HELD, Event.START): "The dose is on hold.",
    (Status.DISPUTED, Event.START): "Record disputed: do not give.",
    (Status.IN_PROGRESS, Event.STOP_COURSE): "An infusion is running: end it first.",
}


def transition(state: Status, event: Event, role: str) -> str:
    """What the dose is after the event: a status, "by_time" or "unchanged".

    Refused: "wrong_role" for someone who may never do this, "not_from_this_state" otherwise.
    """
    if role not in WHO[event]:
        raise Refused(
            "wrong_role",
            f"{_words(role).capitalize()}: not allowed to {_words(event)}.",
            source="Roles",
            field="role",
            value=role,
            limit=", ".join(sorted(WHO[event])),
        )
    result = RESULTS.get((state, event))
    if result is None:
        sentence = WHY_NOT.get((state, event), f"A dose that is {_words(state)} cannot take this: {_words(event)}.")
        allowed = ", ".join(before for before, asked in RESULTS if asked is event)
        raise Refused("not_from_this_state", sentence, source="Dose states", field="state", value=str(state), limit=allowed)
    return str(result)


def decisions_from(state: Status) -> tuple[Decision, ...]:
    """What a prescriber may decide about a dose in this state (R-STATE-3); empty where nothing is to be decided about it.

    A disputed dose is settled by two people first. Whether a hold is still open is told by the case: see ``missed.options``.
    """
    if state not in NEEDS_DECISION or state is Status.DISPUTED:
        return ()
    return tuple(decision for decision, event in DECIDED_BY.items() if (state, event) in RESULTS or decision is Decision.HOLD)


def _words(code: str) -> str:
    return str(code).replace("_", " ")
