"""What somebody entered or signed stays: a later addition comes once, and nobody signs it anew by writing into the table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Model

from patients.models import BreakGlass, Precaution
from patients.roles import Role
from regimens.models import (
    AntibodyRemoval,
    Decision,
    Handover,
    Hold,
    LabResult,
    MissedDoseDecision,
    Note,
    Order,
    OutsideDose,
)
from tests.factories import NOW, make_answers, make_member
from tests.patients.refusals import refused
from tests.regimens.ward import Ward, dose, make_course, make_ward, release

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ward() -> Ward:
    return make_ward()


def rows_of(row: Model):
    return type(row).objects.filter(pk=row.pk)


def decided(ward: Ward, word: str) -> dict:
    return {"decision": word, "decided_by": ward.prescriber, "decided_at": NOW, "decision_reason": "Seen by me"}


def findings(ward: Ward, **more) -> list[tuple[Model, str, str]]:
    """A dose given elsewhere, an exchange and a result, each with two decisions it may carry."""
    course = make_course(ward)
    base = {"patient": course.patient, "recorded_by": ward.nurse, "recorded_at": NOW} | more
    outside = OutsideDose.objects.create(product="cmv_ig", given_at=NOW, said_by="Letter", **base)
    removal = AntibodyRemoval.objects.create(kind="plasma_exchange", at=NOW, **base)
    result = LabResult.objects.create(kind="creatinine", value="2.1", sampled_at=NOW, **base)
    return [
        (outside, "counts_as_initial", "give_initial"),
        (removal, "repeat", "no_repeat"),
        (result, "go", "hold"),
    ]


def test_a_decided_finding_is_never_signed_anew(ward):
    another = make_member(Role.PRESCRIBER, centre=ward.centre)
    for row, first, second in findings(ward):
        rows = rows_of(row)
        assert rows.update(**decided(ward, first)) == 1
        none = {"decision": "", "decided_by": None, "decided_at": None, "decision_reason": ""}
        for change in ({"decision": second}, {"decided_by": another}, {"decided_at": LATER}, {"decision_reason": "Else"}, none):
            assert refused(lambda r=rows, c=change: r.update(**c)) == "finding_is_never_overwritten", (row, change)
        assert rows.update(error_at=LATER, error_by=ward.nurse, error_reason="Another patient's") == 1
        assert refused(lambda r=rows: r.update(error_reason="Else")) == "finding_is_never_overwritten"


def test_a_finding_in_error_is_never_decided(ward):
    for row, first, _ in findings(ward):
        rows = rows_of(row)
        assert refused(lambda r=rows: r.update(recorded_at=LATER)) == "finding_is_never_overwritten"
        rows.update(error_at=LATER, error_by=ward.nurse, error_reason="Another patient's")
        assert refused(lambda r=rows, f=first: r.update(**decided(ward, f))) == "finding_is_never_overwritten"


def test_a_dose_given_elsewhere_goes_on_standing_for_its_visit(ward):
    course = make_course(ward)
    outside = OutsideDose.objects.create(
        patient=course.patient, recorded_by=ward.nurse, recorded_at=NOW, product="cmv_ig", given_at=NOW, said_by="Letter"
    )
    rows = rows_of(outside)
    assert rows.update(dose=dose(course)) == 1
    for other in (dose(course, 2), None):
        assert refused(lambda o=other: rows.update(dose=o)) == "finding_is_never_overwritten"


def test_what_was_answered_released_resumed_or_acknowledged_stays_and_comes_once(ward):
    course = make_course(ward)
    patient, another = course.patient, make_member(Role.PRESCRIBER, centre=ward.centre)
    make_answers(patient, by=ward.nurse, pregnancy="present")
    note = Note.objects.create(
        patient=patient, text="?", is_query=True, owner=ward.nurse, due_on=NOW.date(), written_by=ward.nurse, written_at=NOW
    )
    hold = Hold.objects.create(
        course=course, reason_code="sepsis", ordered_by=ward.prescriber, held_by=ward.nurse, held_at=NOW, review_on=NOW.date()
    )
    handed = Handover.objects.create(
        patient=patient, to_person="Dr. Ode", to_place="Far Away", phone="1", handed_by=ward.nurse, handed_at=NOW
    )
    precaution = Precaution.objects.get(patient=patient, kind="pregnancy", superseded_at=None)
    stated = "statement_is_never_overwritten"
    table = [
        (
            note,
            {"answer": "A", "answered_by": ward.nurse, "answered_at": NOW},
            {"answered_by": another},
            "note_is_never_overwritten",
        ),
        (
            hold,
            {"resumed_by": ward.nurse, "resumed_at": LATER, "resume_ordered_by": ward.prescriber, "resume_reason": "Well"},
            {"resume_ordered_by": another},
            stated,
        ),
        (
            handed,
            {"acknowledged_how": "By telephone", "acknowledged_at": LATER, "acknowledged_recorded_by": ward.nurse},
            {"acknowledged_recorded_by": another},
            stated,
        ),
        (
            precaution,
            {"released_by": ward.prescriber, "released_at": NOW, "release_reason": "Benefit"},
            {"released_by": another},
            stated,
        ),
    ]
    for row, addition, change, name in table:
        rows = rows_of(row)
        assert rows.update(**addition) == 1
        assert refused(lambda r=rows, c=change: r.update(**c)) == name, row
        assert refused(lambda r=rows, a=addition: r.update(**dict.fromkeys(a))) == name, row


def test_a_signed_order_release_or_decision_is_never_another_persons(ward):
    course = make_course(ward)
    signed = release(ward, dose(course), at=NOW)
    decision = MissedDoseDecision.objects.create(
        dose=dose(course, 2), decision=Decision.OMIT, reason_code="x", effects={}, decided_by=ward.prescriber, decided_at=NOW
    )
    order = Order.objects.get(course=course)
    another = make_member(Role.PRESCRIBER, centre=ward.centre)
    for row, change in (
        (signed, {"released_by": another}),
        (signed, {"released_at": LATER}),
        (decision, {"decided_by": another}),
        (decision, {"reason": "Else"}),
        (order, {"prescriber": another}),
        (order, {"signed_at": LATER}),
        (order, {"course": None}),
    ):
        assert refused(lambda r=row, c=change: rows_of(r).update(**c)) == "statement_is_never_overwritten", (row, change)
    assert rows_of(order).update(superseded_at=LATER) == 1
    assert refused(lambda: rows_of(order).update(superseded_at=None)) == "statement_is_never_overwritten"


def test_an_acknowledged_emergency_access_stays_so(ward):
    patient = make_course(ward).patient
    auditor, another = make_member(Role.AUDITOR, centre=ward.centre), make_member(Role.AUDITOR, centre=ward.centre)
    access = BreakGlass.objects.create(
        membership=make_member(Role.NURSE),
        patient=patient,
        reason="Unconscious in our hospital",
        opened_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )
    assert rows_of(access).update(acknowledged_by=auditor, acknowledged_at=LATER) == 1
    assert refused(lambda: rows_of(access).update(acknowledged_by=another)) == "emergency_access_is_never_changed"
