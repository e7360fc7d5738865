"""The preview of a course that is not saved: every dose as it would be, beside the order, the calendar and an earlier course."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.safestring import SafeString

from patients.models import Centre
from regimens.actions import planning
from regimens.actions.planning import DraftCourse
from regimens.domain.changes import LateStart, day_hint
from regimens.domain.course import CourseRow
from regimens.domain.dosing import DoseAmount
from regimens.domain.schedule import Window
from regimens.models import Order, PlannedDose
from regimens.templatetags import display
from regimens.views.ordered import ordered_rows
from regimens.views.rows import DoseRow, dose_rows

SHOWN_DAYS = 4


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One dose, written: its line, what was ordered for it, and the notes beneath."""

    line: DoseRow
    ordered: str
    standing: SafeString | str  # a tag where it is not to be given here, else ""
    notes: tuple[str, ...]


def preview_rows(
    draft: DraftCourse,
    *,
    centre: Centre,
    closed_days: Collection[date],
    order: Order | None,
    earlier: Sequence[PlannedDose],
) -> list[PreviewRow]:
    """The lines of the preview. ``earlier`` are the doses of the course of this transplant that was stopped last."""
    lines = dose_rows(draft.doses, centre.time_zone)
    ordered = dict(ordered_rows(order)) if order else {}
    before = {dose.number: dose for dose in earlier}
    return [
        PreviewRow(
            line,
            ordered.get(item.window.row.code, ""),
            _standing(standing),
            tuple(
                filter(
                    None,
                    (
                        _asks_now(standing),
                        _rounded(item.dose),
                        "" if planning.is_not_ours(standing) else _closed(item.window, centre, closed_days),
                        _earlier(item, before) if before else "",
                    ),
                )
            ),
        )
        for line, item, standing in zip(lines, draft.doses, draft.standings, strict=True)
    ]


def _standing(standing: LateStart) -> SafeString | str:
    if standing.was_given_outside:
        return display.format_status("before_referral", "Given elsewhere")
    return display.format_status("before_referral") if planning.is_not_ours(standing) else ""


def _asks_now(standing: LateStart) -> str:
    return "The 72 h were over before referral: missed, a prescriber decides at once." if standing.asks_now else ""


def _rounded(dose: DoseAmount) -> str:
    if not dose.is_rounded_to_vials:
        return ""
    percent = display.format_rounded(dose.variance_percent, "percent")
    given, ordered = display.format_unit(dose.dose_mg, "mg"), display.format_unit(dose.calculated_mg, "mg")
    return f"Rounded to whole vials: {given} for {ordered} ordered ({percent})."


def _closed(window: Window, centre: Centre, closed_days: Collection[date]) -> str:
    """A closed target day with the open days of its window, nearest first; nothing moves by itself."""
    if window.in_hours:
        return ""
    hint = day_hint(window, closed_days=closed_days, closed_weekdays=centre.closed_weekdays)
    if not hint.is_closed:
        return ""
    days = ", ".join(display.format_weekday_day(on) for on in hint.alternatives[:SHOWN_DAYS])
    return f"⚠ {hint.weekday}: closed. " + (f"Open days in its window: {days}." if days else "No open day in its window.")


def _earlier(item: CourseRow, before: Mapping[int, PlannedDose]) -> str:
    """How the dose differs from the same one of the stopped course."""
    old = before.get(item.window.number)
    if old is None:
        return "Not in the stopped course."
    said = []
    if old.dose_mg != item.dose.dose_mg:
        said.append(display.format_unit(old.dose_mg, "mg"))
    if old.target_on != item.window.target_on:
        said.append(display.format_weekday_day(old.target_on))
    return f"In the stopped course: {', '.join(said)}." if said else ""
