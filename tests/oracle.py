"""A second, independent reckoning of the protocols, in another style: fractions, minutes as integers, its own typed-in numbers.

It imports nothing of the product. Written from the clinical reference; where it and the core differ, one of them is wrong.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

# code -> (anchor, cap, rows of (code, day offset, mg per kg, days before, days after, optional)); None: a window of 72 hours
TABLES: dict[str, tuple[str, int, list[tuple[str, int, int, int | None, int, bool]]]] = {
    "kidney": (
        "transplant",
        150,
        [
            ("W0", 0, 150, None, 3, False),
            ("W2", 14, 100, 3, 3, False),
            ("W4", 28, 100, 3, 3, False),
            ("W6", 42, 100, 3, 3, False),
            ("W8", 56, 100, 3, 3, False),
            ("W12", 84, 50, 7, 7, False),
            ("W16", 112, 50, 7, 7, False),
        ],
    ),
    "other_organ": (
        "transplant",
        150,
        [
            ("W0", 0, 150, None, 3, False),
            ("W2", 14, 150, 3, 3, False),
            ("W4", 28, 150, 3, 3, False),
            ("W6", 42, 150, 3, 3, False),
            ("W8", 56, 150, 3, 3, False),
            ("W12", 84, 100, 7, 7, False),
            ("W16", 112, 100, 7, 7, False),
        ],
    ),
    "heart_paediatric_8_week": (
        "transplant",
        150,
        [("W0", 0, 150, None, 3, False), ("W4", 28, 100, 3, 3, False), ("W8", 56, 100, 3, 3, False)],
    ),
    "hsct_pneumonitis": (
        "first_dose",
        400,
        [
            ("D1", 0, 400, 0, 0, False),
            ("D2", 1, 400, 0, 0, False),
            ("D7", 6, 400, 1, 1, False),
            ("D14", 13, 200, 1, 1, False),
            ("D21", 20, 200, 1, 1, True),
        ],
    ),
}
RATES = {"initial": [(15, 30), (30, 30), (60, None)], "subsequent": [(15, 15), (30, 15), (60, None)]}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def floored(value: Fraction, step: Fraction) -> Fraction:
    """Down to a multiple of a step."""
    return floor(value / step) * step


def first_second_of(day: date, zone: str) -> datetime:
    """The first second on which the zone's calendar shows this day or a later one, found by halving."""
    info = ZoneInfo(zone)
    middle = int((datetime(day.year, day.month, day.day, tzinfo=UTC) - EPOCH).total_seconds())
    before, after = middle - 16 * 3600, middle + 16 * 3600
    while after - before > 1:
        half = (before + after) // 2
        if datetime.fromtimestamp(half, info).date() >= day:
            after = half
        else:
            before = half
    return datetime.fromtimestamp(after, UTC)


def windows(protocol: str, anchor: datetime | date, anchor_zone: str, centre_zone: str, optional: bool) -> list[dict[str, Any]]:
    """Code, target and the three edges of every dose."""
    kind, _, rows = TABLES[protocol]
    if kind == "transplant":
        assert isinstance(anchor, datetime)
        zero = anchor.astimezone(ZoneInfo(anchor_zone)).date()
    else:
        zero = anchor
    out = []
    for code, offset, mg_per_kg, before, after, is_optional in rows:
        if is_optional and not optional:
            continue
        target = date.fromordinal(zero.toordinal() + offset)
        if before is None:
            assert isinstance(anchor, datetime)
            edges = (anchor, anchor + timedelta(seconds=72 * 3600), anchor + timedelta(seconds=72 * 3600))
        else:
            days = (target.toordinal() - before, target.toordinal() + 1, target.toordinal() + after + 1)
            edges = tuple(first_second_of(date.fromordinal(day), centre_zone) for day in days)  # type: ignore[assignment]
        out.append({"code": code, "target": target, "mg_per_kg": mg_per_kg, "edges": edges})
    return out


