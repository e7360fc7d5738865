"""What every page about one patient shares: the banner, the centre's clock and today's date in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from patients.banner import banner_of
from patients.models import Patient, Precaution, WeightMeasurement


def local_day(at: datetime, zone_name: str) -> date:
    """The calendar day of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone_name)).date()


def local_today(request: HttpRequest, now: datetime) -> date:
    """Today where the person works."""
    return local_day(now, request.membership.centre.time_zone)


def patient_frame(
    request: HttpRequest,
    patient: Patient,
    now: datetime,
    answers: list[Precaution] | None = None,
    weights: Sequence[WeightMeasurement] | None = None,
) -> dict:
    """Context of a page about one patient: patient, banner, zone, now. ``answers`` and ``weights`` where the page has read them."""
    return {
        "patient": patient,
        "banner": banner_of(patient, now, answers, weights),
        "zone": request.membership.centre.time_zone,
        "now": now,
    }
