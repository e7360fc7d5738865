"""Registering, correcting, closing and reopening a patient."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from patients import actions, facts, names, when
from patients.forms import CloseForm, PatientForm, ReasonForm
from patients.roles import require
from patients.views.common import attempt, chart_of, differences, has_error, member, page, seen_now


def new(request: HttpRequest) -> HttpResponse:
    """A new patient. A likely duplicate is shown beside the form, with the question whether this is another person."""
    by = member(request)
    require(by, "edit_patient")
    now = timezone.now()
    form = PatientForm(request.POST) if request.method == "POST" else PatientForm()
    alike: list[facts.LookAlike] = []
    if request.method == "POST":
        patient = attempt(
            form,
            lambda: actions.register_patient(
                by=by, at=now, is_another_person=form.cleaned_data.get("is_another_person", False), **form.values()
            ),
        )
        if patient:
            messages.success(request, f"Patient registered, born {when.weekday_text(patient.birth_on)}.")
            return redirect("chart", patient_id=patient.pk)
        if has_error(form, "possible_duplicate"):
            form.ask_about_duplicate()
            typed = form.cleaned_data
            found = facts.look_alikes(
                centre_id=by.centre_id,
                name_key=names.name_key(typed["family_name"], typed["given_name"]),
                birth_on=typed["birth_on"],
                mrn=typed["mrn"],
            )
            alike = [other for other in found if other.may_be_the_same_person]
    return render(request, "patients/new.html", {"form": form, "alike": alike}, status=422 if form.is_bound else 200)


def edit(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Correct what is on record. A form that somebody else overtook comes back with both values."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "edit_patient")
    now = timezone.now()
    form = PatientForm(request.POST, patient=patient) if request.method == "POST" else PatientForm(patient=patient)
    stale: list[dict[str, str]] = []
    if request.method == "POST":
        done = attempt(
            form,
            lambda: actions.correct_patient(
                by=by,
                at=now,
                patient=patient,
                version=form.cleaned_data["version"],
                reason=form.cleaned_data["reason"],
                **form.values(),
            ),
        )
        if done:
            messages.success(request, "Details corrected." if done.version != patient.version else "Nothing was changed.")
            return redirect("chart", patient_id=patient.pk)
        if has_error(form, "stale"):
            patient = chart_of(by, patient_id)
            stale = differences(form, {name: getattr(patient, name) for name in form.VALUES})
            seen_now(form, patient.version)
    return page(request, "patients/edit.html", patient, now, form=form, stale=stale)


def close(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Died or transferred; on a closed chart, open it again."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "edit_patient")
    now = timezone.now()
    if patient.closed_at:
        return _reopen(request, patient_id)
    zone_name = patient.centre.time_zone
    posted = request.method == "POST"
    form = CloseForm(request.POST, zone_name=zone_name) if posted else CloseForm(zone_name=zone_name)
    if posted:
        done = attempt(
            form,
            lambda: actions.close_patient(
                by=by,
                at=now,
                patient=patient,
                closed_reason=form.cleaned_data["closed_reason"],
                closed_at=form.instant(now),
                note=form.cleaned_data["note"],
            ),
        )
        if done:
            messages.success(request, "Chart closed. Nothing is due any more.")
            return redirect("chart", patient_id=patient.pk)
    return page(request, "patients/close.html", patient, now, form=form)


def _reopen(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    by, now = member(request), timezone.now()
    patient = chart_of(by, patient_id)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST":
        done = attempt(form, lambda: actions.reopen_patient(by=by, at=now, patient=patient, reason=form.cleaned_data["reason"]))
        if done:
            messages.success(request, "Chart opened again. Its planned doses count as before.")
            return redirect("chart", patient_id=patient.pk)
    return page(request, "patients/reopen.html", patient, now, form=form)
