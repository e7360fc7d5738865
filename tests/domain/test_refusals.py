"""Whatever is handed to the rules, they answer or they refuse; and a refusal names field, value, limit and source."""

from __future__ import annotations

import ast
import csv
import inspect
import pkgutil
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import regimens.domain
from regimens.domain import (
    changes,
    checks,
    clock,
    course,
    dosing,
    exposure,
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
from regimens.domain.exposure import GivenDose
from regimens.domain.monograph import Intent
from regimens.domain.reasons import Refused
from tests.domain.factory import INITIAL, KIDNEY, MONOGRAPH
from tests.support import count

D = Decimal
NY = "America/New_York"
AT = datetime(2026, 1, 1, 17, tzinfo=UTC)
DAY = date(2026, 1, 1)
ANCHOR = schedule.TransplantAnchor(AT, NY)
WINDOWS = schedule.plan_windows(KIDNEY, ANCHOR, centre_zone=NY)
WINDOW = WINDOWS[1]
DOSE = dosing.calculate_dose(mg_per_kg=D(150), weight_kg=D(70), cap_mg_per_kg=D(150), monograph=MONOGRAPH)
PLAN = infusion.plan_infusion(dose=DOSE, table=INITIAL, monograph=MONOGRAPH)
CASE = missed.Case("W2", KIDNEY, DAY, WINDOWS, (GivenDose("W0", AT, D(10500), D(70)),), D(7000), D(70))
FACTS = status.DoseFacts(WINDOW.opens_at, WINDOW.overdue_at, WINDOW.closes_at)
HOURS = MONOGRAPH.limit("begin_within_h")
IGG = {"donor_igg": "positive", "recipient_igg": "negative", "organs": {"lung"}}

# Each public function of the rules with arguments that it takes; one after the other is then replaced by something odd.
FUNCTIONS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "changes.mark_before_referral": (changes.mark_before_referral, {"windows": WINDOWS, "referred_at": AT}),
    "changes.may_count_as_initial": (changes.may_count_as_initial, {"given_on": DAY, "transplant_on": DAY}),
    "changes.window_timing": (changes.window_timing, {"window": WINDOW, "started_at": AT}),
    "changes.shift_window": (changes.shift_window, {"window": WINDOW, "days": 3}),
    "changes.move_target": (changes.move_target, {"window": WINDOW, "on": WINDOW.target_on}),
    "checks.creatinine_rise": (checks.creatinine_rise, {"samples": (), "last_dose_started_at": AT}),
    "checks.removals_soon": (checks.removals_soon, {"starts_at": AT, "removals_at": (), "within": HOURS}),
    "checks.doses_before_removal": (checks.doses_before_removal, {"removal_at": AT, "doses_started_at": (), "within": HOURS}),
    "checks.release_lasts_until": (checks.release_lasts_until, {"released_at": AT, "within": HOURS}),
    "checks.result_wanted": (checks.result_wanted, {"mg_per_kg": D(150), "at": AT, "monograph": MONOGRAPH}),
    "clock.local_day": (clock.local_day, {"at": AT, "zone_name": NY}),
    "clock.last_day": (clock.last_day, {"closes_at": AT, "zone_name": NY}),
    "clock.local_instant": (clock.local_instant, {"on": DAY, "at": time(12), "zone_name": NY}),
    "course.plan_course": (
        course.plan_course,
        {
            "protocol": KIDNEY,
            "anchor": ANCHOR,
            "centre_zone": NY,
            "weight_kg": D(70),
            "monograph": MONOGRAPH,
            "pump_increment_ml_per_h": D("0.1"),
            "ceiling_mg_per_kg_per_h": D(60),
        },
    ),
    "dosing.dose_for": (
        dosing.dose_for,
        {"protocol": KIDNEY, "row": KIDNEY.doses[0], "weight_kg": D(70), "monograph": MONOGRAPH},
    ),
    "dosing.calculate_dose": (
        dosing.calculate_dose,
        {"mg_per_kg": D(150), "weight_kg": D(70), "cap_mg_per_kg": D(150), "monograph": MONOGRAPH},
    ),
    "dosing.checked_weight": (dosing.checked_weight, {"weight_kg": D(70), "limits": dosing.dose_limits(MONOGRAPH)}),
    "dosing.needs_recalculation": (
        dosing.needs_recalculation,
        {"planned_weight_kg": D(70), "latest_weight_kg": D(70), "percent": MONOGRAPH.limit("weight_change_percent")},
    ),
    "rounding.leave_kept": (
        rounding.leave_kept,
        {"dose_mg": D(10000), "rounded_from_mg": D(10500), "site_percent": D(5)},
    ),
    "exposure.rolling": (
        exposure.rolling,
        {
            "given": CASE.given,
            "at": AT,
            "days": 7,
            "concentration_mg_per_ml": D(50),
            "sucrose_mg_per_ml": D(50),
            "plus_mg_per_kg": D(100),
        },
    ),
    "infusion.which_table": (
        infusion.which_table,
        {
            "is_first_ever": False,
            "starts_at": AT,
            "zone_name": NY,
            "monograph": MONOGRAPH,
            "last_dose_started_at": AT,
            "last_reaction": "none",
        },
    ),
    "infusion.plan_infusion": (
        infusion.plan_infusion,
        {
            "dose": DOSE,
            "table": INITIAL,
            "monograph": MONOGRAPH,
            "pump_increment_ml_per_h": D("0.1"),
            "ceiling_mg_per_kg_per_h": D(60),
            "begin_within_h": D(6),
            "finish_within_h": D(12),
        },
    ),
    "intervals.timing": (
        intervals.timing,
        {"started_at": AT, "opens_at": AT, "target_at": AT, "overdue_at": AT, "closes_at": AT},
    ),
    "intervals.earliest_start": (intervals.earliest_start, {"previous_started_at": AT, "min_interval_hours": 168}),
    "intervals.check_interval": (
        intervals.check_interval,
        {"starts_at": AT, "previous_started_at": AT, "min_interval_hours": 168},
    ),
    "changes.pushed_opening": (changes.pushed_opening, {"following": WINDOW, "late_start_at": AT}),
    "missed.options": (missed.options, {"case": CASE, "at": AT, "monograph": MONOGRAPH, "give_at": AT}),
    "running.clock": (running.clock, {"plan": PLAN, "started_at": AT}),
    "running.vial_clock": (running.vial_clock, {"plan": PLAN, "entered_at": AT}),
    "running.minute_of": (running.minute_of, {"plan": PLAN, "volume_ml": D(10)}),
    "running.replan": (
        running.replan,
        {
            "plan": PLAN,
            "run": (),
            "resume_rate_ml_per_h": D(42),
            "monograph": MONOGRAPH,
            "volume_in_ml": D(10),
            "minutes_since_entry_at_start": D(10),
        },
    ),
    "schedule.plan_windows": (schedule.plan_windows, {"protocol": KIDNEY, "anchor": ANCHOR, "centre_zone": NY}),
    "screening.risk_group": (screening.risk_group, IGG),
    "screening.screen": (
        screening.screen,
        {
            **IGG,
            "monograph": MONOGRAPH,
            "precautions": (),
            "has_antiviral": True,
            "born_on": DAY,
            "on": DAY,
            "pregnancy": "negative",
        },
    ),
    "screening.asks_antiviral": (screening.asks_antiviral, {**IGG, "intent": Intent.PROPHYLAXIS}),
    "screening.vaccine_interference": (
        screening.vaccine_interference,
        {"last_given_on": DAY, "highest_mg_per_kg": D(150), "monograph": MONOGRAPH},
    ),
    "screening.is_antibody_passive": (screening.is_antibody_passive, {"sampled_on": DAY, "first_dose_on": DAY}),
    "screening.propose_protocol": (
        screening.propose_protocol,
        {"organs": {"kidney"}, "age": 40, "monograph": MONOGRAPH},
    ),
    "status.status": (status.status, {"facts": FACTS, "at": AT}),
    "status.explain": (status.explain, {"facts": FACTS, "at": AT, "zone_name": NY}),
    "transitions.transition": (
        transitions.transition,
        {"state": status.Status.DUE, "event": transitions.Event.BOOK, "role": "nurse"},
    ),
}
# These take what others have checked, write what they are given, or judge a whole file by its keys.
WITHOUT = {
    "changes": {"compare_windows", "day_hint", "latest_day_keeping_next"},
    "checks": {"is_viremic", "is_treatment_dose", "limit_sentence"},
    "clock": {"day_start"},
    "dosing": {"amount", "dose_limits"},
    "infusion": {"steps_for"},
    "missed": {"other_protocols"},
    "rounding": {"to_whole_vials"},
    "running": {"vial_turns"},
    "status": {"overdue_from"},
    "transitions": {"decisions_from"},
}
WHOLE_FILES = {
    "case_file",
    "case_report",
    "cases",
    "library_checks",
    "library_diff",
    "library_impact",
    "library_file",
    "library_text",
    "monograph",
}
PLUMBING = {"decisions", "guards", "infusion_plan", "reasons", "units"}

