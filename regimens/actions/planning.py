"""The numbers of a course before anything is saved: the preview, the saved rows and the sheet are all made here, once.

Reads, computes, writes nothing. The domain gives the rules; this module gives them the rows they need.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from patients import facts, policy, rules, when
from patients.models import Antiviral, Centre, Patient, Precaution, PrecautionKind, Transplant, WeightMeasurement
from patients.refusal import Refusal
from regimens.actions import outside
from regimens.domain import changes, dosing, infusion, rounding, schedule, screening
from regimens.domain.course import CourseRow, plan_course
from regimens.domain.monograph import Anchor, Protocol
from regimens.domain.monograph import Monograph as MonographValue
from regimens.models import COUNTED, Administration, Course, Monograph, Order, OutsideDose, PlannedDose


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What people choose about a course beside its transplant and weight: the preview and the saved rows are made from one such."""

    protocol_code: str
    first_dose_on: date | None = None
    ceiling_mg_per_kg_per_h: Decimal | None = None
    allows_vial_rounding: bool = False
    chosen_optional: tuple[str, ...] = ()
    repeat_dates: tuple[date, ...] = ()
    review_on: date | None = None
    referred_at: datetime | None = None
    given_elsewhere: frozenset[str] = frozenset()  # codes of visits


@dataclass(frozen=True, slots=True)
class DraftCourse:
    """All doses of a course at one weight, with their totals; ``standings`` says of each where it stands at a late start."""

    doses: tuple[CourseRow, ...]
    standings: tuple[changes.LateStart, ...]
    total_mg: Decimal
    total_vials: int
    total_waste_ml: Decimal

    @property
    def is_late_start(self) -> bool:
        """Whether any dose is not to be given here."""
        return any(is_not_ours(standing) for standing in self.standings)


def is_not_ours(standing: changes.LateStart) -> bool:
    """Whether a dose is settled from the start: given elsewhere, or shut before referral. A shut 72 h window is never: it asks."""
    return standing.was_given_outside or (standing.is_before_referral and not standing.asks_now)


@dataclass(frozen=True, slots=True)
class Weights:
    """The two weights that an order may count on: the latest one, and the last before the transplant where that is another one."""

    latest: WeightMeasurement | None
    dry: WeightMeasurement | None

    def differ(self, value: MonographValue, latest_kg: Decimal | None = None) -> bool:
        """Whether they are 10 percent or more apart (W1.9): then nobody chooses for the person. ``latest_kg`` is a newer one."""
        kg = latest_kg or (self.latest.weight_kg if self.latest else None)
        if self.dry is None or kg is None:
            return False
        return dosing.needs_recalculation(
            planned_weight_kg=self.dry.weight_kg, latest_weight_kg=kg, percent=value.limit("weight_change_percent")
        )


def weights_of(transplant: Transplant) -> Weights:
    """The latest valid weight, and the last valid one before reperfusion, in one statement."""
    return weights_among(list(facts.valid_weights(transplant.patient)[:100]), transplant)


def weights_among(rows: Sequence[WeightMeasurement], transplant: Transplant) -> Weights:
    """The same from the valid weights, newest first, that a page has read already."""
    dry = next((row for row in rows if row.measured_at < transplant.reperfusion_at), None)
    return Weights(rows[0] if rows else None, dry)


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


def as_ordered(choices: Choices, order: Order) -> Choices:
    """The choices with what the order fixes: rate ceiling and vial rounding."""
    return replace(
        choices,
        ceiling_mg_per_kg_per_h=order.ceiling_mg_per_kg_per_h,
        allows_vial_rounding=order.allows_vial_rounding,
    )


def age_of(patient: Patient, at: datetime) -> int:
    """Whole years on the centre's calendar day."""
    return rules.age_years(patient.birth_on, when.local_day(at, patient.centre.time_zone))


def proposal_for(transplant: Transplant, value: MonographValue, at: datetime) -> screening.Proposal:
    """Which protocol is proposed for a transplant, why, and which others may be chosen."""
    return screening.propose_protocol(organs=transplant.organs, age=age_of(transplant.patient, at), monograph=value)


