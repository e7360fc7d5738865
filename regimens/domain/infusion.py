"""How fast: the rate steps of one infusion, which table applies and why, and what the vial clock leaves.

Rates are mg per kg per h turned into mL per h, held under the limit on every step, then rounded down to what the pump can be set to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from . import guards
from .clock import local_day
from .dosing import HUNDRED, DoseAmount
from .monograph import Limit, Monograph, RateTable
from .reasons import ARITHMETIC, SITE_POLICY, Derivation, Part, Refused
from .units import elapsed, whole_minutes, with_unit

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


@dataclass(frozen=True, slots=True)
class TableChoice:
    """Which rate table applies, and every reason for it."""

    code: str
    reasons: tuple[str, ...]
    working: Derivation


def which_table(
    *,
    is_first_ever: bool,
    starts_at: datetime,
    zone_name: str,
    monograph: Monograph,
    last_dose_started_at: datetime | None = None,
    last_reaction: str = "none",
    product_changed: bool = False,
    is_remainder: bool = False,
    lot_changed: bool = False,
) -> TableChoice:
    """ "initial" or "subsequent" for an infusion that starts, or is planned to start, at ``starts_at``.

    Initial for the patient's first CMV-IGIV ever, after more than the limit of days since the last dose (calendar days in ``zone_name``: 56 are not over, 57
    are), after a reaction last time ("mild" or "serious"), for another product, for the remainder of a stopped dose, and for a new lot where the site says so.
    Refused: another word for the reaction; no earlier dose where one is needed.
    """
    if last_reaction not in ("none", "mild", "serious"):
        raise Refused("unknown_reaction_grade", f"{last_reaction!r} is not a reaction grade.", source="Rate tables", field="last_reaction", value=last_reaction, limit="none, mild, serious")
    days = monograph.limit("initial_table_after_days")
    found: list[tuple[str, Part]] = []
    if is_first_ever:
        found.append(("first_ever", ("R-RATE-1", "the first CMV-IGIV this patient is given", (), monograph.rate_table("initial").source)))
    elif last_dose_started_at is None:
        raise Refused("last_dose_missing", "Enter when the last dose started, or that this is the first.", source="Rate tables", field="last_dose_started_at")
    else:
        gap = (local_day(starts_at, zone_name) - local_day(last_dose_started_at, zone_name)).days
        if gap > days.value:
            found.append(("long_gap", ("R-RATE-2", "{} since the last dose, more than {}", ((gap, "days"), (days.value, "days")), days.source)))
    if last_reaction != "none":
        found.append(("reaction", ("R-RATE-3", "a {} reaction to the last dose", (last_reaction,), SITE_POLICY)))
    if product_changed:
        found.append(("product_changed", ("R-RATE-4", "another product than last time", (), SITE_POLICY)))
    if is_remainder:
        found.append(("remainder", ("R-RATE-5", "the remainder of a stopped dose", (), SITE_POLICY)))
    if lot_changed:
        found.append(("lot_changed", ("R-RATE-6", "a new lot, where the site restarts slowly for it", (), SITE_POLICY)))
    if found:
        return TableChoice("initial", tuple(word for word, _ in found), Derivation(tuple(part for _, part in found)))
    step: Part = ("R-RATE-7", "not the first, no reaction, same product, {} or fewer since the last dose", ((days.value, "days"),), monograph.rate_table("subsequent").source)
    return TableChoice("subsequent", (), Derivation((step,)))


@dataclass(frozen=True, slots=True)
class InfusionStep:
    """One rate step as the pump runs it. ``exact_rate_ml_per_h`` is what the table gives before the pump's rounding; minutes count from the start."""

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

    ``total_minutes`` follows from the exact rates, ``pump_total_minutes`` from the rates that can be set. Times after vial entry are elapsed time;
    ``latest_start_after_entry`` is None when the infusion is too long for the limit and vials must be entered in stages.
    """

    steps: tuple[InfusionStep, ...]
    table_code: str
    exact_rates_ml_per_h: tuple[Decimal, ...]
    total_minutes: Decimal
    pump_total_minutes: Decimal
    pump_total_minutes_rounded_up: int
    volume_ml: Decimal
    vtbi_ml: Decimal
    midway_volume_ml: Decimal
    midway_minute: int
    begin_within: timedelta
    must_finish_after_entry: timedelta
    latest_start_after_entry: timedelta | None
    warnings: tuple[str, ...]
    is_syringe: bool
    vial_line: str
    working: Derivation

    @property
    def exceeds_finish_limit(self) -> bool:
        """True when the infusion takes longer than one entered vial may last."""
        return self.latest_start_after_entry is None

    @property
    def pump_rates_ml_per_h(self) -> tuple[Decimal, ...]:
        """The rates to set, step by step."""
        return tuple(step.pump_rate_ml_per_h for step in self.steps)

    @property
    def flush_rate_ml_per_h(self) -> Decimal:
        """What stays in the set is flushed through at the last rate."""
        return self.steps[-1].pump_rate_ml_per_h


def plan_infusion(
    *,
    dose: DoseAmount,
    table: RateTable,
    monograph: Monograph,
    pump_increment_ml_per_h: Decimal | None = None,
    ceiling_mg_per_kg_per_h: Decimal | None = None,
    begin_within_h: Decimal | None = None,
    finish_within_h: Decimal | None = None,
) -> InfusionPlan:
    """The rate steps of a dose by a table of the monograph.

    ``pump_increment_ml_per_h`` is the pump's (the monograph's by default); ``ceiling_mg_per_kg_per_h`` a lower ceiling from the order; the hours may only shorten
    the monograph's. A step that would end before it begins is left out. Refused: a step the pump cannot be set to ("pump_too_coarse"), a limit lengthened.
    A step more than the monograph's percent under plan is named in ``warnings``.
    """
    limits = infusion_limits(monograph)
    increment = limits.pump_increment.value
    if pump_increment_ml_per_h is not None:
        increment = guards.positive(pump_increment_ml_per_h, "pump_increment_ml_per_h", "mL per h")
    if ceiling_mg_per_kg_per_h is not None:
        guards.positive(ceiling_mg_per_kg_per_h, "ceiling_mg_per_kg_per_h", "mg per kg per h")
    begin_h, finish_h = limits.begin_within.value, limits.finish_within.value
    if begin_within_h is not None:
        begin_h = guards.not_longer(begin_within_h, limits.begin_within, "begin_within_h")
    if finish_within_h is not None:
        finish_h = guards.not_longer(finish_within_h, limits.finish_within, "finish_within_h")
    return steps_for(dose, table, limits, increment, ceiling_mg_per_kg_per_h, begin_h, finish_h)


def steps_for(
    dose: DoseAmount, table: RateTable, limits: InfusionLimits, increment: Decimal, ceiling: Decimal | None, begin_h: Decimal, finish_h: Decimal
) -> InfusionPlan:
    """``plan_infusion`` with its limits read and checked: for whole courses. Volumes are kept sixty-fold inside, so that minutes divide once, at the end."""
    weight_kg, concentration = dose.weight_kg, dose.concentration_mg_per_ml
    max_rate = limits.max_rate.value
    steps: list[InfusionStep] = []
    parts: list[Part] = []
    warnings: list[str] = []
    exact_rates: list[Decimal] = []
    left60 = exact_left60 = dose.volume_ml * SIXTY
    half60 = dose.volume_ml * SIXTY / TWO
    midway = total = exact_total = Decimal(0)
    last = table.steps[-1]
    for row in table.steps:
        asked = row.mg_per_kg_per_h
        is_under_ceiling = ceiling is not None and ceiling < asked
        planned = ceiling if is_under_ceiling and ceiling is not None else asked
        rate = planned * weight_kg / concentration
        is_capped = rate > max_rate
        if is_capped:
            rate = max_rate
        pump_rate = rate // increment * increment
        number = len(steps) + 1
        if not pump_rate:
            raise Refused(
                "pump_too_coarse",
                f"Pump increment too coarse: step {number} is {with_unit(rate, 'mL per h', 2)} and would be set to 0.",
                source=limits.pump_increment.source, field="pump_increment_ml_per_h", value=increment, limit=rate,
            )  # fmt: skip
        if exact_left60 > 0:
            exact_rates.append(rate)
            exact60 = exact_left60 if row is last else min(exact_left60, rate * _minutes(row.minutes))
            exact_total += exact60 / rate
            exact_left60 -= exact60
        run60 = left60 if row is last else min(left60, pump_rate * _minutes(row.minutes))
        minutes = run60 / pump_rate
        if left60 > half60 >= left60 - run60:
            midway = total + (left60 - half60) / pump_rate
        steps.append(InfusionStep(number, asked, rate, pump_rate, pump_rate * concentration / weight_kg, is_capped, is_under_ceiling, total, minutes, run60 / SIXTY))
        parts.append(("R-RATE-8", "step {}: {} × {} ÷ {} = {}", (number, (planned, "mg per kg per h"), (weight_kg, "kg"), (concentration, "mg per mL"), (planned * weight_kg / concentration, "mL per h", 4)), table.source))
        if is_capped:
            parts.append(("R-RATE-9", "step {} held at {}", (number, (max_rate, "mL per h")), limits.max_rate.source))
        if is_under_ceiling:
            parts.append(("R-RATE-10", "step {} held at the ordered ceiling of {}", (number, (planned, "mg per kg per h")), "Order"))
        if pump_rate != rate:
            parts.append(("R-RATE-11", "step {} set to {}, down to the pump's {}", (number, (pump_rate, "mL per h"), (increment, "mL per h")), limits.pump_increment.source))
            if (rate - pump_rate) * HUNDRED > limits.under_plan_percent.value * rate:
                warnings.append(f"Step {number} runs at {with_unit(pump_rate, 'mL per h')}, more than {with_unit(limits.under_plan_percent.value, 'percent')} under plan.")
                parts.append(("R-RATE-12", "step {} is more than {} percent under plan", (number, limits.under_plan_percent.value), limits.under_plan_percent.source))
        total += minutes
        left60 -= run60
        if not left60:
            break
    rounded_up = whole_minutes(total)
    spare = finish_h * SIXTY - rounded_up
    parts.append(("R-RATE-13", "{} at the pump's rates: {} in all, planned to finish within {} of entering the vial", ((dose.volume_ml, "mL"), (rounded_up, "min"), (finish_h, "h")), limits.finish_within.source))
    parts.append(("R-RATE-14", "half of the volume, {}, is in after {}", ((half60 / SIXTY, "mL"), (whole_minutes(midway), "min")), ARITHMETIC))
    return InfusionPlan(
        tuple(steps), table.code, tuple(exact_rates), exact_total, total, rounded_up, dose.volume_ml, dose.draw_ml, half60 / SIXTY, whole_minutes(midway),
        elapsed(begin_h * SIXTY), elapsed(finish_h * SIXTY), elapsed(min(begin_h * SIXTY, spare)) if spare >= 0 else None,
        tuple(warnings), dose.draw_ml < limits.syringe_below.value, dose.vial_line, Derivation(tuple(parts)),
    )  # fmt: skip


def _minutes(minutes: Decimal | None) -> Decimal:
    """A step before the last has minutes; a rate table is checked for that when it is loaded."""
    assert minutes is not None
    return minutes
