"""Building and stopping courses, and the one place where their rows are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from patients import audit, when
from patients.actions.common import REASON_LENGTH, locked_patient
from patients.constraints import sentence_for
from patients.models import Membership, Patient, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import may, require
from regimens.actions import orders, outside, planning
from regimens.actions.locks import lock_course, lock_open_courses
from regimens.actions.orders import OrderFacts
from regimens.actions.outside import OutsideFacts
from regimens.actions.planning import Choices, DraftCourse, Weights
from regimens.actions.reasons import chosen
from regimens.domain.monograph import Anchor
from regimens.domain.monograph import Protocol as ProtocolValue
from regimens.domain.units import with_unit
from regimens.models import Administration, Course, Order, PlannedDose, WeightBasis

RETRANSPLANT = "retransplant"  # the monograph's reason for stopping an older course


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What has to be said beside the plan itself before a course is built."""

    prior_ig: str = ""
    prior_ig_asked: str = ""
    referred_from: str = ""
    outside_doses: tuple[OutsideFacts, ...] = ()  # told now
    visits: Mapping[int, str] = field(
        default_factory=dict
    )  # a dose given elsewhere, on record already → the visit it stood for
    other_course: str = ""  # "stop" or "keep", where another course of the patient is open
    other_course_reason: str = ""


@transaction.atomic
def build_course(
    *,
    transplant: Transplant,
    choices: Choices,
    weight: WeightMeasurement,
    choice_reason: str,
    beside: Beside,
    order: OrderFacts | None = None,
    by: Membership,
    at: datetime,
) -> Course:
    """One course with its order and all its planned doses, unsigned, pinned to the published monograph.

    Built from the order that waits for the transplant; where none does, ``order`` is entered with the course. Visits given
    elsewhere or shut before referral are settled from the start; a 72 h window that was shut asks for a decision.

    Refused: another role; a closed patient; an unanswered or unreleased contraindication; a weight of somebody else, in error, not
    the one the order counts on, or older than the limit; no order, or a plan that differs from it; an off-label protocol without a
    reason; an unanswered question (immune globulin before, antiviral, another open course); a referral ahead or from nowhere; a
    plan with nothing left to give here; a second open course for the transplant.
    """
    require(by, "build")
    lock_open_courses(transplant.patient)
    patient = locked_patient(by, transplant.patient_id)
    transplant = Transplant.objects.select_for_update(of=("self",)).get(pk=transplant.pk, patient=patient)
    transplant.patient = patient
    planning.check_may_plan(patient)
    planning.check_weight(weight, patient, at)
    monograph = planning.published()
    value = monograph.to_domain()
    planning.check_protocol(planning.proposal_for(transplant, value, at), choices.protocol_code)
    protocol_value = value.protocol(choices.protocol_code)
    planning.check_antiviral(transplant, protocol_value)
    weights = planning.weights_of(transplant)
    bases = _bases(weight, weights)
    waiting = _order_to_build(transplant, order, protocol_value, bases, by, at)
    if waiting is not None:
        choices = planning.as_ordered(choices, waiting)
    _check_referral(choices, beside, at)
    given = _given_elsewhere(transplant, protocol_value, beside, by, at)
    choices = replace(choices, given_elsewhere=frozenset(given))
    draft = planning.draft_course(
        value=value,
        transplant=transplant,
        weight_kg=weight.weight_kg,
        choices=choices,
        had_cmv_ig_before=planning.had_cmvig_before(patient),
        at=at,
    )
    if all(planning.is_not_ours(standing) for standing in draft.standings):
        raise Refusal(
            "nothing_to_give", "Every visit was given elsewhere or had passed before referral: nothing is left to give."
        )
    said_of_others = _settle_other_courses(transplant, beside, by=by, at=at)
    by_transplant = protocol_value.anchor == Anchor.TRANSPLANT
    course = Course(
        patient=patient,
        transplant=transplant,
        monograph=monograph,
        protocol=monograph.protocols.get(code=choices.protocol_code),
        anchor_at=transplant.reperfusion_at if by_transplant else None,
        anchor_on=draft.doses[0].window.target_on,
        anchor_zone_name=transplant.zone_name if by_transplant else patient.centre.time_zone,
        choice_reason="; ".join(filter(None, (choice_reason, _basis_text(weight, weights), said_of_others)))[:300],
        prior_ig=beside.prior_ig,
        prior_ig_asked=beside.prior_ig_asked.strip(),
        referred_at=choices.referred_at,
        referred_from=beside.referred_from.strip(),
        review_on=choices.review_on,
        built_by=by,
        built_at=at,
    )
    audit.event(
        "build_course",
        by=by,
        patient=patient,
        course=str(course.pk),
        protocol=choices.protocol_code,
        monograph=monograph.version,
        weight=weight.pk,
        prior_ig=beside.prior_ig,
        other_course=beside.other_course,
    )
    try:
        with transaction.atomic():
            course.save(force_insert=True)
    except IntegrityError as error:
        raise sentence_for(error) from None
    if waiting is not None:
        waiting.course = course
        waiting.save(update_fields=["course"])
    elif order is not None:
        orders.save_order(order, transplant=transplant, protocol=protocol_value, course=course, by=by, at=at)
    doses = PlannedDose.objects.bulk_create(_dose_rows(course, draft, choices, weight))
    codes = [item.window.code for item in draft.doses]
    outside.attach(given, dict(zip(codes, doses, strict=True)))
    return course


