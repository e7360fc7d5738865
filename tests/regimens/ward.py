"""A ward for the bedside tests: its people, a verified course, and the shortest way to start and to record a dose."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from patients import facts as records
from patients import rules
from patients.models import Centre, Membership, Patient
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import courses, infusions, orders, planning, releases, verification
from regimens.actions.parts import VialFacts, VitalsFacts
from regimens.models import Administration, Course, PlannedDose, Release
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
    facts = {"reperfusion_at": at, "antiviral": "valganciclovir"} | transplant
    graft = factories.make_transplant(patient, at=at, **facts)
    factories.make_answers(patient, at=at)
    order = orders.OrderFacts(
        prescriber=ward.prescriber, ordered_at=at, mode="written", indication="Prophylaxis of CMV disease"
    )
    code = "kidney" if graft.organs == ["kidney"] else "other_organ"
    course = courses.build_course(
        transplant=graft,
        choices=planning.Choices(protocol_code=code),
        weight=weight,
        choice_reason="As proposed",
        beside=courses.Beside(prior_ig="no"),
        order=order,
        by=ward.pharmacist,
        at=at,
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


def release(ward: Ward, planned: PlannedDose, *, at: datetime, **changes: Any) -> Release:
    """Released by the second pharmacist: the order signed, a weight in date (weighed again where it is not), no results yet."""
    order = planned.course.orders.filter(superseded_at=None, signed_at=None).first()
    if order is not None:
        orders.cosign_order(order=order, by=ward.prescriber, at=at)
    latest = records.current_weight(planned.course.patient)
    if latest is None or rules.is_stale(latest.measured_at, at, is_early_dose=rules.is_early_dose(planned.number)):
        factories.make_weight(planned.course.patient, latest.weight_kg if latest else planned.weight_kg, at=at)
    confirmed = {"on_hand": True, "expected": True, "missing_reason": "Drawn today, not back yet", "fluid_state": "normal"}
    facts: dict[str, Any] = {"by": ward.second_pharmacist}
    facts |= {name: value for name, value in changes.items() if name not in confirmed}
    confirmed |= {name: value for name, value in changes.items() if name in confirmed}
    return releases.release_dose(dose=planned, confirmed=releases.Confirmed(**confirmed), at=at, **facts)


def _released(ward: Ward, planned: PlannedDose, at: datetime) -> None:
    """Released once, where it can be; where it cannot, the act that follows says why."""
    if not Release.objects.filter(dose=planned, withdrawn_at=None).exists():
        with suppress(Refusal):
            release(ward, planned, at=at)


def start(ward: Ward, planned: PlannedDose, *, at: datetime, released: bool = True, **changes: Any) -> Administration:
    """Start a dose as the nurse, with everything in order unless changed; released at that moment where it was not before."""
    if released:
        _released(ward, planned, at)
    facts: dict[str, Any] = {"token": uuid.uuid4(), "sheet_code": planning.sheet_code(planned), "by": ward.nurse}
    return infusions.start_infusion(dose=planned, at=at, **(facts | identity(planned.course.patient) | changes))


def give(ward: Ward, planned: PlannedDose, *, at: datetime, released: bool = True, **changes: Any) -> Administration:
    """Record a dose that started at ``at``, took 4 h and was charted at its end, in full and with its lots."""
    if released:
        _released(ward, planned, at)
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
