"""A dose in each of its states, brought there by the actions themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from patients.models import Centre, Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import courses, disputes, holds, missed, referral, replanning
from regimens.actions.parts import VialFacts
from regimens.models import Administration, Course, Hold, PlannedDose
from regimens.models.status import status_of
from tests.factories import NEW_YORK, make_member, make_weight
from tests.regimens.ward import LOT_EXPIRES, TRANSPLANTED, Ward, dose, give, make_course, make_ward, start

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


WHY = "Said so in the handover of the ward"


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


def refer(scene: Scene) -> None:
    Course.objects.filter(pk=scene.course.pk).update(referred_at=scene.planned.closes_at, referred_from="Mercy Hospital")


def mark(scene: Scene, by: Membership) -> None:
    referral.mark_before_referral(dose=scene.row(), reason=WHY, by=by, at=scene.at)


def stop(scene: Scene, by: Membership) -> None:
    courses.stop_course(course=scene.course, reason_code="graft_loss", reason="", by=by, at=scene.at)


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
