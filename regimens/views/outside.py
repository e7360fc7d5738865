"""Immune globulin given elsewhere: the list of one patient, and the prescriber's word on whether a dose is the initial one."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import facts
from patients.access import patient_for
from patients.forms import ReasonForm
from patients.models import Patient, Transplant
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import outside_dose_for
from regimens.actions import outside, planning
from regimens.actions.charting import read_patient
from regimens.actions.missed_case import given_here
from regimens.domain import exposure
from regimens.forms.outside import OutsideDecisionForm, OutsideForm, given_text
from regimens.models import OutsideDose
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame

LOAD_DAYS = (7, 28)


def outside_doses(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Every dose given elsewhere, struck out ones too, with what was decided; below it, the form for another one."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "read_charts")
    zone, now = patient.centre.time_zone, timezone.now()
    may_record = may(request.membership, "record_finding")
    form = OutsideForm(request.POST, zone_name=zone) if request.method == "POST" else OutsideForm(zone_name=zone)
    if request.method == "POST":
        require(request.membership, "record_finding")
        if attempt(
            form, lambda: outside.record_outside_dose(patient=patient, dose=form.facts(), by=request.membership, at=now)
        ):
            messages.success(request, "Dose given elsewhere recorded.")
            return redirect("outside-doses", patient_id=patient.pk)
    rows = patient.outside_doses.select_related("recorded_by__user", "decided_by__user", "dose").order_by("-given_at", "-pk")
    transplants = list(patient.transplants.order_by("-reperfusion_at"))
    context = patient_frame(patient, now) | {
        "rows": [_line(row, transplants, zone) for row in rows],
        "form": form if may_record else None,
        "may_strike": may(request.membership, "enter_in_error"),
        "may_decide": may(request.membership, "decide_finding"),
    }
    return render(request, "regimens/outside.html", context, status=422 if request.method == "POST" else 200)


def _line(row: OutsideDose, transplants: list[Transplant], zone: str) -> dict:
    decided = OutsideDose.DECISIONS.get(row.decision, "")
    asks = any(outside.asks(row, transplant) for transplant in transplants)
    return {"row": row, "text": given_text(row, zone), "decided": decided, "asks": asks}


def strike_out(request: HttpRequest, outside_id: int) -> HttpResponse:
    """Strike one entry out, with a reason."""
    row = outside_dose_for(request.membership, outside_id)
    require(request.membership, "enter_in_error")
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()

    def act() -> OutsideDose:
        return outside.strike_out(outside=row, reason=form.cleaned_data["reason"], by=request.membership, at=timezone.now())

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "Entry struck out.")
        return redirect("outside-doses", patient_id=row.patient_id)
    context = patient_frame(row.patient, timezone.now()) | {
        "row": row,
        "text": given_text(row, row.patient.centre.time_zone),
        "form": form,
        "back": reverse("outside-doses", args=[row.patient_id]),
    }
    return render(request, "regimens/outside_strike.html", context, status=422 if request.method == "POST" else 200)


def decide(request: HttpRequest, outside_id: int) -> HttpResponse:
    """A prescriber signs whether the dose counts as the initial one; the load of either choice is shown, none is recommended."""
    row = outside_dose_for(request.membership, outside_id)
    require(request.membership, "decide_finding")
    now = timezone.now()
    form = OutsideDecisionForm(request.POST) if request.method == "POST" else OutsideDecisionForm()

    def act() -> OutsideDose:
        data = form.cleaned_data
        signed_by(request, data["password"])
        return outside.decide_outside(
            outside=row, decision=data["decision"], reason=data["reason"], by=request.membership, at=now
        )

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "Decision signed.")
        return redirect("chart", patient_id=row.patient_id)
    context = patient_frame(row.patient, now) | {
        "row": row,
        "text": given_text(row, row.patient.centre.time_zone),
        "asks": any(outside.asks(row, transplant) for transplant in row.patient.transplants.all()),
        "decided": OutsideDose.DECISIONS.get(row.decision, ""),
        "load": _load(row.patient, now),
        "form": form,
        "back": reverse("outside-doses", args=[row.patient_id]),
    }
    return render(request, "regimens/outside_decide.html", context, status=422 if request.method == "POST" else 200)


def _load(patient: Patient, now: datetime) -> dict[str, Any]:
    """CMV immune globulin of the last 7 and 28 days in mg per kg of the latest weight, given here and elsewhere; {} without a weight."""
    weight = facts.current_weight(patient)
    if weight is None:
        return {}
    value = planning.published().to_domain()
    per_ml = value.product.concentration_mg_per_ml
    given = given_here(read_patient(patient), per_ml=per_ml, weight_kg=weight.weight_kg)
    elsewhere = patient.outside_doses.filter(error_at=None, product=OutsideDose.Product.CMV_IG)
    given += [exposure.GivenDose("", row.given_at, row.given_mg, weight.weight_kg) for row in elsewhere if row.given_mg]
    unknown = [row.given_at for row in elsewhere if row.given_mg is None]
    loads = {}
    for days in LOAD_DAYS:
        load = exposure.rolling(given, at=now, days=days, concentration_mg_per_ml=per_ml)
        least = "at least " if any(at > now - timedelta(days=days) for at in unknown) else ""
        loads[display.format_unit(days, "days")] = least + display.format_rounded(load.mg_per_kg, "mg per kg")
    return {"sums": loads, "weight": display.format_unit(weight.weight_kg, "kg")}


urls: list = [
    path("patients/<uuid:patient_id>/outside-doses/", outside_doses, name="outside-doses"),
    path("outside-doses/<int:outside_id>/decide/", decide, name="outside-dose-decide"),
    path("outside-doses/<int:outside_id>/strike-out/", strike_out, name="outside-dose-strike"),
]
