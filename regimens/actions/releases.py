"""A pharmacist's go for one dose, at most 48 h before it starts: everything that may have changed since the plan was signed is looked
at again (W2.1). And a prescriber's signature under a shorter interval (W1.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from patients import audit, policy, rules
from patients.actions.common import REASON_LENGTH, allow, plain_refusals, short_text, signed_reason
from patients.models import Membership
from patients.refusal import Refusal
from regimens.actions import findings, readiness
from regimens.actions.around import Around, read_around
from regimens.actions.charting import Chart, local_day, lock_dose
from regimens.actions.missed_case import given_here
from regimens.actions.orders import ORDER_SOURCE, cosign_by
from regimens.actions.previous import interval_of, signature_under
from regimens.domain import checks, exposure
from regimens.domain.clock import last_day
from regimens.domain.reasons import source_text
from regimens.domain.status import Status
from regimens.domain.units import day_text, instant_text, with_unit
from regimens.models import IntervalRelease, LabResult, PlannedDose, Release, ResultKind

SOURCE = "Site policy: release of each dose"
NOT_RELEASED = "Not released"
# What is looked at before each dose; the weight's trend is shown beside them.
LOOKED_AT = (ResultKind.CREATININE, ResultKind.BUN, ResultKind.URINE_OUTPUT)
FLUID_STATES = {"normal": "Normal", "depleted": "Depleted: corrected first", "overloaded": "Overloaded"}
ROLLING_DAYS = 7


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the releasing pharmacist confirms or answers in words."""

    on_hand: bool = False
    expected: bool = False
    missing_reason: str = ""
    fluid_state: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, by name, and the refusal it comes to; None where it does not stop."""

    name: str
    stop: Refusal | None


def checks_of(chart: Chart, dose: PlannedDose, around: Around, at: datetime) -> list[Check]:
    """Every hard check of a release in the order in which the first failing one refuses it."""
    acts = {
        "patient": lambda: _check_open(chart, dose),
        "status": lambda: _check_waiting(chart, dose, around, at),
        "signature": lambda: readiness.refuse_signature(dose, done=NOT_RELEASED),
        "stale": lambda: _check_weight_age(dose, around, at),
        **readiness.circumstances(chart, dose, around, starts_at=expected_start(dose, at), at=at),
        "order": lambda: _check_order(chart, dose, around, at),
        "creatinine": lambda: _check_creatinine(dose, around, at),
    }
    found = []
    for name, act in acts.items():
        try:
            act()
        except Refusal as refusal:
            found.append(Check(name, refusal))
        else:
            found.append(Check(name, None))
    return found


@transaction.atomic
def release_dose(*, dose: PlannedDose, confirmed: Confirmed, by: Membership, at: datetime) -> Release:
    """A pharmacist's signed go. The view has checked the password. An expired release is replaced; a live one is kept.

    Refused: another role, a superseded row, the first stop of :func:`checks_of`, a product not on hand or a patient not expected,
    results missing without a reason, fluid state not answered before a treatment dose, a release that still lasts.
    """
    allow(by, "release_dose")
    chart = lock_dose(dose)
    row = chart.dose
    assert row is not None  # lock_dose always finds it
    if row.pk != dose.pk:
        raise Refusal("superseded", f"{NOT_RELEASED}: this dose was recalculated. Open its current version.")
    around = read_around(chart, row)
    for check in checks_of(chart, row, around, at):
        if check.stop is not None:
            raise check.stop
    reason = _check_confirmed(row, around, confirmed, at)
    old = around.release
    lasts = lasts_until(row, old)
    if lasts is not None and at <= lasts:
        raise Refusal("already_released", f"Released already, good until {instant_text(lasts, chart.centre.time_zone)}.")
    seen = seen_results(row, around.results, at).get(ResultKind.CREATININE)
    audit.event(
        "release_dose",
        by=by,
        patient=chart.patient,
        dose=str(row.pk),
        on_hand=True,
        expected=True,
        missing=reason,
        fluid_state=confirmed.fluid_state,
        creatinine=seen.value if seen else None,
        weight_kg=around.latest_weights[0].weight_kg,
    )
    with plain_refusals():
        if old is not None:
            Release.objects.filter(pk=old.pk).update(
                withdrawn_at=at, withdrawn_by=by, withdrawn_reason="Expired, and released again"
            )
        return Release.objects.create(
            dose=row,
            weight=around.latest_weights[0],
            creatinine=seen,
            creatinine_missing_reason=reason,
            released_by=by,
            released_at=at,
        )


@transaction.atomic
def withdraw_release(*, dose: PlannedDose, reason: str, by: Membership, at: datetime) -> Release:
    """Take the go back, with a reason. Refused: another role; nothing released; a dose that was recorded; a short reason."""
    allow(by, "release_dose")
    chart = lock_dose(dose)
    row = Release.objects.select_for_update(of=("self",)).filter(dose=dose.pk, withdrawn_at=None).first()
    if row is None:
        raise Refusal("not_released", "This dose is not released.")
    own = next(r for r in chart.doses if r.pk == dose.pk)
    if own.settled_as == "recorded":
        raise Refusal("recorded", "This dose was started or given: its release stays on record.")
    reason = signed_reason(reason, field="withdrawn_reason")
    audit.event("withdraw_release", by=by, patient=chart.patient, reason=reason, dose=str(dose.pk))
    row.withdrawn_at, row.withdrawn_by, row.withdrawn_reason = at, by, reason
    with plain_refusals():
        row.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
    return row


@transaction.atomic
def release_interval(*, dose: PlannedDose, reason: str, by: Membership, at: datetime) -> IntervalRelease:
    """A prescriber signs that a dose may start sooner than the minimum interval. The view has checked the password.

    Refused: another role; a superseded row, or one no longer waiting; nothing to release ("interval_kept"): no earlier dose, a
    remainder of the last dose, or an interval that is over before the window opens or by now; signed for already; a reason under
    10 characters.
    """
    allow(by, "decide_finding")
    chart = lock_dose(dose)
    row = chart.dose
    assert row is not None  # lock_dose always finds it
    if row.pk != dose.pk:
        raise Refusal("superseded", "This dose was recalculated. Open its current version.")
    if row.settled_at or row.course.stopped_at or chart.patient.closed_at:
        raise Refusal("not_waiting", "This dose no longer waits to be given.")
    if earliest_start(chart, row, at) is None:
        raise Refusal("interval_kept", "The minimum interval is kept: there is nothing to sign.")
    if signature_under(IntervalRelease.objects.filter(dose=row), chart.previous()) is not None:
        raise Refusal("interval_signed", "This was signed already.")
    reason = signed_reason(reason)
    audit.event("release_interval", by=by, patient=chart.patient, reason=reason, dose=str(row.pk))
    with plain_refusals():
        return IntervalRelease.objects.create(dose=row, reason=reason, released_by=by, released_at=at)


def earliest_start(chart: Chart, dose: PlannedDose, at: datetime) -> datetime | None:
    """From when the minimum interval lets a dose start, where that is later than now and than the window's opening; else None."""
    kept = interval_of(dose, chart.previous(), max(at, dose.opens_at))
    return None if kept.is_kept else kept.earliest_at


