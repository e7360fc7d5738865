"""Weights, serology and age: pure rules about a patient, with no clock, no database and no page.

Every limit is an argument (:class:`WeightLimits`); its defaults are the site policy the product ships with, and the upper floor
passes those of the published monograph (patients/policy.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from patients.refusal import Refusal

NBSP = "\u00a0"
WEIGHT_RULES = "Site policy, rules for weights"
KG_PER_LB = Decimal("0.45359237")  # exact by definition of the international pound


@dataclass(frozen=True, slots=True)
class WeightLimits:
    """Limits of a weight in kg, of its change in percent and of its age in days. All are site policy."""

    min_kg: Decimal = Decimal(2)
    max_kg: Decimal = Decimal(300)
    two_decimals_below_kg: Decimal = Decimal(10)
    change_percent: Decimal = Decimal(10)
    stale_days_first: int = 7
    stale_days_later: int = 14
    # How near a second measurement must come to the first to confirm it, and how soon.
    agreement_percent: Decimal = Decimal(2)
    agreement_kg: Decimal = Decimal("0.2")
    confirm_within_hours: int = 24


SHIPPED = WeightLimits()


def number_text(value: Decimal) -> str:
    """A number as people read it: no trailing zeros, a leading zero, a comma from 1,000, never by locale (H22)."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def kg_text(weight_kg: Decimal) -> str:
    """``70 kg`` with a space that does not break."""
    return f"{number_text(weight_kg)}{NBSP}kg"


def about_lb(weight_kg: Decimal) -> str:
    """The echo after a weight was typed, so that pounds typed as kilograms are noticed (H03): ``about 154 lb``."""
    return f"about {number_text((weight_kg / KG_PER_LB).quantize(Decimal(1), ROUND_HALF_UP))}{NBSP}lb"


# --- Typed weights -----------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,3})(?:\.([0-9]{1,3}))?", re.ASCII)
_COMMA = re.compile(r"[0-9]{1,3},[0-9]+", re.ASCII)
_POUNDS = re.compile(r"[0-9.,]+\s*(lb|lbs|pound|pounds|st|stone|oz)\.?", re.ASCII | re.IGNORECASE)
_KILOS = re.compile(r"[0-9.,]+\s*(kg|kgs|kilo|kilos|kilogram|kilograms|g)\.?", re.ASCII | re.IGNORECASE)


def _typed_wrongly(sentence: str) -> Refusal:
    return Refusal("weight_text", sentence, source=WEIGHT_RULES, field="weight_kg")


def parse_weight_kg(text: str, *, limits: WeightLimits = SHIPPED) -> Decimal:
    """A typed weight in kg as an exact number: ASCII digits and a point only (H04), so that no locale can turn 70,5 into 705.

    Refused with code "weight_text" (not a plain number), "weight_decimals" (one decimal; two only below 10 kg) or
    "weight_range" (outside 2 to 300 kg).
    """
    typed = text.strip(" ")
    if not typed:
        raise _typed_wrongly("Enter the weight in kg, such as 70.5.")
    match = _PLAIN.fullmatch(typed)
    if match is None:
        raise _typed_wrongly(_what_is_wrong(typed))
    return check_weight_kg(Decimal(typed), limits=limits)


def _what_is_wrong(typed: str) -> str:
    """The plainest sentence for what was typed instead of a number."""
    if _COMMA.fullmatch(typed):
        return "Use a point for the decimal, such as 70.5: a comma could be read as thousands."
    if _POUNDS.fullmatch(typed):
        return "Weights are in kg only. Read the scale in kg and type the number alone."
    if _KILOS.fullmatch(typed):
        return "Type the number alone, such as 70.5: the unit is always kg."
    if re.fullmatch(r"[+-][0-9.]+", typed, re.ASCII):
        return "Type the weight without a plus or minus sign."
    if re.fullmatch(r"\.[0-9]+", typed, re.ASCII):
        return "Write a zero before the point, such as 0.5."
    if re.fullmatch(r"[0-9]+\.", typed, re.ASCII):
        return "Write a digit after the point, or leave the point out."
    if re.fullmatch(r"0[0-9.]+", typed, re.ASCII):
        return "Leave out the zero in front: 70, not 070."
    if not typed.isascii():
        return "Use the digits 0 to 9 and a point only, without hidden or special characters."
    return "Enter the weight in kg as a plain number, such as 70 or 70.5."


