"""Whole courses: tables by dose, totals, options; and what the core itself may not do."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from regimens.domain.course import CourseRow, plan_course
from regimens.domain.monograph import Protocol
from regimens.domain.reasons import Refused
from regimens.domain.rounding import VialRounding
from regimens.domain.schedule import FirstDoseAnchor, TransplantAnchor
from tests.domain.factory import KIDNEY, MONOGRAPH, OTHER, PNEUMONITIS, dose_row, protocol

DOMAIN = Path(__file__).parents[2] / "regimens" / "domain"
ZONE = "America/New_York"
ANCHOR = TransplantAnchor(datetime(2026, 1, 1, 17, tzinfo=UTC), ZONE)


def course(which: Protocol = KIDNEY, weight_kg: str = "70", **options: object) -> tuple[CourseRow, ...]:
    return plan_course(
        protocol=which,
        anchor=ANCHOR,
        centre_zone=ZONE,
        weight_kg=Decimal(weight_kg),
        monograph=MONOGRAPH,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("which", "mg", "vials"), [(KIDNEY, 45500, 21), (OTHER, 66500, 31)])
def test_a_course_at_70_kg_has_its_known_total(which: Protocol, mg: int, vials: int) -> None:
    rows = course(which)
    assert sum(row.dose.dose_mg for row in rows) == mg
    assert sum(row.dose.vials for row in rows) == vials


def test_the_first_dose_takes_the_initial_table_and_the_others_the_subsequent() -> None:
    assert [row.table_code for row in course()] == ["initial", *["subsequent"] * 6]
    assert [row.infusion.table_code for row in course()] == [row.table_code for row in course()]
    assert [row.table_code for row in course(had_cmv_ig_before=True)] == ["subsequent"] * 7


def test_after_doses_that_nobody_gave_the_next_takes_the_initial_table() -> None:
    tables = [row.table_code for row in course(not_given=("W0", "W2", "W4"))]
    assert tables == ["initial"] * 4 + ["subsequent"] * 3
    assert [row.table_code for row in course(not_given=("W2",))] == ["initial", *["subsequent"] * 6]
    assert [row.table_code for row in course(not_given=("W0",), had_cmv_ig_before=True)] == ["subsequent"] * 7
    assert [row.table_code for row in course(not_given=("W4", "W6", "W8"))][5] == "initial"  # 70 days after week 2


def test_every_dose_of_a_course_has_the_vial_clock_of_the_monograph() -> None:
    assert {(row.infusion.begin_within, row.infusion.must_finish_after_entry) for row in course()} == {
        (timedelta(hours=6), timedelta(hours=12))
    }


def test_a_gap_over_the_limit_in_a_protocol_goes_back_to_the_initial_table() -> None:
    rows = (dose_row("A", 0, "100"), dose_row("B", 56, "100"), dose_row("C", 113, "100"))
    assert [row.table_code for row in course(protocol("x", ("kidney",), rows))] == ["initial", "subsequent", "initial"]


def test_options_reach_every_dose() -> None:
    rows = course(
        pump_increment_ml_per_h=Decimal(5),
        ceiling_mg_per_kg_per_h=Decimal(30),
        rounding=VialRounding(Decimal(10)),
        age_years=40,
    )
    assert {row.infusion.pump_rates_ml_per_h for row in rows} == {(20, 40, 40)}
    assert [row.dose.dose_mg for row in rows][:2] == [10000, 7500]
    for option in ("pump_increment_ml_per_h", "ceiling_mg_per_kg_per_h"):
        with pytest.raises(Refused) as refusal:
            course(**{option: Decimal(0)})
        assert refusal.value.field == option


def test_optional_doses_reach_the_course() -> None:
    rows = plan_course(
        protocol=PNEUMONITIS,
        anchor=FirstDoseAnchor(date(2025, 6, 3), ZONE),
        centre_zone=ZONE,
        weight_kg=Decimal(70),
        monograph=MONOGRAPH,
        chosen_optional=("D21_ALT",),
        repeat_dates=(date(2025, 6, 23),),
        review_on=date(2025, 7, 1),
    )
    assert [row.window.code for row in rows][-1] == "D21_ALT.1"
    assert rows[-1].dose.dose_mg == 10500
    assert sum(row.dose.dose_mg for row in rows[:4]) == 1400 * 70


def test_a_whole_course_can_be_compared_and_stored() -> None:
    assert course() == course()
    first = course()[0]
    assert replace(first, table_code="x") != first
    assert all(
        row.window.working.to_json() and row.dose.working.to_json() and row.infusion.working.to_json() for row in course()
    )


def test_what_is_given_and_set_does_not_depend_on_the_callers_rounding_mode() -> None:
    def figures() -> list[object]:
        return [
            (
                row.dose.dose_mg,
                row.dose.volume_ml,
                row.dose.draw_ml,
                row.dose.vials,
                row.dose.waste_ml,
                row.infusion.pump_rates_ml_per_h,
                row.infusion.pump_total_minutes_rounded_up,
                row.infusion.midway_minute,
            )
            for row in course(weight_kg="82.5")
        ]

    plain = figures()
    for mode in ("ROUND_UP", "ROUND_DOWN", "ROUND_FLOOR", "ROUND_CEILING"):
        with localcontext() as context:
            context.rounding = mode
            assert figures() == plain


def test_a_monograph_says_when_it_lacks_what_is_asked_for() -> None:
    for ask in (MONOGRAPH.protocol, MONOGRAPH.rate_table, MONOGRAPH.limit, KIDNEY.dose):
        with pytest.raises(KeyError):
            ask("nothing")


def trees() -> list[tuple[str, ast.Module]]:
    return [(path.name, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(DOMAIN.glob("*.py"))]


def test_the_core_has_no_floats_and_no_division_into_them() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)), (name, node.lineno)
            assert not (isinstance(node, ast.Name) and node.id == "float"), (name, node.lineno)
            assert not (isinstance(node, ast.Attribute) and node.attr in ("total_seconds", "from_float", "timestamp")), (
                name,
                node.lineno,
            )


def test_the_core_reads_no_clock_and_draws_no_chance() -> None:
    attributes = {"now", "today", "utcnow", "localtime", "monotonic", "perf_counter", "getenv", "environ"}
    modules = {"time", "random", "os", "secrets", "socket", "subprocess"}
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in attributes, (name, node.attr, node.lineno)
            if isinstance(node, ast.Import):
                assert not modules & {alias.name.split(".")[0] for alias in node.names}, (name, node.lineno)
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] not in modules, (name, node.lineno)


def test_the_core_stands_on_the_standard_library_alone() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                assert module.split(".")[0] in sys.stdlib_module_names, (name, module)


def test_importing_the_core_does_not_load_django() -> None:
    modules = ", ".join(f"regimens.domain.{path.stem}" for path in sorted(DOMAIN.glob("*.py")) if path.stem != "__init__")
    loaded = "[m for m in sys.modules if m.split('.')[0] in ('django', 'psycopg', 'patients')]"
    code = f"import sys, regimens.domain, {modules}; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DOMAIN.parents[1])
    assert done.stdout.strip() == "[]"


def test_every_public_function_of_the_core_says_what_it_does() -> None:
    for name, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), (name, node.name)
