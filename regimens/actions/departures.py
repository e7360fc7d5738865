"""What departs from the plan: it stops an infusion from starting, and is a flag with a reason on one given all the same.

Hard-stop planning, never hard-stop recording the truth (hazard H13).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from patients.actions.common import REASON_LENGTH
from patients.refusal import Refusal
from regimens.actions import planning, readiness
from regimens.actions.around import Around
from regimens.actions.charting import Chart, clock, elapsed_hours, local_day
from regimens.actions.parts import RateFacts, VialFacts
from regimens.actions.previous import Previous, interval_of, last_start
from regimens.domain import infusion, intervals, running
from regimens.domain.clock import day_start
from regimens.domain.guards import zone
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.units import day_text, with_unit
from regimens.models import Administration, PlannedDose, SheetCopy

LATE_ENTRY_AFTER = timedelta(hours=2)  # site policy: charted later than this, it says why (hazard H41)

# Flag → what it means, as the record shows it. In this order.
FLAGS = {
    "unplanned": "Not a planned dose",
    "unsigned": "Not verified when it started",
    "unreleased": "Started without a pharmacist's release",
    "on_hold": "The course was on hold",
    "old_sheet": "Given by a sheet that had been replaced",
    "course_stopped": "The course was stopped",
    "patient_closed": "The chart was closed",
    "dose_omitted": "The dose had been omitted",
    "before_referral": "The dose counted as before referral",
    "disputed": "An earlier record of this dose was disputed",
    "missed_undecided": "The dose was missed and nobody had decided",
    "early": "Before the target day, inside the window",
    "late": "After the target day, inside the window",
    "outside_window": "Outside the window",
    "under_interval": "Sooner than the minimum interval to another dose",
    "expired_lot": "A lot had expired",
    "vial_time": "Longer than the vial's time limits",
    "vials_in_stages": "Vials entered in stages",
    "over_max_rate": "A rate above the limit",
    "above_plan": "A rate above the plan",
    "over_volume": "More than the ordered volume",
    "late_entry": "Charted more than 2 h afterwards",
}


def rate_table_for(chart: Chart, dose: PlannedDose, starts_at: datetime, lots: Collection[str] = ()) -> infusion.TableChoice:
    """Which rate table this infusion takes: the slower one where the signed plan or what happened since asks for it.

    ``lots`` are those it is given from, as far as they are known.
    """
    value = dose.course.monograph.to_domain()
    earlier = [r for r in chart.counted() if r.started_at < starts_at and r.dose_id != dose.pk]
    last = earlier[-1] if earlier else None
    starts = [r.started_at for r in earlier] + [row.given_at for row in chart.elsewhere if row.given_at < starts_at]
    others = [row.given_at for row in chart.other_ig if row.given_at < starts_at]
    reaction = "none"
    if last is not None and last.has_reaction:  # type: ignore[attr-defined]  # annotated in charting
        reaction = "serious" if last.has_serious_reaction else "mild"  # type: ignore[attr-defined]
    choice = infusion.which_table(
        is_first_ever=not starts,
        starts_at=starts_at,
        zone_name=chart.centre.time_zone,
        monograph=value,
        last_dose_started_at=max(starts, default=None),
        last_reaction=reaction,
        product_changed=bool(starts and others) and max(others) > max(starts),
        is_remainder=dose.is_remainder,
        lot_changed=chart.centre.slow_with_new_lot and last is not None and not chart.lots_of(last).issuperset(lots),
    )
    if choice.code == "subsequent" and dose.rate_table == "initial":
        return infusion.TableChoice("initial", ("as_signed",), choice.working)
    return choice


def needs_lot(chart: Chart, table: infusion.TableChoice) -> bool:
    """Whether a start waits for its lot, because a new one would take other rates."""
    return chart.centre.slow_with_new_lot and (table.code == "subsequent" or "lot_changed" in table.reasons)


def refuse_unseen_table(
    chart: Chart, table: infusion.TableChoice, plan: infusion.InfusionPlan, lots: Collection[str], shown_table: str
) -> None:
    """Where a new lot starts slowly, the lot is known before the pump is set, and the pump is set to the table that was shown.

    Refused: "lot_first", "new_lot".
    """
    source = "Site policy: a new lot starts slowly"
    if needs_lot(chart, table) and not lots:
        raise Refusal(
            "lot_first",
            "Not started: a new lot starts slowly here. Enter the lot of the first vial.",
            source=source,
            field="lot_number",
        )
    if "lot_changed" in table.reasons and shown_table != table.code:
        first = with_unit(plan.steps[0].pump_rate_ml_per_h, "mL per h")
        raise Refusal(
            "new_lot",
            f"Not started: the patient's last infusion was of another lot, so the initial rates apply, {first} first. "
            "Set the pump to it, then start again.",
            source=source,
            field="lot_number",
        )


# Starting ----------------------------------------------------------------------------------------------------------------


def refuse_start(
    chart: Chart,
    dose: PlannedDose,
    around: Around,
    *,
    sheet_code: str,
    plan: infusion.InfusionPlan,
    vial_entered_at: datetime | None,
    in_stages: bool,
    vials: Sequence[VialFacts],
    at: datetime,
) -> None:
    """Every stop before an infusion, the gravest first; ``around`` is what ``read_around`` found for the dose."""
    if chart.patient.closed_at:
        raise Refusal(
            "patient_closed", f"Not started: the chart is closed ({chart.patient.get_closed_reason_display().lower()})."
        )
    if dose.course.stopped_at or dose.settled_as == "cancelled":
        raise Refusal("course_stopped", "Not started: this course was stopped.")
    readiness.refuse_status(chart, dose, around, at)
    readiness.refuse_signature(dose)
    readiness.refuse_circumstances(chart, dose, around, starts_at=at, at=at)
    readiness.refuse_unreleased(chart, dose, at)
    _refuse_sheet(dose, sheet_code)
    if (other := chart.running()) is not None:
        raise Refusal(
            "other_running",
            f"Not started: another infusion of this patient runs since {clock(other.started_at, chart.centre.time_zone, at)}.",
        )
    readiness.refuse_interval(chart, dose, around, at)
    _refuse_vials(chart, plan, vial_entered_at, in_stages, vials, at)


def same_code(typed: str, code: str) -> bool:
    """Whether a typed sheet code is this one; case, spaces and the dash do not count."""
    return _letters(typed) == _letters(code)


def _letters(code: str) -> str:
    return "".join(c for c in code.upper() if c.isalnum())


def _refuse_sheet(dose: PlannedDose, typed: str) -> None:
    """Hazard H20: the sheet in the hand must be of what is signed now; if not, the valid values are said."""
    if same_code(typed, planning.sheet_code(dose)):
        return
    letters = _letters(typed)
    code = f"{letters[:4]}-{letters[4:]}"
    old = (
        SheetCopy.objects.filter(dose__course=dose.course_id, code=code).select_related("dose").first()
        if len(letters) == 8
        else None
    )
    if old is None:
        why = "This code is not on a sheet of this dose."
    elif old.dose.number != dose.number:
        why = f"This sheet is for dose {old.dose.number}, not dose {dose.number}."
    else:
        why = "This sheet was replaced: destroy it."
    valid = f"Valid now: {with_unit(dose.dose_mg, 'mg')} in {with_unit(dose.draw_ml, 'mL')}. Print the current sheet."
    raise Refusal(
        "dead_sheet", f"Not started. {why} {valid}", source="Site policy: sheet code at the bedside", field="sheet_code"
    )


def _refuse_vials(
    chart: Chart,
    plan: infusion.InfusionPlan,
    vial_entered_at: datetime | None,
    in_stages: bool,
    vials: Sequence[VialFacts],
    at: datetime,
) -> None:
    source = "Label, Preparation and administration"
    today = local_day(at, chart.centre)
    for vial in vials:
        if vial.expires_on < today:
            raise Refusal(
                "expired_lot",
                f"Not started: lot {vial.lot_number} expired {day_text(vial.expires_on)}.",
                source=source,
                field="expires_on",
            )
    if plan.exceeds_finish_limit and not in_stages:
        raise Refusal(
            "vials_in_stages",
            f"Not started: {with_unit(plan.pump_total_minutes_rounded_up, 'min')} is longer than one entered vial may last. "
            "Enter the vials in stages, and say so.",
            source=source,
            field="in_stages",
        )
    if vial_entered_at is None:
        return
    limits = running.vial_clock(plan, vial_entered_at)
    start_by = limits.begin_by if in_stages or limits.start_by is None else limits.start_by
    if at > start_by:
        raise Refusal(
            "vial_time",
            f"Not started: a vial entered at {clock(vial_entered_at, chart.centre.time_zone, at)} had to be started "
            f"by {clock(start_by, chart.centre.time_zone, at)}. Use new vials.",
            source=source,
            field="vial_entered_at",
        )


# Given all the same --------------------------------------------------------------------------------------------------------


def flags_of(
    chart: Chart,
    dose: PlannedDose,
    *,
    started_at: datetime,
    ended_at: datetime | None,
    volume_ml: Decimal | None,
    vial_entered_at: datetime | None,
    vials: Sequence[VialFacts],
    rates: Sequence[RateFacts],
    is_old_sheet: bool,
    at: datetime,
) -> list[str]:
    """The departures of an infusion as it happened, as codes in the order of ``FLAGS``."""
    value = dose.course.monograph.to_domain()
    found = timing_flags(dose, started_at, chart.centre.time_zone) | {
        code
        for code, holds in {
            "unsigned": dose.verified_at is None or dose.verified_at > started_at,
            "unreleased": not readiness.was_released(dose, started_at),
            "on_hold": chart.was_held(started_at),
            "old_sheet": is_old_sheet,
            "course_stopped": bool(dose.course.stopped_at) or dose.settled_as == "cancelled",
            "patient_closed": bool(chart.patient.closed_at),
            "dose_omitted": dose.settled_as == "omitted",
            "before_referral": dose.settled_as == "before_referral",
            "disputed": dose.settled_as == "recorded",
            "missed_undecided": not dose.settled_as and started_at >= dose.closes_at,
            "under_interval": is_under_interval(chart, dose, started_at),
            "over_volume": is_over_volume(dose, volume_ml, value),
        }.items()
        if holds
    }
    found |= common_flags(
        value, chart, started_at=started_at, ended_at=ended_at, vial_entered_at=vial_entered_at, vials=vials, rates=rates, at=at
    )
    return in_order(found)


def common_flags(
    value: MonographValue,
    chart: Chart,
    *,
    started_at: datetime,
    ended_at: datetime | None,
    vial_entered_at: datetime | None,
    vials: Sequence[VialFacts],
    rates: Sequence[RateFacts],
    at: datetime,
) -> set[str]:
    """The departures that need no plan to compare with."""
    most = value.limit("max_rate_ml_per_h").value
    on = local_day(started_at, chart.centre)
    return {
        code
        for code, holds in {
            "expired_lot": any(vial.expires_on < on for vial in vials),
            "vial_time": is_over_vial_time(value, vial_entered_at, started_at, ended_at),
            "over_max_rate": any(rate.rate_ml_per_h > most for rate in rates),
            "late_entry": at - (ended_at or started_at) > LATE_ENTRY_AFTER,
        }.items()
        if holds
    }


def timing_flags(dose: PlannedDose, started_at: datetime, zone_name: str) -> set[str]:
    """ "early", "late" or "outside_window"; nothing on the target day, nor anywhere in a window that runs in hours."""
    # What is left of a stopped dose has no target of its own: any time until its day is over is on time.
    word = intervals.timing(
        started_at=started_at,
        opens_at=dose.opens_at,
        target_at=dose.opens_at
        if dose.in_hours or dose.is_remainder
        else max(dose.opens_at, day_start(dose.target_on, zone(zone_name))),
        overdue_at=dose.overdue_at,
        closes_at=dose.closes_at,
    )
    return set() if word == intervals.Timing.ON_TIME else {str(word)}


def is_under_interval(chart: Chart, dose: PlannedDose, started_at: datetime) -> bool:
    """Against the dose before, here or elsewhere, and, where this one is entered afterwards, against the one after it."""
    others = [r for r in chart.counted() if r.dose_id != dose.pk]
    before = last_start(
        [r for r in others if r.started_at <= started_at], [row for row in chart.elsewhere if row.given_at <= started_at]
    )
    if not interval_of(dose, before, started_at).is_kept:
        return True
    after = next((r for r in others if r.started_at > started_at), None)
    if after is None or (
        after.dose and Previous(started_at, started_at, str(dose.course_id), dose.number).is_part_of(after.dose)
    ):
        return False
    needed = after.dose.min_interval_hours if after.dose else dose.min_interval_hours
    return after.started_at - started_at < timedelta(hours=needed)


def is_over_volume(dose: PlannedDose, volume_ml: Decimal | None, value: MonographValue) -> bool:
    """More than the ordered volume and the limit beyond it: every vial hung whole, for example (hazard H49)."""
    return volume_ml is not None and volume_ml > dose.draw_ml + value.limit("volume_over_ordered_ml").value


def is_over_vial_time(
    value: MonographValue, entered_at: datetime | None, started_at: datetime, ended_at: datetime | None
) -> bool:
    """Begun or ended later than the label allows after entering the vial (hazard H30)."""
    if entered_at is None:
        return False
    begin_by = entered_at + elapsed_hours(value.limit("begin_within_h").value)
    finish_by = entered_at + elapsed_hours(value.limit("finish_within_h").value)
    return started_at > begin_by or (ended_at is not None and ended_at > finish_by)


def in_order(flags: set[str]) -> list[str]:
    """Flags in the order of ``FLAGS``."""
    return [code for code in FLAGS if code in flags]


def require_reason(flags: Sequence[str], reason: str, field: str = "reason") -> None:
    """A departure is recorded with a reason of at least 10 characters, never refused for itself."""
    if flags and len(reason.strip()) < REASON_LENGTH:
        listed = "; ".join(FLAGS[code].lower() for code in flags)
        raise Refusal(
            "reason_needed",
            f"Say why, in at least {REASON_LENGTH} characters: {listed}.",
            source="Site policy: departures are explained",
            field=field,
        )


def add_flags(record: Administration, flags: set[str]) -> None:
    """More departures for a record that is held."""
    record.flags = in_order({*record.flags, *flags})
