"""Locking courses: always before the patient and before anything of theirs, so that no two acts wait for each other."""

from __future__ import annotations

from patients.models import Patient
from regimens.models import Course


def lock_course(course: Course) -> Course:
    """The course as the database has it now, locked until the end of the transaction, with its patient, graft and rules."""
    rows = Course.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("patient__centre", "protocol", "monograph", "transplant").get(pk=course.pk)


def lock_open_courses(patient: Patient) -> list[Course]:
    """The patient's courses that are not stopped, locked."""
    rows = Course.objects.select_for_update(of=("self",), no_key=True).filter(patient=patient, stopped_at=None)
    return list(rows.order_by("pk"))
