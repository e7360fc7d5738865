"""Dose sheets: what stands on one, and the record of every copy that was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from patients import audit, policy, rules
from patients.banner import name_alert
from patients.models import Centre, Membership, Precaution
from patients.roles import require
from regimens.actions import planning
from regimens.domain.clock import last_day, local_day
from regimens.domain.units import day_text, duration_text, instant_text, number, wall_text, with_unit
from regimens.models import MissedDoseDecision, Order, PlannedDose, SheetCopy
from regimens.sheets import data

AHEAD = timedelta(days=7)
UNATTENDED = "an unattended run"
PARTS = (
    "centre",
    "course__monograph",
    "course__patient__centre",
    "course__protocol",
    "course__transplant",
    "protocol_dose",
    "verified_by__user",
    "weight",
)
FLUSH = (
    "Prime the set with the drug. At the end flush the set's volume at the last rate: 15 to 20 mL of the dose is still in it."
)
MISSED_ADVICE = (
    "If this dose cannot be given in its window, tell the transplant pharmacist at once."
    " The prescriber decides; nothing moves by itself."
)


def due_next(
    *,
    at: datetime,
    centres: Sequence[Centre],
    from_on: date | None = None,
    to_on: date | None = None,
    limit: int | None = None,
    drafts: bool = False,
) -> list[PlannedDose]:
    """The doses that wait to be given, by closing time: verified ones, and with ``drafts`` the others as well.

    ``from_on`` and ``to_on`` are target days, both included. Without ``to_on`` and ``limit`` it is what is open or opens within
    7 days. A dose whose window has closed needs a decision, not a sheet; nothing is due for a patient whose chart is closed.
    """
    doses = PlannedDose.objects.filter(
        centre__in=centres, settled_at=None, closes_at__gt=at, course__stopped_at=None, course__patient__closed_at=None
    )
    if not drafts:
        doses = doses.exclude(verified_at=None)
    if from_on:
        doses = doses.filter(target_on__gte=from_on)
    if to_on:
        doses = doses.filter(target_on__lte=to_on)
    elif limit is None:
        doses = doses.filter(opens_at__lt=at + AHEAD)
    return list(doses.select_related(*PARTS).order_by("closes_at", "pk")[:limit])


@transaction.atomic
def register_copy(*, dose: PlannedDose, size: str, by: Membership | None, at: datetime) -> SheetCopy:
    """The next numbered copy of a dose's sheet, in the history as a print of patient data. Refused for roles that may not print.

    ``by`` is None for the installation itself, which prints what is due when nobody is there.
    """
    if by is not None:
        require(by, "print_sheet")
    locked = PlannedDose.objects.select_for_update(of=("self",)).get(pk=dose.pk)
    audit.event("print_sheet", by=by, patient=dose.course.patient, dose=str(dose.pk), size=size)
    return SheetCopy.objects.create(
        dose=locked,
        code=planning.sheet_code(dose),
        copy_number=locked.copies.count() + 1,
        size=size,
        is_draft=dose.verified_at is None,
        printed_by=by,
        printed_at=at,
    )


def dose_sheet(*, dose: PlannedDose, copy: SheetCopy, check_url: str) -> data.DoseSheet:
    """Everything on the sheet of one dose, as it is printed by this copy. Reads; writes nothing."""
    course, patient = dose.course, dose.course.patient
    centre, zone = patient.centre, patient.centre.time_zone
    value = dose.monograph.to_domain()
    amount, plan = planning.amount_of(dose), planning.infusion_plan_of(dose)
    order = Order.objects.select_related("prescriber__user").get(course=course, superseded_at=None)
    live = course.doses.exclude(settled_as="superseded")
    limit = value.limit("max_rate_ml_per_h")
    size = next(vial for vial in value.product.vials if vial.volume_ml == amount.vial_ml)
    begin, finish = value.limit("begin_within_h"), value.limit("finish_within_h")
    stale_at = _weight_stale_at(dose)
    is_weight_old = stale_at <= max(copy.printed_at, dose.opens_at)
    observed = value.limit("observation_first_min" if dose.rate_table == "initial" else "observation_min")
    earlier = SheetCopy.objects.filter(dose__course=course, dose__number=dose.number).exclude(pk=copy.pk)
    return data.DoseSheet(
        banner=_banner(dose, copy.printed_at),
        dose_number=dose.number,
        dose_count=live.count(),
        visit=dose.title,
        due=_due(dose, zone),
        course=f"{course.protocol.title}, {course.transplant.organ_names.lower()}, transplanted {_anchor(course)}",
        plan_version=str(dose.revision),
        monograph_version=str(dose.monograph.version),
        code=copy.code,
        check_url=check_url,
        # Until the window or the weight ends, whichever is first; printed with an old weight, it asks for a new look at the scale.
        valid_until=wall_text(dose.closes_at if is_weight_old else min(dose.closes_at, stale_at), zone),
        check_weight_and_code=is_weight_old,
        generic_name=value.product.generic_name,
        brand_name=value.product.brand_name,
        concentration_mg_per_ml=value.product.concentration_mg_per_ml,
        dose_mg=dose.dose_mg,
        mg_per_kg=dose.mg_per_kg,
        is_remainder=dose.is_remainder,
        rounded_from_mg=dose.rounded_from_mg,
        volume_ml=dose.draw_ml,
        vials=data.VialPlan(
            count=amount.vials,
            size_ml=amount.vial_ml,
            content_mg=size.content_mg,
            whole=amount.whole_vials,
            last_use_ml=amount.last_vial_ml,
            last_discard_ml=amount.waste_ml if amount.last_vial_ml else Decimal(0),
        ),
        handling=(
            "Do not shake; avoid foaming.",
            "Do not dilute beforehand; do not mix with other medicines.",
            f"Own line. {value.product.filter}",
        ),
        vial_clock=data.VialClock(
            begin_within_minutes=begin.value * 60,
            finish_within_minutes=finish.value * 60,
            latest_start_minutes=_latest_start_minutes(plan),
        ),
        rate_table="first infusion" if dose.rate_table == "initial" else "later infusion",
        rate_table_reason="Use the first-infusion rates after a reaction, another product or more than 8 weeks without a dose."
        if dose.rate_table == "subsequent"
        else "",
        rate_ceiling=f"Never above {with_unit(limit.value, 'mL per h')}",
        steps=tuple(
            data.RateStep(
                step.pump_rate_ml_per_h,
                step.minutes,
                step.volume_ml,
                f"limit {with_unit(limit.value, 'mL per h')}"
                if step.is_capped
                else with_unit(step.mg_per_kg_per_h, "mg per kg per h"),
            )
            for step in plan.steps
        ),
        total_minutes=plan.pump_total_minutes,
        flush=FLUSH,
        vitals=_vitals(plan),
        observation=f"Observe {duration_text(observed.value)} after the end (site policy).",
        precautions=tuple(
            f"{row.get_kind_display()}{' (released by the prescriber)' if row.released_at else ''}"
            for row in Precaution.objects.filter(patient=patient, superseded_at=None, answer="present")
        ),
        orders=tuple(text for text in (order.instructions,) if text),
        missed_advice=MISSED_ADVICE,
        centre=centre.name,
        centre_phone=centre.phone,
        copy=data.Copy(
            number=copy.copy_number,
            printed_by=copy.printed_by.user.printed_name if copy.printed_by else UNATTENDED,
            printed_at=wall_text(copy.printed_at, zone),
            replaces=tuple(f"{row.code} copy {row.copy_number}" for row in earlier.order_by("printed_at")),
        ),
        zone=f"{zone.rsplit('/', 1)[-1].replace('_', ' ')} time",
        sources=_sources(dose, value),
        verification=_verification(dose, zone),
        off_label=f"{order.off_label_reason} Ordered by {order.prescriber.user.printed_name}."
        if course.protocol.off_label
        else "",
        decided=_decided(dose, zone),
    )


def _banner(dose: PlannedDose, at: datetime) -> data.Banner:
    patient, weight = dose.course.patient, dose.weight
    zone = patient.centre.time_zone
    today = at.astimezone(ZoneInfo(zone)).date()
    stated = weight.method == "stated"
    return data.Banner(
        family_name=patient.family_name,
        given_name=patient.given_name,
        title=patient.title,
        born=day_text(patient.birth_on),
        age=rules.age_text(patient.birth_on, today),
        sex=patient.get_sex_display(),
        record_number=patient.mrn,
        ward=patient.ward,
        weight_kg=dose.weight_kg,
        weight_how="STATED WEIGHT" if stated else weight.get_method_display().lower(),
        weight_when=wall_text(weight.measured_at, zone),
        allergy_state=data.AllergyState(patient.get_allergy_state_display()),
        allergies=(patient.allergies,) if patient.allergies else (),
        name_alert=name_alert(patient),
    )


def _verification(dose: PlannedDose, zone: str) -> data.Verification | None:
    """Who signed the plan; None makes the sheet a draft."""
    if dose.verified_by is None or dose.verified_at is None:
        return None
    by = dose.verified_by
    return data.Verification(
        by.user.printed_name, by.get_role_display(), wall_text(dose.verified_at, zone), "verified the plan"
    )


def _decided(dose: PlannedDose, zone: str) -> str:
    """Why the dose stands on another day or is a rest: who decided so, and when. Empty where nobody had to."""
    decisions = MissedDoseDecision.objects.filter(dose__course=dose.course_id, dose__number=dose.number, superseded_at=None)
    made = decisions.select_related("decided_by__user").order_by("-decided_at", "-pk").first()
    if made is None:
        return ""
    return f"{made.get_decision_display()}: decided {wall_text(made.decided_at, zone)} by {made.signed_by}."


def _due(dose: PlannedDose, zone: str) -> str:
    if dose.in_hours:
        return f"until {wall_text(dose.closes_at, zone)}"
    opens_on, last_on = local_day(dose.opens_at, zone), last_day(dose.closes_at, zone)
    return f"{day_text(dose.target_on)}, window {day_text(opens_on)} to {day_text(last_on)}"


def _anchor(course) -> str:
    """On the clock of where it happened, named where that is not the sheet's own."""
    graft = course.transplant
    is_here = graft.zone_name == course.patient.centre.time_zone
    return wall_text(graft.reperfusion_at, graft.zone_name) if is_here else instant_text(graft.reperfusion_at, graft.zone_name)


