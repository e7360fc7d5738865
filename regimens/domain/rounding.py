"""Rounding an ordered dose to whole vials, where a site and the order allow it: within a percent, never over the cap (W1.16)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from . import guards
from .monograph import Source
from .reasons import SITE_POLICY, Part, Refused
from .units import number

HUNDRED = Decimal(100)
HUNDREDTH = Decimal("0.01")
ADULT_AGE_YEARS = 18


@dataclass(frozen=True, slots=True)
class VialRounding:
    """A site's leave to round one ordered dose to whole vials, within so many percent either way."""

    max_percent: Decimal


def leave_kept(*, dose_mg: Decimal, rounded_from_mg: Decimal, site_percent: Decimal) -> VialRounding:
    """The leave that a rounded dose was made by: at least as wide as it was used, whatever the site's percent is today."""
    exact_mg = guards.positive(rounded_from_mg, "rounded_from_mg", "mg")
    moved_percent = abs(guards.positive(dose_mg, "dose_mg", "mg") - exact_mg) * HUNDRED / exact_mg
    least = guards.exact(site_percent, "site_percent", "percent")
    return VialRounding(max(least, moved_percent.quantize(HUNDREDTH, ROUND_CEILING)))


def to_whole_vials(
    ordered_mg: Decimal,
    weight_kg: Decimal,
    cap_mg_per_kg: Decimal,
    cap_source: Source | str,
    vial_mg: Decimal,
    rounding: VialRounding,
    age_years: int | None,
) -> tuple[Decimal, tuple[Part, ...]]:
    """The nearest whole number of vials within the site's percent; a tie goes down; what would pass the cap goes down or is
    left exact.
    """
    if age_years is None or age_years < ADULT_AGE_YEARS:
        raise Refused(
            "rounding_under_18",
            "Doses are not rounded to vials under 18 years, nor where the age is not known.",
            source=SITE_POLICY,
            field="rounding",
            value="none" if age_years is None else age_years,
            limit=ADULT_AGE_YEARS,
        )
    guards.positive(rounding.max_percent, "rounding.max_percent", "percent")
    cap_mg = cap_mg_per_kg * weight_kg
    below = ordered_mg // vial_mg * vial_mg
    allowed = []
    for vial_total in (below, below + vial_mg):
        distance = abs(vial_total - ordered_mg)
        if 0 < vial_total <= cap_mg and distance * HUNDRED <= rounding.max_percent * ordered_mg:
            allowed.append((distance, vial_total))
    if not allowed:
        why = "no whole number of vials lies within {} percent and under the cap of {}: exact dose"
        return ordered_mg, (("R-DOSE-7", why, (rounding.max_percent, (cap_mg, "mg")), cap_source),)
    rounded_mg = min(allowed)[1]
    percent = (rounded_mg - ordered_mg) * HUNDRED / ordered_mg
    why = "rounded to whole vials: {} for {} ordered ({} percent, {} allowed)"
    return rounded_mg, (
        ("R-DOSE-6", why, ((rounded_mg, "mg"), (ordered_mg, "mg"), number(percent, 2), rounding.max_percent), SITE_POLICY),
    )
