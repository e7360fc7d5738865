"""Changing what is left of a course: old beside new, dose by dose, before anything is saved; and one dose on another day."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import rules
from patients.models import Precaution, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from regimens.access import dose_for, first_dose_for
from regimens.actions import replanning
from regimens.actions.charting import Chart, read_dose
from regimens.domain.intervals import Timing
from regimens.domain.reasons import Refused
from regimens.forms.replan import MoveForm, ReplanForm
from regimens.models import PlannedDose
from regimens.templatetags import display
from regimens.views.frame import add_refusal, patient_frame
from regimens.views.ordered import ordered_rows
from regimens.views.rows import short_title, window_text

KEEP = "keep"  # ?weight=keep: take over the corrected time alone
TIMING_STATUS = {
    Timing.EARLY: "given_early",
    Timing.ON_TIME: "given",
    Timing.LATE: "given_late",
    Timing.OUTSIDE: "given_outside",
}


def replan(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """What a new weight, or a corrected transplant time, would change; pressing the button makes the revision that is shown."""
    dose = first_dose_for(request.membership, course_id)
    require(request.membership, "build")
    now = timezone.now()
    chart = read_dose(dose)
    answers = list(Precaution.objects.filter(patient=chart.patient, superseded_at=None).order_by("pk"))
    frame = patient_frame(chart.patient, now, answers)
    latest = frame["banner"].weight
    keeps = request.GET.get("weight") == KEEP
    draft, refusal = _draft(chart, None if keeps else latest, answers, now)
    refused_weight = None
    if refusal is not None and refusal.code == "weight_stale":
        # An old weight stops nobody from taking over a corrected time.
        alone, other = _draft(chart, None, answers, now)
        if other is None:
            draft, refusal, refused_weight = alone, None, refusal
    form = ReplanForm(request.POST) if request.method == "POST" else None
    stale: list[dict[str, str]] = []
    if form is not None and not form.is_valid():
        refusal = Refusal(
            "form_incomplete", "The form did not arrive as it was shown. Read the changes below once more, then confirm."
        )
    elif form is not None:
        try:
            course = _save(request, chart, form, now)
        except (Refusal, Refused) as refused:
            refusal = refused
            stale = _differences(form, draft, chart) if refused.code == "stale" else []
        else:
            _say(request, draft, course.revision)
            return redirect("chart", patient_id=chart.patient.pk)
    context = (
        frame
        | _context(chart, draft, latest, now)
        | {
            "refusal": refusal,
            "refused_weight": refused_weight,
            "stale": stale,
            "keeps": keeps,
        }
    )
    return render(request, "regimens/replan.html", context, status=422 if request.method == "POST" else 200)


def _draft(
    chart: Chart, weight: WeightMeasurement | None, answers: list[Precaution], now: datetime
) -> tuple[replanning.Replan | None, Refusal | Refused | None]:
    try:
        return replanning.draft_replan(chart, weight=weight, at=now, answers=answers), None
    except (Refusal, Refused) as refused:
        return None, refused


def _save(request: HttpRequest, chart: Chart, form: ReplanForm, now: datetime):
    """What was shown, at the weight that was shown."""
    assert chart.course is not None
    data = form.cleaned_data
    weight = WeightMeasurement.objects.filter(patient=chart.patient, pk=data["weight"]).first() if data["weight"] else None
    return replanning.recalculate_course(course=chart.course, weight=weight, shown=data["shown"], by=request.membership, at=now)


def _say(request: HttpRequest, draft: replanning.Replan | None, revision: int) -> None:
    if draft is None or not draft.changed:
        messages.success(request, "The course counts from the corrected time. No dose that is left changes.")
        return
    messages.success(request, f"Revision {revision} is saved. Another pharmacist verifies it; older sheets are dead.")
    for line in draft.lines:
        if line.booking_is_dropped:
            messages.warning(request, f"Dose {line.dose.number} is no longer booked: its booking lies outside the new window.")


def _differences(form: ReplanForm, draft: replanning.Replan | None, chart: Chart) -> list[dict[str, str]]:
    """What the person saw beside what holds now, where they differ."""
    data = form.cleaned_data
    seen_weight = WeightMeasurement.objects.filter(patient=chart.patient, pk=data["weight"] or 0).first()
    now_weight = draft.weight if draft else None
    rows = [
        ("Revision", str(data["revision"]), str(draft.revision) if draft else "None"),
        ("Weight", _kg(seen_weight), _kg(now_weight)),
        ("Counted from", data["counted_from"], _counted_from(chart)),
    ]
    return [{"label": label, "typed": seen, "stored": held} for label, seen, held in rows if seen != held]


def _kg(weight: WeightMeasurement | None) -> str:
    return display.format_unit(weight.weight_kg, "kg") if weight else "As it is"


def _counted_from(chart: Chart) -> str:
    assert chart.course is not None
    graft = chart.course.transplant
    return display.format_instant(graft.reperfusion_at, graft.zone_name, name_zone=True)


def _context(chart: Chart, draft: replanning.Replan | None, latest: WeightMeasurement | None, now: datetime) -> dict[str, Any]:
    course = chart.course
    assert course is not None
    zone = chart.centre.time_zone
    context: dict[str, Any] = {"course": course, "latest": latest, "draft": draft, "patient": chart.patient}
    if draft is None:
        return context
    ordered = dict(ordered_rows(draft.order)) if draft.order else {}
    left = [_left_row(line, ordered, zone, now) for line in draft.lines if line.is_left]
    old = next((line.dose.weight_kg for line in draft.changed if not line.dose.is_remainder), None)
    return context | {
        "form": ReplanForm(
            initial={
                "shown": draft.fingerprint,
                "revision": draft.revision,
                "weight": draft.weight.pk if draft.weight else None,
                "counted_from": _counted_from(chart),
            }
        ),
        "action": f"Make revision {draft.revision}" if draft.changed else "Count from the corrected time",
        "left": left,
        "given": [_given_row(line, zone) for line in draft.lines if line.change and line.change.is_kept],
        "settled": [
            {"dose": line.dose, "title": short_title(line.dose.title), "word": line.dose.get_settled_as_display()}
            for line in draft.lines
            if not line.is_left and not (line.change and line.change.is_kept) and line.dose.settled_as != "recorded"
        ],
        "counted_from": _counted_from(chart),
        "was_counted_from": display.format_instant(course.anchor_at, course.anchor_zone_name, name_zone=True)
        if course.anchor_at
        else "",
        "old_weight": old,
        "change": rules.weight_change(old, draft.weight.weight_kg) if draft.weight and old else None,
    }


def _left_row(line: replanning.Line, ordered: dict[str, str], zone: str, now: datetime) -> dict[str, Any]:
    """One dose still to be given: what it is, what it would be, and what that means at once."""
    dose, new = line.dose, line.new or line.dose
    code = dose.protocol_dose.code
    per_kg = display.format_unit(dose.mg_per_kg, "mg per kg")
    return {
        "dose": dose,
        "title": short_title(dose.title),
        "is_changed": line.new is not None,
        "mg_per_kg": per_kg,
        "ordered": ordered.get(code, display.NOT_RECORDED),
        "is_ordered": ordered.get(code) == per_kg,
        "old": _values(dose, zone),
        "new": _values(new, zone),
        "notes": _notes(line, now),
    }


def _values(dose: PlannedDose, zone: str) -> dict[str, str]:
    return {
        "target": display.format_weekday_day(dose.target_on),
        "window": window_text(dose, zone),
        "dose": display.format_unit(dose.dose_mg, "mg"),
        "volume": display.format_unit(dose.draw_ml, "mL"),
        "vials": display.format_number(dose.vials),
    }


def _notes(line: replanning.Line, now: datetime) -> list[str]:
    """What the change means for this dose, in words."""
    old, new = line.dose, line.new
    if new is None:
        return ["What is left of a stopped dose: its own amount"] if old.is_remainder else []
    notes = []
    if new.closes_at <= now < old.closes_at:
        notes.append("Its window is over by the new time: a prescriber decides")
    if old.closes_at <= now < new.closes_at:
        notes.append("Its window is open again by the new time" if new.opens_at <= now else "Its window is still to come")
    if line.booking_is_dropped:
        notes.append("Its booking is dropped")
    return notes


def _given_row(line: replanning.Line, zone: str) -> dict[str, Any]:
    """A dose that was given: its record stays, only its timing may read differently."""
    change = line.change
    assert change is not None
    return {
        "title": f"Dose {line.dose.number}, {short_title(line.dose.title)}",
        "before": display.format_status(TIMING_STATUS[change.timing_before]) if change.timing_before else "",
        "after": display.format_status(TIMING_STATUS[change.timing_after]) if change.timing_after else "",
        "moved": change.timing_before != change.timing_after,
        "window": window_text(change.new, zone) if change.new else "",
    }


# Another day ---------------------------------------------------------------------------------------------------------------


def move(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """One dose on another day of its own window, closed days and refused ones named."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "build")
    now = timezone.now()
    chart = read_dose(dose)
    replanning.refuse_move(chart, dose)
    days = replanning.days_of(chart, now)
    offered = [(day.on, _day_text(day)) for day in days if not day.refusal]
    form = MoveForm(request.POST, days=offered) if request.method == "POST" else MoveForm(days=offered)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            new = replanning.move_dose(dose=dose, to_on=form.cleaned_data["target_on"], by=request.membership, at=now)
        except (Refusal, Refused) as refused:
            refusal = add_refusal(form, refused)
        else:
            on = display.format_weekday_day(new.target_on)
            messages.success(request, f"Dose {new.number} is planned for {on}: a pharmacist verifies the new revision.")
            return redirect("chart", patient_id=chart.patient.pk)
    zone = chart.centre.time_zone
    context = patient_frame(chart.patient, now) | {
        "dose": dose,
        "title": short_title(dose.title),
        "target": display.format_weekday_day(dose.target_on),
        "window": window_text(dose, zone),
        "booked": display.format_instant(dose.booked_for, zone) if dose.booked_for else "",
        "in_hours": dose.in_hours,
        "form": form if offered else None,
        "refused": [(display.format_weekday_day(day.on), day.refusal) for day in days if day.refusal],
        "refusal": refusal,
        "back": reverse("chart", args=[chart.patient.pk]),
    }
    return render(request, "regimens/move.html", context, status=422 if request.method == "POST" else 200)


def _day_text(day: replanning.DayChoice) -> str:
    """ "Tue 24-Nov-2026", and where the center is closed that it is, and why."""
    text = display.format_weekday_day(day.on)
    if not day.is_closed:
        return text
    return f"{text}, center closed{': ' + day.closed_for if day.closed_for else ''}"


urls = [
    path("courses/<uuid:course_id>/replan/", replan, name="course-replan"),
    path("doses/<uuid:dose_id>/move/", move, name="dose-move"),
]
