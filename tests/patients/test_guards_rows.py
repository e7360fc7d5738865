"""What the tables refuse by themselves, to the app, a shell or a script: rows of two patients mixed, and what is final changed."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import models

from patients import guards
from patients.models import Membership, Patient, WeightMeasurement
from patients.roles import Role
from regimens.actions import library
from regimens.models import Administration, Course, Lot, Monograph, PlannedDose, ProtocolDose, RateStep, VialUse
from tests.factories import NOW, make_centre, make_member, make_patient, make_transplant, make_weight
from tests.patients.refusals import copy_of, refused
from tests.regimens.ward import dose, give, make_course, make_ward

pytestmark = pytest.mark.django_db

# -- rows stay whose they are -------------------------------------------------------------------------------------------


def test_rows_stay_with_their_patient_and_centre():
    ward = make_ward()
    course = make_course(ward)
    record = give(ward, dose(course), at=NOW)
    weight = WeightMeasurement.objects.get(patient=course.patient)
    other, elsewhere = make_patient(by=ward.pharmacist), make_centre()
    moves = [
        (Patient, course.patient_id, {"centre": elsewhere}, "row_stays_in_its_centre"),
        (Membership, ward.nurse.pk, {"centre": elsewhere}, "row_stays_in_its_centre"),
        (PlannedDose, dose(course, 2).pk, {"centre": elsewhere}, "dose_is_of_the_patients_centre"),
        (Lot, Lot.objects.get().pk, {"centre": elsewhere}, "row_stays_in_its_centre"),
        (Administration, record.pk, {"centre": elsewhere}, "infusion_is_in_the_patients_centre"),
        (Administration, record.pk, {"patient": other}, "infusion_is_of_the_patients_own_dose"),
        (Administration, record.pk, {"patient": other, "dose": None, "reason": "0123456789"}, "row_stays_with_its_patient"),
        (Course, course.pk, {"patient": other}, "course_is_of_the_transplants_patient"),
        (Course, course.pk, {"patient": other, "transplant": make_transplant(other)}, "row_stays_with_its_patient"),
        (WeightMeasurement, weight.pk, {"patient": other}, "row_stays_with_its_patient"),
    ]
    for model, pk, change, name in moves:
        assert refused(lambda m=model, k=pk, c=change: m.objects.filter(pk=k).update(**c)) == name, (model, change)


def test_a_course_is_of_its_own_transplant_and_monograph():
    ward = make_ward()
    course = make_course(ward)
    stopped = {"stopped_at": NOW, "stopped_by": ward.nurse, "stop_reason_code": "x"}
    draft = library.draft_from_published(by=make_member(Role.MONOGRAPH_EDITOR), at=NOW)
    foreign = make_transplant(make_patient(by=ward.pharmacist))
    assert refused(copy_of(course, transplant_id=foreign.pk, **stopped).save) == "course_is_of_the_transplants_patient"
    assert refused(copy_of(course, monograph_id=draft.pk, **stopped).save) == "course_protocol_is_of_its_monograph"


def test_a_dose_is_of_its_courses_patient_centre_weight_and_protocol():
    ward = make_ward()
    course = make_course(ward, verified=False)
    first = dose(course)
    other = make_patient(by=ward.pharmacist)
    foreign = make_weight(other, "70")
    heavier = make_weight(course.patient, "71")
    row = ProtocolDose.objects.exclude(protocol=course.protocol).first()
    superseded = {"settled_at": NOW, "settled_as": "superseded"}
    wrong = {
        "dose_is_of_the_patients_centre": {"centre_id": make_centre().pk},
        "dose_weight_is_the_patients_own": {"weight_id": foreign.pk},
        "dose_weight_is_as_measured": {"weight_id": heavier.pk},
        "dose_row_is_of_the_courses_protocol": {"protocol_dose_id": row.pk},
    }
    copy_of(first, **superseded).save(force_insert=True)
    for name, change in wrong.items():
        assert refused(lambda c=change: copy_of(first, **superseded, **c).save(force_insert=True)) == name


def test_an_infusion_is_of_the_patients_own_dose_centre_and_lots():
    ward = make_ward()
    course = make_course(ward)
    record = give(ward, dose(course), at=NOW)
    other = make_patient(by=ward.pharmacist)
    elsewhere = make_centre()
    unplanned = {"token": uuid.uuid4(), "dose_id": None, "reason": "Given on another ward"}
    lot = Lot.objects.create(centre=elsewhere, product_code="cytogam", number="B1", expires_on=NOW.date() + timedelta(days=99))
    vial = VialUse.objects.filter(administration=record).first()
    assert refused(copy_of(record, patient_id=other.pk, token=uuid.uuid4()).save) == "infusion_is_of_the_patients_own_dose"
    assert refused(copy_of(record, centre_id=elsewhere.pk, **unplanned).save) == "infusion_is_in_the_patients_centre"
    assert refused(copy_of(vial, lot_id=lot.pk).save) == "vial_lot_is_of_the_same_centre"


def test_a_weight_confirms_one_of_the_same_patient():
    one, other = make_weight(make_patient()), make_weight(make_patient())
    assert refused(copy_of(one, confirms_id=other.pk).save) == "weight_confirms_one_of_the_same_patient"


# -- what is final ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"weight_kg": Decimal("70.1")}, {"measured_at": NOW - timedelta(days=3)}, {"method": "standing_scale"}]
)
def test_a_recorded_weight_is_never_overwritten(change):
    weight = make_weight(make_patient())
    assert refused(lambda: WeightMeasurement.objects.filter(pk=weight.pk).update(**change)) == "weight_is_never_overwritten"


def test_a_weight_is_marked_in_error_once():
    weight = make_weight(make_patient())
    rows = WeightMeasurement.objects.filter(pk=weight.pk)
    rows.update(error_at=NOW, error_by=weight.recorded_by, error_reason="Wrong patient")
    assert refused(lambda: rows.update(error_reason="Another reason")) == "weight_is_never_overwritten"
    assert refused(lambda: rows.update(error_at=None, error_by=None, error_reason="")) == "weight_is_never_overwritten"


# A booking is changed without a new revision; being settled is a fact beside what was signed.
BESIDE_THE_SIGNATURE = ("id", "settled_at", "settled_as", "booked_for", "booked_place")


@pytest.mark.parametrize(
    "column", [f.attname for f in PlannedDose._meta.concrete_fields if f.attname not in BESIDE_THE_SIGNATURE]
)
def test_no_column_of_a_signed_dose_changes(column):
    ward = make_ward()
    signed = dose(make_course(ward))
    field = PlannedDose._meta.get_field(column)
    was = getattr(signed, column)
    if isinstance(was, (int, Decimal)):
        now = was + 1
    elif isinstance(field, models.UUIDField | models.ForeignKey) or was is None:
        now = {"ceiling_mg_per_kg_per_h": 30, "rounded_from_mg": 30, "replaces_id": signed.pk, "verified_by_id": None}.get(
            column, uuid.uuid4()
        )
    elif isinstance(was, str):
        now = was[1:] + "~"
    elif isinstance(was, list | dict):
        now = {}
    else:
        now = was + timedelta(days=1)
    assert now != was
    code = refused(lambda: PlannedDose.objects.filter(pk=signed.pk).update(**{column: now}))
    # Where two guards apply, either may speak first.
    assert code == "signed_dose_is_never_changed" or code.startswith(("dose_", "row_stays", "verifier_"))


def test_a_signed_dose_can_be_settled_and_a_draft_can_be_signed():
    ward = make_ward()
    course = make_course(ward, verified=False)
    rows = PlannedDose.objects.filter(pk=dose(course).pk)
    assert rows.update(verified_by=ward.second_pharmacist, verified_at=NOW, content_hash="f" * 64) == 1
    assert rows.update(settled_at=NOW, settled_as="recorded") == 1
    assert rows.update(settled_at=None, settled_as="") == 1
    assert refused(lambda: rows.update(verified_by=None, verified_at=None, content_hash="")) == "signed_dose_is_never_changed"


def test_one_person_with_two_memberships_does_not_verify_their_own_plan():
    ward = make_ward()
    course = make_course(ward, verified=False)
    Membership.objects.filter(pk=ward.pharmacist.pk).update(ended_at=NOW)
    again = make_member(centre=ward.centre, user=ward.pharmacist.user)
    rows = PlannedDose.objects.filter(pk=dose(course).pk)
    signature = {"verified_at": NOW, "content_hash": "f" * 64}
    assert refused(lambda: rows.update(verified_by=again, **signature)) == "verifier_is_not_the_builder"


def test_an_infusion_in_error_stays_so_and_is_settled_by_others():
    ward = make_ward()
    record = give(ward, dose(make_course(ward)), at=NOW)
    rows = Administration.objects.filter(pk=record.pk)
    rows.update(error_at=NOW, error_by=ward.second_nurse, error_reason="Another patient's infusion")
    settled = {"dispute_settled_at": NOW, "dispute_outcome": "not_given", "dispute_reason": "Asked both"}

    def second_membership(user):
        return make_member(Role.NURSE, user=user)

    by_recorder, by_raiser = second_membership(ward.nurse.user), second_membership(ward.second_nurse.user)
    assert refused(lambda: rows.update(error_at=None, error_by=None, error_reason="")) == "infusion_error_is_final"
    assert refused(lambda: rows.update(dispute_settled_by=by_recorder, **settled)) == "dispute_is_settled_by_another_person"
    assert refused(lambda: rows.update(dispute_settled_by=by_raiser, **settled)) == "dispute_is_not_settled_by_who_raised_it"
    assert rows.update(dispute_settled_by=ward.prescriber, **settled) == 1


# -- the monograph ------------------------------------------------------------------------------------------------------


def published() -> Monograph:
    return Monograph.objects.get(state="published")


def draft_and_editor() -> tuple[Monograph, Membership]:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    return library.draft_from_published(by=editor, at=NOW), editor


@pytest.mark.parametrize("table", sorted(guards.monograph_rows()))
def test_rows_of_a_published_version_are_neither_changed_added_nor_removed(table):
    model = next(model for model in guards.clinical_models() if model._meta.db_table == table)
    way = "__".join(key.name for key in guards.monograph_rows()[table])
    rows = model.objects.filter(**{way: published()})
    row = rows.first()
    assert row is not None
    only_this = model.objects.filter(pk=row.pk)
    assert refused(lambda: only_this.update(**{model._meta.concrete_fields[1].attname: None})) == "only_a_draft_is_edited"
    assert refused(lambda: only_this._raw_delete("default")) == "only_a_draft_is_edited"
    assert refused(copy_of(row).save) == "only_a_draft_is_edited"


def test_a_row_is_not_moved_between_versions():
    draft, _ = draft_and_editor()
    row = draft.limits.first()
    assert refused(lambda: draft.limits.filter(pk=row.pk).update(monograph=published())) == "only_a_draft_is_edited"


def test_a_draft_is_edited_freely_until_it_is_submitted():
    draft, editor = draft_and_editor()
    limit = draft.limits.get(code="max_rate_ml_per_h")
    limit.value = 70
    limit.save()
    RateStep.objects.filter(table__monograph=draft).first().delete()
    Monograph.objects.filter(pk=draft.pk).update(what_changed="Slower.")
    Monograph.objects.filter(pk=draft.pk).update(state="submitted", submitted_by=editor, submitted_at=NOW)
    assert refused(limit.save) == "only_a_draft_is_edited"
    assert refused(lambda: Monograph.objects.filter(pk=draft.pk).update(title="X")) == "submitted_monograph_is_not_edited"
    assert refused(RateStep.objects.filter(table__monograph=draft).first().delete) == "only_a_draft_is_edited"


@pytest.mark.parametrize(
    "change",
    [
        {"title": "X"},
        {"what_changed": "X"},
        {"version": 9},
        {"checksum": "X"},
        {"state": "draft", "version": None, "published_at": None},
    ],
)
def test_a_published_version_is_never_changed(change):
    rows = Monograph.objects.filter(pk=published().pk)
    assert refused(lambda: rows.update(**change)) == "published_monograph_is_never_changed"
    with_retiring = {"title": "X"} | change | {"state": "retired", "retired_at": NOW, "version": 1, "published_at": NOW}
    assert refused(lambda: rows.update(**with_retiring)) == "published_monograph_is_never_changed"


def test_a_published_version_is_retired_once_and_stays_so():
    rows = Monograph.objects.filter(pk=published().pk)
    assert refused(lambda: rows.update(state="retired")) == "published_monograph_is_never_changed"
    assert rows.update(state="retired", retired_at=NOW) == 1
    assert refused(lambda: rows.update(state="published", retired_at=None)) == "published_monograph_is_never_changed"
    assert refused(lambda: rows.update(retired_at=NOW + timedelta(days=1))) == "published_monograph_is_never_changed"


def test_one_person_with_two_memberships_does_not_publish_their_own_draft():
    draft, editor = draft_and_editor()
    again = make_member(Role.PHARMACIST, user=editor.user)
    Monograph.objects.filter(pk=published().pk).update(state="retired", retired_at=NOW)
    rows = Monograph.objects.filter(pk=draft.pk)
    in_force = {"state": "published", "version": 2, "published_at": NOW}
    assert refused(lambda: rows.update(published_by=again, **in_force)) == "publisher_is_not_the_editor"
    assert rows.update(published_by=make_member(Role.PHARMACIST), **in_force) == 1