def _bases(weight: WeightMeasurement, weights: Weights) -> set[str]:
    """Which of the two weights this is, or both; refused where it is neither."""
    found = {
        str(basis)
        for basis, row in ((WeightBasis.LATEST, weights.latest), (WeightBasis.DRY, weights.dry))
        if row is not None and row.pk == weight.pk
    }
    if not found:
        raise Refusal(
            "weight_not_latest",
            "A newer weight is on record: plan at it, or at the last one before the transplant.",
            source="Site policy: weights",
            field="weight_kg",
        )
    return found


def _basis_text(weight: WeightMeasurement, weights: Weights) -> str:
    """Which of two weights was chosen, for the reader of the plan; "" where there is only one."""
    latest, dry = weights.latest, weights.dry
    if latest is None or dry is None or latest.pk == dry.pk:
        return ""
    latest_text, dry_text = with_unit(latest.weight_kg, "kg"), with_unit(dry.weight_kg, "kg")
    if weight.pk == latest.pk:
        return f"at the latest weight, {latest_text} (before the transplant {dry_text})"
    return f"at the dry weight, {dry_text} (latest {latest_text})"


def _order_to_build(
    transplant: Transplant,
    order: OrderFacts | None,
    protocol: ProtocolValue,
    bases: Collection[str],
    by: Membership,
    at: datetime,
) -> Order | None:
    """The order that waits, locked and checked against the plan; None where ``order`` is entered with the course and holds."""
    rows = Order.objects.select_for_update(of=("self",)).filter(transplant=transplant, course=None, superseded_at=None)
    waiting = rows.first()
    if waiting is None and order is None:
        raise Refusal("no_order", "There is no order to build from.", source=orders.ORDER_SOURCE)
    if waiting is not None and order is not None:
        raise Refusal(
            "order_waiting",
            "An order for this transplant came in meanwhile. Open the page again and build from it.",
            source=orders.ORDER_SOURCE,
        )
    if waiting is not None:
        on = when.local_day(at, transplant.patient.centre.time_zone)
        orders.check_built_as_ordered(waiting, protocol, bases=bases, on=on)
        return waiting
    assert order is not None
    orders.check_order(order, off_label=protocol.off_label, by=by, at=at)
    if order.weight_basis not in bases:
        raise Refusal("weight_basis", "This is not the weight that the order counts on.", field="weight_basis")
    return None


def _check_referral(choices: Choices, beside: Beside, at: datetime) -> None:
    if choices.referred_at is None:
        if beside.referred_from.strip():
            raise Refusal("referral_day", "Enter when the patient was referred.", field="referred_at")
        return
    if choices.referred_at > at:
        raise Refusal("referral_in_future", "The referral lies in the future.", field="referred_at")
    if not beside.referred_from.strip():
        raise Refusal("referral_says_from_where", "Say where the patient was referred from.", field="referred_from")


