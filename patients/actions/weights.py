"""Recording a weight, and marking one as entered in error.

A weight that looks like a slip (pounds for kilograms, a moved decimal point) passes only with a second, independent
measurement by another person (H03). The way there, so that nobody has to invent a number:

1. The first entry is refused and nothing is kept: most slips end here, with a look at the scale.
2. If the scale says the same again, the person keeps it for a second measurement (``keep_for_second``). The row is stored as
   not valid from its first moment, so that nothing can compute a dose from it.
3. Another person weighs and enters what they read, without being shown the first value. When it agrees within 2 percent and
   24 hours, it is recorded as valid and ``confirms`` the first row.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from patients import audit, facts, policy, rules, when
from patients.actions.common import allow, needed_reason, one_of, open_patient, plain_refusals, short_text
from patients.models import Membership, Patient, WeightMeasurement, WeightMethod
from patients.refusal import Refusal
from patients.rules import WEIGHT_RULES, WeightLimits


@transaction.atomic
def record_weight(
    *,
    by: Membership,
    at: datetime,
    patient: Patient,
    weight_kg: Decimal,
    measured_at: datetime,
    method: str,
    reason: str = "",
    keep_for_second: bool = False,
    limits: WeightLimits | None = None,
) -> WeightMeasurement:
    """One weight in kg, as it was measured. The same measurement sent twice is one row.

    Refused: "weight_range", "weight_decimals", "in_the_future", "before_birth"; "reason_needed" for a stated weight;
    "weight_change_asks" for a change of 10 percent or more without a reason; "weight_implausible" for a slip, unless it
    confirms another person's first measurement or is kept as one (``keep_for_second``).
    """
    allow(by, "record_weight")
    patient = open_patient(by, patient.pk)
    limits = limits or policy.weight_limits()
    rules.check_weight_kg(weight_kg, limits=limits)
    one_of(method, WeightMethod.values, field="method", what="how the weight was measured")
    when.check_past(measured_at, at=at, field="measured_at", what="A weight")
    if when.local_day(measured_at, patient.centre.time_zone) < patient.birth_on:
        raise Refusal("before_birth", "That is before the birth.", field="measured_at")
    reason = short_text(reason, field="reason", what="reason", limit=300)
    if not facts.is_measured(method) and not reason:
        raise Refusal("reason_needed", "Say why the weight was stated and not measured.", source=WEIGHT_RULES, field="reason")
    weight = WeightMeasurement(
        patient=patient,
        weight_kg=weight_kg,
        measured_at=measured_at,
        method=method,
        reason=reason,
        recorded_by=by,
        recorded_at=at,
    )
    if sent_before := _same_measurement(weight):
        return sent_before
    last = facts.neighbour_weight(patient, measured_at)
    change = rules.weight_change(last.weight_kg, weight_kg, limits=limits) if last else None
    if change and change.signature:
        if keep_for_second:
            return _keep_first(weight)
        weight.confirms = _first_measurement_confirmed_by(weight, change, limits)
    elif last and change and change.asks and not reason:
        raise Refusal(
            "weight_change_asks",
            f"{rules.kg_text(weight_kg)} is {change.percent_text} from {rules.kg_text(last.weight_kg)} on "
            f"{when.day_text(when.local_day(last.measured_at, patient.centre.time_zone))}. If it is right, give the reason.",
            source=WEIGHT_RULES,
            field="reason",
        )
    audit.event("record_weight", by=by, patient=patient, reason=reason, confirms=weight.confirms_id)
    with plain_refusals():
        weight.save(force_insert=True)
    return weight


@transaction.atomic
def mark_weight_in_error(*, by: Membership, at: datetime, weight: WeightMeasurement, reason: str) -> WeightMeasurement:
    """The weight stays on record, struck through, and is used no more. Doses computed from it keep their revision."""
    allow(by, "enter_in_error")
    open_patient(by, weight.patient_id)
    weight = WeightMeasurement.objects.select_for_update().get(pk=weight.pk)
    if weight.error_at:
        raise Refusal("already_in_error", "This weight is marked already.")
    reason = needed_reason(reason, sentence="Say what is wrong with this weight.")
    audit.event("mark_weight_in_error", by=by, patient=weight.patient_id, reason=reason, weight=weight.pk)
    weight.error_at, weight.error_by, weight.error_reason = at, by, reason
    with plain_refusals():
        weight.save(update_fields=["error_at", "error_by", "error_reason"])
    return weight


def _same_measurement(weight: WeightMeasurement) -> WeightMeasurement | None:
    return WeightMeasurement.objects.filter(
        patient=weight.patient,
        weight_kg=weight.weight_kg,
        measured_at=weight.measured_at,
        method=weight.method,
        recorded_by=weight.recorded_by,
        error_at=None,
    ).first()


def _keep_first(weight: WeightMeasurement) -> WeightMeasurement:
    """The first half of a doubtful measurement: measured, kept, not valid."""
    _must_be_measured(weight)
    audit.event("keep_weight_for_second", by=weight.recorded_by, patient=weight.patient_id, reason=weight.reason)
    weight.error_at, weight.error_by, weight.error_reason = weight.recorded_at, weight.recorded_by, facts.HELD
    with plain_refusals():
        weight.save(force_insert=True)
    return weight


def _first_measurement_confirmed_by(
    weight: WeightMeasurement, change: rules.WeightChange, limits: WeightLimits
) -> WeightMeasurement:
    """Another person's first measurement that this one repeats; refused ("weight_implausible") where there is none."""
    waiting = facts.held_weights(weight.patient, measured_at=weight.measured_at, limits=limits)
    others = list(waiting.exclude(recorded_by__user_id=weight.recorded_by.user_id))
    if others:
        _must_be_measured(weight)
    for first in others:
        if rules.agrees(first.weight_kg, weight.weight_kg, limits=limits):
            return first
    sentence = rules.implausible_sentence(change)
    if others:
        sentence = (
            f"{rules.kg_text(weight.weight_kg)} does not confirm the first measurement of another person, which waits for a "
            f"second one (more than {rules.number_text(limits.agreement_percent)} percent apart). Weigh again."
        )
    raise Refusal("weight_implausible", sentence, source=WEIGHT_RULES, field="weight_kg")


def _must_be_measured(weight: WeightMeasurement) -> None:
    if not facts.is_measured(weight.method):
        raise Refusal(
            "second_must_be_measured",
            "A weight that looks like a slip counts only when it is measured on a scale.",
            source=WEIGHT_RULES,
            field="method",
        )
