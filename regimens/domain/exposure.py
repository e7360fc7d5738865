"""How much immune globulin a patient has had in the last days, per kg: what every decision about a further dose is shown
beside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from . import guards
from .reasons import ARITHMETIC, Derivation


@dataclass(frozen=True, slots=True)
class GivenDose:
    """One infusion that was given, here or elsewhere: when it started, how much, at what weight."""

    code: str
    started_at: datetime
    given_mg: Decimal
    weight_kg: Decimal

    @property
    def mg_per_kg(self) -> Decimal:
        """What was given per kg of the weight it was given at."""
        return self.given_mg / self.weight_kg


@dataclass(frozen=True, slots=True)
class Exposure:
    """The load of the days up to an instant, per kg."""

    days: int
    doses: int
    mg_per_kg: Decimal
    ml_per_kg: Decimal
    sucrose_mg_per_kg: Decimal | None
    working: Derivation


def rolling(
    given: Iterable[GivenDose],
    *,
    at: datetime,
    days: int,
    concentration_mg_per_ml: Decimal,
    sucrose_mg_per_ml: Decimal | None = None,
    plus_mg_per_kg: Decimal = Decimal(0),
) -> Exposure:
    """What started in the ``days`` × 24 h up to and including ``at``, plus a dose considered for then. A start exactly that
    long ago no longer counts.
    """
    now = guards.instant(at, "at")
    guards.positive(concentration_mg_per_ml, "concentration_mg_per_ml", "mg per mL")
    guards.exact(plus_mg_per_kg, "plus_mg_per_kg", "mg per kg")
    since = now - timedelta(days=days)
    recent = [dose for dose in given if since < dose.started_at <= now]
    total = sum((dose.mg_per_kg for dose in recent), plus_mg_per_kg)
    volume = total / concentration_mg_per_ml
    sucrose = None if sucrose_mg_per_ml is None else volume * guards.exact(sucrose_mg_per_ml, "sucrose_mg_per_ml", "mg per mL")
    working = Derivation(
        (
            (
                "R-EXP-1",
                "{} in {} days: given before {}, and what is considered now",
                ((total, "mg per kg", 2), days, (total - plus_mg_per_kg, "mg per kg", 2)),
                ARITHMETIC,
            ),
        )
    )
    return Exposure(days, len(recent), total, volume, sucrose, working)
