"""docs/states.csv on real rows: every state, every event, every role, through the actions that people's clicks go through.

A dose is brought into a state once; each event is then tried by each role and undone. What the table says is what the actions do.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import bedside, bookings, disputes, holds
from regimens.actions.not_given import record_not_given
from regimens.actions.parts import ReactionFacts
from regimens.domain.reasons import Refused
from regimens.models import PlannedDose
from tests.regimens import ward as wards
from tests.regimens.scenes import STATES, WHY, Scene, decide, mark, opening, put_on_hold, recalculate, refer, reweigh, stop
from tests.regimens.ward import Ward, give, release, start, verify

pytestmark = pytest.mark.django_db
TABLE = Path(__file__).parents[2] / "docs" / "states.csv"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What the clock says after an event whose result is "by_time".
BY_TIME = {
    ("upcoming", "book"): "upcoming",
    ("due", "book"): "due",
    ("overdue", "book"): "due",  # booked for later today: overdue runs from the booking
    ("held", "resume"): "due",
    ("disputed", "settle_as_not_given"): "due",
}
# These change every dose of a course that they concern, and go through while this one is left as it is.
OF_THE_COURSE = ("verify", "recalculate")


def table() -> dict[str, dict[str, dict[str, str]]]:
    """State → event → role → result."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    with TABLE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row.pop("state"), {})[row.pop("event")] = row
    return found


ROWS = table()


class Undo(Exception):
    """Leaves a block and takes back what was written in it."""


@contextmanager
def undone() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            raise Undo
    except Undo:
        pass


def new_revision(scene: Scene) -> None:
    """An unsigned revision to verify, made by the first pharmacist; where there is none to make, what is there."""
    reweigh(scene)
    try:
        recalculate(scene, scene.ward.pharmacist)
    except Refusal:
        return
    if scene.planned.settled_as != "superseded" and scene.row().settled_as == "superseded":
        scene.planned = scene.live()


def signed(scene: Scene, by: Membership) -> None:
    team = Ward(scene.ward.centre, scene.ward.pharmacist, by, scene.ward.nurse, scene.ward.second_nurse, scene.ward.prescriber)
    if not scene.course.doses.filter(settled_at=None, verified_at=None).exists():
        raise Refusal("nothing_to_verify" if by.role == Role.PHARMACIST else "role", "Nothing waits for verification.")
    verify(team, scene.course, at=scene.at)


def ready(scene: Scene) -> None:
    """Released, where it can be."""
    wards._released(scene.ward, scene.planned, scene.at)


def book(scene: Scene, by: Membership) -> None:
    within = max(scene.at, scene.planned.opens_at) + HOUR
    bookings.book_dose(dose=scene.row(), booked_for=within, place="Ward 4B", by=by, at=scene.at)


def record_given(scene: Scene, by: Membership) -> None:
    """All of it was given in the last four hours: of an old revision too, by whoever held its sheet."""
    facts = {"volume_ml": scene.live().draw_ml, "reason": WHY, "released": False}
    give(scene.ward, replanned(scene), at=scene.at - 4 * HOUR, by=by, **facts)


def finish(scene: Scene, by: Membership, volume_ml: Decimal | None = None, why: str = "") -> None:
    is_free = ROWS["in_progress"]["stop_early" if why else "finish"][by.role] != "no"
    record = scene.own_record() if is_free else scene.nobodys
    volume_ml = volume_ml or scene.planned.draw_ml
    bedside.complete_infusion(
        record=record, ended_at=scene.at, volume_ml=volume_ml, stopped_early_reason=why, by=by, at=scene.at
    )


def react(scene: Scene, by: Membership) -> None:
    record = scene.own_record() if ROWS["given"]["add_reaction"][by.role] != "no" else scene.nobodys
    facts = ReactionFacts(scene.at, "Headache", is_serious=False, action_taken="Watched for an hour")
    bedside.record_reaction(record=record, facts=facts, by=by, at=scene.at)


def strike(scene: Scene, by: Membership) -> None:
    record = scene.own_record() if ROWS["given"]["enter_in_error"][by.role] != "no" else scene.nobodys
    disputes.enter_in_error(record=record, reason=WHY, by=by, at=scene.at)


def settle(outcome: str) -> Callable[[Scene, Membership], None]:
    return lambda scene, by: disputes.settle_dispute(dose=scene.row(), outcome=outcome, reason=WHY, by=by, at=scene.at) and None


def resume_first(scene: Scene) -> None:
    """Nothing is given late while the course is on hold."""
    if scene.status(scene.row()) == "passed_on_hold":
        resume(scene, scene.ward.prescriber)


