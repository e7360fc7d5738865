"""How much: mg per kg times the weight, exact; the volume and the vials that hold it; never above the cap, never rounded up.

Vials are supply, not dose. Where a site chooses to round to whole vials the order says so, and both figures are kept (workflow
rule W1.16).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from . import guards
from .monograph import Limit, Monograph, Product, Protocol, ProtocolDose, Source, VialSize
from .reasons import ARITHMETIC, SITE_POLICY, Derivation, Part, Refused
from .rounding import VialRounding, to_whole_vials
from .units import with_unit

HUNDREDTH = Decimal("0.01")
HUNDRED = Decimal(100)
ZERO = Decimal(0)
WEIGHT_DECIMALS = 2


class DoseLimits(NamedTuple):
    """The limits that a dose is held to, read from the monograph once per course."""

    weight_min: Limit
    weight_max: Limit
    two_decimals_below: Limit
    dose_min: Limit
    dose_max: Limit
    draw_increment: Limit
    draw_increment_small: Limit
    sucrose_mg_per_ml: Decimal | None


def dose_limits(monograph: Monograph) -> DoseLimits:
    """The dose limits of a monograph; KeyError when it lacks one (a monograph is checked for that before it is published)."""
    limits = {limit.code: limit for limit in monograph.limits}
    sucrose = limits.get("sucrose_mg_per_ml")
    return DoseLimits(
        limits["weight_min_kg"],
        limits["weight_max_kg"],
        limits["weight_two_decimals_below_kg"],
        limits["dose_min_mg_per_kg"],
        limits["dose_max_mg_per_kg"],
        limits["draw_increment_ml"],
        limits["draw_increment_small_ml"],
        sucrose.value if sucrose else None,
    )


@dataclass(frozen=True, slots=True)
class DoseAmount:
    """One dose in mg, mL and vials.

    ``calculated_mg`` is mg per kg × weight; ``dose_mg`` is what is to be given (the same, unless rounded to vials).
    ``volume_ml`` holds ``dose_mg`` at the
    nominal concentration; ``draw_ml`` is what can be drawn and goes into the pump, rounded down. ``whole_vials`` are used up
    entirely; of one more,
    ``last_vial_ml`` is used (0 when the vials come out even). ``waste_ml`` is left over in all.
    """

    mg_per_kg: Decimal
    weight_kg: Decimal
    cap_mg_per_kg: Decimal
    calculated_mg: Decimal
    dose_mg: Decimal
    volume_ml: Decimal
    draw_ml: Decimal
    vials: int
    vial_ml: Decimal
    whole_vials: int
    last_vial_ml: Decimal
    waste_ml: Decimal
    concentration_mg_per_ml: Decimal
    sucrose_mg_per_ml: Decimal | None
    is_rounded_to_vials: bool
    working: Derivation

    @property
    def effective_mg_per_kg(self) -> Decimal:
        """What the dose to give comes to per kg (28 significant digits where the division does not end)."""
        return self.dose_mg / self.weight_kg

    @property
    def variance_percent(self) -> Decimal:
        """How far rounding to vials moved the dose, in percent of the calculated dose; 0 without rounding."""
        return (self.dose_mg - self.calculated_mg) * HUNDRED / self.calculated_mg

    @property
    def vtbi_ml(self) -> Decimal:
        """The volume to be infused: what is set on the pump."""
        return self.draw_ml

    @property
    def ml_per_kg(self) -> Decimal:
        """Volume per kg of weight."""
        return self.volume_ml / self.weight_kg

    @property
    def sucrose_mg(self) -> Decimal | None:
        """Sucrose in the volume; None when the monograph names no sucrose content."""
        return None if self.sucrose_mg_per_ml is None else self.volume_ml * self.sucrose_mg_per_ml

    @property
    def sucrose_mg_per_kg(self) -> Decimal | None:
        """Sucrose per kg of weight, which is what the kidney meets."""
        return None if self.sucrose_mg_per_ml is None else self.volume_ml * self.sucrose_mg_per_ml / self.weight_kg

    @property
    def vial_line(self) -> str:
        """The line that keeps a whole last vial from being hung (hazard H49): which vials go in whole, and how much of the
        last.
        """
        discard = with_unit(self.waste_ml, "mL")
        if not self.last_vial_ml:
            return "The vial whole." if self.vials == 1 else f"Vials 1–{self.vials} whole."
        last = f"use {with_unit(self.last_vial_ml, 'mL')}, discard {discard}."
        if not self.whole_vials:
            return f"From the vial {last}"
        if self.whole_vials == 1:
            return f"Vial 1 whole; from vial 2 {last}"
        return f"Vials 1–{self.whole_vials} whole; from vial {self.vials} {last}"


def dose_for(
    *,
    protocol: Protocol,
    row: ProtocolDose,
    weight_kg: Decimal,
    monograph: Monograph,
    rounding: VialRounding | None = None,
    age_years: int | None = None,
) -> DoseAmount:
    """The dose of one row of a protocol at a weight. Refusals as in ``calculate_dose``."""
    limits = dose_limits(monograph)
    return amount(
        row.mg_per_kg,
        checked_weight(weight_kg, limits),
        protocol.cap_mg_per_kg,
        row.source,
        protocol.cap_source,
        monograph,
        limits,
        None,
        rounding,
        age_years,
    )


def calculate_dose(
    *,
    mg_per_kg: Decimal,
    weight_kg: Decimal,
    cap_mg_per_kg: Decimal,
    monograph: Monograph,
    dose_source: Source | str = SITE_POLICY,
    cap_source: Source | str = SITE_POLICY,
    vial: VialSize | None = None,
    rounding: VialRounding | None = None,
    age_years: int | None = None,
    rest_mg: Decimal | None = None,
) -> DoseAmount:
    """The dose for mg per kg at a weight in kg, with volume, vials and waste, by the limits of the monograph.

    ``rest_mg`` is what is left of a stopped dose: it is the dose then, whatever the weight.

    Refused with field, value, limit and source: a value that is not an exact number, a weight outside the limits or with too
    many decimals, mg per kg outside
    the monograph's limits or above the protocol's cap (hazard H09), rounding to vials that cannot be done.
    mg and mL that need more than two decimals are taken down to two, and the working says so.
    """
    limits = dose_limits(monograph)
    return amount(
        mg_per_kg,
        checked_weight(weight_kg, limits),
        cap_mg_per_kg,
        dose_source,
        cap_source,
        monograph,
        limits,
        vial,
        rounding,
        age_years,
        rest_mg,
    )


def amount(
    mg_per_kg: Decimal,
    weight_kg: Decimal,
    cap_mg_per_kg: Decimal,
    dose_source: Source | str,
    cap_source: Source | str,
    monograph: Monograph,
    limits: DoseLimits,
    vial: VialSize | None = None,
    rounding: VialRounding | None = None,
    age_years: int | None = None,
    rest_mg: Decimal | None = None,
) -> DoseAmount:
    """``calculate_dose`` with the limits already read and the weight already checked: for whole courses."""
    _check_amount(mg_per_kg, cap_mg_per_kg, cap_source, limits)
    product = monograph.product
    vial_ml = (vial or product.vials[0]).volume_ml
    concentration = product.concentration_mg_per_ml
    dose_mg = calculated_mg = (
        _two_decimals(mg_per_kg * weight_kg)
        if rest_mg is None
        else _checked_rest(rest_mg, weight_kg, cap_mg_per_kg, cap_source)
    )
    rounded: tuple[Part, ...] = ()
    if rounding is not None:
        dose_mg, rounded = to_whole_vials(
            calculated_mg, weight_kg, cap_mg_per_kg, cap_source, vial_ml * concentration, rounding, age_years
        )
    volume_ml = _two_decimals(dose_mg / concentration)
    draw = limits.draw_increment_small if weight_kg < limits.two_decimals_below.value else limits.draw_increment
    draw_ml = volume_ml // draw.value * draw.value
    if not draw_ml:
        raise Refused(
            "too_small_to_draw",
            f"{with_unit(volume_ml, 'mL')} is less than the {with_unit(draw.value, 'mL')} that can be drawn.",
            source=draw.source,
            field="weight_kg",
            value=volume_ml,
            limit=draw.value,
        )
    whole_vials = int(draw_ml // vial_ml)
    last_vial_ml = draw_ml - whole_vials * vial_ml
    vials = whole_vials + 1 if last_vial_ml else whole_vials
    waste_ml = vials * vial_ml - draw_ml
    working = Derivation.later(
        _parts,
        mg_per_kg,
        weight_kg,
        cap_mg_per_kg,
        dose_source,
        cap_source,
        product,
        draw,
        rounded,
        dose_mg,
        volume_ml,
        draw_ml,
        vial_ml,
        vials,
        rest_mg,
    )
    return DoseAmount(
        mg_per_kg,
        weight_kg,
        cap_mg_per_kg,
        calculated_mg,
        dose_mg,
        volume_ml,
        draw_ml,
        vials,
        vial_ml,
        whole_vials,
        last_vial_ml,
        waste_ml,
        concentration,
        limits.sucrose_mg_per_ml,
        dose_mg != calculated_mg,
        working,
    )


def _parts(
    mg_per_kg: Decimal,
    weight_kg: Decimal,
    cap_mg_per_kg: Decimal,
    dose_source: Source | str,
    cap_source: Source | str,
    product: Product,
    draw: Limit,
    rounded: tuple[Part, ...],
    dose_mg: Decimal,
    volume_ml: Decimal,
    draw_ml: Decimal,
    vial_ml: Decimal,
    vials: int,
    rest_mg: Decimal | None,
) -> tuple[Part, ...]:
    """The working of an amount: multiplied, held to the cap, rounded if ordered, divided, drawn down, put into vials."""
    product_mg, concentration = mg_per_kg * weight_kg, product.concentration_mg_per_ml
    parts: list[Part] = [
        ("R-DOSE-1", "{} × {} = {}", ((mg_per_kg, "mg per kg"), (weight_kg, "kg"), (product_mg, "mg")), dose_source),
        (
            "R-DOSE-2",
            "{} is not above the cap of {} per infusion",
            ((mg_per_kg, "mg per kg"), (cap_mg_per_kg, "mg per kg")),
            cap_source,
        ),
    ]
    if product.is_in_ml:
        ml_per_kg = mg_per_kg / concentration
        values = ((ml_per_kg, "mL per kg"), (concentration, "mg per mL"), (mg_per_kg, "mg per kg"))
        parts.insert(0, ("R-DOSE-11", "{} × {} = {}", values, dose_source))
    if rest_mg is not None:
        parts = [("R-DOSE-10", "what is left of the stopped dose: {}, whatever the weight", ((rest_mg, "mg"),), ARITHMETIC)]
    elif _two_decimals(product_mg) != product_mg:
        parts.append(("R-DOSE-8", "taken down to {}", ((_two_decimals(product_mg), "mg"),), SITE_POLICY))
    parts += rounded
    parts.append(
        (
            "R-DOSE-3",
            "{} ÷ {} = {}",
            ((dose_mg, "mg"), (concentration, "mg per mL"), (dose_mg / concentration, "mL", 4)),
            product.source,
        )
    )
    if volume_ml * concentration != dose_mg:
        parts.append(("R-DOSE-8", "taken down to {}", ((volume_ml, "mL"),), SITE_POLICY))
    parts.append(("R-DOSE-4", "drawn down to {}: {}", ((draw.value, "mL"), (draw_ml, "mL")), draw.source))
    left_over = vials * vial_ml - draw_ml
    parts.append(
        (
            "R-DOSE-5",
            "{} in vials of {}: {}, {} left over",
            ((draw_ml, "mL"), (vial_ml, "mL"), vials, (left_over, "mL")),
            ARITHMETIC,
        )
    )
    return tuple(parts)


def _two_decimals(value: Decimal) -> Decimal:
    """Down to 0.01, the finest that is stored, printed and signed: one number everywhere."""
    floored = value.quantize(HUNDREDTH, ROUND_FLOOR)
    return value if floored == value else floored


def checked_weight(weight_kg: Decimal, limits: DoseLimits) -> Decimal:
    """The weight when it is an exact number of kg within the limits and with at most two decimals; else Refused."""
    guards.exact(weight_kg, "weight_kg", "kg")
    guards.within(weight_kg, "weight_kg", "kg", limits.weight_min, limits.weight_max)
    return guards.at_most_decimals(weight_kg, "weight_kg", WEIGHT_DECIMALS)


def _check_amount(mg_per_kg: Decimal, cap_mg_per_kg: Decimal, cap_source: Source | str, limits: DoseLimits) -> None:
    guards.exact(mg_per_kg, "mg_per_kg", "mg per kg")
    guards.within(mg_per_kg, "mg_per_kg", "mg per kg", limits.dose_min, limits.dose_max)
    guards.exact(cap_mg_per_kg, "cap_mg_per_kg", "mg per kg")
    if mg_per_kg > cap_mg_per_kg:
        raise Refused(
            "over_cap",
            f"{with_unit(mg_per_kg, 'mg per kg')} is above the cap of {with_unit(cap_mg_per_kg, 'mg per kg')} per infusion.",
            source=cap_source,
            field="mg_per_kg",
            value=mg_per_kg,
            limit=cap_mg_per_kg,
        )


def _checked_rest(rest_mg: Decimal, weight_kg: Decimal, cap_mg_per_kg: Decimal, cap_source: Source | str) -> Decimal:
    """What is left of a stopped dose, in mg: above 0, with two decimals at most, not above the cap; else Refused."""
    guards.at_most_decimals(guards.positive(rest_mg, "rest_mg", "mg"), "rest_mg", 2)
    if rest_mg > cap_mg_per_kg * weight_kg:
        raise Refused(
            "over_cap",
            f"{with_unit(rest_mg, 'mg')} is above the cap of {with_unit(cap_mg_per_kg, 'mg per kg')} per infusion.",
            source=cap_source,
            field="rest_mg",
            value=rest_mg,
            limit=cap_mg_per_kg * weight_kg,
        )
    return rest_mg


def needs_recalculation(*, planned_weight_kg: Decimal, latest_weight_kg: Decimal, percent: Limit) -> bool:
    """True when the newer weight differs from the planned one by the limit or more (R-DOSE-9): exactly 10 percent (70 to 77)
    asks.
    """
    planned = guards.positive(planned_weight_kg, "planned_weight_kg", "kg")
    latest = guards.positive(latest_weight_kg, "latest_weight_kg", "kg")
    return abs(latest - planned) * HUNDRED >= percent.value * planned
