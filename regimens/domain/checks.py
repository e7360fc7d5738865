"""What is checked again before a dose starts: results since the last dose, antibody removal near it, and how long a release lasts.

Each rule only says what is to be asked. Nothing here decides, adds or repeats a dose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from . import guards
from .monograph import Limit, Monograph
from .reasons import SITE_POLICY, Derivation
from .units import with_unit

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """One creatinine in mg per dL with its sample time, and what a prescriber signed about it where somebody did."""

    sampled_at: datetime
    value: Decimal
    answer: str = ""
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rise:
    """A creatinine above the last one before the last dose. ``answer`` is the prescriber's, or "" while one is asked."""

    before: Sample
    latest: Sample
    answer: str
    answered_at: datetime | None
    working: Derivation


def creatinine_rise(samples: Iterable[Sample], *, last_dose_started_at: datetime | None) -> Rise | None:
    """The rise since before the last dose, or None: no dose yet, nothing sampled before it or after it, or not risen.

    The latest sample counts. An answer signed since the last dose about a creatinine as high or higher stands for it.
    """
    in_order = sorted(samples, key=lambda sample: guards.instant(sample.sampled_at, "sampled_at"))
    if last_dose_started_at is None:
        return None
    started = guards.instant(last_dose_started_at, "started_at")
    before = [sample for sample in in_order if sample.sampled_at <= started]
    since = [sample for sample in in_order if sample.sampled_at > started]
    if not before or not since or since[-1].value <= before[-1].value:
        return None
    latest = since[-1]
    answered = [(s.answered_at, s.answer) for s in since if s.answered_at is not None and s.value >= latest.value]
    answered_at, answer = max(answered, default=(None, ""), key=lambda pair: pair[0])
    unit = "mg per dL"
    step = (
        "R-CHK-1",
        "creatinine {} before the last dose, {} since",
        ((before[-1].value, unit), (latest.value, unit)),
        SITE_POLICY,
    )
    return Rise(before[-1], latest, answer, answered_at, Derivation((step,)))


def is_viremic(value: Decimal | None, word: str) -> bool:
    """Whether a CMV PCR asks a prescriber: any number above zero, or the word "positive" (R-CHK-2)."""
    return word == "positive" or (value is not None and value > 0)


def removals_soon(starts_at: datetime, removals_at: Iterable[datetime], *, within: Limit) -> tuple[datetime, ...]:
    """The antibody removals that begin less than the limit of hours after a start (R-CHK-3). One exactly that much later does not."""
    start = guards.instant(starts_at, "starts_at")
    until = start + int(within.value) * HOUR
    return tuple(sorted(at for at in removals_at if start <= at < until))


def doses_before_removal(removal_at: datetime, doses_started_at: Iterable[datetime], *, within: Limit) -> tuple[datetime, ...]:
    """The doses that started less than the limit of days before an antibody removal (R-CHK-4); one that many days before does not."""
    at = guards.instant(removal_at, "removal_at")
    since = at - timedelta(days=int(within.value))
    return tuple(sorted(start for start in doses_started_at if since < start < at))


def release_lasts_until(released_at: datetime, *, within: Limit) -> datetime:
    """The last instant at which a released dose may start (R-CHK-5): the limit of elapsed hours later, itself included."""
    return guards.instant(released_at, "released_at") + int(within.value) * HOUR


def is_treatment_dose(mg_per_kg: Decimal, monograph: Monograph) -> bool:
    """Whether a dose is above the label's highest: kidney and fluid state are then asked about each time (R-CHK-6)."""
    return guards.exact(mg_per_kg, "mg_per_kg", "mg per kg") > monograph.limit("label_max_mg_per_kg").value


@dataclass(frozen=True, slots=True)
class Wanted:
    """From when on a result counts as seen before a dose, and why."""

    sampled_from: datetime
    working: Derivation


def result_wanted(*, mg_per_kg: Decimal, at: datetime, monograph: Monograph) -> Wanted:
    """How new a creatinine, BUN or urine output must be at a release: hours for a treatment dose, else days."""
    now = guards.instant(at, "at")
    if is_treatment_dose(mg_per_kg, monograph):
        limit, age = monograph.limit("creatinine_max_age_h"), HOUR
    else:
        limit, age = monograph.limit("result_max_age_days"), 24 * HOUR
    step = ("R-CHK-7", "before {}: not older than {}", ((mg_per_kg, "mg per kg"), (limit.value, limit.unit)), limit.source)
    return Wanted(now - int(limit.value) * age, Derivation((step,)))


def limit_sentence(value: Decimal, *, low: Decimal, high: Decimal, what: str, unit: str) -> str:
    """Why a typed result is impossible, naming it and the limit it passes; "" when it is possible, both ends included."""
    if value < low:
        return f"{what}: {with_unit(value, unit)} is below {with_unit(low, unit)}. Check number and unit."
    if value > high:
        return f"{what}: {with_unit(value, unit)} is above {with_unit(high, unit)}. Check number and unit."
    return ""
