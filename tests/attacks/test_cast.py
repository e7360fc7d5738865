"""The rows that the attacks are made with: everything there is about a patient is among them."""

from __future__ import annotations

import pytest

from patients import guards
from patients.models import RowChange
from tests.attacks.objects import make_cast, routes, texts_of

pytestmark = pytest.mark.django_db


def test_there_is_a_row_of_every_table_of_a_patient_and_every_text_of_it_is_filled():
    cast = make_cast()
    missing = []
    for model in guards.clinical_models():
        if not guards.way_to_patient(model) and model._meta.label != "patients.Patient":
            continue
        rows = list(model.objects.all())
        if not rows:
            missing.append(model._meta.label)
        missing += [
            f"{model._meta.label}.{field.name}"
            for field in texts_of(model)
            if not any(getattr(row, field.name) for row in rows)
        ]
    assert not missing, "give them their place in tests/attacks/objects.py"
    assert RowChange.objects.filter(patient_id=cast.patient.pk).exists()


def test_every_part_of_every_address_has_its_row():
    cast = make_cast()
    for route in routes():
        if not route.is_admin:
            assert "<" not in cast.address(route), route
