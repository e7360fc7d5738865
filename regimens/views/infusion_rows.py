"""One infusion as lines to read: what was planned beside what was done, and what is wanted next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse

from regimens.actions.bedside import value_for
from regimens.actions.departures import FLAGS
from regimens.actions.standing import Standing, last_running_rate, lot_sum, needs_vitals, planned_rate, standing
from regimens.domain.infusion import InfusionPlan, InfusionStep
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.units import with_unit
from regimens.models import Administration, Moment, PlannedDose, RateChange, Reaction, VialUse, VitalSigns
from regimens.templatetags import display


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that hangs on one record, read once."""

    rates: list[RateChange]
    vitals: list[VitalSigns]
    reactions: list[Reaction]
    vials: list[VialUse]


def parts_of(record: Administration) -> Parts:
    """The rows of a record in four statements."""
    return Parts(
        list(record.rates.all()),
        list(record.vitals.all()),
        list(record.reactions.filter(error_at=None)),
        list(record.vials.select_related("lot").order_by("pk")),
    )


def plan_rows(plan: InfusionPlan) -> list[dict[str, str]]:
    """The steps to set, each with the volume after which the next one begins."""
    return [
        {
            "number": str(step.number),
            "rate": display.format_unit(step.pump_rate_ml_per_h, "mL per h"),
            "effective": with_unit(step.effective_mg_per_kg_per_h, "mg per kg per h", 1),
            "limit": "held at the limit" if step.is_capped else "",
            "from": f"minute {display.format_number(int(step.starts_at_min))}",
            "lasts": display.format_minutes(step.minutes),
            "volume": with_unit(step.volume_ml, "mL", 1),
        }
        for step in plan.steps
    ]


def record_page(record: Administration, parts: Parts, now: datetime, zone: str) -> dict[str, Any]:
    """The context of a record's page, without its forms."""
    value = value_for(record)
    state = standing(record, parts.rates, now)
    lots = lot_sum(parts.vials, record.volume_ml)
    dose = record.dose
    return {
        "record": record,
        "dose": dose,
        "state": state_word(record, state),
        "facts": _facts(record, state, now, zone),
        "times": _times(record, zone),
        "plan_rows": plan_rows(state.plan) if state.plan else [],
        "rate_rows": _rate_rows(record, parts.rates, state, value, zone),
        "vitals_rows": [_vitals_row(row, zone) for row in parts.vitals],
        "reaction_rows": [_reaction_row(row, zone) for row in parts.reactions],
        "vial_rows": _vial_rows(parts.vials),
        "lots": _lot_lines(lots),
        "flags": [FLAGS[code] for code in record.flags if code in FLAGS],
        "wanted": _wanted(record, parts, state, now, zone) if not record.error_at else [],
        "is_running": not record.ended_at and not record.error_at,
        "is_paused": state.is_paused,
        "next_rate": _next_rate(state, parts.rates),
        "partial": _partial(record),
    }


def _next_rate(state: Standing, rates: list[RateChange]) -> Decimal | None:
    """What the pump is set to next if all goes on as planned: the rate before a pause, or the next step's."""
    if state.is_paused:
        return last_running_rate(rates) or None
    return next((s.pump_rate_ml_per_h for s in _following(state)), None)


def _following(state: Standing) -> list[InfusionStep]:
    """The steps that are faster than the present rate."""
    return [s for s in state.plan.steps if s.pump_rate_ml_per_h > state.rate_ml_per_h] if state.plan else []


def state_word(record: Administration, state: Standing) -> str:
    """The status tag of a record."""
    if record.error_at:
        return display.format_status("entered_in_error")
    if not record.ended_at:
        return display.format_status("paused" if state.is_paused else "infusing")
    return display.format_status("partial" if _partial(record) else "given")


def _partial(record: Administration) -> str:
    """ "Partial: 140 mL of 210 mL", or nothing."""
    if not record.dose or record.volume_ml is None or record.volume_ml >= record.dose.draw_ml:
        return ""
    return f"Partial: {display.format_unit(record.volume_ml, 'mL')} of {display.format_unit(record.dose.draw_ml, 'mL')}"


