"""Building and stopping courses, and the one place where their rows are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from patients import audit, rules, when
from patients.constraints import sentence_for
from patients.models import Membership, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import planning
from regimens.actions.orders import OrderFacts, check_order, save_order
from regimens.domain import screening
from regimens.domain.course import CourseRow
from regimens.domain.monograph import Anchor
from regimens.models import Administration, Course, PlannedDose


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
    planning.check_weight(weight, patient, at)
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
    check_order(order, off_label=protocol_value.off_label, by=by, at=at)
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
    save_order(order, transplant=transplant, protocol=protocol_value, course=course, by=by, at=at)
    rows = {row.code: row for row in protocol.doses.all()}
    PlannedDose.objects.bulk_create(
        _dose_row(course, item, rows, weight, draft_number, order.ceiling_mg_per_kg_per_h, by, at)
        for draft_number, item in enumerate(draft.doses, start=1)
    )
    return course


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


def is_anchor_outdated(course: Course) -> bool:
    """Whether the doses are counted from a time, or in a zone, that the transplant's record no longer says."""
    transplant = course.transplant
    counted_from = (course.anchor_at, course.anchor_zone_name)
    return course.anchor_at is not None and counted_from != (transplant.reperfusion_at, transplant.zone_name)


@transaction.atomic
def stop_course(*, course: Course, reason_code: str, reason: str, by: Membership, at: datetime) -> Course:
    """Nothing of this course is due any more. What was given stays; what was not is cancelled. It cannot be undone.

    Refused: a course stopped already; a running infusion of it; a reason that is not in the monograph's list, or needs words.
    """
    require(by, "stop_course")
    course = Course.objects.select_for_update(of=("self",)).select_related("patient", "monograph").get(pk=course.pk)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is already stopped.")
    # Starting locks the course too, so none can begin between this look and the stop.
    if Administration.objects.filter(dose__course=course, ended_at=None, error_at=None).exists():
        raise Refusal("infusion_running", "An infusion of this course is running: end it first.")
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
