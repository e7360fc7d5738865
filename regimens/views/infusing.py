"""Who is being infused in this centre, at which step and rate, since when, and until when. One statement whatever the rows."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from patients.models import Centre
from patients.roles import require
from regimens.actions.standing import Standing, standing
from regimens.domain.units import with_unit
from regimens.models import Administration, RateChange
from regimens.templatetags import display

MOST_ROWS = 200


def infusing(request: HttpRequest) -> HttpResponse:
    """The board; it refreshes itself and never keeps a session alive by that."""
    require(request.membership, "read_charts")
    now = timezone.now()
    centre = request.membership.centre
    context = {"rows": rows(centre, now), "as_of": display.format_clock(now, centre.time_zone)}
    return render(request, "regimens/_infusing.html" if request.htmx else "regimens/infusing.html", context)


def rows(centre: Centre, now: datetime) -> list[dict[str, str]]:
    """Running infusions, the longest first, every value written."""
    settings = RateChange.objects.filter(administration=OuterRef("pk")).order_by("at", "id")
    running = (
        Administration.objects.filter(centre=centre, ended_at=None, error_at=None)
        .select_related(
            "patient", "given_by__user", "dose__course__protocol", "dose__course__monograph", "dose__protocol_dose", "centre"
        )
        .annotate(set_at=ArraySubquery(settings.values("at")), set_to=ArraySubquery(settings.values("rate_ml_per_h")))
        .order_by("started_at", "pk")[:MOST_ROWS]
    )
    return [_row(record, now, centre.time_zone) for record in running]


def _row(record: Administration, now: datetime, zone: str) -> dict[str, str]:
    pairs = zip(record.set_at, record.set_to, strict=True)
    state = standing(record, [RateChange(at=at, rate_ml_per_h=rate) for at, rate in pairs], now)
    patient = record.patient
    return {
        "status": display.format_status("paused" if state.is_paused else "infusing"),
        "name": display.format_name(patient.family_name, patient.given_name),
        "born": display.format_day(patient.birth_on),
        "mrn": display.format_mrn(patient.mrn),
        "ward": patient.ward,
        "dose": f"Dose {record.dose.number}, {record.dose.title}" if record.dose else "Unplanned infusion",
        "step": f"{state.step.number} of {len(state.plan.steps)}" if state.step and state.plan else "",
        "rate": "Paused" if state.is_paused else display.format_unit(state.rate_ml_per_h, "mL per h"),
        "volume": _volume(state),
        "since": display.format_clock(record.started_at, zone),
        "finish": _finish(record, zone),
        "given_by": record.given_by.user.printed_name,
        "url": reverse("infusion", args=[record.pk]),
    }


def _volume(state: Standing) -> str:
    given = with_unit(state.volume_ml, "mL", 1)
    return given if state.ordered_ml is None else f"{given} of {display.format_unit(state.ordered_ml, 'mL')}"


def _finish(record: Administration, zone: str) -> str:
    """When the entered vial must be in; nothing where nobody noted its entry."""
    if record.vial_entered_at is None or record.dose is None:
        return display.NOT_RECORDED
    hours = record.dose.course.monograph.to_domain().limit("finish_within_h").value
    return display.format_clock(record.vial_entered_at + timedelta(minutes=int(hours * 60)), zone)


urls = [path("infusing/", infusing, name="infusing")]
