"""Building, ordering, verifying, recalculating and stopping courses: the only code that writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from patients import audit, policy, rules, when
from patients.constraints import sentence_for
from patients.identity import identity_matches
from patients.models import Membership, Patient, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import Role, require
from regimens.actions import planning
from regimens.domain import screening
from regimens.domain.course import CourseRow
from regimens.domain.monograph import Anchor
from regimens.models import Course, Mode, Order, PlannedDose

INDEPENDENT = "Site policy: independent check"
ORDER_SOURCE = "42 CFR 482.24(c)(2): every order dated, timed and authenticated"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the prescriber ordered, as it was written down."""

    prescriber: Membership
    ordered_at: datetime
    mode: str
    indication: str
    order_number: str = ""
    ceiling_mg_per_kg_per_h: Decimal | None = None
    instructions: str = ""
    off_label_reason: str = ""


@transaction.atomic
def build_course(
    *,
    transplant: Transplant,
    protocol_code: str,
    weight: WeightMeasurement,
    choice_reason: str,
    order: OrderFacts,
    by: Membership,
    at: datetime,
    first_dose_on: date | None = None,
    chosen_optional: Sequence[str] = (),
    repeat_dates: Sequence[date] = (),
    review_on: date | None = None,
) -> Course:
    """One course with its order and all its planned doses, unsigned, pinned to the published monograph.

    Refused: another role; a closed patient; an unanswered or unreleased contraindication; a weight of somebody else, in error, or
    older than the limit; an off-label protocol without a reason; a second open course for the transplant.
    """
    require(by, "build")
    transplant = Transplant.objects.select_for_update(of=("self",)).select_related("patient__centre").get(pk=transplant.pk)
    patient = transplant.patient
    planning.check_may_plan(patient)
    _check_weight(weight, patient, at)
    monograph = planning.published()
    value = monograph.to_domain()
    age = rules.age_years(patient.birth_on, when.local_day(at, patient.centre.time_zone))
    proposal = screening.propose_protocol(organs=transplant.organs, age=age, monograph=value)
    if protocol_code not in (proposal.protocol_code, *proposal.alternatives):
        raise Refusal(
            "protocol_for_other_organs",
            "The published monograph has no such protocol in use for this transplant.",
            field="protocol_code",
        )
    protocol_value = value.protocol(protocol_code)
    protocol = monograph.protocols.get(code=protocol_code)
    _check_order(order, off_label=protocol_value.off_label, by=by, at=at)
    anchor = planning.anchor_of(transplant, protocol_value.anchor, first_dose_on, patient.centre)
    draft = planning.draft_course(
        value=value,
        protocol_code=protocol_code,
        anchor=anchor,
        weight_kg=weight.weight_kg,
        centre=patient.centre,
        ceiling_mg_per_kg_per_h=order.ceiling_mg_per_kg_per_h,
        chosen_optional=chosen_optional,
        repeat_dates=repeat_dates,
        review_on=review_on,
        had_cmv_ig_before=planning.had_cmvig_before(patient),
    )
    by_transplant = protocol_value.anchor == Anchor.TRANSPLANT
    anchor_on = draft.doses[0].window.target_on if by_transplant or first_dose_on is None else first_dose_on
    course = Course(
        patient=patient,
        transplant=transplant,
        monograph=monograph,
        protocol=protocol,
        anchor_at=transplant.reperfusion_at if by_transplant else None,
        anchor_on=anchor_on,
        anchor_zone_name=anchor.zone_name,
        choice_reason=choice_reason,
        built_by=by,
        built_at=at,
    )
    audit.event(
        "build_course", by=by, patient=patient, course=str(course.pk), protocol=protocol_code, monograph=monograph.version
    )
    try:
        with transaction.atomic():
            course.save(force_insert=True)
    except IntegrityError as error:
        raise sentence_for(error) from None
    _save_order(course, order, by=by, at=at)
    rows = {row.code: row for row in protocol.doses.all()}
    PlannedDose.objects.bulk_create(
        _dose_row(course, item, rows, weight, draft_number, order.ceiling_mg_per_kg_per_h, by, at)
        for draft_number, item in enumerate(draft.doses, start=1)
    )
    return course


