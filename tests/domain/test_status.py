"""The status of a dose at every hour and at every edge; intervals and timing; the table of what may be done."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from regimens.domain import status as module
from regimens.domain.intervals import check_interval, earliest_start, timing
from regimens.domain.reasons import Refused
from regimens.domain.schedule import TransplantAnchor, plan_windows
from regimens.domain.status import (
    BOUNDARIES,
    NEEDS_DECISION,
    PRECEDENCE,
    SETTLED,
    STARTABLE,
    DoseFacts,
    Status,
    explain,
    overdue_from,
    status,
)
from regimens.domain.transitions import RESULTS, ROLES, WHO, Event, decisions_from, transition
from tests import oracle
from tests.domain.factory import KIDNEY

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
ZONES = ("America/New_York", "Europe/London", "Australia/Sydney", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
OPENS, OVERDUE, CLOSES = (datetime(2026, 1, day, 5, tzinfo=UTC) for day in (12, 16, 19))
PLAIN = DoseFacts(OPENS, OVERDUE, CLOSES)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("on", ["2026-03-01T07:30", "2026-10-20T07:30"])
def test_every_hour_of_every_window_reads_the_same_both_ways_and_only_moves_on(zone: str, on: str) -> None:
    start = datetime.fromisoformat(on).replace(tzinfo=UTC)
    order = [word for word, _ in BOUNDARIES]
    for window in plan_windows(KIDNEY, TransplantAnchor(start, zone), centre_zone=zone):
        facts = DoseFacts(window.opens_at, window.overdue_at, window.closes_at)
        edges = (window.opens_at, window.overdue_at, window.closes_at)
        at, seen = window.opens_at - 30 * HOUR, []
        while at < window.closes_at + 30 * HOUR:
            seen.append(status(facts, at))
            assert seen[-1] == oracle.state(edges, {}, at)
            at += HOUR
        assert [order.index(word) for word in seen] == sorted(order.index(word) for word in seen)
        for edge in edges:
            before, on_it, after = (status(facts, edge + timedelta(minutes=minutes)) for minutes in (-1, 0, 1))
            assert before != on_it == after
        assert (Status.OVERDUE in seen) is not window.in_hours


def test_the_last_dose_is_missed_all_by_itself() -> None:
    last = plan_windows(KIDNEY, TransplantAnchor(OPENS, "UTC"), centre_zone="UTC")[-1]
    facts = DoseFacts(last.opens_at, last.overdue_at, last.closes_at)
    assert status(facts, last.closes_at) == Status.MISSED


def test_a_given_dose_stays_given_whatever_the_day() -> None:
    given = DoseFacts(OPENS, OVERDUE, CLOSES, started_at=OVERDUE, ended_at=OVERDUE + HOUR)
    assert {status(given, OPENS + days * 24 * HOUR) for days in range(-400, 400, 7)} == {Status.GIVEN}


def test_status_needs_an_instant() -> None:
    with pytest.raises(Refused):
        status(PLAIN, datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_tables_name_every_state_once() -> None:
    timed = {word for word, _ in BOUNDARIES} | {Status.HELD, Status.PASSED_ON_HOLD}
    settled = [word for word, _ in PRECEDENCE]
    assert timed | set(settled) == set(Status)
    assert len(settled) == len(set(settled)) == len(Status) - len(timed)
    assert not SETTLED & NEEDS_DECISION
    assert not STARTABLE & (SETTLED | NEEDS_DECISION)
    assert module.BOUNDARIES[-1] == (Status.MISSED, None)


def test_a_booking_counts_only_inside_the_window_of_days() -> None:
    def booked(at: datetime, overdue: datetime = OVERDUE, in_hours: bool = False) -> datetime:
        return overdue_from(DoseFacts(OPENS, overdue, CLOSES, booked_for=at, in_hours=in_hours))

    assert booked(OPENS) == OPENS
    assert booked(CLOSES - HOUR) == CLOSES - HOUR
    assert booked(CLOSES) == OVERDUE
    assert booked(OPENS - HOUR) == OVERDUE
    assert booked(OPENS + HOUR, CLOSES) == OPENS + HOUR, "a window that ends with its target day is one of days"
    assert booked(OPENS + HOUR, CLOSES, in_hours=True) == CLOSES
    assert overdue_from(PLAIN) == OVERDUE


def test_a_hold_covers_its_own_time_only() -> None:
    held = DoseFacts(OPENS, OVERDUE, CLOSES, held_at=OPENS + HOUR, resumed_at=OPENS + 3 * HOUR)
    assert [status(held, OPENS + hours * HOUR) for hours in range(5)] == ["due", "held", "held", "due", "due"]
    to_the_end = DoseFacts(OPENS, OVERDUE, CLOSES, held_at=OPENS, resumed_at=CLOSES)
    assert [status(to_the_end, CLOSES + hours * HOUR) for hours in (-1, 0, 1)] == ["held", "passed_on_hold", "passed_on_hold"]
    at_close = DoseFacts(OPENS, OVERDUE, CLOSES, held_at=CLOSES)
    assert status(at_close, CLOSES) == Status.MISSED


@pytest.mark.parametrize(
    ("facts", "hours", "told"),
    [
        ({"is_omitted": True}, 1, ["R-STAT-1 omitted: a fact on record, whatever the time"]),
        ({"is_before_referral": True}, 1, ["R-STAT-1 before referral: a fact on record, whatever the time"]),
        ({"held_at": OPENS}, 1, ["R-STAT-4 held: on hold since 12-Jan-2026 00:00 (America/New_York)"]),
        ({"held_at": OPENS}, 999, ["R-STAT-4 passed on hold: on hold since 12-Jan-2026 00:00 (America/New_York)"]),
        ({"reopened_until": CLOSES + HOUR}, 168, ["R-STAT-5 due: to be given late until 19-Jan-2026 01:00 (America/New_York)"]),
        (
            {},
            1,
            [
                (
                    "R-STAT-2 due: opens 12-Jan-2026 00:00 (America/New_York), overdue from 16-Jan-2026 00:00 (America/New_York), "
                    "closes 19-Jan-2026 00:00 (America/New_York)"
                ),
            ],
        ),
        (
            {"booked_for": OPENS + HOUR},
            1,
            [
                (
                    "R-STAT-2 overdue: opens 12-Jan-2026 00:00 (America/New_York), overdue from 12-Jan-2026 01:00 (America/New_York), "
                    "closes 19-Jan-2026 00:00 (America/New_York)"
                ),
                "R-STAT-3 overdue from the booking, 12-Jan-2026 01:00 (America/New_York)",
            ],
        ),
    ],
)
def test_a_status_tells_why(facts: dict[str, object], hours: int, told: list[str]) -> None:
    working = explain(DoseFacts(OPENS, OVERDUE, CLOSES, **facts), OPENS + hours * HOUR, "America/New_York")  # type: ignore[arg-type]
    assert [f"{step.rule} {step.sentence}" for step in working] == told
    assert {step.source for step in working} == {"Site policy"}


def test_intervals_are_elapsed_and_start_to_start() -> None:
    assert earliest_start(OPENS, 168) == OPENS + timedelta(days=7)
    with pytest.raises(Refused) as refusal:
        earliest_start(OPENS.replace(tzinfo=None), 1)
    assert refusal.value.field == "previous_started_at"
    with pytest.raises(Refused) as refusal:
        check_interval(starts_at=OPENS.replace(tzinfo=None), previous_started_at=None, min_interval_hours=1)
    assert refusal.value.field == "starts_at"
    short = check_interval(starts_at=OPENS, previous_started_at=OPENS - HOUR, min_interval_hours=2)
    assert short.working.rules == ("R-INT-1",)
    assert (
        "at least 2\u00a0h from the start of the dose before: not before 12-Jan-2026 06:00 (UTC)"
        in short.working.steps[0].sentence
    )
    assert short.working.steps[0].source == "Site policy"
    assert check_interval(starts_at=OPENS, previous_started_at=None, min_interval_hours=2).working.rules == ("R-INT-2",)
    rest = check_interval(starts_at=OPENS, previous_started_at=OPENS, min_interval_hours=2, is_remainder=True)
    assert rest.working.rules == ("R-INT-3",)


def test_timing_needs_an_instant() -> None:
    with pytest.raises(Refused) as refusal:
        timing(started_at=datetime(2026, 1, 1), opens_at=OPENS, target_at=OPENS, overdue_at=OVERDUE, closes_at=CLOSES)  # noqa: DTZ001
    assert refusal.value.field == "started_at"


def state_rows() -> list[dict[str, str]]:
    with (ROOT / "docs" / "states.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_of_states_holds_every_state_and_every_event_once() -> None:
    pairs = [(row["state"], row["event"]) for row in state_rows()]
    assert sorted(pairs) == sorted((str(state), str(event)) for state in Status for event in Event)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['state']}-{row['event']}") for row in state_rows()])
def test_the_table_of_states_is_what_the_rules_do_for_every_role(row: dict[str, str]) -> None:
    state, event = Status(row["state"]), Event(row["event"])
    for role in ROLES:
        try:
            result = transition(state, event, role)
        except Refused as refusal:
            result = "no" if refusal.code == "wrong_role" else "refused"
            assert refusal.source and refusal.sentence and refusal.field in ("role", "state")
        assert result == row[role], role


def test_every_event_has_someone_who_may_do_it_and_a_state_to_do_it_in() -> None:
    assert set(WHO) == set(Event)
    assert {event for _, event in RESULTS} == set(Event)
    assert all(roles <= set(ROLES) and roles for roles in WHO.values())


def test_refusals_of_an_event_say_who_may_or_why_not() -> None:
    with pytest.raises(Refused) as refusal:
        transition(Status.MISSED, Event.GIVE_LATE, "nurse")
    assert (refusal.value.code, refusal.value.sentence) == ("wrong_role", "Nurse: not allowed to give late.")
    assert (refusal.value.value, refusal.value.limit) == ("nurse", "prescriber")
    with pytest.raises(Refused) as refusal:
        transition(Status.MISSED, Event.START, "nurse")
    assert (refusal.value.code, refusal.value.value) == ("not_from_this_state", "missed")
    assert refusal.value.sentence == "The window has closed: a prescriber decides first."
    with pytest.raises(Refused) as refusal:
        transition(Status.BEFORE_REFERRAL, Event.GIVE_LATE, "prescriber")
    assert refusal.value.sentence == "A dose that is before referral cannot take this: give late."
    with pytest.raises(Refused) as refusal:
        transition(Status.IN_PROGRESS, Event.STOP_COURSE, "prescriber")
    assert refusal.value.sentence == "An infusion is running: end it first."


def test_nothing_given_becomes_startable_by_one_persons_act() -> None:
    for state in (Status.GIVEN, Status.PARTIAL, Status.IN_PROGRESS):
        results = {RESULTS.get((state, event)) for event in Event}
        assert not results & {"by_time", Status.DUE, Status.OVERDUE}
    assert RESULTS[(Status.GIVEN, Event.ENTER_IN_ERROR)] == Status.DISPUTED
    assert "nurse" not in WHO[Event.SETTLE_AS_NOT_GIVEN]


def test_what_was_really_given_can_be_recorded_from_every_state_without_a_live_record() -> None:
    refusing = {state for state in Status if (state, Event.RECORD_GIVEN) not in RESULTS}
    assert refusing == {Status.IN_PROGRESS, Status.GIVEN, Status.PARTIAL}
    assert RESULTS[(Status.SUPERSEDED, Event.RECORD_GIVEN)] == "unchanged"  # it is recorded on the live revision


def test_what_may_be_decided_follows_from_the_state() -> None:
    late = ("give_late", "give_late_and_shift", "omit", "change_dose", "hold", "stop", "change_protocol")
    assert decisions_from(Status.MISSED) == late
    assert decisions_from(Status.PASSED_ON_HOLD) == late
    assert decisions_from(Status.PARTIAL) == ("give_remainder", "accept_partial", "hold", "stop", "change_protocol")
    assert {state for state in Status if decisions_from(state)} == {Status.MISSED, Status.PASSED_ON_HOLD, Status.PARTIAL}
