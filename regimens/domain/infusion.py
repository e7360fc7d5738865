"""How fast: the rate steps of one infusion, which table applies and why, and what the vial clock leaves.

Rates are mg per kg per h turned into mL per h, held under the limit on every step, then rounded down to what the pump can be
set to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from . import guards
from .clock import local_day
from .dosing import ZERO, DoseAmount
from .infusion_plan import (
    SIXTY,
    TWO,
    InfusionLimits,
    InfusionPlan,
    InfusionStep,
    infusion_limits,
    infusion_parts,
)
from .monograph import Monograph, RateTable
from .reasons import SITE_POLICY, Derivation, Part, Refused
from .units import whole_minutes, with_unit

__all__ = [
    "InfusionLimits",
    "InfusionPlan",
    "InfusionStep",
    "TableChoice",
    "infusion_limits",
    "plan_infusion",
    "steps_for",
    "which_table",
]


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

    Initial for the patient's first CMV-IGIV ever, after more than the limit of days since the last dose (calendar days in
    ``zone_name``: 56 are not over, 57
    are), after a reaction last time ("mild" or "serious"), for another product, for the remainder of a stopped dose, and for a
    new lot where the site says so.
    Refused: another word for the reaction; no earlier dose where one is needed.
    """
    if last_reaction not in ("none", "mild", "serious"):
        raise Refused(
            "unknown_reaction_grade",
            f"{last_reaction!r} is not a reaction grade.",
            source="Rate tables",
            field="last_reaction",
            value=last_reaction,
            limit="none, mild, serious",
        )
    days = monograph.limit("initial_table_after_days")
    found: list[tuple[str, Part]] = []
    if is_first_ever:
        found.append(
            ("first_ever", ("R-RATE-1", "the first CMV-IGIV this patient is given", (), monograph.rate_table("initial").source))
        )
    elif last_dose_started_at is None:
        raise Refused(
            "last_dose_missing",
            "Enter when the last dose started, or that this is the first.",
            source="Rate tables",
            field="last_dose_started_at",
            value="none",
            limit="an instant, or the first dose ever",
        )
    else:
        gap = (local_day(starts_at, zone_name) - local_day(last_dose_started_at, zone_name)).days
        if gap > days.value:
            found.append(
                (
                    "long_gap",
                    ("R-RATE-2", "{} since the last dose, more than {}", ((gap, "days"), (days.value, "days")), days.source),
                )
            )
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
    step: Part = (
        "R-RATE-7",
        "not the first, no reaction, same product, {} or fewer since the last dose",
        ((days.value, "days"),),
        monograph.rate_table("subsequent").source,
    )
    return TableChoice("subsequent", (), Derivation((step,)))


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

    ``pump_increment_ml_per_h`` is the pump's (the monograph's by default); ``ceiling_mg_per_kg_per_h`` a lower ceiling from the
    order; the hours may only shorten
    the monograph's. A step that would end before it begins is left out. Refused: a step the pump cannot be set to
    ("pump_too_coarse"), a limit lengthened.
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
    dose: DoseAmount,
    table: RateTable,
    limits: InfusionLimits,
    increment: Decimal,
    ceiling: Decimal | None,
    begin_h: Decimal,
    finish_h: Decimal,
) -> InfusionPlan:
    """``plan_infusion`` with its limits read and checked: for whole courses.

    Volumes are kept sixty-fold inside, so that each time is one division and nothing is rounded on the way to it.
    """
    weight_kg, concentration = dose.weight_kg, dose.concentration_mg_per_ml
    max_rate = limits.max_rate.value
    steps: list[InfusionStep] = []
    exact_rates: list[Decimal] = []
    left60 = exact_left60 = dose.volume_ml * SIXTY
    half60 = left60 / TWO
    midway = total = exact_total = ZERO
    for number, row in enumerate(table.steps, 1):
        asked, minutes = row.mg_per_kg_per_h, row.minutes
        is_under_ceiling = ceiling is not None and ceiling < asked
        rate = (ceiling if is_under_ceiling and ceiling is not None else asked) * weight_kg / concentration
        is_capped = rate > max_rate
        if is_capped:
            rate = max_rate
        pump_rate = rate // increment * increment
        if not pump_rate:
            raise Refused(
                "pump_too_coarse",
                f"Pump increment too coarse: step {number} is {with_unit(rate, 'mL per h', 2)} and would be set to 0.",
                source=limits.pump_increment.source,
                field="pump_increment_ml_per_h",
                value=increment,
                limit=rate,
            )
        run60 = left60 if minutes is None else min(left60, pump_rate * minutes)
        lasts = run60 / pump_rate
        if exact_left60:
            exact_rates.append(rate)
            if rate == pump_rate and exact_left60 == left60:  # so far the pump runs exactly: nothing to reckon twice
                exact60, exact_lasts = run60, lasts
            else:
                exact60 = exact_left60 if minutes is None else min(exact_left60, rate * minutes)
                exact_lasts = exact60 / rate
            exact_total += exact_lasts
            exact_left60 -= exact60
        steps.append(
            InfusionStep(
                number,
                asked,
                rate,
                pump_rate,
                pump_rate * concentration / weight_kg,
                is_capped,
                is_under_ceiling,
                total,
                lasts,
                run60 / SIXTY,
            )
        )
        after60 = left60 - run60
        if left60 > half60 >= after60:
            midway = total + (left60 - half60) / pump_rate
        total += lasts
        left60 = after60
        if not left60:
            break
    else:
        raise Refused(
            "table_has_no_end",
            f"The rate table {table.code} ends before the volume is in.",
            source=table.source,
            field="table",
            value=table.code,
            limit="a last step that runs to the end",
        )
    made = tuple(steps)
    rounded_up, midway_minute = whole_minutes(total), whole_minutes(midway)
    working = Derivation.later(infusion_parts, dose, table, limits, made, increment, finish_h, rounded_up, midway_minute)
    return InfusionPlan(
        dose,
        table.code,
        made,
        tuple(exact_rates),
        exact_total,
        total,
        rounded_up,
        midway_minute,
        begin_h,
        finish_h,
        limits.under_plan_percent.value,
        limits.syringe_below.value,
        working,
    )