def _facts(record: Administration, state: Standing, now: datetime, zone: str) -> list[dict[str, str]]:
    rows = [("Given by", f"{record.given_by.user.printed_name}, {record.given_by.get_role_display()}")]
    if record.ended_at:
        rows.append(("Volume given", display.format_unit(record.volume_ml, "mL")))
        rows.append(("By rates and times", with_unit(state.volume_ml, "mL", 1) if state.stretches else display.NOT_RECORDED))
    else:
        rows += [
            ("Pump", "Paused" if state.is_paused else display.format_unit(state.rate_ml_per_h, "mL per h")),
            ("In, by rates and times", _volume_in(state)),
            ("Planned end", display.format_clock(state.ends_at(now), zone) if state.ends_at(now) else display.NOT_RECORDED),
        ]
    rows.append(("Vial entered", display.format_clock(record.vial_entered_at, zone)))
    if record.vial_entered_at:
        hours = value_for(record).limit("finish_within_h").value
        rows.append(("Finish before", display.format_clock(record.vial_entered_at + timedelta(minutes=int(hours * 60)), zone)))
    if record.rate_table:
        rows.append(("Rate table", value_for(record).rate_table(record.rate_table).title))
    if record.sheet_code:
        rows.append(("Sheet code", record.sheet_code))
    if record.stopped_early_reason:
        rows.append(("Stopped early", record.stopped_early_reason))
    if record.reason:
        rows.append(("Reason", record.reason))
    return [{"label": label, "value": value} for label, value in rows]


def _volume_in(state: Standing) -> str:
    """ "31.5 mL of 210 mL"."""
    text = with_unit(state.volume_ml, "mL", 1)
    return text if state.ordered_ml is None else f"{text} of {display.format_unit(state.ordered_ml, 'mL')}"


def _times(record: Administration, zone: str) -> list[dict[str, str]]:
    """Planned, given and charted, kept apart (hazard H41)."""
    planned = display.NOT_RECORDED if record.dose is None else f"target {display.format_weekday_day(record.dose.target_on)}"
    given = display.format_instant(record.started_at, zone)
    if record.ended_at:
        given += f" to {display.format_instant(record.ended_at, zone)}"
    charted = f"{display.format_instant(record.recorded_at, zone)} by {record.recorded_by.user.printed_name}"
    if record.completed_by and record.completed_at and record.completed_at != record.recorded_at:
        ended = display.format_instant(record.completed_at, zone)
        charted += f"; end charted {ended} by {record.completed_by.user.printed_name}"
    return [
        {"label": "Planned", "value": planned if record.dose else "Not planned"},
        {"label": "Given", "value": given},
        {"label": "Charted", "value": charted},
    ]


def _rate_rows(
    record: Administration, rates: list[RateChange], state: Standing, value: MonographValue, zone: str
) -> list[dict[str, Any]]:
    """Each setting of the pump, with what the plan said then and what it came to per kg."""
    rows = []
    for place, stretch in enumerate(state.stretches):
        rate = stretch.rate
        planned = planned_rate(state.plan, rates[:place], rate.at) if state.plan else None
        rows.append(
            {
                "at": display.format_clock(rate.at, zone),
                "planned": display.format_unit(planned, "mL per h") if planned is not None else "",
                "actual": display.format_unit(rate.rate_ml_per_h, "mL per h") if rate.rate_ml_per_h else "Paused",
                "effective": _effective(rate.rate_ml_per_h, record.dose, value),
                "volume": with_unit(stretch.volume_ml, "mL", 1),
                "reason": rate.reason,
                "above": planned is not None and rate.rate_ml_per_h > planned,
            }
        )
    return rows


def _effective(rate_ml_per_h: Decimal, dose: PlannedDose | None, value: MonographValue) -> str:
    if dose is None or not rate_ml_per_h:
        return ""
    return with_unit(rate_ml_per_h * value.product.concentration_mg_per_ml / dose.weight_kg, "mg per kg per h", 1)


