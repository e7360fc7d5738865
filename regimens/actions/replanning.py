"""Changing a running course: a new, unsigned revision of what is still to be given. What was given stays as it is."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from patients import audit
from patients.models import Membership, Patient, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import planning
from regimens.models import Course, PlannedDose


def older_open_courses(patient: Patient) -> list[Course]:
    """Courses with doses still to give whose transplant is not the patient's latest: after a re-transplant somebody says whether
    each is stopped (reason "retransplant") or goes on beside the new one. Oldest first, in one statement.
    """
    later = Transplant.objects.filter(patient=patient, reperfusion_at__gt=OuterRef("transplant__reperfusion_at"))
    waiting = PlannedDose.objects.filter(course=OuterRef("pk"), settled_at=None)
    rows = Course.objects.filter(Exists(later), Exists(waiting), patient=patient, stopped_at=None)
    return list(rows.select_related("transplant", "protocol").order_by("built_at"))


@transaction.atomic
def recalculate_course(*, course: Course, weight: WeightMeasurement, by: Membership, at: datetime) -> Course:
    """A new, unsigned revision of every dose that is still to be given, at another weight. What was given stays as it is."""
    require(by, "build")
    course = (
        Course.objects.select_for_update(of=("self",))
        .select_related("patient__centre", "protocol", "monograph")
        .get(pk=course.pk)
    )
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    planning.check_may_plan(course.patient)
    planning.check_weight(weight, course.patient, at)
    doses = list(course.doses.filter(settled_at=None).select_for_update(of=("self",)).order_by("number"))
    if not doses:
        raise Refusal("nothing_left", "No dose of this course is left to recalculate.")
    if all(dose.weight_id == weight.pk for dose in doses):
        raise Refusal("same_weight", "The doses are computed from this weight already.", field="weight")
    audit.event("recalculate_course", by=by, patient=course.patient, course=str(course.pk), weight=weight.pk)
    course.revision += 1
    course.version += 1
    course.save(update_fields=["revision", "version"])
    PlannedDose.objects.filter(pk__in=[dose.pk for dose in doses]).update(settled_at=at, settled_as="superseded")
    PlannedDose.objects.bulk_create(_at_weight(course, dose, weight, by, at) for dose in doses)
    return course


def _at_weight(course: Course, old: PlannedDose, weight: WeightMeasurement, by: Membership, at: datetime) -> PlannedDose:
    """The same dose, window and rate table at another weight."""
    kept = {
        field.attname: getattr(old, field.attname)
        for field in PlannedDose._meta.concrete_fields
        if field.name not in ("id", "replaces", "verified_by", "verified_at", "content_hash", "settled_at", "settled_as")
    }
    new = PlannedDose(**kept)
    new.course, new.replaces, new.revision = course, old, course.revision
    new.weight, new.weight_kg, new.built_by, new.built_at = weight, weight.weight_kg, by, at
    amount = planning.amount_of(new)
    new.dose_mg, new.volume_ml, new.draw_ml = amount.dose_mg, amount.volume_ml, amount.draw_ml
    new.vials, new.waste_ml = amount.vials, amount.waste_ml
    about_the_window = [step for step in old.working if step["rule"].startswith("R-WIN-")]
    new.working = about_the_window + amount.working.to_json()
    planning.infusion_plan_of(new)  # refuses a weight whose rates the pump cannot be set to
    return new
