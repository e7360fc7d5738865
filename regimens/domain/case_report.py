"""The validation report of a run of worked cases: dated, versioned, every value compared, as text and as a page to print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

from .case_file import CaseFile
from .cases import Result, tally
from .units import instant_text

SIGNATURE = "Reviewed by (name, signature, date):"
_STYLE = """\
body { font: 10pt/1.4 sans-serif; margin: 2em; color: #000; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #777; padding: 2px 6px; text-align: left; vertical-align: top }
thead { display: table-header-group }
tr { break-inside: avoid }
.fail { font-weight: bold }
"""


@dataclass(frozen=True, slots=True)
class Report:
    """One run: when, by which release and monograph, over which file, with what results."""

    made_at: datetime
    release: str
    monograph: str
    monograph_sha256: str
    file_name: str
    file_sha256: str
    file: CaseFile
    results: tuple[Result, ...]

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The head of the report, line by line."""
        return (
            ("Made", instant_text(self.made_at, "UTC")),
            ("Software release", self.release),
            ("Monograph", self.monograph),
            ("Monograph SHA-256", self.monograph_sha256),
            ("Case file", self.file_name),
            ("Case file SHA-256", self.file_sha256),
            ("Kind of cases", self.file.kind),
            ("Columns not compared", ", ".join(self.file.ignored) or "none"),
            ("Values compared", str(sum(len(result.comparisons) for result in self.results))),
            ("Result", tally(self.results)),
        )


def as_text(report: Report) -> str:
    """The report as plain text, one line per case and one per value."""
    lines = ["Validation report: worked cases", ""]
    lines += [f"{name}: {value}" for name, value in report.facts]
    for result in report.results:
        lines += ["", f"{_verdict(result)} {result.case.case_id} (line {result.case.line}): {_inputs(result)}"]
        lines += [
            f"  {'ok   ' if c.agrees else 'WRONG'} {c.column}: expected {c.expected}, got {c.got}" for c in result.comparisons
        ]
        lines += [f"  refused: {result.refusal}"] if result.refusal else []
        lines += ["  nothing was compared"] if not (result.comparisons or result.refusal) else []
    return "\n".join([*lines, "", SIGNATURE, "", tally(report.results), ""])


def as_page(report: Report) -> str:
    """The report as one HTML page that prints as it stands; everything from the file is shown literally."""
    head = "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in report.facts)
    rows = "".join(_page_rows(result) for result in report.results)
    return (
        "<!doctype html>\n<html lang='en-US'>\n<head>\n<meta charset='utf-8'>\n<title>Validation report: worked cases</title>\n"
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>Validation report: worked cases</h1>\n<table>\n{head}</table>\n"
        "<h2>Cases</h2>\n<table>\n"
        "<thead><tr><th>Case</th><th>Line</th><th>Input</th><th>Column</th><th>Expected</th><th>Got</th><th>Result</th></tr></thead>\n"
        f"<tbody>\n{rows}</tbody>\n</table>\n<p>{escape(tally(report.results))}</p>\n<p>{SIGNATURE}</p>\n</body>\n</html>\n"
    )


def _page_rows(result: Result) -> str:
    cells: list[tuple[str, str, str, str]] = [
        (c.column, c.expected, c.got, "ok" if c.agrees else "WRONG") for c in result.comparisons
    ]
    if result.refusal:
        cells.append(("input", "accepted", result.refusal, "REFUSED"))
    first = f"<th scope='row' rowspan='{max(len(cells), 1)}'>{escape(result.case.case_id)} {_verdict(result)}</th>"
    first += "".join(
        f"<td rowspan='{max(len(cells), 1)}'>{escape(text)}</td>" for text in (str(result.case.line), _inputs(result))
    )
    rows = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in cells] or [
        "<td colspan='4'>nothing was compared</td>"
    ]
    kind = "" if result.passed else " class='fail'"
    return "".join(f"<tr{kind}>{first if place == 0 else ''}{row}</tr>\n" for place, row in enumerate(rows))


def _verdict(result: Result) -> str:
    return "PASS" if result.passed else "FAIL"


def _inputs(result: Result) -> str:
    return ", ".join(f"{name} {word}" for name, word in result.case.inputs.items())
