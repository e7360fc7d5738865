"""What another version of the monograph would change in numbers: at three model weights, and in the courses that run.

Nothing here moves a course. A running course keeps its version; these are the figures a person reads before publishing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from .dosing import amount, checked_weight, dose_limits
from .infusion import infusion_limits, steps_for
from .monograph import Monograph, Protocol, ProtocolDose
from .reasons import Refused

MODEL_WEIGHTS_KG = (Decimal(10), Decimal(70), Decimal(140))
WINDOW = ("offset_days", "opens_days_before", "closes_days_after", "closes_after_hours", "min_interval_hours")


class Figures(NamedTuple):
    """One dose as it would be given: mg, mL to draw, vials, whole minutes on the pump."""

    dose_mg: Decimal
    draw_ml: Decimal
    vials: int
    minutes: int


class Given(NamedTuple):
    """What a dose is reckoned for: a weight in kg, a rate table, the pump's increment (the version's where None), a ceiling."""

    weight_kg: Decimal
    table: str
    increment_ml_per_h: Decimal | None = None
    ceiling_mg_per_kg_per_h: Decimal | None = None


class Reckoner:
    """The figures of one version. Each is reckoned once: many courses share a weight."""

    def __init__(self, monograph: Monograph) -> None:
        self.monograph = monograph
        self.rows = {
            (protocol.code, row.code): (protocol, row)
            for protocol in monograph.protocols
            if protocol.enabled
            for row in protocol.doses
        }
        self._tables = {table.code: table for table in monograph.rate_tables}
        self._limits, self._rates = dose_limits(monograph), infusion_limits(monograph)
        self._known: dict[Hashable, Figures | str] = {}

    def figures(self, protocol: Protocol, row: ProtocolDose, mg_per_kg: Decimal, given: Given) -> Figures | str:
        """The figures of so many mg per kg by a protocol's row, or the sentence by which the rules refuse it."""
        key = (protocol.code, mg_per_kg, given)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._reckon(protocol, row, mg_per_kg, given)
        return found

    def _reckon(self, protocol: Protocol, row: ProtocolDose, mg_per_kg: Decimal, given: Given) -> Figures | str:
        limits, rates = self._limits, self._rates
        increment = given.increment_ml_per_h or rates.pump_increment.value
        hours = rates.begin_within.value, rates.finish_within.value
        try:
            weight_kg = checked_weight(given.weight_kg, limits)
            dose = amount(mg_per_kg, weight_kg, protocol.cap_mg_per_kg, row.source, protocol.cap_source, self.monograph, limits)
            plan = steps_for(dose, self._tables[given.table], rates, increment, given.ceiling_mg_per_kg_per_h, *hours)
        except Refused as refused:
            return refused.sentence
        return Figures(dose.dose_mg, dose.draw_ml, dose.vials, plan.pump_total_minutes_rounded_up)


@dataclass(frozen=True, slots=True)
class Effect:
    """One dose of a protocol at one weight before and after; a sentence where the rules refuse it, None where there is no such
    dose.
    """

    protocol: str
    dose: str
    weight_kg: Decimal
    before: Figures | str | None
    after: Figures | str | None


def effects(before: Monograph, after: Monograph) -> list[Effect]:
    """Every dose that comes out differently at 10, 70 or 140 kg, by its first rate table for the first row of a protocol."""
    old, new = Reckoner(before), Reckoner(after)
    found = []
    for key in [*old.rows, *(key for key in new.rows if key not in old.rows)]:
        protocol, row = new.rows.get(key) or old.rows[key]
        for weight_kg in MODEL_WEIGHTS_KG:
            was, now = _model(old, key, weight_kg), _model(new, key, weight_kg)
            if was != now:
                found.append(Effect(protocol.title, row.title, weight_kg, was, now))
    return found


def _model(version: Reckoner, key: tuple[str, str], weight_kg: Decimal) -> Figures | str | None:
    if key not in version.rows:
        return None
    protocol, row = version.rows[key]
    table = "initial" if row is protocol.doses[0] else "subsequent"
    return version.figures(protocol, row, row.mg_per_kg, Given(weight_kg, table))


class OpenDose(NamedTuple):
    """One dose still to be given, as it is saved: its course, the version it was made by, its row, and its amounts."""

    course: Hashable
    version: int
    protocol: str
    code: str
    target_on: date
    weight_kg: Decimal
    mg_per_kg: Decimal
    dose_mg: Decimal
    rounded_from_mg: Decimal | None
    vials: int
    rate_table: str
    ceiling_mg_per_kg_per_h: Decimal | None
    increment_ml_per_h: Decimal
    is_remainder: bool