def _check_weight(weight: WeightMeasurement, patient: Patient, at: datetime) -> None:
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


def _dose_row(course, item: CourseRow, rows, weight, number: int, ceiling: Decimal | None, by, at) -> PlannedDose:
    window, amount = item.window, item.dose
    return PlannedDose(
        course=course,
        centre=course.patient.centre,
        protocol_dose=rows[window.row.code],
        number=number,
        revision=course.revision,
        title=window.title,
        opens_at=window.opens_at,
        target_on=window.target_on,
        overdue_at=window.overdue_at,
        closes_at=window.closes_at,
        min_interval_hours=window.min_interval_hours,
        weight=weight,
        weight_kg=amount.weight_kg,
        mg_per_kg=amount.mg_per_kg,
        cap_mg_per_kg=amount.cap_mg_per_kg,
        dose_mg=amount.dose_mg,
        volume_ml=amount.volume_ml,
        draw_ml=amount.draw_ml,
        vials=amount.vials,
        waste_ml=amount.waste_ml,
        rate_table=item.table_code,
        ceiling_mg_per_kg_per_h=ceiling,
        pump_increment_ml_per_h=course.patient.centre.pump_increment_ml_per_h,
        working=(window.working + amount.working).to_json(),
        built_by=by,
        built_at=at,
    )


def _check_order(order: OrderFacts, *, off_label: bool, by: Membership, at: datetime) -> None:
    prescriber = order.prescriber
    if prescriber.role != Role.PRESCRIBER or prescriber.centre_id != by.centre_id or prescriber.ended_at:
        raise Refusal(
            "not_a_prescriber", "An order is given by a prescriber of this centre.", source=ORDER_SOURCE, field="prescriber"
        )
    if order.ordered_at > at:
        raise Refusal("order_in_future", "The order's time lies in the future.", source=ORDER_SOURCE, field="ordered_at")
    if order.mode not in Mode.values:
        raise Refusal("order_mode", "Say how the order was given.", source=ORDER_SOURCE, field="mode")
    if not order.indication.strip():
        raise Refusal("no_indication", "An order names its indication.", source=ORDER_SOURCE, field="indication")
    if off_label and len(order.off_label_reason.strip()) < 10:
        raise Refusal(
            "off_label_reason",
            "Off-label use needs a reason of at least 10 characters.",
            source="Site policy: off-label use",
            field="off_label_reason",
        )


def _save_order(course: Course, order: OrderFacts, *, by: Membership, at: datetime) -> Order:
    return Order.objects.create(
        course=course,
        prescriber=order.prescriber,
        ordered_at=order.ordered_at,
        mode=order.mode,
        order_number=order.order_number,
        indication=order.indication,
        ceiling_mg_per_kg_per_h=order.ceiling_mg_per_kg_per_h,
        instructions=order.instructions,
        off_label_reason=order.off_label_reason,
        entered_by=by,
        entered_at=at,
        signed_at=at if by.pk == order.prescriber.pk else None,
    )


@transaction.atomic
def cosign_order(*, order: Order, by: Membership, at: datetime) -> Order:
    """The prescriber's own signature under an order that somebody else entered. The view has checked the password."""
    order = Order.objects.select_for_update(of=("self",)).select_related("course__patient", "prescriber__user").get(pk=order.pk)
    if order.prescriber_id != by.pk:
        raise Refusal("not_your_order", f"Only {order.prescriber.user.printed_name} can sign this order.", source=ORDER_SOURCE)
    if order.signed_at:
        raise Refusal("already_signed", "This order is already signed.")
    audit.event("cosign_order", by=by, patient=order.course.patient, order=order.pk)
    order.signed_at = at
    order.save(update_fields=["signed_at"])
    return order


