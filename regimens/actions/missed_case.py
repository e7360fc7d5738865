"""The case of a dose that needs a decision: the chart as the rules read it, and what each decision would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from patients.refusal import Refusal
from regimens.actions.charting import Chart, given_elsewhere, local_day
from regimens.domain import missed
from regimens.domain.clock import day_start
from regimens.domain.exposure import GivenDose
from regimens.domain.guards import zone
from regimens.domain.intervals import earliest_start
from regimens.domain.monograph import Protocol
from regimens.domain.reasons import Derivation
from regimens.domain.schedule import Window
from regimens.domain.status import Status
from regimens.domain.transitions import decisions_from
from regimens.domain.units import instant_text, number
from regimens.models import Decision, Hold, MissedDoseDecision, OutsideDose, PlannedDose
from regimens.models.status import status_of
from regimens.models.together import read_together

LATEST_DAYS_AHEAD = 29  # site policy: a day further off than this is a slip of the pen; no window is longer than 30 days
SOURCE = "Site policy: missed doses"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The case with what was read for it: the dose's state, its course's holds, doses given elsewhere of unknown amount."""

    case: missed.Case
    status: Status
    holds: tuple[Hold, ...]
    outside_unknown: tuple[OutsideDose, ...]
    decided: frozenset[UUID]  # the doses about which a prescriber decided

    @property
    def open_hold(self) -> Hold | None:
        """The hold that nobody has resumed."""
        return next((hold for hold in self.holds if hold.resumed_at is None), None)


def read_case(chart: Chart, at: datetime) -> CaseFile:
    """Every live dose with its window, every infusion so far, here or elsewhere; one statement beside the chart's own."""
    dose, course = chart.dose, chart.course
    assert dose is not None and course is not None  # a case is always of a planned dose
    found = read_together(
        {
            "holds": Hold.objects.filter(course=course).order_by("held_at"),
            "elsewhere": given_elsewhere(chart.patient),
            "decided": MissedDoseDecision.objects.filter(dose__course=course, superseded_at=None),
        }
    )
    holds, chart.elsewhere = tuple(found["holds"]), found["elsewhere"]
    outside = [row for row in chart.elsewhere if row.given_at <= at]
    value = course.monograph.to_domain()
    protocol = value.protocol(course.protocol.code)
    per_ml = value.product.concentration_mg_per_ml
    live = [row for row in chart.doses if row.settled_as != "superseded"]
    codes = codes_of(live)
    by_row = {row.pk: row for row in chart.doses}
    given = given_here(chart, per_ml=per_ml, weight_kg=dose.weight_kg, codes=codes)
    for other in outside:
        row = by_row.get(other.dose_id) if other.dose_id else None
        code = codes.get(row.number, "") if row else ""
        # An unknown amount still keeps the interval; the page says that it is not in the mg per kg.
        given.append(GivenDose(code, other.given_at, other.given_mg or ZERO, dose.weight_kg))
    settled = {codes[row.number] for row in live if row.settled_as in ("omitted", "cancelled", "before_referral")}
    status = status_of(dose, at, [r for r in chart.records if r.dose_id == dose.pk], holds)
    own = chart.live_record(dose)
    case = missed.Case(
        code=codes[dose.number],
        protocol=protocol,
        anchor_on=course.anchor_on,
        windows=tuple(_window(row, codes[row.number], protocol, chart.centre.time_zone) for row in live),
        given=tuple(sorted(given, key=lambda one: one.started_at)),
        ordered_mg=dose.dose_mg,
        weight_kg=dose.weight_kg,
        settled_codes=frozenset(settled),
        given_mg=own.volume_ml * per_ml if own is not None and own.volume_ml is not None else None,
        allows_shift=chart.centre.shift_allowed,
        shifted_days=max(row.shifted_days for row in live),
        is_on_hold=any(hold.resumed_at is None for hold in holds),
        is_remainder=dose.is_remainder,
        organs=frozenset(course.transplant.organs),
    )
    decided = frozenset(row.dose_id for row in found["decided"])
    return CaseFile(case, status, holds, tuple(other for other in outside if other.given_mg is None), decided)


def given_here(chart: Chart, *, per_ml: Decimal, weight_kg: Decimal, codes: Mapping[int, str] | None = None) -> list[GivenDose]:
    """Every infusion that counts as given, with its mg and the weight it was given at; a running one counts as ordered.

    ``per_ml`` is the product's mg per mL, ``codes`` are the codes of the chart's own doses by number. One that belongs to no
    planned dose is reckoned at ``weight_kg``.
    """
    own = {row.pk for row in chart.doses}
    given = []
    for record in chart.counted():
        row = record.dose
        volume_ml = record.volume_ml if record.volume_ml is not None else (row.draw_ml if row else ZERO)
        code = codes.get(row.number, "") if row and codes and row.pk in own else ""
        given.append(GivenDose(code, record.started_at, volume_ml * per_ml, row.weight_kg if row else weight_kg))
    return given