def _given_elsewhere(transplant: Transplant, protocol: ProtocolValue, beside: Beside, by: Membership, at: datetime):
    """Visit → dose given elsewhere, after what was told now is recorded and the question about earlier doses is answered."""
    visits = dict(beside.visits)
    for told in beside.outside_doses:
        row = outside.record_outside_dose(patient=transplant.patient, dose=told, by=by, at=at)
        if told.visit:
            visits[row.pk] = told.visit
    outside.check_prior(transplant.patient, beside.prior_ig, beside.prior_ig_asked, at)
    return outside.by_visit(outside.live_rows(transplant.patient), visits, transplant, protocol.doses[0].code)


def other_open_courses(patient: Patient, transplant: Transplant):
    """Courses of the patient's other transplants that still have doses to give."""
    waiting = PlannedDose.objects.filter(course=OuterRef("pk"), settled_at=None)
    return Course.objects.filter(Exists(waiting), patient=patient, stopped_at=None).exclude(transplant=transplant)


def _settle_other_courses(transplant: Transplant, beside: Beside, *, by: Membership, at: datetime) -> str:
    """Stop or keep what runs for another transplant; what was said of it, for the reader of the plan."""
    running = list(other_open_courses(transplant.patient, transplant).select_related("transplant", "monograph"))
    if not running:
        return ""
    numbers = " and ".join(str(course.transplant.number) for course in running)
    reason = beside.other_course_reason.strip()
    if beside.other_course not in ("stop", "keep"):
        raise Refusal(
            "other_course_open",
            f"The course of transplant {numbers} is still open: say whether it is stopped or goes on beside this one.",
            source="Site policy: transplanted again",
            field="other_course",
        )
    if beside.other_course == "keep":
        if len(reason) < REASON_LENGTH:
            raise Refusal(
                "other_course_reason",
                f"Say why both go on, in at least {REASON_LENGTH} characters.",
                field="other_course_reason",
            )
        return f"course of transplant {numbers} goes on: {reason}"
    if not may(by, "stop_course"):
        sentence = f"A prescriber stops the course of transplant {numbers} first, or both go on."
        raise Refusal("other_course_prescriber", sentence, source="Role × action matrix of this centre", field="other_course")
    for course in running:
        known = {row.code for row in course.monograph.to_domain().listed("stopped")}
        code = RETRANSPLANT if RETRANSPLANT in known else "other"
        stop_course(course=course, reason_code=code, reason=reason or "Transplanted again", by=by, at=at)
    return f"course of transplant {numbers} stopped"


def _dose_rows(course: Course, draft: DraftCourse, choices: Choices, weight: WeightMeasurement) -> list[PlannedDose]:
    """The draft as rows. What is not ours to give is settled from the start."""
    rows = {row.code: row for row in course.protocol.doses.all()}
    centre, saved = course.patient.centre, []
    for number, (item, standing) in enumerate(zip(draft.doses, draft.standings, strict=True), start=1):
        window, amount = item.window, item.dose
        is_settled = planning.is_not_ours(standing)
        working = window.working + amount.working
        saved.append(
            PlannedDose(
                course=course,
                centre=centre,
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
                rounded_from_mg=amount.calculated_mg if amount.is_rounded_to_vials else None,
                rate_table=item.table_code,
                ceiling_mg_per_kg_per_h=choices.ceiling_mg_per_kg_per_h,
                pump_increment_ml_per_h=centre.pump_increment_ml_per_h,
                working=(working + standing.working if choices.referred_at else working).to_json(),
                built_by=course.built_by,
                built_at=course.built_at,
                settled_at=course.built_at if is_settled else None,
                settled_as="before_referral" if is_settled else "",
            )
        )
    return saved


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
    course = lock_course(course)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is already stopped.")
    # Starting locks the course too, so none can begin between this look and the stop.
    if Administration.objects.filter(dose__course=course, ended_at=None, error_at=None).exists():
        raise Refusal("infusion_running", "An infusion of this course is running: end it first.")
    known = chosen(course.monograph.to_domain(), "stopped", reason_code, reason)
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
