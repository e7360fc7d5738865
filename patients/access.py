"""The one door to a chart. Absent and not yours give the same answer.

A chart opens for the clinicians and the auditor of its own centre, and every page that is read through the door is recorded.
Emergency access adds one chart of another centre, and only while a page is read: :func:`reading` is entered for GET and HEAD
alone (cmvig_site/reading.py), so for every form that is sent, and for every action, the other centre's chart does not exist.
Behind that, the database refuses the change itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from patients import audit
from patients.guards import way_to_patient
from patients.models import BreakGlass, Membership, Patient, Transplant
from patients.roles import may

Row = TypeVar("Row", bound=Model)
IN_SESSION = "emergency"  # set when an emergency access is opened; signing out ends it


@dataclass(slots=True)
class _Reading:
    """One page that is read: by whom, with which open emergency accesses, and the charts whose reading is recorded already.

    Without a name it is a page that refreshes itself, which is recorded under emergency access alone.
    """

    by: Membership
    accesses: tuple[BreakGlass, ...] = ()
    page: str = ""
    recorded: set[uuid.UUID] = field(default_factory=set)


_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)


def one(rows: QuerySet[Row], **lookup: Any) -> Row:
    """The only row of an already scoped query, or 404 with the same words whatever the cause.

    While a page is read, that this chart is read is recorded before the row is handed over.
    """
    try:
        row = rows.get(**lookup)
    except (ObjectDoesNotExist, ValueError):
        raise Http404("Not found") from None
    _record_read(row)
    return row


def own_patients(by: Membership | None) -> QuerySet[Patient]:
    """The patients of this membership's own centre, for clinical roles and the auditor: what may be listed and changed."""
    if by is None or not may(by, "read_charts"):
        return Patient.objects.none()
    return Patient.objects.filter(centre_id=by.centre_id)


def patients_of(by: Membership | None) -> QuerySet[Patient]:
    """The patients whose charts this membership may open now: those of its centre, and while a page is read those of its open
    emergency accesses."""
    own = own_patients(by)
    now = _reading.get()
    if by is None or now is None or not now.accesses:
        return own
    others = [access.patient_id for access in now.accesses if access.membership_id == by.pk]
    return Patient.objects.filter(Q(pk__in=own.values("pk")) | Q(pk__in=others))


def patient_for(by: Membership | None, patient_id: uuid.UUID) -> Patient:
    """One chart, or 404."""
    return one(patients_of(by).select_related("centre"), pk=patient_id)


def transplant_for(by: Membership | None, transplant_id: uuid.UUID) -> Transplant:
    """One transplant with its patient, or 404."""
    return one(Transplant.objects.select_related("patient__centre").filter(patient__in=patients_of(by)), pk=transplant_id)


def open_accesses(by: Membership, at: datetime) -> tuple[BreakGlass, ...]:
    """The emergency accesses of this membership that have not ended, the last one of each chart. One query."""
    if not may(by, "break_glass"):
        return ()
    rows = (
        BreakGlass.objects.filter(membership=by, expires_at__gt=at)
        .select_related("membership", "patient__centre")
        .order_by("expires_at")
    )
    return tuple({row.patient_id: row for row in rows}.values())


def is_emergency(patient: Patient) -> bool:
    """Whether the page that is read shows this chart by an emergency access: whoever reads it sees no other patient of its centre."""
    now = _reading.get()
    return now is not None and any(access.patient_id == patient.pk for access in now.accesses)


@contextmanager
def reading(by: Membership, accesses: Sequence[BreakGlass] = ()) -> Iterator[_Reading]:
    """Serve one page to somebody, with these emergency accesses."""
    now = _Reading(by, tuple(accesses))
    token = _reading.set(now)
    try:
        yield now
    finally:
        _reading.reset(token)


def _record_read(row: Model) -> None:
    """One event per page and chart: who read it, and under which emergency access where that is what opened it."""
    now = _reading.get()
    patient_id = _patient_id_of(row) if now else None
    if now is None or patient_id is None or patient_id in now.recorded:
        return
    access = next((access for access in now.accesses if access.patient_id == patient_id), None)
    if access:
        audit.event("read_emergency", by=now.by, patient=patient_id, access=access.pk, page=now.page)
    elif now.page:
        audit.event("read_chart", by=now.by, patient=patient_id, page=now.page)
    now.recorded.add(patient_id)


def _patient_id_of(row: Model) -> uuid.UUID | None:
    if isinstance(row, Patient):
        return row.pk
    way = way_to_patient(type(row))
    for key in way[:-1]:
        row = getattr(row, key.name)
    return getattr(row, way[-1].attname) if way else None