def _weight_stale_at(dose: PlannedDose) -> datetime:
    """When the weight of the dose is too old to give it by, without a look at the scale."""
    return rules.stale_from(
        dose.weight.measured_at, is_early_dose=rules.is_early_dose(dose.number), limits=policy.weight_limits()
    )


def _latest_start_minutes(plan) -> Decimal:
    latest = plan.latest_start_after_entry
    return Decimal(0) if latest is None else Decimal(int(latest.total_seconds())) / 60


def _vitals(plan) -> tuple[data.VitalsMoment, ...]:
    """The label's moments: before, before each rise, midway by volume, after."""
    rises = [
        data.VitalsMoment(f"Before step {step.number}", f"minute {number(int(step.starts_at_min))}")
        for previous, step in zip(plan.steps, plan.steps[1:], strict=False)
        if step.pump_rate_ml_per_h > previous.pump_rate_ml_per_h
    ]
    midway = data.VitalsMoment(f"Midway, {with_unit(plan.midway_volume_ml, 'mL')} in", f"minute {number(plan.midway_minute)}")
    return (
        data.VitalsMoment("Before the start", "minute 0"),
        *rises,
        midway,
        data.VitalsMoment("After the end", ""),
        data.VitalsMoment("End of observation", ""),
    )


def _sources(dose: PlannedDose, value) -> tuple[str, ...]:
    protocol = value.protocol(dose.course.protocol.code)
    row = protocol.dose(dose.protocol_dose.code)
    found = {f"Dose {row.source.ref}": None, f"Cap {protocol.cap_source.ref}": None}
    for code in ("max_rate_ml_per_h", "begin_within_h"):
        limit = value.limit(code)
        found[f"{limit.title} {limit.source.ref}"] = None
    if row.window_source.kind == "site_policy":
        found["Window site policy"] = None
    return tuple(found)
