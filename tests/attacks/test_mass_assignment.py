"""Fields that a page's form does not have: sent along with every form of every page, none of them reaches a row (safety A6)."""

from __future__ import annotations

import json
import uuid

import pytest

from patients import guards
from patients.models import RowChange
from patients.roles import Role
from tests.attacks.forms import forms_of
from tests.attacks.objects import make_cast
from tests.attacks.walking import OF_THE_SESSION, app_routes, client_of
from tests.factories import make_member, make_patient

pytestmark = pytest.mark.django_db

SKIPPED = {
    "account-password",
    "second-factor",
    "recovery-codes",
}  # the person's own sign-in, in tests/patients/test_second_factor.py


def extras() -> dict[str, str]:
    """A value that would be seen again for every column of every table, and for what accounts have besides."""
    other = make_member(Role.PHARMACIST)
    patient = make_patient(by=other)
    values: dict[str, str] = {"is_superuser": "on", "is_staff": "on", "role": "administrator", "monograph_version": "7777777"}
    for model in guards.clinical_models():
        for field in model._meta.concrete_fields:
            kind = field.get_internal_type()
            if field.is_relation:
                target = field.related_model._meta.label
                value = {
                    "patients.Patient": patient.pk,
                    "patients.Membership": other.pk,
                    "patients.Centre": other.centre_id,
                }.get(target)
                value = value or (
                    uuid.UUID(int=7777777) if field.related_model._meta.pk.get_internal_type() == "UUIDField" else 7777777
                )
            elif kind == "DecimalField" or "Integer" in kind:
                value = "7777.77" if kind == "DecimalField" else "7777777"
            elif kind == "DateTimeField":
                value = "2001-07-07T07:07:07Z"
            elif kind == "DateField":
                value = "2001-07-07"
            else:
                value = "Smuggled7777"
            values[field.name] = values[field.column] = str(value)
    return {name: value for name, value in values.items() if name != "id"} | {
        "id": "7777777", "pk": "7777777", "patient_id": str(patient.pk), "centre_id": str(other.centre_id),
    }  # fmt: skip


def test_no_field_that_a_form_does_not_have_reaches_a_row():
    cast, extra = make_cast(), extras()
    marks = ("Smuggled7777", "7777.77", "7777777", "2001-07-07", extra["patient_id"])
    other_people = {int(extra["recorded_by"])}
    asked = saved = 0
    for role in (Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER, Role.COORDINATOR, Role.TECHNICIAN, Role.AUDITOR):
        client = client_of(cast.people[role])
        for route in app_routes():
            if route.name in SKIPPED | OF_THE_SESSION:
                continue
            path = cast.address(route)
            page = client.get(path)
            if page.status_code != 200 or not page["Content-Type"].startswith("text/html"):
                continue
            for form in forms_of(page.content.decode()):
                if form.action.startswith(("/sign-out", "/account", "/sign-in")):
                    continue
                sent = {name: value for name, value in extra.items() if name not in form.values} | form.values
                before = RowChange.objects.count()
                answer = client.post(form.action or path, sent)
                asked += 1
                saved += RowChange.objects.count() > before
                assert answer.status_code < 500, route.name
    assert asked >= 60 and saved >= 5, (asked, saved)
    for change in RowChange.objects.filter(event__isnull=False, event__request_id__gt="").exclude(new=None):
        image = json.dumps(change.new, default=str)
        old = json.dumps(change.old or {}, default=str)
        for mark in marks:
            assert mark not in image or mark in old, (change.tbl, mark)
        for column, value in change.new.items():
            if column.endswith("_by_id") and (change.old or {}).get(column) != value:
                assert value not in other_people, (change.tbl, column)
