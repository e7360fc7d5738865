"""The one door to a chart. Absent and not yours give the same answer."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import Http404

from patients.models import Membership, Patient, Transplant
from patients.roles import may

Row = TypeVar("Row", bound=Model)


def one(rows: QuerySet[Row], **lookup: Any) -> Row:
    """The only row of an already scoped query, or 404 with the same words whatever the cause."""
    try:
        return rows.get(**lookup)
    except (ObjectDoesNotExist, ValueError):
        raise Http404("Not found") from None


def patients_of(by: Membership | None) -> QuerySet[Patient]:
    """The patients whose charts this membership may open: those of its centre, for clinical roles and the auditor."""
    if by is None or not may(by, "read_charts"):
        return Patient.objects.none()
    return Patient.objects.filter(centre_id=by.centre_id)


def patient_for(by: Membership | None, patient_id: uuid.UUID) -> Patient:
    """One chart, or 404."""
    return one(patients_of(by).select_related("centre"), pk=patient_id)


def transplant_for(by: Membership | None, transplant_id: uuid.UUID) -> Transplant:
    """One transplant with its patient, or 404."""
    return one(Transplant.objects.select_related("patient__centre").filter(patient__in=patients_of(by)), pk=transplant_id)