def open_unsigned(course: Course):
    """The live doses of a course that still wait for a second pharmacist."""
    return course.doses.filter(settled_at=None, verified_at=None).order_by("number")


@transaction.atomic
def verify_course(
    *, course: Course, shown_hash: str, mrn_tail: str, birth_year: str, own_dose_mg: Decimal, by: Membership, at: datetime
) -> Course:
    """Sign every unsigned live dose of a course, after an independent check. The view has checked the password.

    Refused: the builder; an identity that does not match; a dose of one's own that differs from the first computed one; a plan that
    changed after it was shown (``shown_hash`` from :func:`plan_hash`); an off-label order without the prescriber's signature.
    """
    course = (
        Course.objects.select_for_update(of=("self",))
        .select_related("patient", "protocol", "monograph", "transplant")
        .get(pk=course.pk)
    )
    doses = list(open_unsigned(course).select_for_update(of=("self",)))
    for dose in doses:
        dose.course = course
    patient = course.patient
    check_independently(course, doses, mrn_tail=mrn_tail, birth_year=birth_year, own_dose_mg=own_dose_mg, by=by)
    if plan_hash(doses) != shown_hash:
        raise Refusal("plan_changed", "The plan changed after this page was opened. Read it again before you sign.")
    order = course.orders.get(superseded_at=None)
    if course.protocol.off_label and not order.signed_at:
        raise Refusal(
            "off_label_unsigned", "Off-label: the prescriber must sign the order first.", source="Site policy: off-label use"
        )
    planning.check_may_plan(patient)
    audit.event("verify_course", by=by, patient=patient, course=str(course.pk), revision=course.revision, signed=shown_hash)
    for dose in doses:
        dose.verified_by, dose.verified_at, dose.content_hash = by, at, planning.content_hash(dose)
    PlannedDose.objects.bulk_update(doses, ["verified_by", "verified_at", "content_hash"])
    return course


def check_independently(
    course: Course, doses: Sequence[PlannedDose], *, mrn_tail: str, birth_year: str, own_dose_mg: Decimal, by: Membership
) -> None:
    """The part of a verification that comes before the plan is seen; signing repeats it on the locked rows.

    Refused: another role; nothing to verify; the builder; a transplant whose time was corrected after the plan was built; an
    identity that does not match; a dose of one's own that differs from the first computed one.
    """
    require(by, "verify")
    patient = course.patient
    if not doses or course.stopped_at:
        raise Refusal("nothing_to_verify", "No dose of this course waits for verification.")
    if any(dose.built_by.user_id == by.user_id for dose in doses):
        raise Refusal("own_course", "You built this plan: another pharmacist verifies it.", source=INDEPENDENT)
    if is_anchor_outdated(course) and not course.doses.filter(settled_as="recorded").exists():
        raise Refusal(
            "anchor_changed",
            "The transplant's time was corrected after this plan was built. Stop this course and build it anew.",
        )
    if not identity_matches(patient.mrn, patient.birth_on, mrn_tail, birth_year):
        raise Refusal(
            "wrong_identity",
            "The record number's last 4 characters or the birth year do not belong to this patient.",
            source="Site policy: identity re-entered at every signature",
            field="mrn_tail",
        )
    if own_dose_mg != doses[0].dose_mg:
        raise Refusal(
            "own_dose_differs",
            "Your own dose differs from the plan's. Check the weight, the row and the arithmetic; if you still differ, the plan goes back.",
            source=INDEPENDENT,
            field="own_dose_mg",
        )


def is_anchor_outdated(course: Course) -> bool:
    """Whether the doses are counted from a time that the transplant's record no longer says."""
    return course.anchor_at is not None and course.anchor_at != course.transplant.reperfusion_at


def plan_hash(doses: Sequence[PlannedDose]) -> str:
    """SHA-256 over all the doses on a verification page: what the signature will cover."""
    return hashlib.sha256("".join(planning.content_hash(dose) for dose in doses).encode()).hexdigest()


