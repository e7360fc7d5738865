"""What happens while an infusion runs: rates, pauses, vital signs, reactions, vials, the end."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from patients import audit
from patients.actions.common import REASON_LENGTH
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import departures, planning
from regimens.actions.charting import (
    TIME_RULES,
    VITALS_RULE,
    check_lots,
    check_partial,
    clock,
    elapsed_hours,
    local_day,
    not_in_future,
    to_minute,
)
from regimens.actions.holds import courses_to_hold, hold_after_reactions
from regimens.actions.parts import (
    RateFacts,
    ReactionFacts,
    VialFacts,
    VitalsFacts,
    save_rates,
    save_reactions,
    save_vials,
    save_vitals,
)
from regimens.actions.standing import last_running_rate, needs_vitals, plan_for, planned_rate
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.reasons import source_text
from regimens.domain.units import with_unit
from regimens.models import Administration, Moment, RateChange, Reaction, VialUse, VitalSigns

PAUSED = Decimal(0)


def lock_record(record: Administration, version: int | None, at: datetime) -> Administration:
    """The record, locked; refused when entered in error, or changed since the page with ``version`` was shown."""
    locked = (
        Administration.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "patient", "centre", "recorded_by__user", "dose__course__protocol", "dose__course__monograph", "dose__protocol_dose"
        )
        .get(pk=record.pk)
    )
    if locked.error_at:
        raise Refusal("entered_in_error", "This record is entered in error. Record it again.")
    if version is not None and version != locked.version:
        raise Refusal(
            "changed_meanwhile", "This record changed after the page was opened. See what was added, then press again."
        )
    return locked


def value_for(record: Administration) -> MonographValue:
    """The monograph a record is judged by: its course's, or the published one for an unplanned infusion."""
    return record.dose.course.monograph.to_domain() if record.dose else planning.published().to_domain()


@transaction.atomic
def change_rate(
    *,
    record: Administration,
    rate_ml_per_h: Decimal,
    by: Membership,
    at: datetime,
    set_at: datetime | None = None,
    reason: str = "",
    vitals_not_taken_reason: str = "",
    version: int | None = None,
) -> RateChange:
    """Set the pump; 0 pauses it. Any clinician may pause or slow down, a nurse or pharmacist sets the rest.

    Refused: a rate above the limit, or that the pump cannot be set to; a pause without why; above the plan without a reason;
    a rise without vital signs since the last one, or why they were not taken; an infusion that has ended.
    """
    locked = lock_record(record, version, at)
    when = set_at or at
    rates = list(locked.rates.all())
    now_ml_per_h = rates[-1].rate_ml_per_h if rates else Decimal(0)
    is_slower = rate_ml_per_h < now_ml_per_h
    require(by, "stop_infusion" if is_slower else "log_infusion")
    _check_running(locked, when, at, "set_at")
    if rates and to_minute(when) < to_minute(rates[-1].at):
        raise Refusal("before_last_rate", "The pump was set again after that time.", source=TIME_RULES, field="set_at")
    when = max(when, rates[-1].at if rates else locked.started_at)  # people type minutes, the start has seconds
    if rates and rate_ml_per_h == now_ml_per_h:
        raise Refusal("same_rate", f"The pump is already set to {with_unit(rate_ml_per_h, 'mL per h')}.", field="rate_ml_per_h")
    value = value_for(locked)
    _check_rate(locked, value, rate_ml_per_h)
    if not rate_ml_per_h and len(reason.strip()) < 3:
        raise Refusal("pause_reason", "Say why the infusion is paused.", field="reason")
    flags = _above_plan(locked, rates, rate_ml_per_h, when, reason)
    before = last_running_rate(rates)
    rises = rate_ml_per_h > before
    wants_vitals = rises and bool(rates) and needs_vitals(locked, rates, list(locked.vitals.all()), when)
    if wants_vitals and not vitals_not_taken_reason.strip():
        raise Refusal(
            "vitals_before_rise",
            "Record the vital signs before this rate increase, or say why they were not taken.",
            source=VITALS_RULE,
            field="vitals_not_taken_reason",
        )
    audit.event(
        "change_rate", by=by, patient=locked.patient, reason=reason.strip(), record=str(locked.pk), rate_ml_per_h=rate_ml_per_h
    )
    if wants_vitals:
        save_vitals(locked, [VitalsFacts(when, Moment.BEFORE_RISE, not_taken_reason=vitals_not_taken_reason)], by, at)
    departures.add_flags(locked, flags)
    _touch(locked)
    return save_rates(locked, [RateFacts(when, rate_ml_per_h, reason)], by, at)[0]


