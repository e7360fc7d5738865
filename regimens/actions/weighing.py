"""The weight a dose was computed from beside the patient's latest one: what stops a start, and who signed that doses stay.

Recording a weight alone changes no dose (W1.1): somebody recalculates, or signs that the doses are kept.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from patients import audit, facts, policy
from patients.actions.common import plain_refusals, signed_reason
from patients.models import Centre, Membership, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from patients.rules import WEIGHT_RULES, is_early_dose, is_stale, weight_change
from regimens.actions.locks import lock_course
from regimens.domain import dosing
from regimens.domain.monograph import Limit
from regimens.domain.units import with_unit
from regimens.models import Course, PlannedDose, WeightKept

BOARD_AHEAD = timedelta(days=14)
MOST_ROWS = 200


def latest_weight(dose: PlannedDose, at: datetime) -> WeightMeasurement | None:
    """The newest valid weight of the dose's patient that was on record at an instant."""
    return facts.valid_weights(dose.course.patient).filter(recorded_at__lte=at).first()


def is_kept(dose: PlannedDose, latest: WeightMeasurement, kept: Iterable[WeightKept]) -> bool:
    """Whether a pharmacist signed that this dose stays at a weight as far off as the latest one, or further the same way.

    A signature given before the dose was recalculated is none: the weight it names is older than the dose's own.
    """
    off = latest.weight_kg - dose.weight_kg
    for row in kept:
        if row.weight.error_at or row.weight.measured_at <= dose.weight.measured_at:
            continue
        signed_off = row.weight.weight_kg - dose.weight_kg
        if off * signed_off > 0 and abs(off) <= abs(signed_off):
            return True
    return False


def weight_has_changed(dose: PlannedDose, latest: WeightMeasurement | None, percent: Limit, kept: Iterable[WeightKept]) -> bool:
    """Whether the latest weight is off by the limit or more (exactly 10 percent counts) and nobody signed that the dose stays.

    A dose whose own weight was entered in error, with no valid one to compare it with, counts as changed.
    """
    if latest is None:
        return dose.weight.error_at is not None
    differs = dosing.needs_recalculation(planned_weight_kg=dose.weight_kg, latest_weight_kg=latest.weight_kg, percent=percent)
    return differs and not is_kept(dose, latest, kept)


def change_text(planned_kg: Decimal, latest_kg: Decimal) -> str:
    """ "+10%": the latest weight beside the one a dose was computed from, rounded for reading only."""
    return weight_change(planned_kg, latest_kg).percent_text


def check_weight_holds(dose: PlannedDose, at: datetime) -> None:
    """A dose does not start at a weight that no longer holds; call it with ``dose.course.patient`` and its monograph read.

    Refused: "weight_changed" when the latest valid weight is off by 10 percent or more (the monograph's limit) from the one the
    dose was computed from, until a pharmacist recalculates or signs that the doses are kept; the sentence names both weights.
    What is left of a stopped dose is its own amount, whatever the weight.
    """
    if dose.is_remainder:
        return
    latest = latest_weight(dose, at)
    percent = dose.course.monograph.to_domain().limit("weight_change_percent")
    kept = WeightKept.objects.filter(course=dose.course_id, kept_at__lte=at).select_related("weight")
    if not weight_has_changed(dose, latest, percent, kept):
        return
    planned = with_unit(dose.weight_kg, "kg")
    if latest is None:
        sentence = f"This dose was computed from {planned}, which was entered in error. Weigh, then recalculate."
    else:
        off = change_text(dose.weight_kg, latest.weight_kg)
        sentence = (
            f"This dose was computed from {planned}; the latest weight is {with_unit(latest.weight_kg, 'kg')} ({off}). "
            "A pharmacist recalculates the doses, or signs that they are kept."
        )
    raise Refusal("weight_changed", sentence, source=WEIGHT_RULES)


