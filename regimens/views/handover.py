"""Handing a patient's care over to another place, until they acknowledge it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.access import patient_for
from patients.models import Patient
from patients.roles import require
from regimens.actions import departures, handovers
from regimens.domain.status import Status
from regimens.forms.replan import AcknowledgeForm, CancelForm, HandOverForm
from regimens.models import Administration, Handover, Hold, PlannedDose
from regimens.models.status import status_of
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame
from regimens.views.rows import short_title, window_text


def hand_over(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Who takes over, with the next dose and what was given so far; then their answer, or that the patient stays."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "hand_over")
    now = timezone.now()
    waiting = handovers.open_handover(patient)
    forms = _forms(request, patient, waiting, now)
    if request.method == "POST" and (sentence := _act(request, patient, waiting, forms, now)):
        messages.success(request, sentence)
        if waiting is None:
            return redirect("hand-over", patient_id=patient.pk)
        return redirect("chart", patient_id=patient.pk)
    context = (
        patient_frame(patient, now)
        | _so_far(patient, patient.centre.time_zone, now)
        | forms
        | {
            "waiting": waiting,
            "handed": _handed(waiting, patient.centre.time_zone) if waiting else None,
            "back": reverse("chart", args=[patient.pk]),
        }
    )
    return render(request, "regimens/hand_over.html", context, status=422 if request.method == "POST" else 200)


def _forms(request: HttpRequest, patient: Patient, waiting: Handover | None, now: datetime) -> dict[str, Any]:
    """The form to name who takes over; or, while a hand-over waits, the two that end it. Only the one pressed is read."""
    zone = patient.centre.time_zone
    posted = request.POST if request.method == "POST" else None
    if waiting is None:
        return {"form": HandOverForm(posted)}
    cancelling = posted is not None and "cancel" in posted
    return {
        "acknowledge": AcknowledgeForm(None if cancelling else posted, zone_name=zone, now=now),
        "cancel": CancelForm(posted) if cancelling else CancelForm(),
    }


def _act(request: HttpRequest, patient: Patient, waiting: Handover | None, forms: dict[str, Any], now: datetime) -> str:
    """What was done, in words; "" when a form came back with errors."""
    by = request.membership
    if waiting is None:
        made = attempt(forms["form"], lambda: handovers.hand_over(patient=patient, by=by, at=now, **forms["form"].cleaned_data))
        return f"Handed over to {made.to_person}. Every dose stays here until they acknowledge it." if made else ""
    if "cancel" in request.POST:
        form = forms["cancel"]
        done = attempt(
            form,
            lambda: handovers.cancel_handover(handover=waiting, reason=form.cleaned_data["cancel_reason"], by=by, at=now),
        )
        return "The hand-over is cancelled: the patient stays here." if done else ""
    form = forms["acknowledge"]
    done = attempt(form, lambda: handovers.acknowledge(handover=waiting, by=by, at=now, **form.cleaned_data))
    return "Acknowledged: the chart is closed as transferred." if done else ""


def _so_far(patient: Patient, zone: str, now: datetime) -> dict[str, Any]:
    """Every live dose with its status, and the next one with its window: what goes with the patient."""
    live = PlannedDose.objects.filter(course__patient=patient).exclude(settled_as="superseded")
    doses = list(live.select_related("course__protocol", "protocol_dose").order_by("course__built_at", "number"))
    by_dose: dict[uuid.UUID | None, list[Administration]] = defaultdict(list)
    for record in patient.administrations.order_by("started_at"):
        by_dose[record.dose_id].append(record)
    by_course: dict[uuid.UUID, list[Hold]] = defaultdict(list)
    for hold in Hold.objects.filter(course__patient=patient):
        by_course[hold.course_id].append(hold)
    rows = [_row(dose, by_dose[dose.pk], by_course[dose.course_id], zone, now) for dose in doses]
    following = min(
        (dose for dose in doses if not dose.settled_at and not dose.course.stopped_at),
        key=lambda dose: (dose.closes_at, dose.number),
        default=None,
    )
    return {"rows": rows, "following": _next(following, zone) if following else None}


def _row(dose: PlannedDose, records: list[Administration], holds: list[Hold], zone: str, now: datetime) -> dict[str, Any]:
    status = status_of(dose, now, records, holds)
    live = next((record for record in records if record.error_at is None), None)
    shown = str(status)
    if status == Status.GIVEN and live is not None:
        timing = departures.timing_flags(dose, live.started_at, zone)
        shown = next((f"given_{word.partition('_')[0]}" for word in timing), shown)
    return {
        "course": dose.course.protocol.title,
        "number": dose.number,
        "title": short_title(dose.title),
        "status": display.format_status(shown),
        "target": display.format_weekday_day(dose.target_on),
        "started": display.format_instant(live.started_at, zone) if live else "",
        "amount": display.format_unit(dose.dose_mg, "mg"),
    }


def _next(dose: PlannedDose, zone: str) -> dict[str, str]:
    return {
        "title": f"Dose {dose.number}, {short_title(dose.title)}",
        "amount": f"{display.format_unit(dose.dose_mg, 'mg')} in {display.format_unit(dose.draw_ml, 'mL')}",
        "target": display.format_weekday_day(dose.target_on),
        "window": window_text(dose, zone),
    }


def _handed(waiting: Handover, zone: str) -> dict[str, str]:
    return {
        "to": f"{waiting.to_person}, {waiting.to_place}",
        "phone": waiting.phone,
        "since": display.format_instant(waiting.handed_at, zone),
        "by": waiting.handed_by.user.printed_name,
    }


urls = [path("patients/<uuid:patient_id>/hand-over/", hand_over, name="hand-over")]
