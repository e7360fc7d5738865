"""What reaches a log: names of constraints and places in the code, never a value of a patient."""

from __future__ import annotations

import logging
import sys

import pytest
from django.db import IntegrityError, transaction

from cmvig_site.logs import PlainFormatter, Scrub
from patients.models import Patient
from tests.factories import make_patient

CANARY = "Canary-4711"


def written(record: logging.LogRecord) -> str:
    assert Scrub().filter(record)
    return PlainFormatter("%(levelname)s %(message)s").format(record)


@pytest.mark.django_db
def test_a_violated_constraint_is_logged_by_name_without_the_row() -> None:
    patient = make_patient(mrn=CANARY)
    try:
        with transaction.atomic():
            Patient.objects.create(
                **{f.attname: getattr(patient, f.attname) for f in Patient._meta.concrete_fields if f.name != "id"}
            )
    except IntegrityError:
        record = logging.LogRecord(
            "django.request", logging.ERROR, "", 0, "Internal Server Error: %s", ("/patients/new/",), sys.exc_info()
        )
    text = written(record)
    assert "record_number_is_unique_in_its_centre" in text
    assert CANARY not in text


def test_control_characters_cannot_forge_a_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "name %s", (f"a\r\n\x1b[31mERROR {CANARY}\u2028b",), None)
    assert written(record).count("\n") == 0
    assert "\x1b" not in written(record)


def test_an_error_that_quotes_a_person_is_logged_by_type_and_place_alone() -> None:
    try:
        raise ValueError(CANARY) from KeyError(CANARY)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    text = written(record)
    assert "ValueError <- KeyError" in text
    assert CANARY not in text