@transaction.atomic
def keep_weight(*, course: Course, weight: WeightMeasurement, reason: str, by: Membership, at: datetime) -> WeightKept:
    """A pharmacist signs that the doses stay although the latest weight is 10 percent or more off. The view has checked the password.

    Refused: another role; a stopped course; a weight that is not the latest valid one; a weight at which no dose asks; a dose whose
    own weight was entered in error (it is recalculated); less than 10 characters of reason.
    """
    require(by, "keep_weight")
    course = lock_course(course)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    latest = facts.current_weight(course.patient)
    if latest is None or latest.pk != weight.pk:
        raise Refusal("stale", "A newer weight was recorded after you opened this page. Read the page again before you sign.")
    asking = doses_that_ask(course, latest)
    if not asking:
        raise Refusal(
            "nothing_to_keep", "No dose of this course asks for it: the weight is less than 10 percent off, or kept already."
        )
    if any(dose.weight.error_at for dose in asking):
        raise Refusal("weight_in_error", "The doses were computed from a weight that was entered in error: recalculate them.")
    reason = signed_reason(reason, sentence="Say why the doses stay")
    audit.event("keep_weight", by=by, patient=course.patient, reason=reason, course=str(course.pk), weight=latest.pk)
    with plain_refusals():
        return WeightKept.objects.create(course=course, weight=latest, reason=reason, kept_by=by, kept_at=at)


def doses_that_ask(course: Course, latest: WeightMeasurement | None) -> list[PlannedDose]:
    """The doses still to be given whose weight has changed and that nobody signed to keep."""
    percent = course.monograph.to_domain().limit("weight_change_percent")
    kept = list(WeightKept.objects.filter(course=course).select_related("weight"))
    waiting = (
        course.doses.filter(settled_at=None, is_remainder=False).select_related("weight", "protocol_dose").order_by("number")
    )
    return [dose for dose in waiting if weight_has_changed(dose, latest, percent, kept)]


# The board -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoardLine:
    """One open dose whose weight is old, off, or both. ``latest`` is None where no valid weight is left."""

    dose: PlannedDose
    latest: WeightMeasurement | None
    is_stale: bool
    has_changed: bool


def board(centre: Centre, at: datetime) -> list[BoardLine]:
    """Doses of a centre that are open, or open within 14 days, and whose latest valid weight is older than its limit or has changed
    by 10 percent or more without a signed "keep": by closing instant, at most ``MOST_ROWS``. Three statements.
    """
    waiting = (
        PlannedDose.objects.filter(
            centre=centre,
            settled_at=None,
            is_remainder=False,
            opens_at__lt=at + BOARD_AHEAD,
            closes_at__gt=at,
            course__patient__closed_at=None,
        )
        .select_related("course__patient", "course__monograph", "protocol_dose", "weight")
        .order_by("closes_at", "pk")
    )
    doses = list(waiting)
    latest = _latest_by_patient({dose.course.patient_id for dose in doses}, at)
    kept: dict[uuid.UUID, list[WeightKept]] = defaultdict(list)
    for row in WeightKept.objects.filter(course__in={dose.course_id for dose in doses}).select_related("weight"):
        kept[row.course_id].append(row)
    limits = policy.weight_limits()
    lines = []
    for dose in doses:
        weight = latest.get(dose.course.patient_id)
        percent = dose.course.monograph.to_domain().limit("weight_change_percent")
        early = is_early_dose(dose.number)
        is_old = weight is None or is_stale(weight.measured_at, at, is_early_dose=early, limits=limits)
        changed = weight_has_changed(dose, weight, percent, kept[dose.course_id])
        if is_old or changed:
            lines.append(BoardLine(dose, weight, is_old, changed))
    return lines[:MOST_ROWS]


def _latest_by_patient(patients: set[uuid.UUID], at: datetime) -> dict[uuid.UUID, WeightMeasurement]:
    rows = WeightMeasurement.objects.filter(patient__in=patients, error_at=None, recorded_at__lte=at)
    newest = rows.order_by("patient_id", "-measured_at", "-pk").distinct("patient_id")
    return {row.patient_id: row for row in newest}
