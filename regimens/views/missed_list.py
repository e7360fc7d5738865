"""Doses that need a decision and have none: missed, passed on hold, or stopped part way. Computed; the list decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from patients.models import Centre
from patients.roles import may, require
from regimens.actions import notices
from regimens.models import Administration, MissedDoseDecision, PlannedDose
from regimens.models.status import with_hold
from regimens.templatetags import display

MOST_ROWS = 200


def missed_list(request: HttpRequest) -> HttpResponse:
    """Doses of this centre that nobody has decided about: missed, passed on hold, or stopped part way; the longest first."""
    require(request.membership, "read_charts")
    now = timezone.now()
    centre = request.membership.centre
    context = {
        "rows": undecided(centre, now),
        "as_of": display.format_clock(now, centre.time_zone),
        "decides": may(request.membership, "decide_missed"),
        "unsent": notices.unsent(centre, now),
    }
    return render(request, "regimens/_missed.html" if request.htmx else "regimens/missed.html", context)


def undecided(centre: Centre, now: datetime) -> list[dict[str, str]]:
    """The rows of the list in one statement, by closing instant: windows that closed, and infusions stopped before their end."""
    part = Administration.objects.filter(
        dose=OuterRef("pk"), error_at=None, ended_at__isnull=False, volume_ml__lt=OuterRef("draw_ml")
    )
    decided = MissedDoseDecision.objects.filter(dose=OuterRef("pk"), superseded_at=None)
    doses = PlannedDose.objects.filter(centre=centre, course__patient__closed_at=None).order_by("closes_at", "pk").values("pk")
    closed = doses.filter(settled_at=None, closes_at__lte=now)[:MOST_ROWS]
    stopped_part_way = doses.filter(Exists(part), ~Exists(decided), settled_as="recorded", course__stopped_at=None)[:MOST_ROWS]
    found = (
        # Two lists, each by its own index: one condition with "or" would read every dose of the center.
        with_hold(PlannedDose.objects.filter(pk__in=closed.union(stopped_part_way, all=True)), now)
        .select_related("course__patient", "protocol_dose")
        .order_by("closes_at", "pk")[:MOST_ROWS]
    )
    return [
        {
            "status": _state(dose),
            "name": display.format_name(dose.course.patient.family_name, dose.course.patient.given_name),
            "born": display.format_day(dose.course.patient.birth_on),
            "mrn": display.format_mrn(dose.course.patient.mrn),
            "ward": dose.course.patient.ward,
            "dose": f"Dose {dose.number}, {dose.title}",
            "amount": display.format_unit(dose.dose_mg, "mg"),
            "closed": display.format_instant(dose.closes_at, centre.time_zone) if not dose.settled_at else "—",
            "since": display.format_elapsed(_needs_since(dose), now),
            "url": reverse("decide", args=[dose.pk]),
        }
        for dose in found
    ]


def _state(dose: Any) -> str:
    """Of a row of the list: stopped part way, passed while the course was on hold, or missed; the first dose by its 72 h."""
    if dose.settled_at:
        return "partial"
    is_passed = dose.held_at is not None and (dose.resumed_at is None or dose.closes_at <= dose.resumed_at)
    if is_passed and dose.held_at < dose.closes_at:
        return "passed_on_hold"
    return "outside_72_h" if dose.in_hours else "missed"


def _needs_since(dose: PlannedDose) -> datetime:
    return dose.settled_at or dose.closes_at
