"""docs/rules.md and the code name the same rules, each with a source, the function that holds it and a case that shows it."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

from regimens.library import WORKED_CASES

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "regimens" / "domain"
TESTS = Path(__file__).parent
RULE = re.compile(r"R-[A-Z]+-\d+")


def documented() -> dict[str, list[str]]:
    rows = {}
    for line in (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if RULE.fullmatch(cells[0]):
            assert cells[0] not in rows, cells[0]
            assert len(cells) == 6 and all(cells), line
            rows[cells[0]] = cells
    return rows


def in_code() -> dict[str, set[str]]:
    """Rule number to the modules that name it."""
    found: dict[str, set[str]] = {}
    for path in DOMAIN.glob("*.py"):
        for rule in RULE.findall(path.read_text(encoding="utf-8")):
            found.setdefault(rule, set()).add(path.stem)
    return found


def functions() -> dict[str, str]:
    """module.function to its source."""
    found = {}
    for path in DOMAIN.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found[f"{path.stem}.{node.name}"] = ast.get_source_segment(text, node) or ""
    return found


def case_files() -> list[Path]:
    """Golden files of the tests, and the worked cases that are shipped."""
    return [*sorted((TESTS / "golden").glob("*.csv")), *WORKED_CASES]


def cases() -> set[str]:
    names = set()
    for path in case_files():
        with path.open(newline="", encoding="utf-8") as file:
            names |= {row["case_id"] for row in csv.DictReader(file) if "case_id" in row}
    for path in TESTS.glob("test_*.py"):
        names |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    return names


def test_every_rule_of_the_code_is_written_down_and_every_written_rule_is_in_the_code() -> None:
    assert set(documented()) == set(in_code())
    assert len(documented()) > 60


def test_every_rule_names_a_function_that_exists_in_a_module_that_carries_it() -> None:
    known, carried = functions(), in_code()
    for rule, (_, _, _, function, _, _) in documented().items():
        assert function in known, (rule, function)
        assert function.split(".")[0] in carried[rule], (rule, function)


def test_the_function_itself_carries_the_rule_unless_a_table_does() -> None:
    known = functions()
    by_table = {"R-STAT-1", "R-STAT-2", "R-STATE-1", "R-STATE-2"}
    for rule, (_, _, _, function, _, _) in documented().items():
        assert (rule in known[function]) is (rule not in by_table), (rule, function)


def test_every_rule_is_shown_by_a_case_that_exists() -> None:
    known = cases()
    for rule, (_, _, _, _, case, _) in documented().items():
        assert case in known, (rule, case)


def test_no_case_has_two_meanings() -> None:
    seen: dict[str, str] = {}
    for path in case_files():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if "case_id" in row:
                    assert seen.setdefault(row["case_id"], path.name) == path.name, row["case_id"]


def test_every_worked_number_names_cases_that_exist() -> None:
    known, rows = cases(), 0
    for line in (ROOT / "docs" / "golden.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] in ("about", "---"):
            continue
        rows += 1
        assert len(cells) == 3 and all(cells), line
        for case in cells[2].split(", "):
            assert case in known, (line, case)
    assert rows > 45
