"""Running courses on older versions of the monograph: the list of a center, and moving one, old beside new."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import first_dose_for
from regimens.actions import impact, planning, version_moves
from regimens.actions.charting import Chart, read_dose
from regimens.actions.replanning import Line
from regimens.domain.reasons import Refused
from regimens.forms.library import VersionMoveForm
from regimens.models import PlannedDose
from regimens.templatetags import display
from regimens.views.frame import add_refusal, patient_frame
from regimens.views.monograph_draft import course_change
from regimens.views.rows import short_title, window_text

SHOWN = 100


def review(request: HttpRequest) -> HttpResponse:
    """Running courses of the center that another version than the published one made, and what moving each would change."""
    require(request.membership, "read_charts")
    now = timezone.now()
    published = planning.published()
    courses = impact.courses_on_older_versions(request.membership)
    shown = courses[:SHOWN]
    changes = impact.running_impact(published.to_domain(), [course.pk for course in shown]).courses
    context = {
        "published": published,
        "as_of": display.format_clock(now, request.membership.centre.time_zone),
        "may_move": may(request.membership, "move_version"),
        "left_out": len(courses) - len(shown),
        "rows": [
            {
                "name": display.format_name(course.patient.family_name, course.patient.given_name),
                "born": display.format_day(course.patient.birth_on),
                "mrn": display.format_mrn(course.patient.mrn),
                "url": reverse("chart", args=[course.patient_id]),
                "move": reverse("course-version", args=[course.pk]),
                "protocol": course.protocol.title,
            }
            | course_change(changes[course.pk])
            for course in shown
        ],
    }
    return render(request, "regimens/monograph_review.html", context)


def move(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """What is left of a course by its own version beside the published one; a pharmacist ticks each dose and signs."""
    dose = first_dose_for(request.membership, course_id)
    require(request.membership, "move_version")
    now = timezone.now()
    chart = read_dose(dose)
    assert chart.course is not None
    own_version = chart.course.monograph
    refusal: Refusal | Refused | None = None
    draft = None
    try:
        draft = version_moves.draft_move(chart, at=now)
    except (Refusal, Refused) as refused:
        refusal = refused
    doses = [(line.dose.number, short_title(line.dose.title)) for line in draft.changed] if draft else []
    form = VersionMoveForm(doses=doses, initial={"shown": draft.fingerprint if draft else ""})
    if request.method == "POST":
        form = VersionMoveForm(request.POST, doses=doses)
        if draft is not None and form.is_valid():
            data = form.cleaned_data
            try:
                signed_by(request, data["password"])
                version_moves.move_course(
                    course=chart.course, shown=data["shown"], seen=form.seen, by=request.membership, at=now
                )
            except (Refusal, Refused) as refused:
                refusal = add_refusal(form, refused)
                if refused.code == "stale":  # what is compared now is another plan: nothing is ticked
                    form = VersionMoveForm(doses=doses, initial={"shown": draft.fingerprint})
            else:
                return _moved(request, chart, draft)
    context = patient_frame(chart.patient, now, draft.answers if draft else None) | {
        "course": chart.course,
        "own_version": own_version,
        "draft": draft,
        "form": form,
        "refusal": refusal,
        "back": reverse("chart", args=[chart.patient.pk]),
    }
    if draft is not None:
        zone = chart.centre.time_zone
        context |= {
            "left": [_row(line, form, zone, now) for line in draft.changed],
            "kept": [
                (line.dose.number, short_title(line.dose.title), line.dose.get_settled_as_display().lower())
                for line in draft.lines
                if line.new is None
            ],
        }
    return render(request, "regimens/version_move.html", context, status=422 if request.method == "POST" else 200)


def _moved(request: HttpRequest, chart: Chart, draft: version_moves.VersionMove) -> HttpResponse:
    messages.success(
        request,
        f"Moved to monograph version {draft.to.version}. Another pharmacist verifies the new revision; older sheets are dead.",
    )
    for line in draft.lines:
        if line.booking_is_dropped:
            messages.warning(request, f"Dose {line.dose.number} is no longer booked: its booking lies outside the new window.")
    return redirect("chart", patient_id=chart.patient.pk)


def _row(line: Line, form: VersionMoveForm, zone: str, now: datetime) -> dict[str, Any]:
    """One dose that is left: every value old and new, which of them differ, and its box to tick."""
    old, new = line.dose, line.new
    assert new is not None
    was, now_values = _values(old, zone), _values(new, zone)
    notes = []
    if new.closes_at <= now < old.closes_at:
        notes.append("Its window is over by the new version: a prescriber decides")
    if line.booking_is_dropped:
        notes.append("Its booking is dropped")
    if old.is_remainder:
        notes.append("What is left of a stopped dose keeps its amount")
    return {
        "number": old.number,
        "title": short_title(old.title),
        "values": [(was[name], now_values[name], was[name] != now_values[name], name == "dose") for name in was],
        "differs": was != now_values,
        "notes": notes,
        "box": form[f"dose_{old.number}"],
    }


def _values(dose: PlannedDose, zone: str) -> dict[str, str]:
    return {
        "target": display.format_weekday_day(dose.target_on),
        "window": window_text(dose, zone),
        "per_kg": display.format_unit(dose.mg_per_kg, "mg per kg"),
        "dose": display.format_unit(dose.dose_mg, "mg"),
        "volume": f"{display.format_unit(dose.draw_ml, 'mL')}, {display.format_number(dose.vials)} vials",
        "interval": display.format_unit(dose.min_interval_hours, "h"),
    }


urls = [
    path("monograph/review/", review, name="monograph-review"),
    path("courses/<uuid:course_id>/version/", move, name="course-version"),
]
