"""A ward for the bedside tests: its people, a verified course, and the shortest way to start and to record a dose."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from patients.models import Centre, Membership, Patient
from patients.roles import Role
from regimens.actions import courses, infusions, orders, planning, verification
from regimens.actions.charting import VialFacts, VitalsFacts
from regimens.models import Administration, Course, PlannedDose
from tests import factories

TRANSPLANTED = factories.NOW - timedelta(days=2)
LOT_EXPIRES = TRANSPLANTED.date() + timedelta(days=400)


@dataclass
class Ward:
    """One centre with one person of each role, and two of those who check each other."""

    centre: Centre
    pharmacist: Membership
    second_pharmacist: Membership
    nurse: Membership
    second_nurse: Membership
    prescriber: Membership
    people: dict[str, Membership] = field(default_factory=dict)


def make_ward() -> Ward:
    """Kemi Adeyemi and Ravi Patel (pharmacists), Ana Ruiz and Bo Lund (nurses), Imani Okafor (prescriber)."""
    centre = factories.make_centre(at=TRANSPLANTED)

    def person(role: str, given: str, family: str) -> Membership:
        return factories.make_member(role, centre=centre, given=given, family=family, at=TRANSPLANTED)

    return Ward(
        centre,
        person(Role.PHARMACIST, "Kemi", "Adeyemi"),
        person(Role.PHARMACIST, "Ravi", "Patel"),
        person(Role.NURSE, "Ana", "Ruiz"),
        person(Role.NURSE, "Bo", "Lund"),
        person(Role.PRESCRIBER, "Imani", "Okafor"),
    )


def make_course(
    ward: Ward,
    *,
    patient: Patient | None = None,
    weight_kg: str = "70",
    verified: bool = True,
    at: datetime = TRANSPLANTED,
    **transplant: Any,
) -> Course:
    """A kidney course of a patient of 70 kg, transplanted at ``at``, ordered, built and verified within the hour."""
    patient = patient or factories.make_patient(by=ward.pharmacist, at=at)
    weight = factories.make_weight(patient, weight_kg, at=at)
    facts = {"reperfusion_at": at} | transplant
    graft = factories.make_transplant(patient, at=at, **facts)
    factories.make_answers(patient, at=at)
    order = orders.OrderFacts(
        prescriber=ward.prescriber, ordered_at=at, mode="written", indication="Prophylaxis of CMV disease"
    )
    code = "kidney" if graft.organs == ["kidney"] else "other_organ"
    course = courses.build_course(
        transplant=graft, protocol_code=code, weight=weight, choice_reason="As proposed", order=order, by=ward.pharmacist, at=at
    )
    return verify(ward, course, at=at + timedelta(minutes=30)) if verified else course


def verify(ward: Ward, course: Course, *, at: datetime) -> Course:
    """Signed by the second pharmacist."""
    course = Course.objects.select_related("patient", "protocol", "monograph", "transplant").get(pk=course.pk)
    doses = list(verification.open_unsigned(course))
    for dose in doses:
        dose.course = course
    return verification.verify_course(
        course=course,
        shown_hash=verification.plan_hash(doses),
        own_dose_mg=doses[0].dose_mg,
        by=ward.second_pharmacist,
        at=at,
        **identity(course.patient),
    )


def dose(course: Course, number: int = 1) -> PlannedDose:
    """The live revision of one dose of a course, as it stands now."""
    rows = PlannedDose.objects.select_related(
        "course__protocol", "course__monograph", "course__patient__centre", "protocol_dose"
    )
    return rows.exclude(settled_as="superseded").get(course=course, number=number)


def identity(patient: Patient) -> dict[str, str]:
    """What is typed at the bedside."""
    return {"mrn_tail": patient.mrn[-4:], "birth_year": str(patient.birth_on.year)}


def start(ward: Ward, planned: PlannedDose, *, at: datetime, **changes: Any) -> Administration:
    """Start a dose as the nurse, with everything in order unless changed."""
    facts: dict[str, Any] = {"token": uuid.uuid4(), "sheet_code": planning.sheet_code(planned), "by": ward.nurse}
    return infusions.start_infusion(dose=planned, at=at, **(facts | identity(planned.course.patient) | changes))


def give(ward: Ward, planned: PlannedDose, *, at: datetime, **changes: Any) -> Administration:
    """Record a dose that started at ``at``, took 4 h and was charted at its end, in full and with its lots."""
    ended_at = at + timedelta(hours=4)
    facts: dict[str, Any] = {
        "token": uuid.uuid4(),
        "started_at": at,
        "ended_at": ended_at,
        "volume_ml": planned.draw_ml,
        "vials": [VialFacts("A21K77", LOT_EXPIRES, planned.draw_ml, planned.waste_ml)],
        "by": ward.nurse,
        "at": ended_at,
    }
    return infusions.log_given(dose=planned, **(facts | identity(planned.course.patient) | changes))


def vitals(taken_at: datetime, moment: str = "before_rise", **changes: Any) -> VitalsFacts:
    """118/70, 82 per minute, 36.8 °C, 98 percent."""
    facts: dict[str, Any] = {
        "systolic_mmhg": 118,
        "diastolic_mmhg": 70,
        "heart_rate_per_min": 82,
        "temperature_c": Decimal("36.8"),
        "spo2_percent": 98,
    }
    return VitalsFacts(taken_at=taken_at, moment=moment, **(facts | changes))
