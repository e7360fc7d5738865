"""A whole course in one go: every dose with its window, its amount and its rates, for the preview, the saved plan and the
validation pack alike.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from . import guards
from .dosing import DoseAmount, amount, checked_weight, dose_limits
from .infusion import InfusionPlan, infusion_limits, steps_for
from .monograph import Monograph, Protocol
from .rounding import VialRounding
from .schedule import CourseAnchor, Window, plan_windows


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One dose of a course as planned now: ``table_code`` is the rate table it takes when every dose before it is given as
    planned.
    """

    window: Window
    dose: DoseAmount
    infusion: InfusionPlan
    table_code: str


def plan_course(
    *,
    protocol: Protocol,
    anchor: CourseAnchor,
    centre_zone: str,
    weight_kg: Decimal,
    monograph: Monograph,
    had_cmv_ig_before: bool = False,
    pump_increment_ml_per_h: Decimal | None = None,
    ceiling_mg_per_kg_per_h: Decimal | None = None,
    rounding: VialRounding | None = None,
    age_years: int | None = None,
    chosen_optional: Collection[str] = (),
    repeat_dates: Sequence[date] = (),
    review_on: date | None = None,
    not_given: Collection[str] = (),
) -> tuple[CourseRow, ...]:
    """All doses of a protocol for a weight. Refusals are those of ``plan_windows``, ``calculate_dose`` and ``plan_infusion``.

    The first dose takes the initial rate table unless ``had_cmv_ig_before``; a later one the initial table again where the days
    between targets pass the limit. Codes in ``not_given`` are planned but nobody gave them (they passed before referral), so that
    the next dose is not "after" them.
    """
    windows = plan_windows(
        protocol,
        anchor,
        centre_zone=centre_zone,
        chosen_optional=chosen_optional,
        repeat_dates=repeat_dates,
        review_on=review_on,
    )
    amounts, rates = dose_limits(monograph), infusion_limits(monograph)
    checked_weight(weight_kg, amounts)
    initial, subsequent = monograph.rate_table("initial"), monograph.rate_table("subsequent")
    long_gap_days = monograph.limit("initial_table_after_days").value
    increment = rates.pump_increment.value
    if pump_increment_ml_per_h is not None:
        increment = guards.positive(pump_increment_ml_per_h, "pump_increment_ml_per_h", "mL per h")
    if ceiling_mg_per_kg_per_h is not None:
        guards.positive(ceiling_mg_per_kg_per_h, "ceiling_mg_per_kg_per_h", "mg per kg per h")
    rows = []
    previous_on: date | None = None
    for window in windows:
        if previous_on is None:
            table = subsequent if had_cmv_ig_before else initial
        else:
            table = initial if (window.target_on - previous_on).days > long_gap_days else subsequent
        if window.code not in not_given:
            previous_on = window.target_on
        dose = amount(
            window.mg_per_kg,
            weight_kg,
            protocol.cap_mg_per_kg,
            window.row.source,
            protocol.cap_source,
            monograph,
            amounts,
            None,
            rounding,
            age_years,
        )
        infusion = steps_for(
            dose, table, rates, increment, ceiling_mg_per_kg_per_h, rates.begin_within.value, rates.finish_within.value
        )
        rows.append(CourseRow(window, dose, infusion, table.code))
    return tuple(rows)