# What is shown, and checked ------------------------------------------------------------------------------------------------


def expected_start(dose: PlannedDose, at: datetime) -> datetime:
    """When a dose released now is expected to start: at its booking where a release lasts so long, else at once."""
    within = dose.course.monograph.to_domain().limit("release_within_h")
    booked = dose.booked_for
    if booked is not None and at <= booked <= checks.release_lasts_until(at, within=within):
        return booked
    return max(at, dose.opens_at)


def lasts_until(dose: PlannedDose, release: Release | None) -> datetime | None:
    """The last instant at which the dose may start by a release; None without one."""
    within = dose.course.monograph.to_domain().limit("release_within_h")
    return checks.release_lasts_until(release.released_at, within=within) if release is not None else None


def seen_results(dose: PlannedDose, results: Sequence[LabResult], at: datetime) -> dict[ResultKind, LabResult]:
    """The latest result of each kind looked at, where it is new enough for this dose; ``results`` in order of sampling."""
    wanted = checks.result_wanted(mg_per_kg=dose.mg_per_kg, at=at, monograph=dose.course.monograph.to_domain())
    return {ResultKind(r.kind): r for r in results if r.kind in LOOKED_AT and r.sampled_at >= wanted.sampled_from}


def missing_results(dose: PlannedDose, results: Sequence[LabResult], at: datetime) -> list[ResultKind]:
    """The kinds looked at of which no result is new enough."""
    seen = seen_results(dose, results, at)
    return [kind for kind in LOOKED_AT if kind not in seen]


def is_treatment(dose: PlannedDose) -> bool:
    """Whether the dose is above the label's highest, so that load and fluid state are asked about (W1.21)."""
    return checks.is_treatment_dose(dose.mg_per_kg, dose.course.monograph.to_domain())


def load_of(chart: Chart, dose: PlannedDose, around: Around, at: datetime) -> exposure.Exposure:
    """What was given in the 7 days before now, here or elsewhere, with this dose added."""
    value = dose.course.monograph.to_domain()
    per_ml = value.product.concentration_mg_per_ml
    given = given_here(chart, per_ml=per_ml, weight_kg=dose.weight_kg)
    given += [
        exposure.GivenDose("", other.given_at, other.given_mg, dose.weight_kg) for other in around.outside if other.given_mg
    ]
    return exposure.rolling(
        given,
        at=at,
        days=ROLLING_DAYS,
        concentration_mg_per_ml=per_ml,
        sucrose_mg_per_ml=value.limit("sucrose_mg_per_ml").value,
        plus_mg_per_kg=dose.mg_per_kg,
    )


