"""Lists to take away as CSV, safe to open in a spreadsheet: no cell that somebody typed begins a formula (safety C4)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

# Signs that begin a formula somewhere, in their ordinary and their full width, and what hides one at the beginning.
FORMULA = tuple("=+-@\t\r\n|%＝＋－＠")


def csv_cell(value: Any) -> Any:
    """The value as a cell: text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" \u00a0\u3000\u200b\ufeff").startswith(FORMULA):
        return f"'{value}"
    return value


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A file to download, in UTF-8 with the mark by which spreadsheets know it."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.write("\ufeff")
    writer = csv.writer(answer)
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return answer
