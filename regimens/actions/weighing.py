"""The weight a dose was computed from beside the patient's latest one: what stops a start, and who signed that doses stay.

Recording a weight alone changes no dose (W1.1): somebody recalculates, or signs that the doses are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from patients import facts
from patients.models import WeightMeasurement
from patients.refusal import Refusal
from patients.rules import WEIGHT_RULES, weight_change
from regimens.domain import dosing
from regimens.domain.monograph import Limit
from regimens.domain.units import with_unit
from regimens.models import PlannedDose, WeightKept


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
    """
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