def resume(scene: Scene, by: Membership) -> None:
    facts = {"reason": "Cultures are negative", "ordered_by": scene.ward.prescriber, "is_read_back": True}
    holds.resume_course(course=scene.course, by=by, at=scene.at, **facts)


def deciding(decision: str) -> Callable[[Scene, Membership], None]:
    return lambda scene, by: decide(scene, decision, by)


@dataclass(frozen=True)
class Doing:
    """How an event is done: what has to be there first, once, and the act itself by somebody."""

    act: Callable[[Scene, Membership], Any]
    first: Callable[[Scene], Any] = lambda scene: None


EVENTS: dict[str, Doing] = {
    "book": Doing(book),
    "verify": Doing(signed, new_revision),
    "release": Doing(lambda scene, by: release(scene.ward, scene.row(), at=scene.at, by=by)),
    "recalculate": Doing(recalculate, reweigh),
    "start": Doing(lambda scene, by: start(scene.ward, replanned(scene), at=scene.at, by=by, released=False), ready),
    "not_given_today": Doing(
        lambda scene, by: record_not_given(dose=scene.row(), reason_code="absent", was_prepared=False, by=by, at=scene.at)
    ),
    "record_given": Doing(record_given),
    "finish": Doing(finish),
    "stop_early": Doing(lambda scene, by: finish(scene, by, Decimal(50), "Rigors")),
    "add_reaction": Doing(react),
    "enter_in_error": Doing(strike),
    "settle_as_given": Doing(settle("given")),
    "settle_as_not_given": Doing(settle("not_given")),
    "give_late": Doing(deciding("give_late"), resume_first),
    "give_late_and_shift": Doing(deciding("give_late_and_shift"), resume_first),
    "omit": Doing(deciding("omit")),
    "give_remainder": Doing(deciding("give_remainder")),
    "accept_partial": Doing(deciding("accept_partial")),
    "change_dose": Doing(deciding("change_dose"), resume_first),
    "change_protocol": Doing(deciding("change_protocol")),
    "hold": Doing(lambda scene, by: put_on_hold(scene, scene.at, by)),
    "resume": Doing(resume),
    "mark_before_referral": Doing(mark, refer),
    "stop_course": Doing(stop),
}


def replanned(scene: Scene) -> PlannedDose:
    """The row with all that the bedside asks of it."""
    rows = PlannedDose.objects.select_related(
        "course__protocol", "course__monograph", "course__patient__centre", "protocol_dose"
    )
    return rows.get(pk=scene.planned.pk)


# The walk ------------------------------------------------------------------------------------------------------------------


def outcome(scene: Scene, state: str, event: str, by: Membership) -> str:
    """What the event does by this person: "no", "refused", or what the dose then is."""
    before = PlannedDose.objects.filter(pk=scene.planned.pk).values().get()
    try:
        EVENTS[event].act(scene, by)
    except (Refusal, Refused) as refusal:
        return "no" if refusal.code == "role" else "refused"
    row = scene.row()
    if event in OF_THE_COURSE and PlannedDose.objects.filter(pk=row.pk).values().get() == before:
        return "refused"  # the course has a new plan or signature, and this dose has not
    if event == "give_late":
        return scene.status(scene.live(), scene.at + timedelta(minutes=1))
    # An infusion under way goes on; what began a moment ago is judged a moment later.
    return scene.status(row, scene.at + timedelta(seconds=1))


def expected(state: str, event: str, said: str) -> str:
    """The table's word as a status."""
    if said == "unchanged":
        return state
    return BY_TIME[state, event] if said == "by_time" else said


def test_the_walk_knows_every_state_event_and_role() -> None:
    assert set(STATES) == set(ROWS)
    assert all(set(events) == set(EVENTS) for events in ROWS.values())
    assert all(set(roles) == set(Role.values) for events in ROWS.values() for roles in events.values())


@pytest.mark.parametrize("state", STATES)
def test_every_event_in_this_state_does_what_the_table_says_for_every_role(state: str) -> None:
    scene = opening()
    STATES[state](scene)
    assert scene.status(scene.row()) == state
    wrong = []
    kept = scene.planned, scene.record
    for event, roles in ROWS[state].items():
        with undone():
            EVENTS[event].first(scene)
            for role, said in roles.items():
                with undone():
                    got = outcome(scene, state, event, scene.cast[role])
                    if got != expected(state, event, said):
                        wrong.append(f"{state}, {event}, {role}: the table says {said}, the action {got}")
        scene.planned, scene.record = kept
    assert wrong == []
