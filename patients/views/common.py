"""What every page of this floor shares: the banner's context, and a refusal shown in the form it came from."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from patients.access import patient_for
from patients.banner import banner_of
from patients.fields import invalid
from patients.models import Membership, Patient
from patients.refusal import Refusal

Result = TypeVar("Result")


def member(request: HttpRequest) -> Membership:
    """Whom the person acts as; refused ("role") for an account without a role."""
    membership = request.membership
    if membership is None:
        raise Refusal("role", "This account has no role in a centre.", source="Role × action matrix of this centre")
    return membership


def chart_of(by: Membership, patient_id: uuid.UUID) -> Patient:
    """The patient through the door."""
    return patient_for(by, patient_id)


def page(
    request: HttpRequest, template: str, patient: Patient, now: datetime, *, form: forms.Form | None = None, **more: Any
) -> HttpResponse:
    """A page about one patient; with status 422 when it comes back with a form's errors."""
    context = {"patient": patient, "banner": banner_of(patient, now), "zone": patient.centre.time_zone, "form": form} | more
    return render(request, template, context, status=422 if form is not None and form.is_bound else 200)


def attempt(form: forms.Form, act: Callable[[], Result]) -> Result | None:
    """The action's result, or None with its refusal as the form's error. A refused role is no error of the form."""
    if not form.is_valid():
        return None
    try:
        return act()
    except Refusal as refusal:
        if refusal.code == "role":
            raise
        form.add_error(refusal.field if refusal.field in form.fields else None, invalid(refusal))
        return None


def has_error(form: forms.Form, code: str) -> bool:
    """Whether the form came back with this refusal."""
    return any(error.code == code for errors in form.errors.as_data().values() for error in errors)


def seen_now(form: forms.Form, version: int) -> None:
    """After a stale form was shown beside the newer values: sending it again is an answer to those."""
    assert isinstance(form.data, QueryDict)  # it was posted
    data = form.data.copy()
    data["version"] = str(version)
    form.data = data


def differences(form: forms.Form, stored: dict[str, Any]) -> list[dict[str, str]]:
    """For a stale form: each value that is not what was typed, both as the form writes them."""
    rows = []
    for name, value in stored.items():
        bound = form[name]
        typed = bound.value()
        now = bound.field.prepare_value(value)
        if _words(bound.field, typed) != _words(bound.field, now):
            rows.append({"label": str(bound.label), "typed": _words(bound.field, typed), "stored": _words(bound.field, now)})
    return rows


def _words(field: forms.Field, value: Any) -> str:
    """A value as a person reads it: words of a choice, parts of a date and time."""
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, (_words(field, part) for part in value)))
    if isinstance(field, forms.ChoiceField):
        return str(dict(field.choices).get(value, value or ""))  # type: ignore[arg-type]
    return "" if value is None else str(value)
