"""The same door as ``patients.access``, for what hangs on a patient: courses, planned doses and administrations."""

from __future__ import annotations

import uuid

from patients.access import one, patients_of
from patients.models import Membership
from regimens.models import (
    Administration,
    AntibodyRemoval,
    Course,
    LabResult,
    Note,
    Order,
    OutsideDose,
    PlannedDose,
    SingleCheck,
)


def course_for(by: Membership | None, course_id: uuid.UUID) -> Course:
    """One course with its patient, transplant, protocol and monograph, or 404."""
    rows = Course.objects.select_related("patient__centre", "transplant", "protocol", "monograph", "built_by__user")
    return one(rows.filter(patient__in=patients_of(by)), pk=course_id)


def dose_for(by: Membership | None, dose_id: uuid.UUID) -> PlannedDose:
    """One planned dose with its course and patient, or 404."""
    rows = PlannedDose.objects.select_related(
        "course__patient__centre",
        "course__transplant",
        "course__monograph",
        "course__protocol",
        "protocol_dose",
        "weight",
        "centre",
    )
    return one(rows.filter(course__patient__in=patients_of(by)), pk=dose_id)


def first_dose_for(by: Membership | None, course_id: uuid.UUID) -> PlannedDose:
    """The live revision of a course's first dose, by which the course's chart is read in one go, or 404."""
    rows = PlannedDose.objects.select_related("course").exclude(settled_as="superseded")
    return one(rows.filter(course__patient__in=patients_of(by)), course=course_id, number=1)


def administration_for(by: Membership | None, administration_id: uuid.UUID) -> Administration:
    """One infusion with its patient and dose, or 404."""
    rows = Administration.objects.select_related(
        "patient__centre",
        "centre",
        "dose__course__protocol",
        "dose__course__monograph",
        "dose__protocol_dose",
        "given_by__user",
        "recorded_by__user",
        "completed_by__user",
        "error_by__user",
        "dispute_settled_by__user",
    )
    return one(rows.filter(patient__in=patients_of(by)), pk=administration_id)


def note_for(by: Membership | None, note_id: int) -> Note:
    """One note with its patient, or 404."""
    rows = Note.objects.select_related(
        "patient__centre", "course__protocol", "owner__user", "written_by__user", "answered_by__user"
    )
    return one(rows.filter(patient__in=patients_of(by)), pk=note_id)


def single_check_for(by: Membership | None, check_id: int) -> SingleCheck:
    """One plan that a single pharmacist checked, with its course and people, or 404."""
    rows = SingleCheck.objects.select_related(
        "course__patient__centre", "course__protocol", "course__built_by__user", "checked_by__user", "reviewed_by__user"
    )
    return one(rows.filter(course__patient__in=patients_of(by)), pk=check_id)


def order_for(by: Membership | None, order_id: int) -> Order:
    """One order with its patient, prescriber and course, or 404."""
    rows = Order.objects.select_related(
        "transplant__patient__centre", "prescriber__user", "entered_by__user", "course__monograph", "course__protocol"
    )
    return one(rows.filter(transplant__patient__in=patients_of(by)), pk=order_id)


def outside_dose_for(by: Membership | None, outside_id: int) -> OutsideDose:
    """One dose given elsewhere with its patient, or 404."""
    return one(OutsideDose.objects.select_related("patient__centre").filter(patient__in=patients_of(by)), pk=outside_id)


def result_for(by: Membership | None, result_id: int) -> LabResult:
    """One result with its patient, or 404."""
    return one(LabResult.objects.select_related("patient__centre").filter(patient__in=patients_of(by)), pk=result_id)


def removal_for(by: Membership | None, removal_id: int) -> AntibodyRemoval:
    """One antibody removal with its patient, or 404."""
    return one(AntibodyRemoval.objects.select_related("patient__centre").filter(patient__in=patients_of(by)), pk=removal_id)