@transaction.atomic
def recalculate_course(*, course: Course, weight: WeightMeasurement, by: Membership, at: datetime) -> Course:
    """A new, unsigned revision of every dose that is still to be given, at another weight. What was given stays as it is."""
    require(by, "build")
    course = (
        Course.objects.select_for_update(of=("self",))
        .select_related("patient__centre", "protocol", "monograph")
        .get(pk=course.pk)
    )
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    planning.check_may_plan(course.patient)
    _check_weight(weight, course.patient, at)
    doses = list(course.doses.filter(settled_at=None).select_for_update(of=("self",)).order_by("number"))
    if not doses:
        raise Refusal("nothing_left", "No dose of this course is left to recalculate.")
    if all(dose.weight_id == weight.pk for dose in doses):
        raise Refusal("same_weight", "The doses are computed from this weight already.", field="weight")
    audit.event("recalculate_course", by=by, patient=course.patient, course=str(course.pk), weight=weight.pk)
    course.revision += 1
    course.version += 1
    course.save(update_fields=["revision", "version"])
    PlannedDose.objects.filter(pk__in=[dose.pk for dose in doses]).update(settled_at=at, settled_as="superseded")
    PlannedDose.objects.bulk_create(_at_weight(course, dose, weight, by, at) for dose in doses)
    return course


def _at_weight(course: Course, old: PlannedDose, weight: WeightMeasurement, by: Membership, at: datetime) -> PlannedDose:
    """The same dose, window and rate table at another weight."""
    kept = {
        field.attname: getattr(old, field.attname)
        for field in PlannedDose._meta.concrete_fields
        if field.name not in ("id", "replaces", "verified_by", "verified_at", "content_hash", "settled_at", "settled_as")
    }
    new = PlannedDose(**kept)
    new.course, new.replaces, new.revision = course, old, course.revision
    new.weight, new.weight_kg, new.built_by, new.built_at = weight, weight.weight_kg, by, at
    amount = planning.amount_of(new)
    new.dose_mg, new.volume_ml, new.draw_ml = amount.dose_mg, amount.volume_ml, amount.draw_ml
    new.vials, new.waste_ml = amount.vials, amount.waste_ml
    about_the_window = [step for step in old.working if step["rule"].startswith("R-WIN-")]
    new.working = about_the_window + amount.working.to_json()
    planning.infusion_plan_of(new)  # refuses a weight whose rates the pump cannot be set to
    return new


@transaction.atomic
def stop_course(*, course: Course, reason_code: str, reason: str, by: Membership, at: datetime) -> Course:
    """Nothing of this course is due any more. What was given stays; what was not is cancelled."""
    require(by, "stop_course")
    course = Course.objects.select_for_update(of=("self",)).select_related("patient", "monograph").get(pk=course.pk)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is already stopped.")
    known = course.monograph.reasons.filter(kind="stopped", code=reason_code).first()
    if known is None:
        raise Refusal("unknown_reason", "Choose a reason from the list.", field="reason_code")
    if known.needs_text and not reason.strip():
        raise Refusal("reason_text", "This reason needs words.", field="reason")
    audit.event("stop_course", by=by, patient=course.patient, reason=reason or known.sentence, course=str(course.pk))
    close_course(course, reason_code, reason, by=by, at=at)
    return course


def close_course(course: Course, reason_code: str, reason: str, *, by: Membership, at: datetime) -> None:
    """Mark a locked course stopped and its waiting doses cancelled: the common end of stopping and of a decision to stop."""
    course.stopped_at, course.stopped_by = at, by
    course.stop_reason_code, course.stop_reason = reason_code, reason
    course.version += 1
    course.save(update_fields=["stopped_at", "stopped_by", "stop_reason_code", "stop_reason", "version"])
    course.doses.filter(settled_at=None).update(settled_at=at, settled_as="cancelled")
