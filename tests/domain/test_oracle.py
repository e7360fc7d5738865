"""The core against an independent reckoning in fractions, over random patients: not one difference is allowed."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from regimens.domain.course import CourseRow, plan_course
from regimens.domain.dosing import DoseAmount, calculate_dose
from regimens.domain.infusion import InfusionPlan, plan_infusion
from regimens.domain.reasons import Refused
from regimens.domain.schedule import CourseAnchor, FirstDoseAnchor, TransplantAnchor
from regimens.domain.status import DoseFacts, status
from tests import oracle
from tests.domain.factory import MONOGRAPH
from tests.support import count

PATIENTS = count(1_000, 10_000)
ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "Europe/London",
    "Australia/Sydney",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "UTC",
    "America/Havana",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
)
INCREMENTS = ("0.1", "0.01", "0.5", "1", "5")
CEILINGS = (None, None, "15", "30", "45", "22.5", "60", "100")
SMALL = Fraction(1, 10**20)


def same(ours: Decimal, theirs: Fraction) -> bool:
    """Equal; where the division does not end, equal to 20 digits."""
    return abs(Fraction(ours) - theirs) <= SMALL * max(Fraction(1), abs(theirs))


def check_amount(ours: DoseAmount, theirs: dict[str, Any]) -> None:
    assert (ours.dose_mg, ours.volume_ml, ours.draw_ml) == (theirs["mg"], theirs["volume"], theirs["draw"])
    assert (ours.vials, ours.last_vial_ml, ours.waste_ml) == (theirs["vials"], theirs["rest"], theirs["waste"])


def check_infusion(ours: InfusionPlan, theirs: dict[str, Any]) -> None:
    assert all(same(a, b) for a, b in zip(ours.exact_rates_ml_per_h, theirs["exact_rates"], strict=True))
    assert [Fraction(step.pump_rate_ml_per_h) for step in ours.steps] == theirs["rates"]
    assert all(same(step.minutes, spent) for step, spent in zip(ours.steps, theirs["minutes"], strict=True))
    assert same(ours.total_minutes, theirs["exact_minutes"])
    assert same(ours.pump_total_minutes, theirs["total"])
    assert (ours.pump_total_minutes_rounded_up, ours.midway_minute) == (theirs["rounded"], theirs["midway"])
    latest = ours.latest_start_after_entry
    assert (None if latest is None else latest // timedelta(minutes=1)) == theirs["latest_start"]


def weight(rng: random.Random) -> Decimal:
    """A weight as it can be entered, the edges of the cap steps among them."""
    if rng.random() < 0.2:
        return Decimal(
            rng.choice(
                ("2", "2.01", "3.2", "9.99", "10", "62.4", "62.5", "62.6", "124.9", "125", "125.1", "249.9", "250", "300")
            )
        )
    if rng.random() < 0.3:
        return Decimal(rng.randrange(200, 1000)) / 100
    return Decimal(rng.randrange(100, 3001)) / 10


def facts(rng: random.Random, edges: tuple[datetime, datetime, datetime]) -> dict[str, Any]:
    """A random record of one dose, mostly plain."""
    opens, _, closes = edges

    def moment() -> datetime:
        return opens + (closes - opens) * rng.randrange(-3, 14) / 10

    kinds: dict[str, Any] = {
        "in_hours": True,
        "is_superseded": True,
        "is_disputed": True,
        "is_cancelled": True,
        "is_omitted": True,
        "is_before_referral": True,
        "is_partial": True,
        "started_at": moment(),
        "ended_at": moment(),
        "held_at": moment(),
        "resumed_at": moment(),
        "booked_for": moment(),
        "reopened_until": closes + timedelta(days=rng.randrange(0, 9)),
    }
    return {name: value for name, value in kinds.items() if rng.random() < 0.12}


def check_statuses(rng: random.Random, edges: tuple[datetime, datetime, datetime]) -> None:
    named = dict(zip(("opens_at", "overdue_at", "closes_at"), edges, strict=True))
    for record in ({}, facts(rng, edges)):
        moments = [edge + timedelta(minutes=minutes) for edge in edges for minutes in (-1, 0, 1)]
        moments.append(edges[0] + (edges[2] - edges[0]) * rng.randrange(-5, 15) / 10)
        for at in moments:
            assert status(DoseFacts(**named, **record), at) == oracle.state(edges, record, at), (edges, record, at)


@pytest.mark.parametrize("block", range(10))
def test_random_patients_have_the_same_course_both_ways(block: int) -> None:
    rng = random.Random(20261122 + block)
    compared = refused = 0
    for _ in range(PATIENTS // 10):
        code = rng.choice(tuple(oracle.TABLES))
        kind, cap, _ = oracle.TABLES[code]
        zone, centre = rng.choice(ZONES), rng.choice(ZONES)
        instant = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(12 * 365 * 1440))
        start: datetime | date
        anchor: CourseAnchor
        if kind == "transplant":
            start, anchor = instant, TransplantAnchor(instant, zone)
        else:
            start = instant.date()
            anchor = FirstDoseAnchor(start, zone)
        kg, optional = weight(rng), rng.random() < 0.5
        increment, ceiling = Decimal(rng.choice(INCREMENTS)), rng.choice(CEILINGS)
        before = rng.random() < 0.3

        def course(
            code: str = code,
            anchor: CourseAnchor = anchor,
            centre: str = centre,
            kg: Decimal = kg,
            before: bool = before,
            increment: Decimal = increment,
            ceiling: str | None = ceiling,
            optional: bool = optional,
        ) -> tuple[CourseRow, ...]:
            return plan_course(
                protocol=MONOGRAPH.protocol(code),
                anchor=anchor,
                centre_zone=centre,
                weight_kg=kg,
                monograph=MONOGRAPH,
                had_cmv_ig_before=before,
                pump_increment_ml_per_h=increment,
                ceiling_mg_per_kg_per_h=Decimal(ceiling) if ceiling else None,
                chosen_optional=("D21",) if optional and code == "hsct_pneumonitis" else (),
            )

        expected = oracle.windows(code, start, zone, centre, optional)
        amounts = [oracle.amount(Fraction(row["mg_per_kg"]), Fraction(kg), Fraction(cap)) for row in expected]
        tables = ["subsequent" if place or before else "initial" for place in range(len(expected))]
        plans = [
            oracle.infusion(Fraction(kg), amount["volume"], table, Fraction(increment), Fraction(ceiling) if ceiling else None)
            for amount, table in zip(amounts, tables, strict=True)
            if amount is not None
        ]
        if None in plans:
            with pytest.raises(Refused) as refusal:
                course()
            assert refusal.value.code == "pump_too_coarse"
            refused += 1
            continue
        rows = course()
        assert len(rows) == len(expected) == len(plans)
        for row, theirs, amount, plan in zip(rows, expected, amounts, plans, strict=True):
            window = row.window
            assert (window.code, window.target_on, window.mg_per_kg) == (theirs["code"], theirs["target"], theirs["mg_per_kg"])
            assert (window.opens_at, window.overdue_at, window.closes_at) == theirs["edges"]
            assert amount is not None and plan is not None
            check_amount(row.dose, amount)
            check_infusion(row.infusion, plan)
            check_statuses(rng, theirs["edges"])
            compared += 1
    assert compared > PATIENTS // 10 * 3
    assert refused


def test_odd_amounts_of_a_site_protocol_come_out_the_same_both_ways() -> None:
    rng = random.Random(5)
    compared = 0
    for _ in range(PATIENTS):
        mg_per_kg, kg = Decimal(rng.randrange(100, 50_000)) / 100, weight(rng)
        table, increment = rng.choice(("initial", "subsequent")), Decimal(rng.choice(INCREMENTS))
        theirs = oracle.amount(Fraction(mg_per_kg), Fraction(kg), Fraction(500))
        assert theirs is not None
        ours = calculate_dose(mg_per_kg=mg_per_kg, weight_kg=kg, cap_mg_per_kg=Decimal(500), monograph=MONOGRAPH)
        check_amount(ours, theirs)
        plan = oracle.infusion(Fraction(kg), theirs["volume"], table, Fraction(increment), None)
        if plan is None:
            continue
        check_infusion(
            plan_infusion(dose=ours, table=MONOGRAPH.rate_table(table), monograph=MONOGRAPH, pump_increment_ml_per_h=increment),
            plan,
        )
        compared += 1
    assert compared > PATIENTS // 2
