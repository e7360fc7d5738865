"""Where an infusion stands: the pump's settings as stretches of time, the volume they come to, and what the plan says now.

Reads, computes, writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from regimens.actions import planning
from regimens.actions.charting import to_minute
from regimens.domain.infusion import InfusionPlan, InfusionStep
from regimens.models import Administration, RateChange, VialUse, VitalSigns

HOUR = Decimal(3600)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The pump at one rate from one instant to the next; ``until`` is None while it runs."""

    rate: RateChange
    until: datetime | None
    volume_ml: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """Rates and volume of one infusion at an instant; ``volume_ml`` follows from rates and times, not from the pump."""

    stretches: tuple[Stretch, ...]
    rate_ml_per_h: Decimal
    running_for: timedelta
    volume_ml: Decimal
    ordered_ml: Decimal | None
    plan: InfusionPlan | None
    step: InfusionStep | None

    @property
    def is_paused(self) -> bool:
        """True while the pump stands still."""
        return not self.rate_ml_per_h

    @property
    def left_ml(self) -> Decimal | None:
        """What is still to come, by rates and times; None without a plan."""
        return None if self.ordered_ml is None else max(ZERO, self.ordered_ml - self.volume_ml)

    def ends_at(self, at: datetime) -> datetime | None:
        """When the rest is in; None while paused or without a plan."""
        return None if self.left_ml is None else self.in_after(self.left_ml, at)

    def in_after(self, more_ml: Decimal, at: datetime) -> datetime | None:
        """When so much more is in: by the plan's later steps while it runs as planned, else at the present rate."""
        if self.is_paused or self.plan is None or self.step is None:
            return None
        left, rate = more_ml, self.rate_ml_per_h
        ran = gone = Decimal(int(self.running_for.total_seconds()))
        later = self.plan.steps[self.step.number :] if rate >= self.step.pump_rate_ml_per_h else ()
        for step in later:
            until = max(gone, step.starts_at_min * 60)
            part = rate * (until - gone) / HOUR
            if part >= left:
                break
            left, gone, rate = left - part, until, step.pump_rate_ml_per_h
        return at + timedelta(seconds=int(gone - ran + left * HOUR / rate) + 1)


def plan_for(record: Administration) -> InfusionPlan | None:
    """The steps the infusion was planned by; None for one without a planned dose."""
    return planning.infusion_plan_of(record.dose, record.rate_table or None) if record.dose else None


def standing(record: Administration, rates: Sequence[RateChange], at: datetime) -> Standing:
    """Where the infusion stands at an instant, or where it stood when it ended."""
    now = min(at, record.ended_at) if record.ended_at else at
    plan = plan_for(record)
    stretches: list[Stretch] = []
    volume, running = ZERO, timedelta(0)
    for place, rate in enumerate(rates):
        until = rates[place + 1].at if place + 1 < len(rates) else record.ended_at
        lasted = max(timedelta(0), min(until or now, now) - rate.at)
        part = rate.rate_ml_per_h * Decimal(int(lasted.total_seconds())) / HOUR
        volume += part
        running += lasted if rate.rate_ml_per_h else timedelta(0)
        stretches.append(Stretch(rate, until, part))
    last = rates[-1].rate_ml_per_h if rates and not record.ended_at else ZERO
    ordered = record.dose.draw_ml if record.dose else None
    return Standing(tuple(stretches), last, running, volume, ordered, plan, step_at(plan, running) if plan else None)


def step_at(plan: InfusionPlan, running: timedelta) -> InfusionStep:
    """The step the plan is in after so much time at the pump; pauses do not count, and the last step has no end."""
    minutes = Decimal(int(running.total_seconds() // 60))
    reached = [step for step in plan.steps if step.starts_at_min <= minutes]
    return reached[-1]


def planned_rate(plan: InfusionPlan, rates: Sequence[RateChange], set_at: datetime) -> Decimal:
    """The highest rate the plan allows at an instant, in mL per h, compared minute by minute."""
    running = timedelta(0)
    for place, rate in enumerate(rates):
        until = rates[place + 1].at if place + 1 < len(rates) else set_at
        if rate.rate_ml_per_h:
            running += max(timedelta(0), min(to_minute(until), to_minute(set_at)) - to_minute(rate.at))
    return step_at(plan, running).pump_rate_ml_per_h


def last_running_rate(rates: Sequence[RateChange]) -> Decimal:
    """The rate before the pause, or the present one; 0 before the first."""
    return next((r.rate_ml_per_h for r in reversed(rates) if r.rate_ml_per_h), ZERO)


def last_rise_at(record: Administration, rates: Sequence[RateChange]) -> datetime:
    """When the rate was last raised; the start counts as the first rise. Resuming after a pause is none."""
    found, before = record.started_at, ZERO
    for rate in rates:
        if rate.rate_ml_per_h > before:
            found = rate.at
        before = rate.rate_ml_per_h or before
    return found


def needs_vitals(record: Administration, rates: Sequence[RateChange], vitals: Sequence[VitalSigns], set_at: datetime) -> bool:
    """Whether vital signs are still wanted before a rise at ``set_at``: none since the last rise, taken or said why not."""
    since = to_minute(last_rise_at(record, rates))
    return not any(since < to_minute(row.at) <= to_minute(set_at) for row in vitals)


@dataclass(frozen=True, slots=True)
class LotSum:
    """mL by lot against mL given: what has no lot is said aloud (hazard H29)."""

    from_lots_ml: Decimal
    wasted_ml: Decimal
    given_ml: Decimal | None

    @property
    def without_lot_ml(self) -> Decimal:
        """mL given that no lot accounts for."""
        return ZERO if self.given_ml is None else max(ZERO, self.given_ml - self.from_lots_ml)

    @property
    def beyond_given_ml(self) -> Decimal:
        """mL the lots hold more than were given; possible only when the volume was entered afterwards."""
        return ZERO if self.given_ml is None else max(ZERO, self.from_lots_ml - self.given_ml)


def lot_sum(vials: Sequence[VialUse], given_ml: Decimal | None) -> LotSum:
    """What the vials come to against the volume given."""
    return LotSum(sum((v.given_ml for v in vials), ZERO), sum((v.wasted_ml for v in vials), ZERO), given_ml)
