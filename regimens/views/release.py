"""The release of one dose: each thing looked at with its value now, what stops it, and the pharmacist's signature. And the prescriber's
signature under a shorter interval.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
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
from regimens.access import dose_for
from regimens.actions import findings, releases
from regimens.actions.around import Around, read_around
from regimens.actions.charting import Chart, read_dose
from regimens.actions.previous import signature_under
from regimens.forms.care import IntervalForm, ReleaseForm, WithdrawForm
from regimens.models import PlannedDose, Release
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame
from regimens.views.release_rows import Row, rows_of
from regimens.views.rows import basis_text, window_text


def release(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """Everybody who may open the chart sees what a release would look at; a pharmacist signs it, or takes it back."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "read_charts")
    now = timezone.now()
    chart = read_dose(dose)
    live = chart.dose
    assert live is not None  # read_dose always finds it
    if live.pk != dose.pk:
        messages.info(request, "This dose was recalculated. This is its current version.")
        return redirect("release", dose_id=live.pk)
    around = read_around(chart, live)
    form = _form(live, around, now, request.POST if _is(request, "release") else None)
    withdraw = WithdrawForm(request.POST) if _is(request, "withdraw") else WithdrawForm()
    if request.method == "POST":
        require(request.membership, "release_dose")
        if _is(request, "withdraw"):
            if attempt(withdraw, lambda: _withdraw(request, live, withdraw, now)):
                messages.success(request, "The release is withdrawn: the dose cannot be started until it is released again.")
                return redirect("release", dose_id=live.pk)
        elif attempt(form, lambda: _sign(request, live, form, now)):
            messages.success(request, f"Signed: dose {live.number} is released.")
            return redirect("release", dose_id=live.pk)
    return _page(request, chart, live, around, form, withdraw, now)


def _is(request: HttpRequest, act: str) -> bool:
    return request.method == "POST" and request.POST.get("act") == act


def _form(dose: PlannedDose, around: Around, now: datetime, data: Any) -> ReleaseForm:
    missing = [_small(findings.PLAUSIBLE[kind].name) for kind in releases.missing_results(dose, around.results, now)]
    given: dict[str, Any] = {"missing": missing, "is_treatment": releases.is_treatment(dose)}
    return ReleaseForm(data, **given) if data is not None else ReleaseForm(**given)


def _small(name: str) -> str:
    """ "creatinine" inside a sentence, and BUN as it is."""
    return name if name.isupper() else name.lower()


def _sign(request: HttpRequest, dose: PlannedDose, form: ReleaseForm, now: datetime) -> Release:
    data = form.cleaned_data
    signed_by(request, data["password"])
    confirmed = releases.Confirmed(
        on_hand=data["on_hand"],
        expected=data["expected"],
        missing_reason=data.get("missing_reason", ""),
        fluid_state=data.get("fluid_state", ""),
    )
    return releases.release_dose(dose=dose, confirmed=confirmed, by=request.membership, at=now)


def _withdraw(request: HttpRequest, dose: PlannedDose, form: WithdrawForm, now: datetime) -> Release:
    reason = form.cleaned_data["withdrawn_reason"]
    return releases.withdraw_release(dose=dose, reason=reason, by=request.membership, at=now)


def _page(
    request: HttpRequest,
    chart: Chart,
    dose: PlannedDose,
    around: Around,
    form: ReleaseForm,
    withdraw: WithdrawForm,
    now: datetime,
) -> HttpResponse:
    zone = chart.centre.time_zone
    checks = releases.checks_of(chart, dose, around, now)
    rows = rows_of(chart, dose, around, checks, now)
    until = releases.lasts_until(dose, around.release)
    is_live = until is not None and now <= until
    context = patient_frame(chart.patient, now, around.answers) | {
        "dose": dose,
        "dose_text": display.format_unit(dose.dose_mg, "mg"),
        "volume_text": display.format_unit(dose.draw_ml, "mL"),
        "basis": basis_text(dose),
        "window": window_text(dose, zone),
        "rows": rows,
        "stops": _stops(rows),
        "released": release_text(dose, around, zone) if is_live else "",
        "expired": release_text(dose, around, zone) if until is not None and not is_live else "",
        "form": form,
        "withdraw": withdraw,
        "may_release": may(request.membership, "release_dose"),
        "is_open": not dose.settled_at,
    }
    return render(request, "regimens/release.html", context, status=422 if request.method == "POST" else 200)


def _stops(rows: Iterable[Row]) -> list[Refusal]:
    return [row.stop for row in rows if row.stop is not None]


def release_text(dose: PlannedDose, around: Around, zone: str) -> str:
    """ "Released by Ravi Patel, 22-Nov-2026 10:00, good until 24-Nov-2026 10:00", or nothing."""
    live = around.release
    if live is None:
        return ""
    until = display.format_instant(releases.lasts_until(dose, live), zone)
    person = str(live.person)
    return f"Released by {person}, {display.format_instant(live.released_at, zone)}, good until {until}"


def interval(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """A prescriber signs that a dose may start sooner than the minimum interval after the last one."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "read_charts")
    now = timezone.now()
    chart = read_dose(dose)
    zone = chart.centre.time_zone
    live = chart.dose
    assert live is not None  # read_dose always finds it
    form = IntervalForm(request.POST) if request.method == "POST" else IntervalForm()
    if request.method == "POST":
        require(request.membership, "decide_finding")

        def act() -> object:
            signed_by(request, form.cleaned_data["password"])
            return releases.release_interval(dose=dose, reason=form.cleaned_data["reason"], by=request.membership, at=now)

        if attempt(form, act):
            messages.success(request, "Signed: the dose may start sooner than the minimum interval.")
            return redirect("dose", dose_id=dose.pk)
    around = read_around(chart, live)
    last = chart.previous()
    earliest = releases.earliest_start(chart, live, now)
    signed = signature_under(around.intervals, chart.previous())
    context = patient_frame(chart.patient, now, around.answers) | {
        "dose": live,
        "rows": [
            {"label": "Last dose started", "value": display.format_instant(last.started_at, zone) if last else "None"},
            {"label": "Minimum interval", "value": display.format_unit(live.min_interval_hours, "h")},
            {"label": "Window", "value": window_text(live, zone)},
            {"label": "Kept from", "value": display.format_instant(earliest, zone) if earliest else "Kept now"},
        ],
        "form": form,
        "is_asked": earliest is not None and signed is None and not live.settled_at,
        "signed": signed,
        "signed_text": f"{signed.person}, {display.format_instant(signed.released_at, zone)}: {signed.reason}"
        if signed
        else "",
        "may_sign": may(request.membership, "decide_finding"),
        "back": reverse("dose", args=[live.pk]),
    }
    return render(request, "regimens/release_interval.html", context, status=422 if request.method == "POST" else 200)


urls: list = [
    path("doses/<uuid:dose_id>/release/", release, name="release"),
    path("doses/<uuid:dose_id>/interval/", interval, name="interval-release"),
]