def codes_of(rows: Sequence[PlannedDose]) -> dict[int, str]:
    """Dose number → code; a row whose dates were chosen counts on: D21_ALT.1, D21_ALT.2."""
    codes: dict[int, str] = {}
    for row in rows:
        code = row.protocol_dose.code
        if row.protocol_dose.repeats:
            code = f"{code}.{sum(known.startswith(f'{code}.') for known in codes.values()) + 1}"
        codes[row.number] = code
    return codes


def _window(row: PlannedDose, code: str, protocol: Protocol, zone_name: str) -> Window:
    return Window(
        number=row.number,
        code=code,
        title=row.title,
        mg_per_kg=row.mg_per_kg,
        target_on=row.target_on,
        opens_at=row.opens_at,
        target_at=max(row.opens_at, day_start(row.target_on, zone(zone_name))),
        overdue_at=row.overdue_at,
        closes_at=row.closes_at,
        min_interval_hours=row.min_interval_hours,
        row=protocol.dose(row.protocol_dose.code),
        zone_name=zone_name,
        working=Derivation.from_json(row.working),
    )


def options_for(
    chart: Chart,
    at: datetime,
    give_on: date | None = None,
    mg_per_kg: Decimal | None = None,
    file: CaseFile | None = None,
) -> dict[Decision, missed.Option]:
    """What may be signed now, by decision, with dates, gaps and mg; empty where nothing is to be decided.

    ``give_on`` is the day considered for giving late (or by which the rest is given), ``mg_per_kg`` the changed dose considered.
    Refused: a day in the past, too far ahead or within the interval; an amount above the cap.
    """
    assert chart.course is not None
    file = file or read_case(chart, at)
    give_at = None
    if give_on is not None:
        _check_day(give_on, chart, at)
        give_at = None if file.status is Status.PARTIAL else _considered(file.case, chart, at, give_on)
    value = chart.course.monograph.to_domain()
    shown = missed.options(file.case, at=at, monograph=value, give_at=give_at, mg_per_kg=mg_per_kg)
    allowed = {str(decision) for decision in decisions_from(file.status)}
    if not chart.centre.shift_allowed:
        allowed.discard(str(Decision.GIVE_LATE_AND_SHIFT))
    return {Decision(str(option.decision)): option for option in shown if str(option.decision) in allowed}


def _check_day(give_on: date, chart: Chart, at: datetime) -> None:
    today = local_day(at, chart.centre)
    if give_on < today:
        raise Refusal(
            "start_in_the_past", "A dose cannot be given in the past. Record it as already given instead.", field="give_on"
        )
    if give_on > today + timedelta(days=LATEST_DAYS_AHEAD):
        raise Refusal("too_far_ahead", f"Choose a day within {LATEST_DAYS_AHEAD} days.", source=SOURCE, field="give_on")


def _considered(case: missed.Case, chart: Chart, at: datetime, give_on: date) -> datetime:
    """The first instant of a day at which the late dose may start: not in the past, nor within the interval."""
    zone_name = chart.centre.time_zone
    last = max((dose.started_at for dose in case.given if dose.code != case.code), default=None)
    earliest = at if last is None else max(at, earliest_start(last, case.window.min_interval_hours))
    begins, ends = day_start(give_on, zone(zone_name)), day_start(give_on + timedelta(days=1), zone(zone_name))
    if earliest >= ends:
        raise Refusal(
            "min_interval",
            f"Not before {instant_text(earliest, zone_name)}: the interval to the last dose.",
            source="Site policy: minimum interval",
            field="give_on",
        )
    return max(begins, earliest)


def effects_of(options: dict[Decision, missed.Option], zone_name: str) -> list[dict[str, Any]]:
    """The options as plain values, as they are shown and kept with the decision."""
    return [
        {
            "decision": str(decision),
            "available": option.is_available,
            "departs": option.needs_signature,
            "give_at": option.give_at.isoformat() if option.give_at else "",
            "latest_on": option.latest_on.isoformat() if option.latest_on else "",
            "dose_mg": number(option.dose_mg) if option.dose_mg is not None else "",
            "mg_per_kg": number(option.mg_per_kg, 2) if option.mg_per_kg is not None else "",
            "days_since_last": option.days_since_last,
            "days_to_next": option.days_to_next,
            "next_code": option.next_code,
            "next_opens_at": instant_text(option.next_opens_at, zone_name) if option.next_opens_at else "",
            "new_targets": [[code, on.isoformat()] for code, on in option.new_targets],
            "mg_per_kg_in_7_days": number(option.mg_per_kg_in_7_days, 2),
            "mg_per_kg_in_28_days": number(option.mg_per_kg_in_28_days, 2),
            "for": list(option.reasons_for),
            "against": list(option.reasons_against),
        }
        for decision, option in options.items()
    ]