odd_numbers = st.one_of(
    st.decimals(),
    st.sampled_from([D(0), D("-0"), D("1E+40"), D("1E-40"), D("sNaN"), D("0.001")]),
    st.floats(),
    st.integers(-5, 500),
    st.text(max_size=5),
)
odd_days = st.one_of(
    st.dates(), st.sampled_from([date.min, date.max]), st.datetimes(timezones=st.just(UTC)), st.text(max_size=5)
)
odd_instants = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
    st.dates(),
    st.text(max_size=5),
)
odd_words = st.one_of(st.text(max_size=8), st.sampled_from(["Africa", "../zone", "hsct", "unknown"]))
ODD = {"Decimal": odd_numbers, "date": odd_days, "datetime": odd_instants, "str": odd_words}
EDGES = {"opens_at", "target_at", "overdue_at", "closes_at"}  # of a window, which the rules themselves made
ARGUMENTS = [
    (name, argument, kind)
    for name, (function, good) in FUNCTIONS.items()
    for argument in good
    if argument not in EDGES
    for kind in [str(inspect.signature(function).parameters[argument].annotation).removesuffix(" | None")]
    if kind in ODD
]


def public_functions() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(regimens.domain.__path__):
        if module.name not in WHOLE_FILES | PLUMBING:
            loaded = import_module(f"regimens.domain.{module.name}")
            found |= {
                f"{module.name}.{name}"
                for name, function in inspect.getmembers(loaded, inspect.isfunction)
                if function.__module__ == loaded.__name__ and not name.startswith("_")
            }
    return found


