"""One infusion as planned: its steps, its times, its limits, and the working of them in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from .dosing import HUNDRED, DoseAmount
from .monograph import Limit, Monograph, RateTable
from .reasons import ARITHMETIC, Derivation, Part
from .units import elapsed, with_unit

SIXTY = Decimal(60)
TWO = Decimal(2)


class InfusionLimits(NamedTuple):
    """The limits that an infusion is held to, read from the monograph once per course."""

    max_rate: Limit
    pump_increment: Limit
    begin_within: Limit
    finish_within: Limit
    under_plan_percent: Limit
    syringe_below: Limit


def infusion_limits(monograph: Monograph) -> InfusionLimits:
    """The infusion limits of a monograph; KeyError when it lacks one."""
    limits = {limit.code: limit for limit in monograph.limits}
    return InfusionLimits(
        limits["max_rate_ml_per_h"],
        limits["pump_increment_ml_per_h"],
        limits["begin_within_h"],
        limits["finish_within_h"],
        limits["pump_under_plan_warn_percent"],
        limits["syringe_below_ml"],
    )


class InfusionStep(NamedTuple):
    """One rate step as the pump runs it. ``exact_rate_ml_per_h`` is what the table gives before the pump's rounding; minutes
    count from the start.
    """

    number: int
    mg_per_kg_per_h: Decimal
    exact_rate_ml_per_h: Decimal
    pump_rate_ml_per_h: Decimal
    effective_mg_per_kg_per_h: Decimal
    is_capped: bool
    is_under_ceiling: bool
    starts_at_min: Decimal
    minutes: Decimal
    volume_ml: Decimal


@dataclass(frozen=True, slots=True)
class InfusionPlan:
    """One infusion from entering the first vial to its end.

    ``total_minutes`` follows from the exact rates, ``pump_total_minutes`` from the rates that can be set; the hours run from
    vial entry, as elapsed time.
    ``midway_minute`` is when half of the volume is in, rounded up.
    """

    dose: DoseAmount
    table_code: str
    steps: tuple[InfusionStep, ...]
    exact_rates_ml_per_h: tuple[Decimal, ...]
    total_minutes: Decimal
    pump_total_minutes: Decimal
    pump_total_minutes_rounded_up: int
    midway_minute: int
    begin_within_h: Decimal
    finish_within_h: Decimal
    under_plan_percent: Decimal
    syringe_below_ml: Decimal
    working: Derivation

    @property
    def volume_ml(self) -> Decimal:
        """The volume of the dose."""
        return self.dose.volume_ml

    @property
    def vtbi_ml(self) -> Decimal:
        """The volume to be infused: what is set on the pump."""
        return self.dose.draw_ml

    @property
    def midway_volume_ml(self) -> Decimal:
        """Half of the volume: when mid-way vital signs are taken."""
        return self.dose.volume_ml / TWO

    @property
    def begin_within(self) -> timedelta:
        """From entering a vial to the start of its infusion, at most."""
        return elapsed(self.begin_within_h * SIXTY)

    @property
    def must_finish_after_entry(self) -> timedelta:
        """From entering a vial to the end of its infusion, at most."""
        return elapsed(self.finish_within_h * SIXTY)

    @property
    def latest_start_after_entry(self) -> timedelta | None:
        """How long after vial entry the infusion can still start and also finish in time; None when it is too long and vials
        are entered in stages.
        """
        spare = self.finish_within_h * SIXTY - self.pump_total_minutes_rounded_up
        return elapsed(min(self.begin_within_h * SIXTY, spare)) if spare >= 0 else None

    @property
    def exceeds_finish_limit(self) -> bool:
        """True when the infusion takes longer than one entered vial may last."""
        return self.pump_total_minutes_rounded_up > self.finish_within_h * SIXTY

    @property
    def pump_rates_ml_per_h(self) -> tuple[Decimal, ...]:
        """The rates to set, step by step."""
        return tuple(step.pump_rate_ml_per_h for step in self.steps)

    @property
    def flush_rate_ml_per_h(self) -> Decimal:
        """What stays in the set is flushed through at the last rate."""
        return self.steps[-1].pump_rate_ml_per_h

    @property
    def is_syringe(self) -> bool:
        """True when the volume is small enough for a syringe pump."""
        return self.dose.draw_ml < self.syringe_below_ml

    @property
    def vial_line(self) -> str:
        """Which vials go in whole, and how much of the last."""
        return self.dose.vial_line

    @property
    def warnings(self) -> tuple[str, ...]:
        """Steps that the pump's increment puts further under plan than the monograph's percent."""
        most = self.under_plan_percent
        return tuple(
            f"Step {step.number} runs at {with_unit(step.pump_rate_ml_per_h, 'mL per h')}, "
            f"more than {with_unit(most, 'percent')} under plan."
            for step in self.steps
            if is_under_plan(step, most)
        )


def is_under_plan(step: InfusionStep, percent: Decimal) -> bool:
    """True when the pump's rate is more than so many percent below the exact one."""
    return (step.exact_rate_ml_per_h - step.pump_rate_ml_per_h) * HUNDRED > percent * step.exact_rate_ml_per_h


def infusion_parts(
    dose: DoseAmount,
    table: RateTable,
    limits: InfusionLimits,
    steps: tuple[InfusionStep, ...],
    increment: Decimal,
    finish_h: Decimal,
    total_minutes: int,
    midway_minute: int,
) -> tuple[Part, ...]:
    """The working of a plan, step by step: from the table, held at limit or ceiling, set on the pump."""
    parts: list[Part] = []
    concentration = (dose.concentration_mg_per_ml, "mg per mL")
    for step in steps:
        rate = step.mg_per_kg_per_h * dose.weight_kg / dose.concentration_mg_per_ml
        values = (
            step.number,
            (step.mg_per_kg_per_h, "mg per kg per h"),
            (dose.weight_kg, "kg"),
            concentration,
            (rate, "mL per h", 4),
        )
        parts.append(("R-RATE-8", "step {}: {} × {} ÷ {} = {}", values, table.source))
        if step.is_under_ceiling:
            parts.append(
                (
                    "R-RATE-10",
                    "step {} lowered to the ordered ceiling: {}",
                    (step.number, (step.exact_rate_ml_per_h, "mL per h", 4)),
                    "Order",
                )
            )
        if step.is_capped:
            parts.append(
                ("R-RATE-9", "step {} held at {}", (step.number, (limits.max_rate.value, "mL per h")), limits.max_rate.source)
            )
        if step.pump_rate_ml_per_h != step.exact_rate_ml_per_h:
            setting = (step.number, (step.pump_rate_ml_per_h, "mL per h"), (increment, "mL per h"))
            parts.append(("R-RATE-11", "step {} set to {}, down to a multiple of {}", setting, limits.pump_increment.source))
        if is_under_plan(step, limits.under_plan_percent.value):
            percent = limits.under_plan_percent
            parts.append(
                ("R-RATE-12", "step {} is more than {} percent under plan", (step.number, percent.value), percent.source)
            )
    whole = ((dose.volume_ml, "mL"), (total_minutes, "min"), (finish_h, "h"))
    parts.append(
        (
            "R-RATE-13",
            "{} at the pump's rates take {}; to finish within {} of entering the vial",
            whole,
            limits.finish_within.source,
        )
    )
    parts.append(
        (
            "R-RATE-14",
            "half of the volume, {}, is in after {}",
            ((dose.volume_ml / TWO, "mL"), (midway_minute, "min")),
            ARITHMETIC,
        )
    )
    return tuple(parts)
