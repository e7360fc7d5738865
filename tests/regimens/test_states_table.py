"""docs/states.csv on real rows: every state, every event, every role, through the actions that people's clicks go through.

A dose is brought into a state once; each event is then tried by each role and undone. What the table says is what the actions do.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from patients.models import Centre, Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import bedside, bookings, courses, disputes, holds, missed, referral, replanning
from regimens.actions.not_given import record_not_given
from regimens.actions.parts import ReactionFacts, VialFacts
from regimens.domain.reasons import Refused
from regimens.models import Administration, Course, Hold, PlannedDose
from regimens.models.status import status_of
from tests.factories import NEW_YORK, make_member, make_weight
from tests.regimens import ward as wards
from tests.regimens.ward import LOT_EXPIRES, TRANSPLANTED, Ward, dose, give, make_course, make_ward, release, start, verify

pytestmark = pytest.mark.django_db
TABLE = Path(__file__).parents[2] / "docs" / "states.csv"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WHY = "Said so in the handover of the ward"
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


@dataclass
class Scene:
    """A dose in a state, the people around it, and the instant at which somebody acts."""

    ward: Ward
    course: Course
    planned: PlannedDose
    at: datetime
    record: Administration | None = None
    cast: dict[str, Membership] = field(default_factory=dict)

    def row(self) -> PlannedDose:
        """The dose as it stands now."""
        return PlannedDose.objects.get(pk=self.planned.pk)

    def live(self) -> PlannedDose:
        """The revision that stands in its place."""
        return dose(self.course, self.planned.number)

    def status(self, row: PlannedDose, at: datetime | None = None) -> str:
        """The status of a row of this course, by everything on record about it."""
        records = Administration.objects.filter(dose=row)
        return str(status_of(row, at or self.at, records, Hold.objects.filter(course=self.course)))

    @property
    def today(self) -> date:
        return self.at.astimezone(ZoneInfo(NEW_YORK)).date()

    @property
    def nobodys(self) -> Administration:
        """A record of another dose: for those who may not even try."""
        return Administration.objects.get(dose=dose(self.course, 1))

    def own_record(self) -> Administration:
        """The record of this dose; without one there is nothing to act on."""
        if self.record is None:
            raise Refusal("no_record", "Nothing is recorded about this dose.")
        return self.record


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


# Into a state --------------------------------------------------------------------------------------------------------------


def opening() -> Scene:
    """A combined graft, whose first dose was given and whose second is looked at, at noon of its target day."""
    ward = make_ward()
    Centre.objects.filter(pk=ward.centre.pk).update(shift_allowed=True)
    course = make_course(ward, organs=["kidney", "heart"])
    give(ward, dose(course), at=TRANSPLANTED + 20 * HOUR)
    second = dose(course, 2)
    cast = {Role.PHARMACIST: ward.second_pharmacist, Role.NURSE: ward.nurse, Role.PRESCRIBER: ward.prescriber}
    for role in Role:
        cast.setdefault(role, make_member(role, centre=ward.centre, given="Robin", family="Fell", at=TRANSPLANTED))
    return Scene(ward, course, second, second.overdue_at - 12 * HOUR, cast={str(role): member for role, member in cast.items()})


def passed(scene: Scene) -> None:
    scene.at = scene.planned.closes_at + 9 * HOUR


def upcoming(scene: Scene) -> None:
    scene.at = scene.planned.opens_at - HOUR


def due(scene: Scene) -> None:
    pass


def overdue(scene: Scene) -> None:
    scene.at = scene.planned.closes_at - 12 * HOUR


def put_on_hold(scene: Scene, at: datetime, by: Membership | None = None) -> Hold:
    by = by or scene.ward.prescriber
    return holds.hold_course(
        course=scene.course,
        reason_code="sepsis",
        review_on=scene.today + 2 * DAY,
        ordered_by=scene.ward.prescriber,
        is_read_back=True,
        by=by,
        at=at,
    )


def held(scene: Scene) -> None:
    put_on_hold(scene, scene.at - HOUR)


def passed_on_hold(scene: Scene) -> None:
    put_on_hold(scene, scene.at)
    passed(scene)


def in_progress(scene: Scene) -> None:
    scene.record = start(scene.ward, scene.planned, at=scene.at)
    scene.at += HOUR


def given(scene: Scene) -> None:
    scene.record = give(scene.ward, scene.planned, at=scene.at - 5 * HOUR)


def partial(scene: Scene) -> None:
    vials = [VialFacts("A21K77", LOT_EXPIRES, Decimal(50))]
    facts = {"volume_ml": Decimal(50), "stopped_early_reason": "Rigors", "vials": vials}
    scene.record = give(scene.ward, scene.planned, at=scene.at - 5 * HOUR, **facts)


def disputed(scene: Scene) -> None:
    given(scene)
    assert scene.record is not None
    scene.record = disputes.enter_in_error(record=scene.record, reason=WHY, by=scene.ward.second_nurse, at=scene.at)


def omitted(scene: Scene) -> None:
    passed(scene)
    decide(scene, "omit", scene.ward.prescriber)


def cancelled(scene: Scene) -> None:
    stop(scene, scene.ward.prescriber)


def before_referral(scene: Scene) -> None:
    passed(scene)
    refer(scene)
    mark(scene, scene.ward.pharmacist)


def superseded(scene: Scene) -> None:
    reweigh(scene)
    recalculate(scene, scene.ward.pharmacist)


STATES: dict[str, Callable[[Scene], None]] = {
    "upcoming": upcoming,
    "due": due,
    "overdue": overdue,
    "missed": passed,
    "held": held,
    "passed_on_hold": passed_on_hold,
    "in_progress": in_progress,
    "given": given,
    "partial": partial,
    "disputed": disputed,
    "omitted": omitted,
    "cancelled": cancelled,
    "before_referral": before_referral,
    "superseded": superseded,
}


# Events --------------------------------------------------------------------------------------------------------------------


def reweigh(scene: Scene) -> None:
    """A newer weight, 2 kg up."""
    kg = scene.course.patient.weights.latest("measured_at").weight_kg + 2
    make_weight(scene.course.patient, kg, at=scene.at, measured_at=scene.at - timedelta(minutes=5))


def recalculate(scene: Scene, by: Membership) -> None:
    latest = scene.course.patient.weights.latest("measured_at")
    replanning.recalculate_course(course=scene.course, weight=latest, by=by, at=scene.at)


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


def refer(scene: Scene) -> None:
    Course.objects.filter(pk=scene.course.pk).update(referred_at=scene.planned.closes_at, referred_from="Mercy Hospital")


def mark(scene: Scene, by: Membership) -> None:
    referral.mark_before_referral(dose=scene.row(), reason=WHY, by=by, at=scene.at)


def stop(scene: Scene, by: Membership) -> None:
    courses.stop_course(course=scene.course, reason_code="graft_loss", reason="", by=by, at=scene.at)


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


def decide(scene: Scene, decision: str, by: Membership) -> None:
    facts: dict[str, Any] = {
        "give_late": {"reason_code": "no_access"},
        "give_late_and_shift": {"reason_code": "no_access"},
        "give_remainder": {"reason_code": "unwell"},
        "accept_partial": {"reason_code": "declined"},
        "omit": {"reason_code": "declined"},
        "change_dose": {"reason_code": "specialist_advice", "reason": WHY, "mg_per_kg": Decimal(50)},
        "change_protocol": {"reason_code": "other_protocol", "protocol_code": "kidney"},
    }[decision]
    missed.decide(
        dose=scene.row(), decision=decision, give_on=scene.today, reached_by="own_review", by=by, at=scene.at, **facts
    )


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