def _vitals_row(row: VitalSigns, zone: str) -> dict[str, str]:
    pressure = f"{row.systolic_mmhg}/{row.diastolic_mmhg}" if row.systolic_mmhg is not None else ""
    return {
        "at": display.format_clock(row.at, zone),
        "moment": Moment(row.moment).label,
        "pressure": pressure,
        "rate": display.format_number(row.heart_rate_per_min) if row.heart_rate_per_min is not None else "",
        "temperature": display.format_number(row.temperature_c) if row.temperature_c is not None else "",
        "spo2": display.format_number(row.spo2_percent) if row.spo2_percent is not None else "",
        "not_taken": row.not_taken_reason,
    }


def _reaction_row(row: Reaction, zone: str) -> dict[str, str]:
    return {
        "at": display.format_instant(row.onset_at, zone),
        "term": row.term,
        "grade": "Serious" if row.is_serious else "Mild",
        "action": row.action_taken,
        "outcome": row.outcome,
    }


def _vial_rows(vials: list[VialUse]) -> list[dict[str, str]]:
    """One line per lot: how many vials, mL given and wasted."""
    by_lot: dict[Any, list[VialUse]] = {}
    for vial in vials:
        by_lot.setdefault(vial.lot, []).append(vial)
    return [
        {
            "lot": lot.number,
            "expires": display.format_day(lot.expires_on),
            "vials": str(len(rows)),
            "given": display.format_unit(sum((v.given_ml for v in rows), Decimal(0)), "mL"),
            "wasted": display.format_unit(sum((v.wasted_ml for v in rows), Decimal(0)), "mL"),
        }
        for lot, rows in by_lot.items()
    ]


def _lot_lines(lots: Any) -> dict[str, str]:
    return {
        "from_lots": display.format_unit(lots.from_lots_ml, "mL"),
        "wasted": display.format_unit(lots.wasted_ml, "mL"),
        "without": display.format_unit(lots.without_lot_ml, "mL") if lots.without_lot_ml else "",
        "beyond": display.format_unit(lots.beyond_given_ml, "mL") if lots.beyond_given_ml else "",
    }


def _wanted(record: Administration, parts: Parts, state: Standing, now: datetime, zone: str) -> list[str]:
    """What the label asks for next: the next rise with its vital signs, midway by volume, and after the end."""
    moments = {row.moment for row in parts.vitals}
    lines = []
    if Moment.BEFORE not in moments:
        lines.append("Vital signs before the start: not recorded.")
    if record.ended_at:
        if Moment.AFTER not in moments:
            lines.append("Vital signs after the end: not recorded.")
        return lines
    if state.plan is None or state.step is None:
        return lines
    if state.is_paused:
        return [*lines, f"Paused. Resume at {display.format_unit(last_running_rate(parts.rates), 'mL per h')} or slower."]
    following = next(iter(_following(state)), None)
    if following is not None:
        minutes = max(Decimal(0), following.starts_at_min - Decimal(int(state.running_for.total_seconds() // 60)))
        at = display.format_clock(now + timedelta(minutes=int(minutes)), zone)
        first = ", vital signs first" if needs_vitals(record, parts.rates, parts.vitals, now) else ""
        lines.append(f"Next step: {display.format_unit(following.pump_rate_ml_per_h, 'mL per h')} from {at}{first}.")
    half = state.plan.midway_volume_ml
    if Moment.MIDWAY not in moments:
        left = half - state.volume_ml
        when = "now" if left <= 0 else f"at about {display.format_clock(state.in_after(left, now), zone)}"
        lines.append(f"Vital signs midway, at {with_unit(half, 'mL', 1)}: {when}.")
    return lines


def corrections(record: Administration, others: list[Administration], zone: str) -> list[dict[str, str]]:
    """The other records of the same dose, struck out or live."""
    return [
        {
            "url": reverse("infusion", args=[other.pk]),
            "text": f"{display.format_instant(other.started_at, zone)}, {other.recorded_by.user.printed_name}"
            + (f": entered in error, {other.error_reason}" if other.error_at else ": the live record"),
        }
        for other in others
        if other.pk != record.pk
    ]