def _check_open(chart: Chart, dose: PlannedDose) -> None:
    if chart.patient.closed_at:
        word = chart.patient.get_closed_reason_display().lower()
        raise Refusal("patient_closed", f"{NOT_RELEASED}: the chart is closed ({word}).")
    if dose.course.stopped_at or dose.settled_as == "cancelled":
        raise Refusal("course_stopped", f"{NOT_RELEASED}: this course was stopped.")


def _check_waiting(chart: Chart, dose: PlannedDose, around: Around, at: datetime) -> None:
    """Due, overdue, or opening before a release of now would be over."""
    zone = chart.centre.time_zone
    if not dose.settled_at and at >= dose.closes_at:
        raise Refusal(
            "window_closed",
            f"{NOT_RELEASED}: the window closed {instant_text(dose.closes_at, zone)}. A prescriber decides first.",
            source=SOURCE,
        )
    readiness.refuse_status(chart, dose, around, at, done=NOT_RELEASED, also=(Status.UPCOMING,))
    within = dose.course.monograph.to_domain().limit("release_within_h")
    if checks.release_lasts_until(at, within=within) < dose.opens_at:
        raise Refusal(
            "release_too_early",
            f"{NOT_RELEASED}: a release lasts {with_unit(within.value, within.unit)}, and the window opens "
            f"{instant_text(dose.opens_at, zone)}.",
            source=source_text(within.source),
        )


def _check_weight_age(dose: PlannedDose, around: Around, at: datetime) -> None:
    limits = policy.weight_limits()
    latest = next(iter(around.latest_weights), None)
    days = limits.stale_days_first if rules.is_early_dose(dose.number) else limits.stale_days_later
    if latest is None or rules.is_stale(latest.measured_at, at, is_early_dose=rules.is_early_dose(dose.number), limits=limits):
        raise Refusal(
            "weight_stale",
            f"{NOT_RELEASED}: the latest weight is older than {days} days. Weigh again.",
            source=rules.WEIGHT_RULES,
        )


def _check_order(chart: Chart, dose: PlannedDose, around: Around, at: datetime) -> None:
    zone = chart.centre.time_zone
    order = next(iter(around.orders), None)
    if order is None:
        raise Refusal("no_order", f"{NOT_RELEASED}: no order of this course is active.", source=ORDER_SOURCE)
    ends_on = order.expires_on or max(last_day(row.closes_at, zone) for row in chart.doses)
    if local_day(at, chart.centre) > ends_on:
        raise Refusal("order_expired", f"{NOT_RELEASED}: the order was good until {day_text(ends_on)}.", source=ORDER_SOURCE)
    until = cosign_by(order, dose.course.monograph.to_domain())
    if order.signed_at is None and at > until:
        raise Refusal(
            "order_unsigned",
            f"{NOT_RELEASED}: the prescriber had to sign the order by {instant_text(until, zone)}.",
            source=ORDER_SOURCE,
        )


def _check_creatinine(dose: PlannedDose, around: Around, at: datetime) -> None:
    if is_treatment(dose) and ResultKind.CREATININE in missing_results(dose, around.results, at):
        limit = dose.course.monograph.to_domain().limit("creatinine_max_age_h")
        raise Refusal(
            "creatinine_old",
            f"{NOT_RELEASED}: before {with_unit(dose.mg_per_kg, 'mg per kg')} a creatinine is not older than "
            f"{with_unit(limit.value, limit.unit)}.",
            source=source_text(limit.source),
        )


def _check_confirmed(dose: PlannedDose, around: Around, confirmed: Confirmed, at: datetime) -> str:
    """The reason why results are missing, or "" where none is."""
    if not confirmed.on_hand:
        raise Refusal("not_on_hand", "Confirm that the product is on hand.", source=SOURCE, field="on_hand")
    if not confirmed.expected:
        raise Refusal("not_expected", "Confirm that the patient is expected.", source=SOURCE, field="expected")
    if is_treatment(dose) and confirmed.fluid_state not in FLUID_STATES:
        raise Refusal("fluid_state", "Say how the fluid state is.", source=SOURCE, field="fluid_state")
    missing = missing_results(dose, around.results, at)
    if not missing:
        return ""
    reason = short_text(confirmed.missing_reason, field="missing_reason", what="reason", limit=200)
    if len(reason) < REASON_LENGTH:
        names = ", ".join(findings.PLAUSIBLE[kind].name for kind in missing)
        raise Refusal(
            "results_missing",
            f"No recent result: {names}. Enter it, or say once why there is none, in at least {REASON_LENGTH} characters.",
            source=findings.RESULTS,
            field="missing_reason",
        )
    return reason
