"""A pharmacist's worked cases against the rules: a hospital's own validation, compared value by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from . import clock, guards
from .case_file import EXPECTED, Case, CaseFile, Kind, Shape, Value, is_day, value_of
from .dosing import DoseAmount, calculate_dose
from .infusion import plan_infusion
from .monograph import Anchor, Monograph, Protocol
from .reasons import Refused
from .schedule import CourseAnchor, FirstDoseAnchor, TransplantAnchor, plan_windows
from .units import ceil_div

CASES = "Case file"
VIAL_ML = Decimal(50)  # of the column vials_50ml
_RATES = ("rates_ml_per_h", "total_minutes", "pump_rates_ml_per_h", "pump_total_minutes_rounded_up")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cell: what the file expects, and what the rules give."""

    column: str
    expected: str
    got: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case; ``refusal`` is the rules' own sentence where they did not accept the input."""

    case: Case
    comparisons: tuple[Comparison, ...]
    refusal: str

    @property
    def passed(self) -> bool:
        return not self.refusal and all(comparison.agrees for comparison in self.comparisons)

    def __str__(self) -> str:
        if self.passed:
            return f"PASS {self.case.case_id}"
        wrong = [f"{c.column} expected {c.expected}, got {c.got}" for c in self.comparisons if not c.agrees]
        if self.refusal:
            wrong.append(f"line {self.case.line}: {self.refusal}")
        return f"FAIL {self.case.case_id} {'; '.join(wrong)}"


def check(file: CaseFile, monograph: Monograph) -> tuple[Result, ...]:
    """Every case of the file computed by the rules and compared, in the order of the file."""
    compute = _dose_values if file.kind is Kind.DOSE else _schedule_values
    return tuple(_checked(case, file.kind, compute(case, monograph)) for case in file.cases)


def tally(results: tuple[Result, ...]) -> str:
    """The last line of every run: "14 passed, 0 failed"."""
    passed = sum(result.passed for result in results)
    return f"{passed} passed, {len(results) - passed} failed"


def _checked(case: Case, kind: Kind, values: Iterator[tuple[str, Value]]) -> Result:
    """Compares what came out with what was expected; a refusal keeps what was computed before it."""
    got: dict[str, Value] = {}
    refusal = ""
    try:
        for column, value in values:  # what came out before a refusal is still compared
            got |= {column: value}
    except Refused as refused:
        refusal = refused.sentence
    zone_name = case.inputs.get("timezone", "UTC")
    comparisons = tuple(
        Comparison(
            column,
            word,
            _written(got.get(column)),
            _agrees(word, EXPECTED[kind].get(column, Shape.DAY), got.get(column), zone_name),
        )
        for column, word in case.expected.items()
        if column in got or not refusal
    )
    return Result(case, comparisons, refusal)


def _agrees(word: str, shape: Shape, got: Value | None, zone_name: str) -> bool:
    if shape is not Shape.INSTANT:
        return value_of(word, shape) == got
    try:
        return _instant(word, zone_name) == got
    except Refused:  # a wall-clock time that this zone does not have
        return False


def _written(value: Value | None) -> str:
    """A value as a case file holds it: plain digits, ISO dates."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "|".join(map(_written, value))
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if isinstance(value, date) else str(value)


def _protocol(case: Case, monograph: Monograph) -> Protocol:
    """The protocol an organ of the file stands for: a protocol's own code, or the one enabled protocol for adults."""
    organ = _needed(case, "organ").casefold()
    enabled = [protocol for protocol in monograph.protocols if protocol.enabled]
    found = [protocol for protocol in enabled if protocol.code == organ] or [
        protocol for protocol in enabled if organ in protocol.organs and protocol.population == "any"
    ]
    if len(found) == 1:
        return found[0]
    if found:
        codes = ", ".join(protocol.code for protocol in found)
        raise Refused(
            "organ_not_clear",
            f"organ {organ!r} fits several protocols ({codes}): write the protocol's code.",
            source=CASES,
            field="organ",
            value=organ,
            limit=codes,
        )
    known = ", ".join(
        sorted({organ for protocol in enabled for organ in protocol.organs} | {protocol.code for protocol in enabled})
    )
    raise Refused(
        "unknown_organ",
        f"organ {organ!r} is not known; known are {known}.",
        source=CASES,
        field="organ",
        value=organ,
        limit=known,
    )