def check_weight_kg(weight_kg: Decimal, *, limits: WeightLimits = SHIPPED) -> Decimal:
    """The weight itself when it is possible; refused "weight_text" (no exact number), "weight_decimals", "weight_range"."""
    if not isinstance(weight_kg, Decimal) or not weight_kg.is_finite():
        raise _typed_wrongly("Enter the weight in kg as a plain number, such as 70 or 70.5.")
    allowed = 2 if weight_kg < limits.two_decimals_below_kg else 1
    if weight_kg != round(weight_kg, allowed):
        below = kg_text(limits.two_decimals_below_kg)
        one = f"A weight from {below} has at most one decimal, such as 70.5."
        sentence = f"Below {below} a weight has at most two decimals." if allowed == 2 else one
        raise Refusal("weight_decimals", sentence, source=WEIGHT_RULES, field="weight_kg")
    if not limits.min_kg <= weight_kg <= limits.max_kg:
        raise Refusal(
            "weight_range",
            f"{kg_text(weight_kg)} is outside {kg_text(limits.min_kg)} to {kg_text(limits.max_kg)}. Check number and unit.",
            source=WEIGHT_RULES,
            field="weight_kg",
        )
    return weight_kg


# --- A new weight beside the last --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WeightChange:
    """What a new weight means beside the last one. ``percent`` is signed and exact, from the last weight."""

    last_kg: Decimal
    new_kg: Decimal
    percent: Decimal
    signature: str  # "", "pounds" or "decimal_point": looks like a slip of unit or point
    asks: bool  # changed by the limit or more: a reason is asked

    @property
    def percent_text(self) -> str:
        """``+10%`` or ``-33.3%``, rounded to one decimal for reading only."""
        rounded = self.percent.quantize(Decimal("0.1"), ROUND_HALF_UP)
        sign = "+" if rounded >= 0 else "\u2212"
        return f"{sign}{number_text(abs(rounded))}%"


def weight_change(last_kg: Decimal, new_kg: Decimal, *, limits: WeightLimits = SHIPPED) -> WeightChange:
    """Compares by multiplication, so that the limits are exact: 70 to 77 kg is exactly 10 percent and asks.

    new/old from 2.0 to 2.4 or from 0.42 to 0.5 is what pounds typed as kilograms look like (1 kg = 2.2046 lb);
    from 9 to 11, or its inverse, what a slipped decimal point looks like. Ends included.
    """
    difference = new_kg - last_kg
    return WeightChange(
        last_kg=last_kg,
        new_kg=new_kg,
        percent=difference * 100 / last_kg,
        signature=_signature(last_kg, new_kg),
        asks=abs(difference) * 100 >= limits.change_percent * last_kg,
    )


def _signature(last_kg: Decimal, new_kg: Decimal) -> str:
    if 2 * last_kg <= new_kg <= Decimal("2.4") * last_kg or Decimal("0.42") * last_kg <= new_kg <= Decimal("0.5") * last_kg:
        return "pounds"
    if 9 * last_kg <= new_kg <= 11 * last_kg or 9 * new_kg <= last_kg <= 11 * new_kg:
        return "decimal_point"
    return ""


def implausible_sentence(change: WeightChange) -> str:
    """What a person reads when a weight looks like a slip."""
    if change.signature == "pounds":
        cause = f"looks like a mix-up of pounds and kilograms ({kg_text(change.last_kg)} is {about_lb(change.last_kg)})"
    else:
        cause = "looks like a slipped decimal point"
    return (
        f"{kg_text(change.new_kg)} after {kg_text(change.last_kg)} {cause}. Weigh again and read the scale in kg. "
        "If it still reads the same, keep it for a second measurement by another person."
    )