def check_protocol(proposal: screening.Proposal, protocol_code: str) -> None:
    """Refused: a protocol that is neither proposed for the transplant nor one of the others offered."""
    if protocol_code not in (proposal.protocol_code, *proposal.alternatives):
        raise Refusal(
            "protocol_for_other_organs",
            "The published monograph has no such protocol in use for this transplant.",
            field="protocol_code",
        )


def asks_antiviral(transplant: Transplant, protocol: Protocol) -> bool:
    """Whether somebody must say which antiviral goes with this protocol, or none, and nobody has."""
    return transplant.antiviral == Antiviral.NOT_RECORDED and screening.asks_antiviral(
        organs=transplant.organs,
        donor_igg=transplant.donor_cmv_igg,
        recipient_igg=transplant.recipient_cmv_igg,
        intent=protocol.intent,
    )


def check_antiviral(transplant: Transplant, protocol: Protocol) -> None:
    """Refused while the transplant says "not recorded" where the label pairs the drug with an antiviral."""
    if asks_antiviral(transplant, protocol):
        raise Refusal(
            "antiviral_not_recorded",
            "Record the antiviral given at the same time, with its start, or that none is given.",
            source="Label, Indications",
            field="antiviral",
        )


def rounding_of(centre: Centre, age_years: int) -> rounding.VialRounding | None:
    """The centre's leave to round an ordered dose to whole vials; None where it has none, and under 18 years."""
    if not centre.vial_rounding_percent or age_years < rounding.ADULT_AGE_YEARS:
        return None
    return rounding.VialRounding(centre.vial_rounding_percent)


def draft_course(
    *,
    value: MonographValue,
    transplant: Transplant,
    weight_kg: Decimal,
    choices: Choices,
    had_cmv_ig_before: bool,
    at: datetime,
) -> DraftCourse:
    """Every dose of the protocol at this weight (kg). Raises ``Refused`` with field, value, limit and source.

    Refused as well: vial rounding where the centre has none, or under 18 years.
    """
    centre, age = transplant.patient.centre, age_of(transplant.patient, at)
    protocol = value.protocol(choices.protocol_code)
    leave = rounding_of(centre, age) if choices.allows_vial_rounding else None
    if choices.allows_vial_rounding and leave is None:
        raise Refusal(
            "rounding_not_allowed",
            "Doses are rounded to vials only where the center allows it, and not under 18 years.",
            source="Site policy: vial rounding",
            field="allows_vial_rounding",
        )
    anchor = anchor_of(transplant, protocol.anchor, choices.first_dose_on, centre)
    windows = schedule.plan_windows(
        protocol,
        anchor,
        centre_zone=centre.time_zone,
        chosen_optional=choices.chosen_optional,
        repeat_dates=choices.repeat_dates,
        review_on=choices.review_on,
    )
    # Without a referral nothing is shut before it: the instant at which the first window opens says so.
    referred_at = choices.referred_at or windows[0].opens_at
    standings = changes.mark_before_referral(windows, referred_at, choices.given_elsewhere)
    doses = plan_course(
        protocol=protocol,
        anchor=anchor,
        centre_zone=centre.time_zone,
        weight_kg=weight_kg,
        monograph=value,
        had_cmv_ig_before=had_cmv_ig_before,
        pump_increment_ml_per_h=centre.pump_increment_ml_per_h,
        ceiling_mg_per_kg_per_h=choices.ceiling_mg_per_kg_per_h,
        rounding=leave,
        age_years=age,
        chosen_optional=choices.chosen_optional,
        repeat_dates=choices.repeat_dates,
        review_on=choices.review_on,
        not_given=[row.window.code for row in standings if row.is_before_referral],
    )
    ours = [row.dose for row, standing in zip(doses, standings, strict=True) if not is_not_ours(standing)]
    return DraftCourse(
        doses,
        standings,
        sum((dose.dose_mg for dose in ours), Decimal(0)),
        sum(dose.vials for dose in ours),
        sum((dose.waste_ml for dose in ours), Decimal(0)),
    )


