"""Reading a pharmacist's worked cases: which columns a file may have, and what stands in its cells.

A file of cases is a table with one case a row. Its header decides the kind: a visit and a weight make a dose case, a
transplant or a first dose a schedule case. Some columns are inputs, every other known one is expected; an empty cell is not
compared; columns nobody knows are left alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from .library_text import Unreadable
from .monograph import Monograph

_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SEPARATORS = (",", ";", "\t")


class Kind(StrEnum):
    DOSE = "dose"
    SCHEDULE = "schedule"


class Shape(StrEnum):
    """How a column's cells are read and compared."""

    WORD = "a word"
    NUMBER = "a number such as 187.5, with a point"
    NUMBERS = "numbers separated by |, such as 21|42|75"
    DAY = "a date such as 2025-01-29"
    INSTANT = "a date and time such as 2025-01-18T10:30"


INPUTS: dict[Kind, dict[str, Shape]] = {
    Kind.DOSE: {
        "organ": Shape.WORD,
        "visit": Shape.WORD,
        "weight_kg": Shape.NUMBER,
        "rate_table": Shape.WORD,
        "pump_increment_ml_per_h": Shape.NUMBER,
    },
    Kind.SCHEDULE: {"organ": Shape.WORD, "transplant_at": Shape.INSTANT, "timezone": Shape.WORD, "first_given_on": Shape.DAY},
}
EXPECTED: dict[Kind, dict[str, Shape]] = {
    Kind.DOSE: {
        "mg_per_kg": Shape.NUMBER,
        "dose_mg": Shape.NUMBER,
        "volume_ml": Shape.NUMBER,
        "vials_50ml": Shape.NUMBER,
        "waste_ml": Shape.NUMBER,
        "rates_ml_per_h": Shape.NUMBERS,
        "total_minutes": Shape.NUMBER,
        "pump_rates_ml_per_h": Shape.NUMBERS,
        "pump_total_minutes_rounded_up": Shape.NUMBER,
    },
    Kind.SCHEDULE: {"initial_closes_at": Shape.INSTANT},  # and a day for every dose code of the monograph
}

Value = Decimal | int | tuple[Decimal, ...] | date | datetime | str


@dataclass(frozen=True, slots=True)
class Case:
    """One row: its name, its line in the file, what goes in and what should come out, as written."""

    case_id: str
    line: int
    inputs: Mapping[str, str]
    expected: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All cases of a file, and the columns that were left alone."""

    kind: Kind
    cases: tuple[Case, ...]
    ignored: tuple[str, ...]


def read_cases(text: str, monograph: Monograph) -> CaseFile:
    """The cases of a file's text, separated by commas, semicolons or tabs.

    Raises :class:`Unreadable` naming line and column: no table, no known kind, a column missing or twice, a row of another
    length, a cell that is no number or date. Nothing is compared then.
    """
    rows = _rows(text)
    top, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    known = {name.casefold(): name for name in columns}
    kind = _kind(known, top)
    shapes = INPUTS[kind] | EXPECTED[kind]
    if kind is Kind.SCHEDULE:
        shapes = shapes | {row.code: Shape.DAY for protocol in monograph.protocols for row in protocol.doses}
    names = {name.casefold(): name for name in ("case_id", *shapes)}
    places = {names[name.casefold()]: place for place, name in enumerate(columns) if name.casefold() in names}
    for name in columns:
        if name.casefold() in names and [other.casefold() for other in columns].count(name.casefold()) > 1:
            raise Unreadable(f"line {top}, column {name}: stands twice in the header")
    needed = ("organ", "visit", "weight_kg") if kind is Kind.DOSE else ("organ",)
    for name in needed:
        if name not in places:
            raise Unreadable(f"line {top}, column {name}: is missing in the header")
    cases = tuple(_case(line, cells, columns, places, shapes, kind) for line, cells in rows)
    if not cases:
        raise Unreadable(f"line {top + 1}, column case_id: the file has a header and no case")
    return CaseFile(kind, cases, tuple(name for name in columns if name and name.casefold() not in names))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not empty; a leading "sep=;" of a spreadsheet is obeyed."""
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.casefold().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text, skipped = first[4], rest, 1
    else:
        header = next(filter(str.strip, text.splitlines()), "")
        delimiter = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1 + skipped
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(f"line {reader.line_num + skipped}, column 1: {error}") from None
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1 + skipped


def _kind(names: Mapping[str, str], line: int) -> Kind:
    is_dose = "visit" in names or "weight_kg" in names
    is_schedule = "transplant_at" in names or "first_given_on" in names
    if is_dose == is_schedule:
        both = "both kinds of columns" if is_dose else "neither visit and weight_kg nor transplant_at or first_given_on"
        raise Unreadable(f"line {line}, column 1: the header has {both}, so the kind of case is not clear")
    return Kind.DOSE if is_dose else Kind.SCHEDULE


def _case(
    line: int, cells: list[str], columns: list[str], places: Mapping[str, int], shapes: Mapping[str, Shape], kind: Kind
) -> Case:
    for name, place in places.items():  # a spreadsheet may leave out empty cells at the end; not those that are compared
        if place >= len(cells):
            raise Unreadable(f"line {line}, column {name}: the row ends before it")
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise Unreadable(f"line {line}, column {len(columns) + 1}: the row goes on after the last column of the header")
    words = {name: cells[place].strip() for name, place in places.items()}
    case_id = words.pop("case_id", "") or f"line-{line}"
    filled = {name: word for name, word in words.items() if word}
    for name, word in filled.items():
        try:
            value_of(word, shapes[name])
        except ValueError:
            raise Unreadable(f"line {line}, column {name}: {word!r} is not {shapes[name]}") from None
    inputs = {name: word for name, word in filled.items() if name in INPUTS[kind]}
    return Case(case_id, line, inputs, {name: word for name, word in filled.items() if name not in inputs})


def value_of(word: str, shape: Shape) -> Value:
    """A cell's value; ValueError when it is not of its shape."""
    if shape is Shape.NUMBER:
        return _number(word)
    if shape is Shape.NUMBERS:
        return tuple(_number(part.strip()) for part in word.split("|"))
    if shape is Shape.DAY:
        if not is_day(word):
            raise ValueError(word)
        return date.fromisoformat(word)
    if shape is Shape.INSTANT:
        return datetime.fromisoformat(word)
    return word


def _number(word: str) -> Decimal:
    if not _NUMBER.fullmatch(word):
        raise ValueError(word)
    return Decimal(word)


def is_day(word: str) -> bool:
    """Whether a cell holds a date without a time."""
    return _DAY.fullmatch(word) is not None
