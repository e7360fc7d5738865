"""check_cases: the worked cases pass, a wrong number fails, a refused input fails with its sentence, a broken file is named."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from regimens.domain.case_file import EXPECTED, Kind, read_cases
from regimens.domain.cases import check, tally
from regimens.domain.library_file import parse
from regimens.library import SHIPPED, WORKED_CASES
from regimens.models.library import Monograph

SHIPPED_VALUE = parse(SHIPPED.read_text("utf-8"))
ROOT = Path(__file__).parent.parent.parent
DOSES, SCHEDULES = WORKED_CASES
DOSE_HEADER = "case_id,organ,visit,weight_kg,rate_table,dose_mg,pump_increment_ml_per_h,pump_rates_ml_per_h"
DAYS = "D1,D2,D7,D14,D21"
SCHEDULE_HEADER = f"case_id,organ,transplant_at,timezone,first_given_on,initial_closes_at,W0,W2,W16,{DAYS}"


def run(path: Path, *options: str) -> tuple[int, list[str], str]:
    """Exit code, lines and notes of a run against the shipped file; the database is closed to these tests."""
    out, err = StringIO(), StringIO()
    try:
        call_command("check_cases", str(path), "--library", *options, stdout=out, stderr=err)
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 99
    return code, out.getvalue().splitlines(), err.getvalue()


def file(tmp_path: Path, *lines: str, header: str = DOSE_HEADER) -> Path:
    path = tmp_path / "cases.csv"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def unreadable(path: Path) -> str:
    with pytest.raises(CommandError) as caught:
        run(path)
    assert caught.value.returncode == 2
    return str(caught.value)


@pytest.mark.parametrize(("path", "count"), [(DOSES, 14), (SCHEDULES, 2)])
def test_every_worked_case_passes(path: Path, count: int) -> None:
    code, lines, notes = run(path)
    assert code == 0
    assert lines[-1] == f"{count} passed, 0 failed"
    assert [line.split()[0] for line in lines[:-1]] == ["PASS"] * count
    assert notes == ""


def wrong_copies(path: Path) -> list[tuple[int, str]]:
    """Each expected cell of a file, one at a time: line and column."""
    header, *rows = path.read_text("utf-8").splitlines()
    inputs = {"case_id", "organ", "visit", "weight_kg", "rate_table", "pump_increment_ml_per_h", "transplant_at", "timezone"}
    return [(line, column) for line in range(2, len(rows) + 2) for column in header.split(",") if column not in inputs]


@pytest.mark.parametrize(
    ("path", "line", "column"), [(path, *place) for path in (DOSES, SCHEDULES) for place in wrong_copies(path)]
)
def test_a_wrong_number_anywhere_fails_that_case_alone(path: Path, line: int, column: str) -> None:
    rows = [row.split(",") for row in path.read_text("utf-8").splitlines()]
    place = rows[0].index(column)
    right = rows[line - 1][place]
    wrong = right.replace("2025", "2026") if "-" in right else right[:-1] + ("1" if right[-1] != "1" else "2")
    rows[line - 1][place] = wrong
    results = check(read_cases("\n".join(",".join(row) for row in rows), SHIPPED_VALUE), SHIPPED_VALUE)
    assert tally(results) == f"{len(rows) - 2} passed, 1 failed"
    (failed,) = [str(result) for result in results if not result.passed]
    assert failed.startswith(f"FAIL {rows[line - 1][0]} {column} expected {wrong}, got ")


def test_a_failure_names_column_expected_and_found(tmp_path: Path) -> None:
    code, lines, _ = run(file(tmp_path, "C01,liver,W0,3.2,initial,479,0.1,0.9|1.9|3.9"))
    assert code == 1
    assert lines == [
        "FAIL C01 dose_mg expected 479, got 480; pump_rates_ml_per_h expected 0.9|1.9|3.9, got 0.9|1.9|3.8",
        "0 passed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("X,spleen,W0,70,initial,10500,,", "organ 'spleen' is not known"),
        ("X,kidney,W3,70,initial,10500,,", "visit 'W3' is not one of"),
        ("X,kidney,D1,70,initial,10500,,", "visit 'D1' is not one of"),
        ("X,kidney,W0,301,initial,10500,,", "above 300"),
        ("X,kidney,W0,1.9,initial,10500,,", "below 2"),
        ("X,kidney,W0,,initial,10500,,", "weight_kg is empty"),
        ("X,,W0,70,initial,10500,,", "organ is empty"),
        ("X,kidney,W0,70,fast,10500,,", "rate_table 'fast' is not one of initial, subsequent"),
        ("X,kidney,W0,70,,10500,,21|42|75", "rate_table is empty"),
        ("X,liver,W0,3.2,initial,480,1,0|1|3", "Pump increment too coarse"),
        ("X,liver,W0,3.2,initial,480,0,", "more than 0"),
    ],
)
def test_a_refused_input_fails_with_its_line_and_the_rules_sentence(tmp_path: Path, row: str, message: str) -> None:
    code, lines, _ = run(file(tmp_path, "C08,kidney,W2,70,subsequent,7000,,21|42|75", row))
    assert code == 1
    assert lines[0] == "PASS C08"
    assert lines[1].startswith("FAIL X ")
    assert "line 3: " in lines[1]
    assert message in lines[1]


@pytest.mark.parametrize(
    "row",
    [
        "A,Kidney, w0 ,70.0,Initial,10500.00,,21.0|42|75",
        "A,heart_paediatric_8_week,W4,12,subsequent,1200,,",
        "A,hsct,D7,70,subsequent,28000,,",
        "A,hsct_pneumonitis,D21_ALT,70,subsequent,10500,,",
        "A,kidney,W0,109.27,initial,16390.5,,32.7|65.5|75",
        "A,kidney,W12,70,,3500,,",
        "A,kidney,W0,70,initial,,,",
        "A,kidney,W0,70,initial,10500,1,21|42|75",
        "A,lung,W0,82.5,initial,12375,0.5,24.5|49.5|75",
    ],
)
def test_spelling_empty_cells_and_other_pumps_are_accepted(tmp_path: Path, row: str) -> None:
    assert run(file(tmp_path, row))[:2] == (0, ["PASS A", "1 passed, 0 failed"])


@pytest.mark.parametrize(
    "row",
    [
        "P,hsct_pneumonitis,,,2025-06-03,,,,,2025-06-03,2025-06-04,2025-06-09,2025-06-16,2025-06-23",
        "P,kidney,2025-11-02T01:30,America/New_York,,2025-11-05T00:30:00-05:00,2025-11-02,2025-11-16,2026-02-22,,,,,",
        "P,kidney,2025-11-02T01:30-05:00,America/New_York,,2025-11-05T01:30:00-05:00,2025-11-02,,,,,,,",
        "P,kidney,2025-11-02 01:30-04:00,America/New_York,,2025-11-05T05:30:00Z,2025-11-02,,,,,,,",
        "P,lung,2025-04-06T01:45,Australia/Lord_Howe,,2025-04-09T01:15,2025-04-06,2025-04-20,,,,,,",
        "P,heart,2025-01-15T23:45,Asia/Kolkata,,2025-01-18T18:15:00+00:00,2025-01-15,,2025-05-07,,,,,",
        "P,kidney,2025-03-27,Europe/London,,2025-03-30T01:00:00+01:00,2025-03-27,,,,,,,",
    ],
)
def test_days_and_closing_instants_hold_in_every_zone(tmp_path: Path, row: str) -> None:
    code, lines, _ = run(file(tmp_path, row, header=SCHEDULE_HEADER))
    assert (code, lines) == (0, ["PASS P", "1 passed, 0 failed"]), lines


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("P,kidney,2025-03-09T02:30,America/New_York,,,2025-03-09,,,,,,,", "line 2: 09-Mar-2025 02:30 does not exist"),
        (
            "P,kidney,2025-03-09T12:30,America/Nowhere,,,2025-03-09,,,,,,,",
            "line 2: There is no time zone called 'America/Nowhere'",
        ),
        ("P,kidney,2025-03-09T12:30,,,,2025-03-09,,,,,,,", "line 2: timezone is empty"),
        ("P,kidney,,UTC,2025-03-09,,2025-03-09,,,,,,,", "line 2: transplant_at is empty"),
        ("P,hsct_pneumonitis,2025-03-09T12:30,UTC,,,,,,2025-03-09,,,,", "line 2: first_given_on is empty"),
        ("P,kidney,9999-12-09T12:30,UTC,,,,,2025-03-09,,,,,", "line 2: Day: 09-Dec-9999 is not from 01-Jan-1900"),
        ("P,kidney,0001-01-01,Asia/Kolkata,,,,,2025-03-09,,,,,", "line 2: Day: 01-Jan-0001 is not from 01-Jan-1900"),
        ("P,kidney,0001-01-01T00:30+14:00,UTC,,,,,2025-03-09,,,,,", "line 2: transplant_at: 01-Jan-0001 is not from"),
        ("P,kidney,2025-03-09T12:30,UTC,,,,,,2025-03-09,,,,", "D1 expected 2025-03-09, got none"),
        (
            "P,kidney,2025-03-06T02:30,America/New_York,,2025-03-09T02:30,,,,,,,,",
            "initial_closes_at expected 2025-03-09T02:30, got",
        ),
        (
            "P,kidney,2025-03-06T02:30,America/New_York,,2025-03-09T02:30-05:00,,2025-03-21,,,,,,",
            "W2 expected 2025-03-21, got 2025-03-20",
        ),
    ],
)
def test_impossible_times_and_wrong_days_fail(tmp_path: Path, row: str, message: str) -> None:
    code, lines, _ = run(file(tmp_path, row, header=SCHEDULE_HEADER))
    assert code == 1
    assert message in lines[0]
    assert lines[1] == "0 passed, 1 failed"


def test_a_spreadsheets_bom_semicolons_quotes_and_own_columns_are_tolerated(tmp_path: Path) -> None:
    text = DOSES.read_text("utf-8").replace(",", ";").replace("\n", "\r\n").replace("total_minutes;", "remark;", 1)
    for start in ("\ufeff", "sep=;\r\n", "\ufeffsep=;\r\n"):
        path = tmp_path / "excel.csv"
        path.write_bytes((start + text.replace("liver", '"liver"') + ";;;\r\n").encode())
        code, lines, notes = run(path)
        assert (code, lines[-1], notes.strip()) == (0, "14 passed, 0 failed", "not compared: remark")


def test_a_misspelt_column_is_named_and_not_taken_for_compared(tmp_path: Path) -> None:
    code, lines, notes = run(file(tmp_path, "A,kidney,W0,70,1", header="case_id,organ,visit,weight_kg,dosemg"))
    assert (code, lines[-1]) == (0, "1 passed, 0 failed")
    assert "not compared: dosemg" in notes
    assert "nothing was compared in: A" in notes


def test_a_spreadsheets_blank_lines_own_columns_twice_and_cells_left_out_at_the_end_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(
        "\n;;\nCase_ID;Organ;Visit;Weight_kg;Dose_mg;Note;Note\nA;kidney;W0;70;10500\n\nB;spleen;W0;70;10500;a;b\n", "utf-8"
    )
    code, lines, notes = run(path)
    assert (code, lines[0], lines[-1]) == (1, "PASS A", "1 passed, 1 failed")
    assert lines[1].startswith("FAIL B line 6: organ 'spleen' is not known")
    assert notes == "not compared: Note, Note\n"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ([DOSE_HEADER, "A,kidney,W0,seventy,initial,10500,,"], "line 2, column weight_kg"),
        ([DOSE_HEADER, "A,kidney,W0,70,initial,10500,,", "B,kidney,W0,70,initial,1e4,,"], "line 3, column dose_mg"),
        ([DOSE_HEADER, 'A,kidney,W0,70,initial,"10,500",,'], "line 2, column dose_mg"),
        ([DOSE_HEADER, "A,kidney,W0,٧٠,initial,10500,,"], "line 2, column weight_kg"),
        ([DOSE_HEADER, "A,kidney,W0,NaN,initial,10500,,"], "line 2, column weight_kg"),
        ([DOSE_HEADER, "A,kidney,W0,70,initial,10500,,21|42|"], "line 2, column pump_rates_ml_per_h"),
        ([DOSE_HEADER, "A,kidney,W0,70,initial"], "line 2, column dose_mg"),
        ([DOSE_HEADER, "A,kidney,W0,70,initial,10500,,21|42|75,9"], "line 2, column 9"),
        ([DOSE_HEADER, 'A,kidney,W0,70,initial,"10500,,'], "line 2, column 1"),
        ([DOSE_HEADER], "line 2, column case_id"),
        ([SCHEDULE_HEADER, "P,kidney,15-01-2025,UTC,,,,,,,,,,"], "line 2, column transplant_at"),
        ([SCHEDULE_HEADER, "P,kidney,2025-01-15T10:30,UTC,,,20250115,,,,,,,"], "line 2, column W0"),
        ([SCHEDULE_HEADER, "P,kidney,2025-01-15T10:30,UTC,,,2025-01-32,,,,,,,"], "line 2, column W0"),
        ([DOSE_HEADER.replace("dose_mg", "organ"), "A,kidney,W0,70,initial,kidney,,"], "line 1, column organ"),
        (["case_id,visit,weight_kg", "A,W0,70"], "line 1, column organ"),
        (["case_id,organ,visit", "A,kidney,W0"], "line 1, column weight_kg"),
        (["case_id,organ", "A,kidney"], "line 1, column 1"),
        (["organ,visit,weight_kg,transplant_at", "kidney,W0,70,2025-01-15T10:30"], "line 1, column 1"),
        ([""], "line 1, column 1"),
        (["", "case_id;organ", "A;kidney"], "line 2, column 1"),
        (["sep=;", "case_id;organ;visit", "A;kidney;W0"], "line 2, column weight_kg"),
        (["", DOSE_HEADER], "line 3, column case_id"),
        (
            ["case_id;organ;visit;weight_kg;dose_mg", "A;kidney;W0;82,5;12375"],
            "line 2, column weight_kg: '82,5' is not a number",
        ),
        (["sep=;", "case_id;organ;visit;weight_kg;ORGAN", "A;kidney;W0;70;x"], "line 2, column organ"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_by_line_and_column(tmp_path: Path, lines: list[str], place: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(lines), "utf-8")
    assert place in unreadable(path)


def test_bytes_that_are_no_text_and_a_file_that_is_not_there_are_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(DOSE_HEADER.encode() + b"\nA,kidney,W0,70\xff")
    assert "line 2, column 15" in unreadable(path)
    assert "No such file" in unreadable(tmp_path / "nothing.csv")
    assert "directory" in unreadable(tmp_path)


def test_the_report_is_dated_versioned_and_shows_every_value(tmp_path: Path) -> None:
    cases = file(
        tmp_path, "<b>A</b>,kidney,W0,70,initial,10500,,21|42|75", "B,kidney,W0,70,initial,1,,", "C,<i>,W0,70,initial,1,,"
    )
    code, lines, notes = run(cases, "--report", str(tmp_path / "reports"))
    assert (code, lines[-1]) == (1, "1 passed, 2 failed")
    text, page = sorted((tmp_path / "reports").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert str(text) in notes
    assert str(page) in notes
    words, markup = text.read_text("utf-8"), page.read_text("utf-8")
    for expected in ("0.1.0", str(date.today().year), "SHA-256", "cases.csv", "1 passed, 2 failed"):  # noqa: DTZ011
        assert expected in words
        assert expected in markup
    assert "pump_rates_ml_per_h: expected 21|42|75, got 21|42|75" in words
    assert "WRONG dose_mg: expected 1, got 10500" in words
    assert "&lt;b&gt;A&lt;/b&gt;" in markup
    assert "<b>" not in markup
    assert "<i>" not in markup


def test_an_organ_with_two_protocols_of_its_own_asks_for_the_protocol() -> None:
    own = replace(SHIPPED_VALUE.protocol("other_organ"), code="liver_short")
    monograph = replace(SHIPPED_VALUE, protocols=(*SHIPPED_VALUE.protocols, own))
    cases = read_cases(
        "organ,visit,weight_kg,dose_mg\nliver,W0,70,10500\nliver_short,W0,70,10500\nkidney,W0,70,10500", monograph
    )
    unclear, named, kidney = check(cases, monograph)
    assert str(unclear).startswith("FAIL line-2 line 2: organ 'liver' fits several protocols (other_organ, liver_short)")
    assert named.passed
    assert kidney.passed


def test_a_product_without_50_ml_vials_has_no_such_count() -> None:
    vial = replace(SHIPPED_VALUE.product.vials[0], volume_ml=Decimal(20), content_mg=Decimal(1000))
    monograph = replace(SHIPPED_VALUE, product=replace(SHIPPED_VALUE.product, vials=(vial,)))
    cases = read_cases("case_id,organ,visit,weight_kg,volume_ml,vials_50ml\nA,liver,W0,70,210,5", monograph)
    (result,) = check(cases, monograph)
    assert str(result) == "FAIL A vials_50ml expected 5, got none"


def test_volume_vials_and_waste_are_exact_whatever_can_be_drawn(tmp_path: Path) -> None:
    header = "case_id,organ,visit,weight_kg,volume_ml,vials_50ml,waste_ml"
    rows = ("A,liver,W0,109.27,327.81,7,22.19", "B,kidney,W2,25.02,50.04,2,49.96")
    assert run(file(tmp_path, *rows, header=header))[1] == ["PASS A", "PASS B", "2 passed, 0 failed"]


def test_every_column_of_the_golden_files_is_known() -> None:
    for path, kind in ((DOSES, Kind.DOSE), (SCHEDULES, Kind.SCHEDULE)):
        assert len(set(path.read_text("utf-8").splitlines()[0].split(",")) & set(EXPECTED[kind])) == len(EXPECTED[kind])


def test_the_library_is_checked_where_no_database_is_named_at_all(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
    command = [sys.executable, str(ROOT / "manage.py"), "check_cases", str(DOSES)]
    with_library = subprocess.run([*command, "--library"], env=environment, capture_output=True, text=True, check=False)
    assert (with_library.returncode, with_library.stdout.splitlines()[-1]) == (0, "14 passed, 0 failed")
    without = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert without.returncode == 2


@pytest.mark.django_db
def test_the_published_monograph_is_what_cases_are_checked_against() -> None:
    out = StringIO()
    call_command("check_cases", str(DOSES), stdout=out)
    assert out.getvalue().splitlines()[-1] == "14 passed, 0 failed"
    Monograph.objects.filter(state="published").update(state="retired", retired_at="2026-01-01T00:00:00Z")
    with pytest.raises(CommandError, match="No monograph is published") as caught:
        call_command("check_cases", str(DOSES), stdout=out)
    assert caught.value.returncode == 2