def agrees(first_kg: Decimal, second_kg: Decimal, *, limits: WeightLimits = SHIPPED) -> bool:
    """Whether a second, independent measurement confirms a first: within 2 percent of it, or 0.2 kg where that is more."""
    return abs(first_kg - second_kg) <= max(limits.agreement_percent * first_kg / 100, limits.agreement_kg)


EARLY_DOSES = 5


def is_early_dose(number: int) -> bool:
    """The first doses are given while the body's water still shifts: their weights age sooner."""
    return number <= EARLY_DOSES


def stale_from(measured_at: datetime, *, is_early_dose: bool, limits: WeightLimits = SHIPPED) -> datetime:
    """The instant after which a weight is too old: 7 days of 24 hours for doses 1 to 5, 14 for later ones."""
    return measured_at + timedelta(days=limits.stale_days_first if is_early_dose else limits.stale_days_later)


def is_stale(measured_at: datetime, at: datetime, *, is_early_dose: bool, limits: WeightLimits = SHIPPED) -> bool:
    """Older than the limit; a weight exactly 7 (14) days old still counts."""
    return at > stale_from(measured_at, is_early_dose=is_early_dose, limits=limits)


# --- Age ---------------------------------------------------------------------------------------------------------------------


def age_years(birth_on: date, on: date) -> int:
    """Completed years. Somebody born on 29-Feb completes a year on 01-Mar where there is no 29-Feb."""
    return on.year - birth_on.year - ((on.month, on.day) < (birth_on.month, birth_on.day))


def age_text(birth_on: date, on: date) -> str:
    """Age as a banner shows it: days below 4 weeks, months below 2 years, then years (``47y``)."""
    days = (on - birth_on).days
    if days < 28:
        return f"{days}d"
    months = (on.year - birth_on.year) * 12 + on.month - birth_on.month - (on.day < birth_on.day)
    return f"{months}m" if months < 24 else f"{age_years(birth_on, on)}y"


def asks_about_pregnancy(sex: str, age: int) -> bool:
    """Whether pregnancy and lactation are asked at all: not of men, nor below 10 or above 60 years (site policy)."""
    return sex != "male" and 10 <= age <= 60


# --- Serology ----------------------------------------------------------------------------------------------------------------

GUIDELINE = "Guideline, AST 2019: donor and recipient CMV IgG"
_SIGN = {"positive": "+", "negative": "\u2212", "indeterminate": "\u00b1", "unknown": "?", "not_done": "?"}


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """The risk of CMV disease that donor and recipient IgG give. ``code``: highest, intermediate, low, unknown, stem_cells."""

    code: str
    label: str
    note: str
    source: str


def serostatus_pair(donor: str, recipient: str) -> str:
    """``D+/R−``; ± is indeterminate and ? is unknown or not done: never read as negative."""
    return f"D{_SIGN[donor]}/R{_SIGN[recipient]}"


def risk_group(donor: str, recipient: str, organs: Collection[str]) -> RiskGroup:
    """The group from both IgG results. Indeterminate counts as the reading with the higher risk; unknown stays unknown.

    The order holds for solid organs alone: after stem cells the positive recipient is at the highest risk.
    """
    pair = serostatus_pair(donor, recipient)
    if "hsct" in organs:
        note = "The order of risk of solid organs does not apply to stem cells."
        return RiskGroup("stem_cells", f"{pair}, stem cells", note, GUIDELINE)
    if {donor, recipient} & {"unknown", "not_done"}:
        return RiskGroup("unknown", f"{pair}, risk not known", "Donor or recipient CMV IgG is not known.", GUIDELINE)
    read_as = "Indeterminate is read as the result with the higher risk." if "indeterminate" in (donor, recipient) else ""
    donor_positive = donor in ("positive", "indeterminate")
    recipient_negative = recipient in ("negative", "indeterminate")
    if donor_positive and recipient_negative:
        return RiskGroup("highest", f"{pair}, highest risk", read_as, GUIDELINE)
    if not recipient_negative:
        return RiskGroup("intermediate", f"{pair}, intermediate risk", read_as, GUIDELINE)
    note = "Low risk: CMV-specific prophylaxis is often not given. Confirm the indication."
    return RiskGroup("low", f"{pair}, low risk", f"{note} {read_as}".strip(), GUIDELINE)
