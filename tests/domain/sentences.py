"""Every refusal and every working of the core, by name: called one by one, and compared word for word in test_sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from regimens.domain import (
    checks,
    clock,
    course,
    dosing,
    guards,
    infusion,
    intervals,
    missed,
    rounding,
    running,
    schedule,
    screening,
    status,
    transitions,
)
from regimens.domain.changes import mark_before_referral, may_count_as_initial, move_target, shift_window
from regimens.domain.exposure import GivenDose, rolling
from regimens.domain.monograph import Anchor, Monograph
from tests.domain.factory import INITIAL, KIDNEY, MONOGRAPH, PNEUMONITIS, dose_row, monograph, protocol

D = Decimal
NY = "America/New_York"
AT = datetime(2026, 1, 1, 17, tzinfo=UTC)
NAIVE = datetime(2026, 1, 1, 17)  # noqa: DTZ001
DAY = date(2026, 1, 1)
ANCHOR = schedule.TransplantAnchor(AT, NY)
DAY_ONE = schedule.FirstDoseAnchor(DAY, NY)
WINDOWS = schedule.plan_windows(KIDNEY, ANCHOR, centre_zone=NY)
CASE = missed.Case("W2", KIDNEY, DAY, WINDOWS, (GivenDose("W0", AT + timedelta(days=1), D(10500), D(70)),), D(7000), D(70))
FACTS = status.DoseFacts(WINDOWS[1].opens_at, WINDOWS[1].overdue_at, WINDOWS[1].closes_at)
HOURS_ONLY = protocol("x", ("hsct",), (dose_row("D1", 0, "100", closes_after_hours=24),), anchor=Anchor.FIRST_DOSE)


def amount(
    mg: str = "150", kg: str = "70", cap: str = "500", percent: str = "", age: int | None = 40, of: Monograph = MONOGRAPH
) -> dosing.DoseAmount:
    return dosing.calculate_dose(
        mg_per_kg=D(mg),
        weight_kg=D(kg),
        cap_mg_per_kg=D(cap),
        monograph=of,
        rounding=rounding.VialRounding(D(percent)) if percent else None,
        age_years=age,
    )


def plan(mg: str = "150", kg: str = "70", **options: object) -> infusion.InfusionPlan:
    return infusion.plan_infusion(dose=amount(mg, kg), table=INITIAL, monograph=MONOGRAPH, **options)  # type: ignore[arg-type]


def days(*chosen: str, dates: tuple[str, ...] = (), review: str = "") -> tuple[schedule.Window, ...]:
    return schedule.plan_windows(
        PNEUMONITIS,
        DAY_ONE,
        centre_zone=NY,
        chosen_optional=chosen,
        repeat_dates=tuple(map(date.fromisoformat, dates)),
        review_on=date.fromisoformat(review) if review else None,
    )


def table(**facts: object) -> infusion.TableChoice:
    base: dict[str, object] = {
        "is_first_ever": False,
        "starts_at": AT,
        "zone_name": NY,
        "monograph": MONOGRAPH,
        "last_dose_started_at": AT,
    }
    return infusion.which_table(**{**base, **facts})  # type: ignore[arg-type]


def resumed(*run: tuple[str, str], rate: str = "42", **options: object) -> running.Replan:
    return running.replan(
        plan=plan(),
        run=[running.Segment(D(a), D(b)) for a, b in run],
        resume_rate_ml_per_h=D(rate),
        monograph=MONOGRAPH,
        **options,  # type: ignore[arg-type]
    )


def screened(**facts: object) -> screening.Screening:
    base: dict[str, object] = {
        "monograph": MONOGRAPH,
        "precautions": (),
        "organs": {"lung"},
        "donor_igg": "positive",
        "recipient_igg": "negative",
        "has_antiviral": False,
        "born_on": date(1950, 1, 1),
        "on": DAY,
    }
    return screening.screen(**{**base, **facts})  # type: ignore[arg-type]


def proposed(*organs: str, age: int = 40) -> screening.Proposal:
    return screening.propose_protocol(organs=set(organs), age=age, monograph=MONOGRAPH)


def decided(about: missed.Case, number: int, give: int | None = None) -> tuple[missed.Option, ...]:
    return missed.options(
        about, at=AT + timedelta(days=number), monograph=MONOGRAPH, give_at=None if give is None else AT + timedelta(days=give)
    )


def with_doses(about: missed.Case, **codes: int) -> missed.Case:
    return replace(
        about, given=tuple(GivenDose(code, AT + timedelta(days=number), D(7000), D(70)) for code, number in codes.items())
    )


def whole(**options: object) -> tuple[course.CourseRow, ...]:
    base: dict[str, object] = {
        "protocol": KIDNEY,
        "anchor": ANCHOR,
        "centre_zone": NY,
        "weight_kg": D(70),
        "monograph": MONOGRAPH,
    }
    return course.plan_course(**{**base, **options})  # type: ignore[arg-type]


THIN = replace(MONOGRAPH, product=replace(MONOGRAPH.product, concentration_mg_per_ml=D(70)))
LIMIT = MONOGRAPH.limit("begin_within_h")
PERCENT = MONOGRAPH.limit("weight_change_percent")
REFUSALS: dict[str, Callable[[], object]] = {
    "exact": lambda: guards.exact(1.5, "weight_kg", "kg"),
    "exact, no unit": lambda: guards.exact(D("NaN"), "weight_kg"),
    "too large": lambda: guards.exact(D("1E+9"), "weight_kg", "kg"),
    "positive": lambda: guards.positive(D(0), "ceiling", "mg per kg per h"),
    "positive, no number": lambda: guards.positive(D("NaN"), "ceiling", "mg per kg per h"),
    "below": lambda: amount(kg="1.9"),
    "above": lambda: amount(kg="300.1"),
    "decimals": lambda: amount(kg="70.001"),
    "weight no number": lambda: amount(kg="NaN"),
    "mg per kg no number": lambda: amount("NaN"),
    "mg per kg below": lambda: amount("0.5"),
    "mg per kg above": lambda: amount("501"),
    "cap no number": lambda: amount(cap="NaN"),
    "only shorter": lambda: guards.not_longer(D(7), LIMIT, "begin_within_h"),
    "only shorter, nothing": lambda: guards.not_longer(D(0), LIMIT, "begin_within_h"),
    "no zone": lambda: guards.instant(NAIVE, "started_at"),
    "unknown zone": lambda: guards.zone("Nowhere"),
    "not a day": lambda: guards.day("today", "born_on"),
    "day beyond": lambda: guards.day(date(2200, 1, 1), "born_on"),
    "instant beyond": lambda: guards.instant(datetime(1899, 12, 31, 23, 59, tzinfo=UTC), "started_at"),
    "local day": lambda: clock.local_day(NAIVE, NY),
    "local day, zone": lambda: clock.local_day(AT, "Nowhere"),
    "gap hour": lambda: clock.local_instant(date(2026, 3, 8), time(2, 5), NY),
    "repeated hour": lambda: clock.local_instant(date(2026, 11, 1), time(1, 5), NY),
    "local instant, no day": lambda: clock.local_instant(AT, time(1), NY),
    "local instant, zone": lambda: clock.local_instant(DAY, time(1), "Nowhere"),
    "anchor transplant": lambda: schedule.plan_windows(KIDNEY, DAY_ONE, centre_zone=NY),
    "anchor first dose": lambda: schedule.plan_windows(PNEUMONITIS, ANCHOR, centre_zone=NY),
    "centre zone": lambda: schedule.plan_windows(KIDNEY, ANCHOR, centre_zone="Nowhere"),
    "anchor zone": lambda: schedule.plan_windows(KIDNEY, schedule.TransplantAnchor(AT, "Nowhere"), centre_zone=NY),
    "naive anchor": lambda: schedule.plan_windows(KIDNEY, schedule.TransplantAnchor(NAIVE, NY), centre_zone=NY),
    "needs instant": lambda: schedule.plan_windows(HOURS_ONLY, DAY_ONE, centre_zone=NY),
    "unknown optional": lambda: days("D99"),
    "both alternatives": lambda: days("D21", "D21_ALT"),
    "no dates": lambda: days("D21_ALT", review="2026-03-01"),
    "no review": lambda: days("D21_ALT", dates=("2026-01-21",)),
    "too close": lambda: days("D21_ALT", dates=("2026-01-21", "2026-01-23"), review="2026-03-01"),
    "three a week": lambda: days("D21_ALT", dates=("2026-01-21", "2026-01-24", "2026-01-27"), review="2026-03-01"),
    "early review": lambda: days("D21_ALT", dates=("2026-01-21",), review="2026-01-20"),
    "dates for nothing": lambda: days(dates=("2026-01-21",)),
    "over cap": lambda: amount("400", cap="150"),
    "too small": lambda: amount("1", "2", of=monograph(draw_increment_small_ml="0.1")),
    "rounding under 18": lambda: amount(percent="10", age=17),
    "rounding, no age": lambda: amount(percent="10", age=None),
    "rounding percent": lambda: amount(percent="0"),
    "planned weight": lambda: dosing.needs_recalculation(planned_weight_kg=D(0), latest_weight_kg=D(1), percent=PERCENT),
    "latest weight": lambda: dosing.needs_recalculation(planned_weight_kg=D(1), latest_weight_kg=D(0), percent=PERCENT),
    "reaction grade": lambda: table(last_reaction="awful"),
    "last dose missing": lambda: table(last_dose_started_at=None),
    "too coarse": lambda: plan(kg="3.2", pump_increment_ml_per_h=D(1)),
    "increment": lambda: plan(pump_increment_ml_per_h=D(0)),
    "ceiling": lambda: plan(ceiling_mg_per_kg_per_h=D(0)),
    "begin": lambda: plan(begin_within_h=D(7)),
    "finish": lambda: plan(finish_within_h=D(13)),
    "course increment": lambda: whole(pump_increment_ml_per_h=D(0)),
    "course ceiling": lambda: whole(ceiling_mg_per_kg_per_h=D(0)),
    "course weight": lambda: whole(weight_kg=D("1.9")),
    "no end": lambda: infusion.plan_infusion(
        dose=amount(), table=replace(INITIAL, steps=INITIAL.steps[:1]), monograph=MONOGRAPH
    ),
    "clock": lambda: running.clock(plan(), NAIVE),
    "vial clock": lambda: running.vial_clock(plan(), NAIVE),
    "more than planned": lambda: running.minute_of(plan(), D(211)),
    "minute of nothing": lambda: running.minute_of(plan(), D("NaN")),
    "negative rate": lambda: resumed(("-1", "5")),
    "negative time": lambda: resumed(("5", "-2")),
    "rate no number": lambda: resumed(("NaN", "5")),
    "time no number": lambda: resumed(("5", "NaN")),
    "nothing left": lambda: resumed(("70", "181")),
    "less than nothing in": lambda: resumed(volume_in_ml=D(-1)),
    "reading no number": lambda: resumed(volume_in_ml=D("NaN")),
    "entry no number": lambda: resumed(minutes_since_entry_at_start=D("NaN")),
    "resumed too fast": lambda: resumed(rate="75.1"),
    "resumed at nothing": lambda: resumed(rate="0"),
    "interval": lambda: intervals.check_interval(starts_at=NAIVE, previous_started_at=None, min_interval_hours=1),
    "interval before": lambda: intervals.check_interval(starts_at=AT, previous_started_at=NAIVE, min_interval_hours=1),
    "timing": lambda: intervals.timing(started_at=NAIVE, opens_at=AT, target_at=AT, overdue_at=AT, closes_at=AT),
    "status": lambda: status.status(FACTS, NAIVE),
    "rolling": lambda: rolling((), at=NAIVE, days=7, concentration_mg_per_ml=D(50)),
    "rolling, concentration": lambda: rolling((), at=AT, days=7, concentration_mg_per_ml=D(0)),
    "rolling, sucrose": lambda: rolling((), at=AT, days=7, concentration_mg_per_ml=D(50), sucrose_mg_per_ml=D("NaN")),
    "rolling, considered": lambda: rolling((), at=AT, days=7, concentration_mg_per_ml=D(50), plus_mg_per_kg=D("NaN")),
    "sample": lambda: checks.creatinine_rise([checks.Sample(NAIVE, D(1))], last_dose_started_at=AT),
    "last dose": lambda: checks.creatinine_rise((), last_dose_started_at=NAIVE),
    "start before a removal": lambda: checks.removals_soon(NAIVE, (), within=LIMIT),
    "removal": lambda: checks.doses_before_removal(NAIVE, (), within=LIMIT),
    "release": lambda: checks.release_lasts_until(NAIVE, within=LIMIT),
    "result wanted": lambda: checks.result_wanted(mg_per_kg=D(150), at=NAIVE, monograph=MONOGRAPH),
    "treatment dose": lambda: checks.is_treatment_dose(D("NaN"), MONOGRAPH),
    "referral": lambda: mark_before_referral(WINDOWS, NAIVE),
    "given outside": lambda: mark_before_referral(WINDOWS, AT, ("W3",)),
    "given elsewhere on": lambda: may_count_as_initial(given_on=AT, transplant_on=DAY),
    "given before a transplant on": lambda: may_count_as_initial(given_on=DAY, transplant_on=AT),
    "shift in hours": lambda: shift_window(WINDOWS[0], 3),
    "shift zone": lambda: shift_window(replace(WINDOWS[1], zone_name="Nowhere"), 3),
    "move in hours": lambda: move_target(WINDOWS[0], DAY),
    "move outside": lambda: move_target(WINDOWS[1], date(2026, 1, 11)),
    "move outside, late": lambda: move_target(WINDOWS[1], date(2026, 1, 19)),
    "move near before": lambda: move_target(WINDOWS[1], date(2026, 1, 12), before_on=date(2026, 1, 6)),
    "move near after": lambda: move_target(WINDOWS[1], date(2026, 1, 18), after_on=date(2026, 1, 24), after_interval_hours=168),
    "move to no day": lambda: move_target(WINDOWS[1], AT),
    "unknown dose": lambda: decided(replace(CASE, code="W3"), 20),
    "past": lambda: decided(CASE, 20, 19),
    "options at": lambda: missed.options(CASE, at=NAIVE, monograph=MONOGRAPH),
    "options give at": lambda: missed.options(CASE, at=AT, monograph=MONOGRAPH, give_at=NAIVE),
    "igg donor": lambda: screening.risk_group(donor_igg="weak", recipient_igg="positive", organs={"kidney"}),
    "igg recipient": lambda: screening.risk_group(donor_igg="positive", recipient_igg="weak", organs={"kidney"}),
    "pregnancy": lambda: screened(pregnancy="maybe"),
    "precaution": lambda: screened(precautions={"left_handed"}),
    "born on": lambda: screened(born_on="1950"),
    "screened on": lambda: screened(on="today"),
    "vaccine day": lambda: screening.vaccine_interference(last_given_on=AT, highest_mg_per_kg=D(150), monograph=MONOGRAPH),
    "vaccine amount": lambda: screening.vaccine_interference(last_given_on=DAY, highest_mg_per_kg=D(0), monograph=MONOGRAPH),
    "first dose on": lambda: screening.is_antibody_passive(sampled_on=DAY, first_dose_on=AT),
    "first dose on, as an anchor": lambda: schedule.plan_windows(PNEUMONITIS, replace(DAY_ONE, on=AT), centre_zone=NY),
    "sampled on": lambda: screening.is_antibody_passive(sampled_on=AT, first_dose_on=DAY),
    "no organ": lambda: proposed(),
    "cells with organ": lambda: proposed("hsct", "kidney"),
    "unknown organ": lambda: proposed("cornea", "kidney"),
    "role": lambda: transitions.transition(status.Status.MISSED, transitions.Event.GIVE_LATE, "nurse"),
    "several roles": lambda: transitions.transition(status.Status.DUE, transitions.Event.BOOK, "prescriber"),
    "state": lambda: transitions.transition(status.Status.BEFORE_REFERRAL, transitions.Event.GIVE_LATE, "prescriber"),
    **{
        f"{state} {event}": lambda state=state, event=event: transitions.transition(
            state, event, sorted(transitions.WHO[event])[0]
        )  # type: ignore[misc]
        for state, event in transitions.WHY_NOT
    },
}
DISTANT = with_doses(replace(CASE, code="W12", ordered_mg=D(3500), settled_codes=frozenset({"W6", "W8"})), W4=28)
WORKINGS: dict[str, Callable[[], object]] = {
    "window in hours": lambda: WINDOWS[0].working,
    "window in hours, day known": lambda: (
        schedule.plan_windows(KIDNEY, replace(ANCHOR, time_known=False), centre_zone=NY)[0].working
    ),
    "window in days": lambda: WINDOWS[5].working,
    "window from day one": lambda: days()[2].working,
    "window chosen": lambda: days("D21_ALT", dates=("2026-01-21",), review="2026-02-01")[4].working,
    "window shifted": lambda: shift_window(WINDOWS[1], 3).working,
    "late referral": lambda: [row.working for row in mark_before_referral(WINDOWS, AT + timedelta(days=20), ("W0",))[:3]],
    "interval": lambda: intervals.check_interval(starts_at=AT, previous_started_at=AT, min_interval_hours=18).working,
    "interval of a remainder": lambda: (
        intervals.check_interval(starts_at=AT, previous_started_at=AT, min_interval_hours=18, is_remainder=True).working
    ),
    "no interval": lambda: intervals.check_interval(starts_at=AT, previous_started_at=None, min_interval_hours=18).working,
    "amount": lambda: amount().working,
    "amount with decimals": lambda: amount("62.5", "3.25").working,
    "amount at another concentration": lambda: amount("100", "3.2", of=THIN).working,
    "infusion at another concentration": lambda: (
        infusion.plan_infusion(
            dose=amount(kg="71", of=THIN), table=INITIAL, monograph=THIN, ceiling_mg_per_kg_per_h=D("31.3")
        ).working
    ),
    "amount of two rows": lambda: (
        dosing.dose_for(protocol=KIDNEY, row=KIDNEY.doses[5], weight_kg=D(70), monograph=MONOGRAPH).working
    ),
    "amount in vials": lambda: amount(percent="10").working,
    "amount not in vials": lambda: amount("150", "82.5", "150", "10").working,
    "infusion": lambda: plan("150", "82.5").working,
    "infusion with ceiling and coarse pump": lambda: (
        plan("150", "12", ceiling_mg_per_kg_per_h=D(30), pump_increment_ml_per_h=D(1), finish_within_h=D(9)).working
    ),
    "infusion warnings": lambda: plan("150", "12", pump_increment_ml_per_h=D(1)).warnings,
    "table first": lambda: table(is_first_ever=True, last_dose_started_at=None).working,
    "table later": lambda: table().working,
    "table for every reason": lambda: (
        table(
            last_dose_started_at=AT - timedelta(days=57),
            last_reaction="serious",
            product_changed=True,
            is_remainder=True,
            lot_changed=True,
        ).working
    ),
    "vial clock": lambda: running.vial_clock(plan("150", "144.8"), AT).working,
    "vial clock too long": lambda: running.vial_clock(plan("400", "110"), AT).working,
    "replan": lambda: resumed(("21", "15"), ("0", "5.25"), minutes_since_entry_at_start=D(10)).working,
    "replan with long fractions": lambda: resumed(("20.7", "15.37"), rate="41.3").working,
    "rolling with long fractions": lambda: rolling(
        (GivenDose("W0", AT, D(10000), D("70.7")),), at=AT, days=28, concentration_mg_per_ml=D(50)
    ),
    "replan too late": lambda: resumed(("0", "700"), minutes_since_entry_at_start=D(10)).working,
    "rolling": lambda: (
        rolling(CASE.given, at=AT + timedelta(days=2), days=7, concentration_mg_per_ml=D(50), plus_mg_per_kg=D(100)).working
    ),
    "missed": lambda: decided(CASE, 20),
    "missed, early enough": lambda: decided(CASE, 17),
    "missed, beyond the site's day": lambda: decided(replace(CASE, allows_shift=True), 20, 25),
    "missed, interval short": lambda: decided(with_doses(CASE, W0=10), 12, 16),
    "missed, next started": lambda: decided(with_doses(CASE, W0=1, W4=28), 29),
    "missed initial": lambda: decided(replace(CASE, code="W0", given=(), ordered_mg=D(10500), allows_shift=True), 4),
    "missed after a long gap": lambda: decided(DISTANT, 85),
    "missed last": lambda: decided(
        with_doses(replace(CASE, code="W16", ordered_mg=D(3500), allows_shift=True), W12=84), 121, 127
    ),
    "missed, shift allowed": lambda: decided(replace(CASE, allows_shift=True), 20),
    "missed, shift used up": lambda: decided(replace(CASE, allows_shift=True, shifted_days=10), 20),
    "stopped early": lambda: decided(replace(CASE, given_mg=D(3400)), 14),
    "stopped at the end": lambda: decided(replace(CASE, given_mg=D(7000)), 14),
    "screening": lambda: screened(
        precautions={"iga_deficiency", "renal_impairment"},
        renal_risks={"sepsis", "diabetes"},
        pregnancy="pregnant",
        donor_igg="indeterminate",
    ),
    "screening a child": lambda: screened(born_on=date(2015, 1, 1), has_antiviral=True),
    "screening low risk": lambda: screened(donor_igg="negative"),
    "risk not known": lambda: screening.risk_group(donor_igg="unknown", recipient_igg="negative", organs={"kidney"}),
    "risk intermediate": lambda: screening.risk_group(donor_igg="negative", recipient_igg="positive", organs={"kidney"}),
    "vaccine": lambda: screening.vaccine_interference(last_given_on=DAY, highest_mg_per_kg=D(150), monograph=MONOGRAPH),
    "vaccine after a high dose": lambda: screening.vaccine_interference(
        last_given_on=DAY, highest_mg_per_kg=D(400), monograph=MONOGRAPH
    ),
    "creatinine": lambda: checks.creatinine_rise(
        [checks.Sample(AT - timedelta(hours=2), D("1.0")), checks.Sample(AT + timedelta(hours=2), D("1.4"), "go", AT)],
        last_dose_started_at=AT,
    ),
    "result before a dose": lambda: checks.result_wanted(mg_per_kg=D(150), at=AT, monograph=MONOGRAPH),
    "result before a treatment dose": lambda: checks.result_wanted(mg_per_kg=D(400), at=AT, monograph=MONOGRAPH),
    "proposal kidney": lambda: proposed("kidney"),
    "proposal lung": lambda: proposed("lung"),
    "proposal combined": lambda: proposed("kidney", "pancreas"),
    "proposal intestine": lambda: proposed("intestine"),
    "proposal cells": lambda: proposed("hsct"),
    "proposal child": lambda: proposed("heart", age=17),
    "status": lambda: status.explain(replace(FACTS, booked_for=FACTS.opens_at), FACTS.opens_at, NY),
    "status on record": lambda: status.explain(replace(FACTS, is_before_referral=True), FACTS.opens_at, NY),
    "status on hold": lambda: status.explain(replace(FACTS, held_at=FACTS.opens_at), FACTS.closes_at, NY),
    "status given late": lambda: status.explain(
        replace(FACTS, reopened_until=FACTS.closes_at + timedelta(days=2)), FACTS.closes_at, NY
    ),
}
