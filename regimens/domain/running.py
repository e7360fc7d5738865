"""An infusion under way: its clock times, where it stands after pauses and slower rates, and what the vial clock leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from . import guards
from .dosing import DoseAmount
from .infusion_plan import SIXTY, TWO, InfusionPlan, InfusionStep
from .monograph import Limit, Monograph
from .reasons import ARITHMETIC, Derivation, Part, Refused
from .units import ceil_div, elapsed, whole_minutes, with_unit

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class StepClock:
    """One step on the clock, UTC."""

    step: InfusionStep
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class PlanClock:
    """A plan on the clock from its start, UTC. ``ends_at`` is rounded up to the minute; ``midway_at`` is when half of the
    volume is in.
    """

    steps: tuple[StepClock, ...]
    starts_at: datetime
    midway_at: datetime
    ends_at: datetime


def clock(plan: InfusionPlan, started_at: datetime) -> PlanClock:
    """Clock times of every step from the start of the infusion; elapsed time, so a change of the clocks moves nothing."""
    start = guards.instant(started_at, "started_at")
    rows = tuple(
        StepClock(step, start + elapsed(step.starts_at_min), start + elapsed(step.starts_at_min + step.minutes))
        for step in plan.steps
    )
    return PlanClock(
        rows,
        start,
        start + timedelta(minutes=plan.midway_minute),
        start + timedelta(minutes=plan.pump_total_minutes_rounded_up),
    )


@dataclass(frozen=True, slots=True)
class VialClock:
    """The limits that run from entering one vial (pooled vials: the first entry), UTC."""

    entered_at: datetime
    begin_by: datetime
    start_by: datetime | None
    finish_by: datetime
    working: Derivation


def vial_clock(plan: InfusionPlan, entered_at: datetime) -> VialClock:
    """When an infusion must begin and finish after a vial is entered; ``start_by`` also leaves time for the whole infusion,
    None where none does.
    """
    entered = guards.instant(entered_at, "entered_at")
    begin_by, finish_by = entered + plan.begin_within, entered + plan.must_finish_after_entry
    start_by = None if plan.latest_start_after_entry is None else entered + plan.latest_start_after_entry
    source = "Label, Preparation and administration; site policy where shorter"
    parts: tuple[Part, ...] = (
        ("R-VIAL-1", "begin by {}, finish by {}", (begin_by, finish_by), source),
        (
            "R-VIAL-2",
            "the infusion takes {}: {}" if start_by is None else "the infusion takes {}: start by {}",
            ((plan.pump_total_minutes_rounded_up, "min"), start_by or "longer than one entry lasts, enter vials in stages"),
            ARITHMETIC,
        ),
    )
    return VialClock(entered, begin_by, start_by, finish_by, Derivation(parts))


@dataclass(frozen=True, slots=True)
class VialTurn:
    """When one vial runs in, in minutes from the start: entered when needed, it has to last no longer."""

    number: int
    use_ml: Decimal
    discard_ml: Decimal
    from_minute: Decimal
    to_minute: Decimal


def vial_turns(plan: InfusionPlan, dose: DoseAmount) -> tuple[VialTurn, ...]:
    """The vials one after the other, for an infusion too long for one entry: which runs from when to when."""
    turns = []
    for count in range(dose.vials):
        begin = dose.vial_ml * count
        use = min(dose.vial_ml, dose.draw_ml - begin)
        turns.append(VialTurn(count + 1, use, dose.vial_ml - use, minute_of(plan, begin), minute_of(plan, begin + use)))
    return tuple(turns)


def minute_of(plan: InfusionPlan, volume_ml: Decimal) -> Decimal:
    """The minute of the plan at which this volume is in; Refused ("more_than_planned") beyond the dose."""
    left = guards.exact(volume_ml, "volume_ml", "mL")
    for step in plan.steps:
        if left <= step.volume_ml:
            return step.starts_at_min + left * SIXTY / step.pump_rate_ml_per_h
        left -= step.volume_ml
    raise Refused(
        "more_than_planned",
        f"{with_unit(volume_ml, 'mL')} is more than the dose.",
        source=ARITHMETIC,
        field="volume_ml",
        value=volume_ml,
        limit=plan.volume_ml,
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an infusion as it ran: minutes at one rate; a pause is a segment at 0 mL per h."""

    rate_ml_per_h: Decimal
    minutes: Decimal


