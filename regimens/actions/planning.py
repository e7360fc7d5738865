"""The numbers of a course before anything is saved: the preview, the saved rows and the sheet are all made here, once.

Reads, computes, writes nothing. The domain gives the rules; this module gives them the rows they need.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from patients import facts, policy, rules
from patients.models import Centre, Patient, Precaution, PrecautionKind, Transplant, WeightMeasurement
from patients.refusal import Refusal
from regimens.domain import dosing, infusion, schedule
from regimens.domain.course import CourseRow, plan_course
from regimens.domain.monograph import Anchor
from regimens.domain.monograph import Monograph as MonographValue
from regimens.models import Administration, Monograph, PlannedDose


@dataclass(frozen=True, slots=True)
class DraftCourse:
    """All doses of a course at one weight, with their totals."""

    doses: tuple[CourseRow, ...]
    total_mg: Decimal
    total_vials: int
    total_waste_ml: Decimal


def published() -> Monograph:
    """The monograph new courses are built on; refused when none is published."""
    monograph = Monograph.objects.filter(state=Monograph.State.PUBLISHED).first()
    if monograph is None:
        raise Refusal("no_monograph", "No monograph is published, so no course can be built.")
    return monograph


def anchor_of(
    transplant: Transplant, protocol_anchor: Anchor, first_dose_on: date | None, centre: Centre
) -> schedule.CourseAnchor:
    """What the days are counted from; refused when a first-dose protocol has no date."""
    if protocol_anchor == Anchor.TRANSPLANT:
        return schedule.TransplantAnchor(transplant.reperfusion_at, transplant.zone_name, transplant.is_time_known)
    if first_dose_on is None:
        raise Refusal(
            "no_first_dose_date", "This protocol counts from its first dose: give the date of day 1.", field="first_dose_on"
        )
    return schedule.FirstDoseAnchor(first_dose_on, centre.time_zone)


def draft_course(
    *,
    value: MonographValue,
    protocol_code: str,
    anchor: schedule.CourseAnchor,
    weight_kg: Decimal,
    centre: Centre,
    ceiling_mg_per_kg_per_h: Decimal | None = None,
    chosen_optional: Sequence[str] = (),
    repeat_dates: Sequence[date] = (),
    review_on: date | None = None,
    had_cmv_ig_before: bool = False,
) -> DraftCourse:
    """Every dose of the protocol at this weight (kg). Raises ``Refused`` with field, value, limit and source."""
    doses = plan_course(
        protocol=value.protocol(protocol_code),
        anchor=anchor,
        centre_zone=centre.time_zone,
        weight_kg=weight_kg,
        monograph=value,
        had_cmv_ig_before=had_cmv_ig_before,
        pump_increment_ml_per_h=centre.pump_increment_ml_per_h,
        ceiling_mg_per_kg_per_h=ceiling_mg_per_kg_per_h,
        chosen_optional=chosen_optional,
        repeat_dates=repeat_dates,
        review_on=review_on,
    )
    return DraftCourse(
        doses,
        sum((row.dose.dose_mg for row in doses), Decimal(0)),
        sum(row.dose.vials for row in doses),
        sum((row.dose.waste_ml for row in doses), Decimal(0)),
    )


def amount_of(dose: PlannedDose) -> dosing.DoseAmount:
    """The amount of a saved dose, computed again from the weight and rule the row holds and the version it is pinned to."""
    value = dose.course.monograph.to_domain()
    return dosing.calculate_dose(
        mg_per_kg=dose.mg_per_kg,
        weight_kg=dose.weight_kg,
        cap_mg_per_kg=dose.cap_mg_per_kg,
        monograph=value,
        dose_source=dose.protocol_dose.source,
        cap_source=value.protocol(dose.course.protocol.code).cap_source,
    )


def infusion_plan_of(dose: PlannedDose, table_code: str | None = None) -> infusion.InfusionPlan:
    """The rate steps of a saved dose by its rate table, or by another one that the circumstances ask for."""
    value = dose.course.monograph.to_domain()
    return infusion.plan_infusion(
        dose=amount_of(dose),
        table=value.rate_table(table_code or dose.rate_table),
        monograph=value,
        pump_increment_ml_per_h=dose.pump_increment_ml_per_h,
        ceiling_mg_per_kg_per_h=dose.ceiling_mg_per_kg_per_h,
    )


def check_may_plan(patient: Patient) -> list[Precaution]:
    """The live answers about risk.

    Refused while the patient is closed, a stopping question is unanswered, or a contraindication is not released.
    """
    if patient.closed_at:
        raise Refusal("patient_closed", f"Nothing can be planned: {patient.get_closed_reason_display().lower()}.")
    live = list(Precaution.objects.filter(patient=patient, superseded_at=None))
    answers = {row.kind: row for row in live}
    for kind in facts.STOPPING:
        answer = answers.get(kind)
        label = PrecautionKind(kind).label
        if answer is None:
            raise Refusal(
                "precaution_unanswered", f"Answer this first: {label}?", source="Monograph, Contraindications", field=kind
            )
        if answer.answer != "absent" and not answer.released_at:
            stops = "is recorded" if answer.answer == "present" else "could not be ruled out"
            raise Refusal(
                "contraindicated",
                f"{label} {stops}. Planning stops until a prescriber releases it, signed.",
                source="Monograph, Contraindications",
                field=kind,
            )
    return live


def check_weight(weight: WeightMeasurement, patient: Patient, at: datetime) -> None:
    """A plan is made at a weight of this patient that is in date (hazard H05).

    Where no scale is at hand, one stated now with its reason will do.
    """
    if weight.patient_id != patient.pk or weight.error_at:
        raise Refusal("weight_not_usable", "This weight is not a valid weight of this patient.", field="weight_kg")
    limits = policy.weight_limits()
    if rules.is_stale(weight.measured_at, at, is_early_dose=True, limits=limits):
        raise Refusal(
            "weight_stale",
            f"This weight is older than {limits.stale_days_first} days. Weigh again, or enter a stated weight with its reason.",
            source=rules.WEIGHT_RULES,
            field="weight_kg",
        )


def had_cmvig_before(patient: Patient) -> bool:
    """Whether any CMV-IGIV is on record for the patient: decides which rate table the next infusion begins with."""
    return Administration.objects.filter(patient=patient, error_at=None).exists()


def content_hash(dose: PlannedDose) -> str:
    """SHA-256 over everything a signature covers. One changed digit gives another hash, and the signature shows as broken."""
    course = dose.course
    signed = {
        "patient": str(course.patient_id),
        "transplant": str(course.transplant_id),
        "protocol": course.protocol.code,
        "monograph": course.monograph.version,
        "course": str(course.pk),
        "revision": dose.revision,
        "number": dose.number,
        "title": dose.title,
        "opens_at": _instant(dose.opens_at),
        "target_on": dose.target_on.isoformat(),
        "overdue_at": _instant(dose.overdue_at),
        "closes_at": _instant(dose.closes_at),
        "rate_table": dose.rate_table,
        **{
            name: _exact(getattr(dose, name))
            for name in (
                "weight_kg",
                "mg_per_kg",
                "cap_mg_per_kg",
                "dose_mg",
                "volume_ml",
                "draw_ml",
                "waste_ml",
                "ceiling_mg_per_kg_per_h",
                "pump_increment_ml_per_h",
            )
        },
        "vials": dose.vials,
    }
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()


def sheet_code(dose: PlannedDose) -> str:
    """The eight characters on a dose's sheet: the beginning of what is, or would be, signed."""
    digits = (dose.content_hash or content_hash(dose))[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _instant(at: datetime) -> str:
    return at.astimezone(ZoneInfo("UTC")).isoformat()
