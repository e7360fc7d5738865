"""When and where one dose is booked."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.roles import may, require
from regimens.access import dose_for
from regimens.actions import bookings
from regimens.forms.care import BookingForm
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame
from regimens.views.rows import window_text


def booking(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """Book a dose inside its window, or take the booking away. The signed plan stays as it is."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "read_charts")
    now, by, zone = timezone.now(), request.membership, dose.course.patient.centre.time_zone
    is_clearing = request.method == "POST" and request.POST.get("act") == "clear"
    initial = {"booked_for": dose.booked_for, "booked_place": dose.booked_place}
    form = (
        BookingForm(request.POST, zone_name=zone) if request.method == "POST" else BookingForm(initial=initial, zone_name=zone)
    )
    if request.method == "POST":
        require(by, "book")
        if is_clearing:
            bookings.clear_booking(dose=dose, by=by, at=now)
            messages.success(request, "The booking is taken away.")
            return redirect("dose", dose_id=dose.pk)
        booked = attempt(
            form,
            lambda: bookings.book_dose(
                dose=dose,
                booked_for=form.cleaned_data["booked_for"],
                place=form.cleaned_data["booked_place"],
                by=by,
                at=now,
            ),
        )
        if booked:
            messages.success(request, f"Booked: dose {dose.number}, {display.format_instant(booked.booked_for, zone)}.")
            return redirect("dose", dose_id=dose.pk)
    context = patient_frame(dose.course.patient, now) | {
        "dose": dose,
        "window": window_text(dose, zone),
        "target": display.format_weekday_day(dose.target_on),
        "booked": f"{display.format_instant(dose.booked_for, zone)}, {dose.booked_place}" if dose.booked_for else "",
        "form": form,
        "may_book": may(by, "book") and not dose.settled_at,
    }
    return render(request, "regimens/booking.html", context, status=422 if request.method == "POST" else 200)


urls: list = [path("doses/<uuid:dose_id>/booking/", booking, name="booking")]
