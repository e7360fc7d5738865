"""When and where a dose is booked: inside its window, by nurse, coordinator or pharmacist, without a new revision (W2.6)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from patients import audit, when
from patients.actions.common import allow, plain_refusals, short_text
from patients.models import Centre, Membership
from patients.refusal import Refusal
from regimens.actions import planning
from regimens.actions.charting import lock_dose
from regimens.domain.units import wall_text
from regimens.models import PlannedDose
from regimens.models.status import in_hours_sql

SOURCE = "Site policy: booking"


@transaction.atomic
def book_dose(*, dose: PlannedDose, booked_for: datetime, place: str, by: Membership, at: datetime) -> PlannedDose:
    """Book a dose, or book it anew. The signed content stays as it is; overdue then counts from the booking.

    Refused: another role; a closed patient or stopped course; a dose no longer waiting; a time that has passed; outside the
    window ("outside_window": the prescriber decides about that); no place.
    """
    allow(by, "book")
    row = _waiting(dose)
    place = short_text(place, field="booked_place", what="place", limit=80)
    if not place:
        raise Refusal("booking_place", "Say where: a ward, the infusion clinic, at home.", source=SOURCE, field="booked_place")
    if booked_for < at:
        raise Refusal("booking_past", "That time has passed. Check the date and the time.", source=SOURCE, field="booked_for")
    if not row.opens_at <= booked_for < row.closes_at:
        zone = by.centre.time_zone
        raise Refusal(
            "outside_window",
            f"The window of this dose is from {wall_text(row.opens_at, zone)} to before {wall_text(row.closes_at, zone)}. "
            "Outside it, ask the prescriber.",
            source=SOURCE,
            field="booked_for",
        )
    audit.event("book_dose", by=by, patient=row.course.patient, dose=str(row.pk), booked_for=booked_for, place=place)
    row.booked_for, row.booked_place = booked_for, place
    with plain_refusals():
        row.save(update_fields=["booked_for", "booked_place"])
    return row


@transaction.atomic
def clear_booking(*, dose: PlannedDose, by: Membership, at: datetime) -> PlannedDose:
    """Take the booking away. Refused: another role; a dose no longer waiting; no booking."""
    allow(by, "book")
    row = _waiting(dose)
    if row.booked_for is None:
        raise Refusal("not_booked", "This dose is not booked.", source=SOURCE)
    audit.event("clear_booking", by=by, patient=row.course.patient, dose=str(row.pk), booked_for=row.booked_for)
    row.booked_for, row.booked_place = None, ""
    row.save(update_fields=["booked_for", "booked_place"])
    return row


def _waiting(dose: PlannedDose) -> PlannedDose:
    chart = lock_dose(dose)
    row = chart.dose
    assert row is not None  # lock_dose always finds it
    if row.pk != dose.pk:
        raise Refusal("superseded", "This dose was recalculated. Open its current version.")
    if chart.patient.closed_at:
        raise Refusal("patient_closed", f"The chart is closed ({chart.patient.get_closed_reason_display().lower()}).")
    if row.settled_at:
        raise Refusal("not_waiting", "This dose no longer waits to be given.")
    return row


def unbooked(centre: Centre, at: datetime, warn_days: int | None = None) -> Q:
    """For a query of planned doses: those of a centre that wait, have no booking, and whose target day is today, before it, or in the
    days that the published monograph warns ahead (read here unless given). A window in hours needs no booking: it is given at once.
    """
    if warn_days is None:
        warn_days = int(planning.published().to_domain().limit("booking_warn_days").value)
    today = when.local_day(at, centre.time_zone)
    soon = Q(target_on__lte=today + timedelta(days=warn_days), closes_at__gt=at) & ~in_hours_sql()
    return Q(centre=centre, settled_at=None, booked_for=None) & soon