def _check_rate(record: Administration, value: MonographValue, rate_ml_per_h: Decimal) -> None:
    most = value.limit("max_rate_ml_per_h")
    if rate_ml_per_h < 0 or rate_ml_per_h > most.value:
        raise Refusal(
            "over_max_rate",
            f"The rate is at most {with_unit(most.value, 'mL per h')}.",
            source=source_text(most.source),
            field="rate_ml_per_h",
        )
    step = record.dose.pump_increment_ml_per_h if record.dose else record.centre.pump_increment_ml_per_h
    if rate_ml_per_h % step:
        raise Refusal("pump_increment", f"The pump is set in steps of {with_unit(step, 'mL per h')}.", field="rate_ml_per_h")


def _above_plan(
    record: Administration, rates: list[RateChange], rate_ml_per_h: Decimal, when: datetime, reason: str
) -> set[str]:
    """A rate the plan has not reached yet asks for a reason, and the record says so."""
    plan = plan_for(record)
    if plan is None:
        return set()
    planned = planned_rate(plan, rates, when)
    if rate_ml_per_h <= planned:
        return set()
    if len(reason.strip()) < REASON_LENGTH:
        raise Refusal(
            "above_plan",
            f"The plan is at {with_unit(planned, 'mL per h')} now. "
            f"Say why it runs faster, in at least {REASON_LENGTH} characters.",
            source="Label, Administration: infusion rates",
            field="reason",
        )
    return {"above_plan"}


def _check_running(record: Administration, when: datetime, at: datetime, field: str) -> None:
    if record.ended_at:
        raise Refusal("ended", f"This infusion ended at {clock(record.ended_at, record.centre.time_zone, at)}.")
    not_in_future(when, at, field, "The time")
    if to_minute(when) < to_minute(record.started_at):
        raise Refusal("before_start", "The time lies before the start of the infusion.", source=TIME_RULES, field=field)


def _touch(record: Administration, *fields: str) -> None:
    record.version += 1
    record.save(update_fields=["version", "flags", *fields])


@transaction.atomic
def record_vitals(
    *, record: Administration, facts: VitalsFacts, by: Membership, at: datetime, version: int | None = None
) -> VitalSigns:
    """One set of vital signs, before, during or after the infusion."""
    require(by, "log_infusion")
    locked = lock_record(record, version, at)
    audit.event("record_vitals", by=by, patient=locked.patient, record=str(locked.pk), moment=facts.moment)
    row = save_vitals(locked, [facts], by, at)[0]
    _touch(locked)
    return row


@transaction.atomic
def record_reaction(
    *, record: Administration, facts: ReactionFacts, by: Membership, at: datetime, version: int | None = None
) -> Reaction:
    """A reaction during the infusion, or for 30 days after it (workflow W2.9). A serious one holds the patient's courses."""
    require(by, "record_reaction")
    courses = courses_to_hold(record.patient, [facts])
    locked = lock_record(record, version, at)
    days = value_for(locked).limit("late_reaction_days")
    if locked.ended_at and facts.onset_at > locked.ended_at + elapsed_hours(days.value * 24):
        raise Refusal(
            "reaction_too_late",
            f"A reaction is recorded here up to {with_unit(days.value, 'days')} after the infusion.",
            source=source_text(days.source),
            field="onset_at",
        )
    audit.event(
        "record_reaction",
        by=by,
        patient=locked.patient,
        record=str(locked.pk),
        term=facts.term.strip(),
        serious=facts.is_serious,
    )
    row = save_reactions(locked, [facts], by, at)[0]
    hold_after_reactions(courses, [facts], by=by, at=at)
    _touch(locked)
    return row


