"""Everything a chart shows of one patient, read in two statements: the rows of two dozen tables, and the names of the people in them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, Value, When

from patients import facts
from patients.models import Patient, Precaution, Transplant, WeightMeasurement
from regimens.actions.previous import OF_DOSE
from regimens.models import (
    Administration,
    AntibodyRemoval,
    Authorization,
    Consent,
    Course,
    Handover,
    Hold,
    IntervalRelease,
    LabResult,
    MissedDoseDecision,
    Monograph,
    Note,
    NotGivenToday,
    Order,
    OutsideDose,
    PlannedDose,
    Protocol,
    ProtocolDose,
    Reaction,
    Release,
    RiskReview,
    WeightKept,
)
from regimens.models.together import attach_people, read_together

NOTES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ChartFacts:
    """The live rows about one patient, related to each other; everything that has people has them."""

    transplants: list[Transplant]  # newest first
    courses: list[Course]  # newest first
    doses: dict[uuid.UUID, list[PlannedDose]]  # by course, in order
    records: list[Administration]  # newest first
    reactions: dict[uuid.UUID, list[Reaction]]  # by infusion
    weights: list[WeightMeasurement]  # newest first, without those that wait for a second measurement
    answers: list[Precaution]
    orders: list[Order]
    holds: dict[uuid.UUID, list[Hold]]
    releases: dict[uuid.UUID, Release]  # by dose
    intervals: dict[uuid.UUID, list[IntervalRelease]]  # by dose
    decisions: dict[uuid.UUID, MissedDoseDecision]  # by dose
    not_given: dict[uuid.UUID, list[NotGivenToday]]  # by dose
    authorizations: dict[uuid.UUID, Authorization]
    consents: dict[uuid.UUID, Consent]
    kept: dict[uuid.UUID, list[WeightKept]]
    results: list[LabResult]  # in order of sampling
    removals: list[AntibodyRemoval]
    outside: list[OutsideDose]
    review: RiskReview | None
    notes: list[Note]
    handover: Handover | None

    @property
    def counted(self) -> list[Administration]:
        """Infusions that count as given, in order: a disputed one does until two people have said otherwise."""
        rows = [row for row in self.records if row.is_counted]
        return sorted(rows, key=lambda row: row.started_at)

    @property
    def given_at(self) -> list[datetime]:
        """When immune globulin was started, here or elsewhere; in order."""
        return sorted([row.started_at for row in self.counted] + [row.given_at for row in self.outside])

    @property
    def latest_weight(self) -> WeightMeasurement | None:
        """The newest valid weight."""
        return next((weight for weight in self.weights if weight.error_at is None), None)

    def records_of(self, dose: PlannedDose) -> list[Administration]:
        """The infusions of one dose, newest first."""
        return [row for row in self.records if row.dose_id == dose.pk]

    def order_of(self, course: Course) -> Order | None:
        """The order a course was built from."""
        return next((order for order in self.orders if order.course_id == course.pk), None)


def read_chart(patient: Patient) -> ChartFacts:
    """The chart of a patient. What was superseded, withdrawn or entered in error stays in the history, apart from struck-out weights
    and infusions.
    """
    of_courses = {"course__patient": patient}
    of_doses = {"dose__course__patient": patient}
    own_courses = Course.objects.filter(patient=patient)
    own_doses = PlannedDose.objects.filter(**of_courses)
    is_open = Case(When(Q(is_query=True, answered_at=None), then=Value(1)), default=Value(0))
    rows: dict[str, list[Any]] = read_together(
        {
            "transplants": Transplant.objects.filter(patient=patient).order_by("-number"),
            "courses": own_courses.order_by("-built_at"),
            # Through the doses: what was given before a course was moved belongs to the version it was made by.
            "protocols": Protocol.objects.filter(Exists(own_doses.filter(protocol_dose__protocol=OuterRef("pk")))),
            "protocol_doses": ProtocolDose.objects.filter(Exists(own_doses.filter(protocol_dose=OuterRef("pk")))),
            "monographs": Monograph.objects.filter(Exists(own_doses.filter(protocol_dose__protocol__monograph=OuterRef("pk")))),
            # A replaced dose comes along where an infusion hangs on it.
            "doses": own_doses.filter(
                ~Q(settled_as="superseded") | Exists(Administration.objects.filter(dose=OuterRef("pk")))
            ).order_by("number"),
            "records": Administration.objects.filter(patient=patient).annotate(**OF_DOSE).order_by("-started_at"),
            "reactions": Reaction.objects.filter(administration__patient=patient, error_at=None),
            "weights": WeightMeasurement.objects.filter(patient=patient).order_by("-measured_at", "-pk"),
            "answers": Precaution.objects.filter(patient=patient, superseded_at=None).order_by("pk"),
            "orders": Order.objects.filter(transplant__patient=patient, superseded_at=None),
            "holds": Hold.objects.filter(**of_courses).order_by("held_at"),
            "releases": Release.objects.filter(withdrawn_at=None, **of_doses),
            "intervals": IntervalRelease.objects.filter(**of_doses),
            "decisions": MissedDoseDecision.objects.filter(superseded_at=None, **of_doses),
            "not_given": NotGivenToday.objects.filter(**of_doses).order_by("recorded_at"),
            "authorizations": Authorization.objects.filter(superseded_at=None, **of_courses),
            "consents": Consent.objects.filter(withdrawn_at=None, **of_courses),
            "kept": WeightKept.objects.filter(**of_courses).order_by("kept_at"),
            "results": LabResult.objects.filter(patient=patient, error_at=None).order_by("sampled_at", "pk"),
            "removals": AntibodyRemoval.objects.filter(patient=patient, error_at=None).order_by("at", "pk"),
            "outside": OutsideDose.objects.filter(patient=patient, error_at=None).order_by("given_at", "pk"),
            "reviews": RiskReview.objects.filter(patient=patient, superseded_at=None),
            "notes": Note.objects.filter(patient=patient).order_by(-is_open, "-written_at", "-pk")[:NOTES_SHOWN],
            "handovers": Handover.objects.filter(patient=patient, acknowledged_at=None, cancelled_at=None),
        }
    )
    attach_people(row for part in rows.values() for row in part)
    _relate(patient, rows)
    return ChartFacts(
        transplants=rows["transplants"],
        courses=rows["courses"],
        doses=_by([dose for dose in rows["doses"] if dose.settled_as != "superseded"], "course_id"),
        records=rows["records"],
        reactions=_by(rows["reactions"], "administration_id"),
        # A weight that waits for a second, independent measurement is not shown: whoever measures next must not know it.
        weights=[weight for weight in rows["weights"] if not facts.is_held(weight)],
        answers=rows["answers"],
        orders=rows["orders"],
        holds=_by(rows["holds"], "course_id"),
        releases={row.dose_id: row for row in rows["releases"]},
        intervals=_by(rows["intervals"], "dose_id"),
        decisions={row.dose_id: row for row in rows["decisions"]},
        not_given=_by(rows["not_given"], "dose_id"),
        authorizations={row.course_id: row for row in rows["authorizations"]},
        consents={row.course_id: row for row in rows["consents"]},
        kept=_by(rows["kept"], "course_id"),
        results=rows["results"],
        removals=rows["removals"],
        outside=rows["outside"],
        review=next(iter(rows["reviews"]), None),
        notes=rows["notes"],
        handover=next(iter(rows["handovers"]), None),
    )


def _relate(patient: Patient, rows: dict[str, list[Any]]) -> None:
    """Give the rows the rows they point at, so that nothing is read twice."""
    named = ("transplants", "protocols", "protocol_doses", "monographs", "courses", "doses")
    own = {name: {row.pk: row for row in rows[name]} for name in named}
    weights = {row.pk: row for row in rows["weights"]}
    for protocol in rows["protocols"]:
        protocol.monograph = own["monographs"][protocol.monograph_id]
    for row in rows["protocol_doses"]:
        row.protocol = own["protocols"][row.protocol_id]
    for course in rows["courses"]:
        course.patient = patient
        course.transplant = own["transplants"][course.transplant_id]
        course.protocol = own["protocols"][course.protocol_id]
        course.monograph = own["monographs"][course.monograph_id]
    for dose in rows["doses"]:
        dose.course, dose.weight = own["courses"][dose.course_id], weights[dose.weight_id]
        dose.protocol_dose = own["protocol_doses"][dose.protocol_dose_id]
    for row in rows["kept"]:
        row.weight = weights[row.weight_id]
    for row in rows["records"]:
        if row.dose_id in own["doses"]:
            row.dose = own["doses"][row.dose_id]
    for row in rows["notes"]:
        if row.course_id is not None:
            row.course = own["courses"][row.course_id]


def _by(rows: Sequence[Any], key: str) -> dict[Any, list[Any]]:
    grouped: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[getattr(row, key)].append(row)
    return grouped