def amount_of(dose: PlannedDose) -> dosing.DoseAmount:
    """The amount of a dose's row, computed from the weight and rule it holds and the version it is pinned to: for a saved row the
    same again; a row made anew at another weight is rounded to vials where the one before it was.
    """
    value = dose.monograph.to_domain()
    leave = _rounding_kept(dose)
    return dosing.calculate_dose(
        mg_per_kg=dose.mg_per_kg,
        weight_kg=dose.weight_kg,
        cap_mg_per_kg=dose.cap_mg_per_kg,
        monograph=value,
        dose_source=dose.protocol_dose.source,
        cap_source=value.protocol(dose.course.protocol.code).cap_source,
        rounding=leave,
        age_years=rounding.ADULT_AGE_YEARS if leave else None,
        rest_mg=dose.dose_mg if dose.is_remainder else None,
    )


def _rounding_kept(dose: PlannedDose) -> rounding.VialRounding | None:
    """The leave that a rounded row was made by; None for one that was not.

    Rows are rounded for adults alone; a row says that it was by holding what it was rounded from. What is left of a stopped dose
    is never rounded again.
    """
    if dose.rounded_from_mg is None or dose.is_remainder:
        return None
    site_percent = dose.centre.vial_rounding_percent
    return rounding.leave_kept(dose_mg=dose.dose_mg, rounded_from_mg=dose.rounded_from_mg, site_percent=site_percent)


def infusion_plan_of(dose: PlannedDose, table_code: str | None = None) -> infusion.InfusionPlan:
    """The rate steps of a saved dose by its rate table, or by another one that the circumstances ask for."""
    value = dose.monograph.to_domain()
    return infusion.plan_infusion(
        dose=amount_of(dose),
        table=value.rate_table(table_code or dose.rate_table),
        monograph=value,
        pump_increment_ml_per_h=dose.pump_increment_ml_per_h,
        ceiling_mg_per_kg_per_h=dose.ceiling_mg_per_kg_per_h,
    )


def check_may_plan(patient: Patient, answers: Sequence[Precaution] | None = None) -> list[Precaution]:
    """The live answers about risk; ``answers`` where they have been read.

    Refused while the patient is closed, a stopping question is unanswered, or a contraindication is not released.
    """
    if patient.closed_at:
        raise Refusal("patient_closed", f"Nothing can be planned: {patient.get_closed_reason_display().lower()}.")
    live = list(answers if answers is not None else Precaution.objects.filter(patient=patient, superseded_at=None))
    by_kind = {row.kind: row for row in live}
    for kind in facts.STOPPING:
        answer = by_kind.get(kind)
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


def check_outside(course: Course) -> None:
    """Neither signed nor started while a dose given elsewhere may stand for the initial one and nobody has said (W1.4)."""
    if course.anchor_at is None:
        return
    if outside.undecided(course.patient, course.transplant):
        raise Refusal(
            "outside_undecided",
            "CMV immune globulin was given elsewhere around the transplant: a prescriber signs first whether it counts as the "
            "initial dose.",
            source="Site policy: doses given elsewhere",
        )


def had_cmvig_before(patient: Patient) -> bool:
    """Whether any CMV-IGIV, given here or elsewhere, is on record: decides which rate table the next infusion begins with."""
    here = Administration.objects.filter(COUNTED, patient=patient)
    elsewhere = OutsideDose.objects.filter(patient=patient, error_at=None, product=OutsideDose.Product.CMV_IG)
    return here.exists() or elsewhere.exists()


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
    if dose.rounded_from_mg is not None:  # rows that were never rounded keep the hash they were signed with
        signed["rounded_from_mg"] = _exact(dose.rounded_from_mg)
    if dose.is_remainder:
        signed["is_remainder"] = True
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()


def sheet_code(dose: PlannedDose) -> str:
    """The eight characters on a dose's sheet: the beginning of what is, or would be, signed."""
    digits = (dose.content_hash or content_hash(dose))[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _instant(at: datetime) -> str:
    return at.astimezone(ZoneInfo("UTC")).isoformat()