@transaction.atomic
def use_vial(
    *, record: Administration, facts: VialFacts, by: Membership, at: datetime, reason: str = "", version: int | None = None
) -> list[VialUse]:
    """What one lot gave, one row per vial. An expired lot that was used all the same is recorded with a reason and a flag."""
    require(by, "log_infusion")
    locked = lock_record(record, version, at)
    flags = {"expired_lot"} if facts.expires_on < local_day(locked.started_at, locked.centre) else set()
    departures.require_reason(sorted(flags), reason)
    if locked.volume_ml is not None:
        check_lots(_from_lots(locked) + facts.given_ml, locked.volume_ml)
    audit.event(
        "use_vial", by=by, patient=locked.patient, reason=reason.strip(), record=str(locked.pk), lot=facts.lot_number.strip()
    )
    rows = save_vials(locked, [facts], value_for(locked), by, at)
    departures.add_flags(locked, flags)
    if flags:
        locked.reason = _joined(locked.reason, reason)
    _touch(locked, "reason")
    return rows


def _from_lots(record: Administration) -> Decimal:
    return sum((vial.given_ml for vial in record.vials.all()), Decimal(0))


def _joined(before: str, more: str) -> str:
    return "; ".join(part for part in (before, more.strip()) if part)[:300]


@transaction.atomic
def complete_infusion(
    *,
    record: Administration,
    ended_at: datetime,
    volume_ml: Decimal,
    by: Membership,
    at: datetime,
    stopped_early_reason: str = "",
    reason: str = "",
    version: int | None = None,
) -> Administration:
    """The end and the volume given.

    Less than ordered is a partial dose and says why it was stopped; more than 2 mL beyond the order asks for a reason. Any
    clinician may stop an infusion before its end; that all of it was given is charted by a nurse or pharmacist.
    """
    require(by, "stop_infusion")
    locked = lock_record(record, version, at)
    if locked.dose is not None and volume_ml >= locked.dose.draw_ml:
        require(by, "log_infusion")
    _check_running(locked, ended_at, at, "ended_at")
    rates = list(locked.rates.all())
    if rates and to_minute(ended_at) < to_minute(rates[-1].at):
        raise Refusal("before_last_rate", "The pump was set after that time.", source=TIME_RULES, field="ended_at")
    ended_at = max(ended_at, rates[-1].at if rates else locked.started_at)
    if volume_ml < 0:
        raise Refusal("volume_given_is_not_negative", "The volume given is not below 0 mL.", field="volume_ml")
    check_partial(locked.dose, volume_ml, stopped_early_reason)
    value = value_for(locked)
    new = set()
    if locked.dose and departures.is_over_volume(locked.dose, volume_ml, value):
        new.add("over_volume")
    if (
        departures.is_over_vial_time(value, locked.vial_entered_at, locked.started_at, ended_at)
        and "vials_in_stages" not in locked.flags
    ):
        new.add("vial_time")
    if at - ended_at > departures.LATE_ENTRY_AFTER:
        new.add("late_entry")
    departures.require_reason(departures.in_order(new), reason)
    audit.event(
        "complete_infusion",
        by=by,
        patient=locked.patient,
        reason=(stopped_early_reason or reason).strip(),
        record=str(locked.pk),
        volume_ml=volume_ml,
        flags=departures.in_order(new),
    )
    departures.add_flags(locked, new)
    locked.ended_at, locked.volume_ml = ended_at, volume_ml
    locked.completed_by, locked.completed_at = by, at
    locked.stopped_early_reason = stopped_early_reason.strip()
    locked.reason = _joined(locked.reason, reason)
    _touch(locked, "ended_at", "volume_ml", "completed_by", "completed_at", "stopped_early_reason", "reason")
    return locked