@dataclass(frozen=True, slots=True)
class Replan:
    """Where an interrupted infusion stands and how it goes on. ``elapsed_total_minutes`` counts pauses."""

    volume_in_ml: Decimal
    volume_left_ml: Decimal
    minutes_so_far: Decimal
    resume_rate_ml_per_h: Decimal
    minutes_left: Decimal
    elapsed_total_minutes: Decimal
    midway_minute: int | None
    finishes_in_time: bool | None
    slowest_rate_ml_per_h: Decimal | None
    working: Derivation


def replan(
    *,
    plan: InfusionPlan,
    run: Sequence[Segment],
    resume_rate_ml_per_h: Decimal,
    monograph: Monograph,
    volume_in_ml: Decimal | None = None,
    minutes_since_entry_at_start: Decimal | None = None,
) -> Replan:
    """What is left after ``run`` (stretches and pauses from the start) and how long it takes at the resumed rate.

    The volume in is derived from the run, or is the pump's own reading where given. With the minutes between vial entry and the
    start it tells whether the vial
    limit still holds, and the slowest rate that keeps it. ``midway_minute`` is None when half of the volume is already in.
    Refused: a rate above the limit,
    nothing left to give.
    """
    limit = monograph.limit("max_rate_ml_per_h")
    rate = _rate(resume_rate_ml_per_h, limit)
    in60 = so_far = ZERO
    for segment in run:
        if (
            guards.exact(segment.rate_ml_per_h, "run.rate_ml_per_h", "mL per h") < 0
            or guards.exact(segment.minutes, "run.minutes", "min") < 0
        ):
            raise Refused(
                "negative_segment",
                "A stretch of an infusion has no negative rate or time.",
                source=ARITHMETIC,
                field="run",
                value=min(segment.rate_ml_per_h, segment.minutes),
                limit=0,
            )
        in60 += segment.rate_ml_per_h * segment.minutes
        so_far += segment.minutes
    if volume_in_ml is not None:
        in60 = guards.exact(volume_in_ml, "volume_in_ml", "mL") * SIXTY
    left60 = plan.volume_ml * SIXTY - in60
    if left60 <= 0 or in60 < 0:
        raise Refused(
            "nothing_left",
            f"{with_unit(in60 / SIXTY, 'mL', 2)} of {with_unit(plan.volume_ml, 'mL')} are in.",
            source=ARITHMETIC,
            field="volume_in_ml",
            value=in60 / SIXTY,
            limit=plan.volume_ml,
        )
    minutes_left = left60 / rate
    half60 = plan.volume_ml * SIXTY / TWO
    midway = whole_minutes(so_far + (half60 - in60) / rate) if in60 < half60 else None
    parts: tuple[Part, ...] = (
        (
            "R-RUN-1",
            "{} in, {} left after {}",
            ((in60 / SIXTY, "mL", 2), (left60 / SIXTY, "mL", 2), (so_far, "min", 1)),
            ARITHMETIC,
        ),
        ("R-RUN-2", "{} at {} take {}", ((left60 / SIXTY, "mL", 2), (rate, "mL per h"), (minutes_left, "min", 1)), ARITHMETIC),
    )
    in_time: bool | None = None
    slowest: Decimal | None = None
    if minutes_since_entry_at_start is not None:
        finish = Decimal(plan.must_finish_after_entry // timedelta(minutes=1))
        spare = finish - guards.exact(minutes_since_entry_at_start, "minutes_since_entry_at_start", "min") - so_far
        in_time = minutes_left <= spare
        increment = monograph.limit("pump_increment_ml_per_h").value
        needed = ceil_div(left60 / spare, increment) * increment if spare > 0 else None
        slowest = needed if needed is not None and needed <= limit.value else None
        parts += (
            (
                "R-RUN-3",
                "within {} of entering the vial: {}; slowest rate {}",
                ((finish, "min"), in_time, "none" if slowest is None else (slowest, "mL per h")),
                "Label, Preparation and administration",
            ),
        )
    return Replan(
        in60 / SIXTY,
        left60 / SIXTY,
        so_far,
        rate,
        minutes_left,
        so_far + minutes_left,
        midway,
        in_time,
        slowest,
        Derivation(parts),
    )


def _rate(rate: Decimal, limit: Limit) -> Decimal:
    guards.positive(rate, "resume_rate_ml_per_h", "mL per h")
    if rate > limit.value:
        raise Refused(
            "rate_over_limit",
            f"{with_unit(rate, 'mL per h')} is above {with_unit(limit.value, 'mL per h')}.",
            source=limit.source,
            field="resume_rate_ml_per_h",
            value=rate,
            limit=limit.value,
        )
    return rate