def _needed(case: Case, column: str) -> str:
    if column not in case.inputs:
        raise Refused("empty", f"{column} is empty.", source=CASES, field=column, value="empty", limit="required")
    return case.inputs[column]


def _dose_values(case: Case, monograph: Monograph) -> Iterator[tuple[str, Value]]:
    """Column by column what a dose case comes to; Refused where the rules do not accept it."""
    protocol = _protocol(case, monograph)
    visit = _needed(case, "visit")
    row = next((row for row in protocol.doses if row.code.casefold() == visit.casefold()), None)
    if row is None:
        known = ", ".join(row.code for row in protocol.doses)
        raise Refused(
            "unknown_visit",
            f"visit {visit!r} is not one of {protocol.title}: {known}.",
            source=CASES,
            field="visit",
            value=visit,
            limit=known,
        )
    vial = next((vial for vial in monograph.product.vials if vial.volume_ml == VIAL_ML), None)
    dose = calculate_dose(
        mg_per_kg=row.mg_per_kg,
        weight_kg=Decimal(_needed(case, "weight_kg")),
        cap_mg_per_kg=protocol.cap_mg_per_kg,
        monograph=monograph,
        dose_source=row.source,
        cap_source=protocol.cap_source,
        vial=vial,
    )
    yield "mg_per_kg", dose.mg_per_kg
    yield "dose_mg", dose.dose_mg
    yield "volume_ml", dose.volume_ml
    if vial:
        vials = ceil_div(dose.volume_ml, vial.volume_ml)
        yield "vials_50ml", vials
        yield "waste_ml", vials * vial.volume_ml - dose.volume_ml
    if "rate_table" in case.inputs or any(column in case.expected for column in _RATES):
        yield from _rate_values(case, monograph, dose)


def _rate_values(case: Case, monograph: Monograph, dose: DoseAmount) -> Iterator[tuple[str, Value]]:
    code = _needed(case, "rate_table").casefold()
    table = next((table for table in monograph.rate_tables if table.code == code), None)
    if table is None:
        known = ", ".join(table.code for table in monograph.rate_tables)
        raise Refused(
            "unknown_rate_table",
            f"rate_table {code!r} is not one of {known}.",
            source=CASES,
            field="rate_table",
            value=code,
            limit=known,
        )
    increment = case.inputs.get("pump_increment_ml_per_h")
    plan = plan_infusion(
        dose=dose, table=table, monograph=monograph, pump_increment_ml_per_h=Decimal(increment) if increment else None
    )
    yield "rates_ml_per_h", plan.exact_rates_ml_per_h
    yield "total_minutes", plan.total_minutes
    yield "pump_rates_ml_per_h", plan.pump_rates_ml_per_h
    yield "pump_total_minutes_rounded_up", plan.pump_total_minutes_rounded_up


def _schedule_values(case: Case, monograph: Monograph) -> Iterator[tuple[str, Value]]:
    """The day of every dose, optional ones included, and when the first window closes, in the case's zone."""
    protocol = _protocol(case, monograph)
    anchor: CourseAnchor
    if protocol.anchor is Anchor.TRANSPLANT:
        zone_name = _needed(case, "timezone")
        transplant_at = _needed(case, "transplant_at")
        anchor = TransplantAnchor(_instant(transplant_at, zone_name), zone_name, time_known=not is_day(transplant_at))
    else:
        zone_name = case.inputs.get("timezone", "UTC")
        anchor = FirstDoseAnchor(date.fromisoformat(_needed(case, "first_given_on")), zone_name)
    optional = [row.code for row in protocol.doses if row.optional and not row.alternative_of and not row.repeats]
    for window in plan_windows(protocol, anchor, centre_zone=zone_name, chosen_optional=optional):
        yield window.code, window.target_on
        if window.in_hours:
            yield "initial_closes_at", window.closes_at.astimezone(guards.zone(zone_name))


def _instant(word: str, zone_name: str) -> datetime:
    """A time as written: with its offset where it has one, else on the zone's clock, the first of two where it comes twice.

    A day alone is the start of that day.
    """
    if is_day(word):
        return clock.day_start(guards.day(date.fromisoformat(word), "on"), guards.zone(zone_name))
    at = datetime.fromisoformat(word)
    if at.utcoffset() is not None:
        return guards.instant(at, "transplant_at")
    return clock.local_instant(at.date(), at.time(), zone_name, fold=0)