def amount(mg_per_kg: Fraction, weight: Fraction, cap: Fraction) -> dict[str, Any] | None:
    """Milligrams, millilitres and vials; None where the cap or the weight range refuses."""
    if mg_per_kg > cap or not 2 <= weight <= 300:
        return None
    hundredth = Fraction(1, 100)
    mg = floored(mg_per_kg * weight, hundredth)
    volume = floored(mg / 50, hundredth)
    draw = floored(volume, hundredth if weight < 10 else Fraction(1, 10))
    if draw == 0:
        return None
    full, rest = divmod(draw, 50)
    vials = int(full) + (1 if rest else 0)
    return {"mg": mg, "volume": volume, "draw": draw, "vials": vials, "rest": rest, "waste": 50 * vials - draw}


def run(volume: Fraction, rates: list[tuple[Fraction, int | None]]) -> tuple[list[tuple[Fraction, Fraction]], Fraction]:
    """Walk the steps until the volume is in: (rate, minutes) each, and the minutes in all."""
    walked, minutes, left = [], Fraction(0), volume
    for rate, lasts in rates:
        needed = left / rate * 60
        spent = needed if lasts is None or needed < lasts else Fraction(lasts)
        walked.append((rate, spent))
        minutes += spent
        left -= rate * spent / 60
        if left == 0:
            break
    return walked, minutes


def infusion(
    weight: Fraction, volume: Fraction, table: str, increment: Fraction, ceiling: Fraction | None
) -> dict[str, Any] | None:
    """Both runs, exact and as the pump can be set; None where the pump cannot be set to a step it needs."""
    exact: list[tuple[Fraction, int | None]] = []
    pump: list[tuple[Fraction, int | None]] = []
    for mg_per_kg_h, lasts in RATES[table]:
        wanted = min(Fraction(mg_per_kg_h), ceiling) if ceiling else Fraction(mg_per_kg_h)
        rate = min(wanted * weight / 50, Fraction(75))
        exact.append((rate, lasts))
        pump.append((floored(rate, increment), lasts))
    reached = 0
    left = volume
    for rate, lasts in pump:
        if rate == 0:
            return None
        reached += 1
        if lasts is None or rate * lasts / 60 >= left:
            break
        left -= rate * lasts / 60
    exact_steps, exact_minutes = run(volume, exact)
    steps, minutes = run(volume, pump[:reached])
    halfway, left = Fraction(0), volume / 2
    for rate, spent in steps:
        if rate * spent / 60 >= left:
            halfway += left / rate * 60
            break
        left -= rate * spent / 60
        halfway += spent
    rounded = ceil(minutes)
    return {
        "exact_rates": [rate for rate, _ in exact_steps],
        "exact_minutes": exact_minutes,
        "rates": [rate for rate, _ in steps],
        "minutes": [spent for _, spent in steps],
        "total": minutes,
        "rounded": rounded,
        "midway": ceil(halfway),
        "latest_start": min(360, 720 - rounded) if rounded <= 720 else None,
    }


def state(edges: tuple[datetime, datetime, datetime], facts: dict[str, Any], at: datetime) -> str:
    """The status, asked question by question."""
    opens, overdue, closes = edges
    if facts.get("is_superseded"):
        return "superseded"
    if facts.get("is_disputed"):
        return "disputed"
    if facts.get("started_at"):
        if not facts.get("ended_at"):
            return "in_progress"
        return "partial" if facts.get("is_partial") else "given"
    for fact, word in (("is_cancelled", "cancelled"), ("is_omitted", "omitted"), ("is_before_referral", "before_referral")):
        if facts.get(fact):
            return word
    reopened = facts.get("reopened_until")
    held, resumed = facts.get("held_at"), facts.get("resumed_at")
    if at >= closes:
        if reopened and at < reopened:
            return "due"
        return "passed_on_hold" if held and held < closes and (not resumed or resumed >= closes) else "missed"
    if held and held <= at and (not resumed or at < resumed):
        return "held"
    booked = facts.get("booked_for")
    if booked and opens <= booked < closes and not facts.get("in_hours"):
        overdue = booked
    if at < opens:
        return "upcoming"
    return "due" if at < overdue else "overdue"