def test_every_public_function_of_the_rules_is_asked_odd_things() -> None:
    assert public_functions() == set(FUNCTIONS) | {f"{module}.{name}" for module, names in WITHOUT.items() for name in names}
    assert len(ARGUMENTS) > 60


@pytest.mark.parametrize("name", FUNCTIONS)
def test_plain_arguments_are_taken(name: str) -> None:
    function, good = FUNCTIONS[name]
    function(**good)


@pytest.mark.parametrize(("name", "argument", "kind"), ARGUMENTS)
def test_what_is_odd_is_answered_or_refused_by_field_value_limit_and_source(name: str, argument: str, kind: str) -> None:
    function, good = FUNCTIONS[name]

    @settings(max_examples=count(15, 300), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(ODD[kind])
    def ask(odd: object) -> None:
        try:
            function(**{**good, argument: odd})
        except Refused as refusal:
            assert refusal.code and refusal.sentence and refusal.source and refusal.field and refusal.limit
            assert refusal.value or not str(odd)

    ask()


def calls_of_refused() -> list[tuple[str, ast.Call]]:
    return [
        (f"{path.name}:{node.lineno}", node)
        for path in sorted(Path(regimens.domain.__path__[0]).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused"
    ]


def test_every_refusal_in_the_code_is_given_source_field_value_and_limit() -> None:
    found = calls_of_refused()
    assert len(found) > 50
    for place, call in found:
        assert {word.arg for word in call.keywords} == {"source", "field", "value", "limit"}, place


def test_every_refusal_in_the_code_is_read_word_for_word_somewhere() -> None:
    with (Path(__file__).parent / "golden" / "refusals.csv").open(newline="", encoding="utf-8") as file:
        read = {row["code"] for row in csv.DictReader(file)}
    for place, call in calls_of_refused():
        if place.partition(".")[0] not in WHOLE_FILES:
            assert isinstance(call.args[0], ast.Constant) and call.args[0].value in read, place
