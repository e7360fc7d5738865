"""What stands around a dose beside its plan: holds, weights, answers, results, papers, releases. All of it in one statement.

Reads, writes nothing. What is asked of these rows is said in ``findings``, ``papers``, ``releases`` and ``departures``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Concat, Trim

from patients import facts
from patients.models import Patient, Precaution, WeightMeasurement
from regimens.actions import outside, planning, weighing
from regimens.actions.charting import Chart
from regimens.models import (
    AntibodyRemoval,
    Authorization,
    Consent,
    Course,
    Hold,
    IntervalRelease,
    LabResult,
    Order,
    OutsideDose,
    PlannedDose,
    Release,
    RiskReview,
    WeightKept,
)
from regimens.models.together import read_together


@dataclass(frozen=True, slots=True)
class Around:
    """Live rows only, oldest first; ``weights`` are all of the patient's, newest first. People are named in ``person``."""

    holds: list[Hold]
    weights: list[WeightMeasurement]
    kept: list[WeightKept]
    answers: list[Precaution]
    results: list[LabResult]
    removals: list[AntibodyRemoval]
    outside: list[OutsideDose]
    orders: list[Order]
    consents: list[Consent]
    authorizations: list[Authorization]
    reviews: list[RiskReview]
    releases: list[Release]
    intervals: list[IntervalRelease]

    @property
    def latest_weights(self) -> list[WeightMeasurement]:
        """The valid weights, newest first."""
        return [weight for weight in self.weights if weight.error_at is None]

    @property
    def release(self) -> Release | None:
        """The dose's release that was not withdrawn, however old."""
        return next((row for row in self.releases if row.withdrawn_at is None), None)

    def given_at(self, chart: Chart) -> list[datetime]:
        """When immune globulin was started, here or elsewhere, as far as it is on record; in order."""
        return sorted([record.started_at for record in chart.counted()] + [row.given_at for row in self.outside])

    def check_weight(self, dose: PlannedDose, at: datetime) -> None:
        """Refused ("weight_changed") as in ``weighing``."""
        latest = next(iter(self.latest_weights), None)
        percent = dose.course.monograph.to_domain().limit("weight_change_percent")
        if weighing.weight_has_changed(dose, latest, percent, self.kept):
            weighing.check_weight_holds(dose, at)

    def check_answers(self, patient: Patient) -> None:
        """Refused ("contraindicated", "precaution_unanswered") as in ``planning``: a new stop stops a dose as it stops a plan."""
        live = {row.kind: row for row in self.answers}
        if not all(kind in live and (live[kind].answer == "absent" or live[kind].released_at) for kind in facts.STOPPING):
            planning.check_may_plan(patient)

    def check_outside(self, course: Course) -> None:
        """Refused ("outside_undecided") as in ``planning``."""
        if any(outside.asks(row, course.transplant) for row in self.outside):
            planning.check_outside(course)


def read_around(chart: Chart, dose: PlannedDose) -> Around:
    """Everything around one dose of a chart."""
    course, patient = dose.course_id, chart.patient
    rows: dict[str, list[Any]] = read_together(
        {
            "holds": Hold.objects.filter(course=course).order_by("held_at"),
            "weights": WeightMeasurement.objects.filter(patient=patient).order_by("-measured_at", "-pk"),
            "kept": WeightKept.objects.filter(course=course).order_by("kept_at"),
            "answers": Precaution.objects.filter(patient=patient, superseded_at=None).order_by("pk"),
            "results": LabResult.objects.filter(patient=patient, error_at=None).order_by("sampled_at", "pk"),
            "removals": AntibodyRemoval.objects.filter(patient=patient, error_at=None).order_by("at", "pk"),
            "outside": OutsideDose.objects.filter(patient=patient, error_at=None).order_by("given_at", "pk"),
            "orders": _named(Order.objects.filter(course=course, superseded_at=None), "prescriber"),
            "consents": _named(Consent.objects.filter(course=course, withdrawn_at=None), "obtained_by"),
            "authorizations": _named(Authorization.objects.filter(course=course, superseded_at=None), "recorded_by"),
            "reviews": _named(RiskReview.objects.filter(patient=patient, superseded_at=None), "recorded_by"),
            "releases": _named(Release.objects.filter(dose=dose.pk), "released_by"),
            "intervals": _named(IntervalRelease.objects.filter(dose=dose.pk), "released_by"),
        }
    )
    chart.elsewhere = [row for row in rows["outside"] if row.product == OutsideDose.Product.CMV_IG]  # read once for both
    chart.other_ig = [row for row in rows["outside"] if row.product == OutsideDose.Product.OTHER_IG]
    weights = {weight.pk: weight for weight in rows["weights"]}
    for row in rows["kept"]:
        row.weight = weights[row.weight_id]
    return Around(**rows)


def _named(rows: QuerySet[Any], who: str) -> QuerySet[Any]:
    """The rows with the printed name of one of their people as ``person``."""
    name = Concat(f"{who}__user__first_name", Value(" "), f"{who}__user__last_name")
    return rows.annotate(person=Trim(name)).order_by("pk")
