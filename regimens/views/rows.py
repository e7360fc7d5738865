"""Planned doses as lines to read: every value written once, the same for a preview, a chart and a verification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regimens.actions.planning import DraftCourse
from regimens.domain.clock import last_day, local_day
from regimens.domain.course import CourseRow
from regimens.domain.infusion import InfusionPlan
from regimens.domain.reasons import Step
from regimens.domain.schedule import Window
from regimens.models import Authorization, Consent, PlannedDose
from regimens.templatetags import display


@dataclass(frozen=True, slots=True)
class DoseRow:
    """One dose, written."""

    number: int
    title: str
    target: str
    window: str
    mg_per_kg: str
    dose: str
    volume: str
    vials: str
    waste: str
    rates: str
    duration: str
    steps: tuple[Step, ...]

    @property
    def question(self) -> str:
        """What the working answers."""
        return f"Why {self.dose}? {self.title}"


def dose_rows(doses: Iterable[CourseRow], zone: str) -> list[DoseRow]:
    """The lines of a preview."""
    return [
        DoseRow(
            number=number,
            title=short_title(item.window.title),
            target=display.format_weekday_day(item.window.target_on),
            window=window_text(item.window, zone),
            mg_per_kg=display.format_unit(item.dose.mg_per_kg, "mg per kg"),
            dose=display.format_unit(item.dose.dose_mg, "mg"),
            volume=display.format_unit(item.dose.draw_ml, "mL"),
            vials=display.format_number(item.dose.vials),
            waste=display.format_unit(item.dose.waste_ml, "mL"),
            rates=rates_text(item.infusion),
            duration=display.format_minutes(item.infusion.pump_total_minutes),
            steps=(item.window.working + item.dose.working + item.infusion.working).steps,
        )
        for number, item in enumerate(doses, start=1)
    ]


def short_title(title: str) -> str:
    """The dose's name without what its window says anyway: "Initial dose"."""
    return title.partition(",")[0]


def window_text(dose: PlannedDose | Window, zone: str) -> str:
    """When a dose may be given: "until 23-Nov-2026 18:10" for one in hours, else its first and last day."""
    if dose.in_hours:
        return f"until {display.format_instant(dose.closes_at, zone)}"
    opens_on, last_on = local_day(dose.opens_at, zone), last_day(dose.closes_at, zone)
    return display.format_span(opens_on, last_on) if opens_on != last_on else f"{display.format_day(opens_on)} only"


def rates_text(plan: InfusionPlan) -> str:
    """The pump's rates in order: "21, 42, 75 mL per h"."""
    return with_unit_list([step.pump_rate_ml_per_h for step in plan.steps], "mL per h")


def with_unit_list(values: Sequence, unit: str) -> str:
    """Numbers with one unit behind the last."""
    *first, last = values
    return ", ".join([*(display.format_number(value) for value in first), display.format_unit(last, unit)])


def totals(draft: DraftCourse) -> dict[str, str]:
    """What the whole course needs."""
    return {
        "mg": display.format_unit(draft.total_mg, "mg"),
        "vials": display.format_number(draft.total_vials),
        "waste": display.format_unit(draft.total_waste_ml, "mL"),
    }


def why(dose: PlannedDose, plan: InfusionPlan | None = None) -> list[dict[str, str]]:
    """The working a saved dose was computed by, as it was saved, and the rate steps where a plan is given."""
    return list(dose.working) + (plan.working.to_json() if plan else [])


def basis_text(dose: PlannedDose) -> str:
    """What the amount of a saved dose comes from: "100 mg per kg × 70 kg", and where it is not simply that, what else."""
    if dose.is_remainder:
        return "What was left of the stopped dose"
    text = f"{display.format_unit(dose.mg_per_kg, 'mg per kg')} × {display.format_unit(dose.weight_kg, 'kg')}"
    if dose.rounded_from_mg is None:
        return text
    return f"{text} = {display.format_unit(dose.rounded_from_mg, 'mg')}, rounded to whole vials"


def consent_text(consent: Consent) -> str:
    """ "The patient, 21-Nov-2026, form CMV-3"."""
    return f"{consent.given_by}, {display.format_day(consent.obtained_on)}, form {consent.form_version}"


def payer_text(row: Authorization | None) -> str:
    """ "Approved until 31-Jan-2027; vials reserved for 04-Dec-2026"."""
    if row is None:
        return display.NOT_RECORDED
    payer = row.get_state_display() + (f" until {display.format_day(row.approved_until)}" if row.approved_until else "")
    vials = row.get_vials_display().lower() + (f" for {display.format_day(row.vials_for_on)}" if row.vials_for_on else "")
    return f"{payer}; vials {vials}"
