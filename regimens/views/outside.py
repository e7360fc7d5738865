"""Immune globulin given elsewhere: the list of one patient, and the prescriber's word on whether a dose is the initial one."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import facts
from patients.access import patient_for
from patients.forms import ReasonForm
from patients.models import Patient, Transplant
from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import outside_dose_for
from regimens.actions import outside, planning
from regimens.domain import exposure
from regimens.forms.build import given_text
from regimens.forms.outside import OutsideDecisionForm, OutsideForm
from regimens.models import Administration, OutsideDose
from regimens.templatetags import display
from regimens.views.frame import patient_frame


def outside_doses(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Every dose given elsewhere, struck out ones too, with what was decided; below it, the form for another one."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "read_charts")
    zone, now = patient.centre.time_zone, timezone.now()
    may_record = may(request.membership, "record_finding")
    form = OutsideForm(request.POST, zone_name=zone) if request.method == "POST" else OutsideForm(zone_name=zone)
    if request.method == "POST":
        require(request.membership, "record_finding")
        if form.is_valid():
            try:
                outside.record_outside_dose(patient=patient, dose=form.facts(), by=request.membership, at=now)
            except Refusal as refused:
                form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
            else:
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
    if request.method == "POST" and form.is_valid():
        try:
            outside.strike_out(outside=row, reason=form.cleaned_data["reason"], by=request.membership, at=timezone.now())
        except Refusal as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        else:
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
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            signed_by(request, data["password"])
            outside.decide_outside(outside=row, decision=data["decision"], reason=data["reason"], by=request.membership, at=now)
        except Refusal as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        else:
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


def _load(patient: Patient, now: datetime) -> dict[str, str]:
    """CMV immune globulin of the last 7 and 28 days in mg per kg of the latest weight, given here and elsewhere; {} without a weight."""
    weight = facts.current_weight(patient)
    if weight is None:
        return {}
    value = planning.published().to_domain()
    per_ml = value.product.concentration_mg_per_ml
    here = Administration.objects.filter(patient=patient, error_at=None, volume_ml__isnull=False)
    given = [exposure.GivenDose("", a.started_at, (a.volume_ml or Decimal(0)) * per_ml, weight.weight_kg) for a in here]
    elsewhere = patient.outside_doses.filter(error_at=None, product=OutsideDose.Product.CMV_IG, given_mg__isnull=False)
    given += [exposure.GivenDose("", row.given_at, row.given_mg or Decimal(0), weight.weight_kg) for row in elsewhere]
    loads = [exposure.rolling(given, at=now, days=days, concentration_mg_per_ml=per_ml) for days in (7, 28)]
    week, month = (display.format_rounded(load.mg_per_kg, "mg per kg") for load in loads)
    return {"week": week, "month": month, "weight": display.format_unit(weight.weight_kg, "kg")}


urls: list = [
    path("patients/<uuid:patient_id>/outside-doses/", outside_doses, name="outside-doses"),
    path("outside-doses/<int:outside_id>/decide/", decide, name="outside-dose-decide"),
    path("outside-doses/<int:outside_id>/strike-out/", strike_out, name="outside-dose-strike"),
]