@dataclass(slots=True)
class CourseImpact:
    """What is left of one course, as saved and by another version. ``refusals`` say why it cannot be moved as it is."""

    version: int
    doses: int = 0
    amounts_changed: int = 0
    windows_changed: int = 0
    rates_changed: int = 0
    mg_before: Decimal = Decimal(0)
    mg_after: Decimal = Decimal(0)
    vials_before: int = 0
    vials_after: int = 0
    refusals: set[str] = field(default_factory=set)

    @property
    def differs(self) -> bool:
        """Whether anything about what is left would be another."""
        return bool(self.amounts_changed or self.windows_changed or self.rates_changed or self.refusals)


@dataclass(frozen=True, slots=True)
class Impact:
    """Every running course, and the vials of each month (its first day) as saved and by another version."""

    courses: Mapping[Hashable, CourseImpact]
    vials_by_month: Mapping[date, tuple[int, int]]

    @property
    def differing(self) -> dict[Hashable, CourseImpact]:
        """The courses that would be another plan."""
        return {key: course for key, course in self.courses.items() if course.differs}


def impact(doses: Iterable[OpenDose], versions: Mapping[int, Monograph], after: Monograph) -> Impact:
    """What is left of the running courses, beside what ``after`` would make of it.

    ``versions`` are the versions the courses are pinned to, by number. An amount that a prescriber changed stays changed; what is
    left of a stopped dose keeps its own. Windows are compared as the versions define them, not as people moved them since.
    """
    new = Reckoner(after)
    pairs = {number: _pairs(Reckoner(value), new, not _same_rates(value, after)) for number, value in versions.items()}
    courses: dict[Hashable, CourseImpact] = {}
    months: dict[date, list[int]] = {}
    for dose in doses:
        course = courses.get(dose.course)
        if course is None:
            course = courses[dose.course] = CourseImpact(dose.version)
        mg, vials = _one(dose, course, pairs[dose.version].get((dose.protocol, dose.code)), new)
        course.doses += 1
        course.mg_before += dose.dose_mg
        course.mg_after += mg
        course.vials_before += dose.vials
        course.vials_after += vials
        month = months.setdefault(dose.target_on.replace(day=1), [0, 0])
        month[0] += dose.vials
        month[1] += vials
    return Impact(courses, {month: (was, now) for month, (was, now) in sorted(months.items())})


class _Pair(NamedTuple):
    """One row by a course's own version and by the new one; ``old`` only where infusion times may differ."""

    was_protocol: Protocol
    was: ProtocolDose
    protocol: Protocol
    row: ProtocolDose
    has_other_window: bool
    old: Reckoner | None


def _pairs(old: Reckoner, new: Reckoner, has_other_rates: bool) -> dict[tuple[str, str], _Pair]:
    """Every row that both versions have."""
    found = {}
    for key, (was_protocol, was) in old.rows.items():
        if key in new.rows:
            protocol, row = new.rows[key]
            has_other_window = any(getattr(was, name) != getattr(row, name) for name in WINDOW)
            found[key] = _Pair(was_protocol, was, protocol, row, has_other_window, old if has_other_rates else None)
    return found


def _one(dose: OpenDose, course: CourseImpact, pair: _Pair | None, new: Reckoner) -> tuple[Decimal, int]:
    """mg and vials of one dose by the new version; what differs is counted in its course."""
    if dose.is_remainder:
        return dose.dose_mg, dose.vials
    if pair is None:
        course.refusals.add(f"{dose.protocol} has no dose {dose.code} any more")
        return dose.dose_mg, dose.vials
    was_protocol, was, protocol, row, has_other_window, old = pair
    course.windows_changed += has_other_window
    given = Given(dose.weight_kg, dose.rate_table, dose.increment_ml_per_h, dose.ceiling_mg_per_kg_per_h)
    mg_per_kg = row.mg_per_kg if dose.mg_per_kg == was.mg_per_kg else dose.mg_per_kg
    now = new.figures(protocol, row, mg_per_kg, given)
    if isinstance(now, str):
        course.refusals.add(now)
        return dose.dose_mg, dose.vials
    if old is not None:
        before = old.figures(was_protocol, was, mg_per_kg, given)
        course.rates_changed += isinstance(before, str) or before.minutes != now.minutes
    if now.dose_mg == (dose.rounded_from_mg or dose.dose_mg):
        return dose.dose_mg, dose.vials
    course.amounts_changed += 1
    return now.dose_mg, now.vials


def _same_rates(before: Monograph, after: Monograph) -> bool:
    return before.rate_tables == after.rate_tables and before.limits == after.limits
