"""Courses for tests, brought to a state by the actions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from patients.models import Centre, Membership, Transplant
from patients.roles import Role
from regimens.actions import courses, orders, outside, planning, verification
from regimens.models import Course, PlannedDose
from tests.factories import NOW, make_answers, make_centre, make_member, make_patient, make_transplant, make_weight


@dataclass(frozen=True)
class Team:
    """The people of one centre."""

    centre: Centre
    builder: Membership
    verifier: Membership
    prescriber: Membership
    nurse: Membership


def make_team(at: datetime = NOW) -> Team:
    """Two pharmacists, a prescriber and a nurse of one centre."""
    centre = make_centre(at=at)
    return Team(
        centre,
        make_member(centre=centre, at=at),
        make_member(centre=centre, at=at, given="Rohan", family="Patel"),
        make_member(Role.PRESCRIBER, centre=centre, at=at, given="Ingrid", family="Solberg"),
        make_member(Role.NURSE, centre=centre, at=at, given="Clara", family="Oduya"),
    )


def make_recipient(
    team: Team, *, weight_kg: str = "70", at: datetime = NOW, answers: dict[str, str] | None = None, **facts: Any
) -> Transplant:
    """A kidney recipient, weighed and asked about precautions; the transplant."""
    patient = make_patient(by=team.builder, at=at)
    make_weight(patient, weight_kg, at=at)
    make_answers(patient, at=at, **(answers or {}))
    return make_transplant(patient, at=at, **({"antiviral": "valganciclovir"} | facts))


def order_of(team: Team, at: datetime = NOW, **facts: Any) -> orders.OrderFacts:
    """A written order for prophylaxis, half an hour old."""
    given: dict[str, Any] = {"mode": "written", "indication": "Prophylaxis of CMV disease"}
    return orders.OrderFacts(prescriber=team.prescriber, ordered_at=at - timedelta(minutes=30), **(given | facts))


CHOSEN = tuple(planning.Choices.__dataclass_fields__)
SAID = tuple(courses.Beside.__dataclass_fields__)


def make_course(
    team: Team, transplant: Transplant | None = None, *, protocol_code: str = "kidney", at: datetime = NOW, **facts: Any
) -> Course:
    """A course built and ordered, unsigned. ``facts`` are parts of Choices and Beside, or other arguments of build_course."""
    transplant = transplant or make_recipient(team, at=at)
    chosen = {name: facts.pop(name) for name in CHOSEN if name in facts}
    said = {name: facts.pop(name) for name in SAID if name in facts}
    was_given = outside.was_given_since(transplant.patient, at - timedelta(days=outside.PRIOR_DAYS))
    order = facts.pop("order", None)
    if order is None and orders.waiting_order(transplant) is None:
        order = order_of(team, at)
    return courses.build_course(
        transplant=transplant,
        choices=planning.Choices(protocol_code=protocol_code, **chosen),
        weight=facts.pop("weight", None) or transplant.patient.weights.latest("measured_at"),
        choice_reason="Kidney alone",
        beside=courses.Beside(**({"prior_ig": "yes" if was_given else "no"} | said)),
        order=order,
        by=facts.pop("by", team.builder),
        at=at,
        **facts,
    )


def doses_of(course: Course) -> list[PlannedDose]:
    """The live doses in order, each with this course."""
    doses = list(course.doses.exclude(settled_as="superseded").order_by("number"))
    for dose in doses:
        dose.course = course
    return doses


def verify(team: Team, course: Course, *, at: datetime = NOW, **changes: Any) -> Course:
    """The second pharmacist's check, correct in every part but the changed ones."""
    open_doses = [dose for dose in doses_of(course) if not dose.settled_at and not dose.verified_at]
    given: dict[str, Any] = {
        "shown_hash": verification.plan_hash(open_doses),
        "mrn_tail": course.patient.mrn[-4:],
        "birth_year": str(course.patient.birth_on.year),
        "own_dose_mg": open_doses[0].dose_mg,
        "by": team.verifier,
    }
    return verification.verify_course(course=course, at=at, **(given | changes))
