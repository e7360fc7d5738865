"""Answers about risk, releases, and transplants, through the actions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import Http404

from patients import actions, facts
from patients.models import Event, Precaution, Transplant
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import NOW, make_centre, make_member, make_patient, make_transplant

pytestmark = pytest.mark.django_db


def refused(code, function, **values):
    before = [list(model.objects.order_by("pk").values()) for model in (Precaution, Transplant)]
    with pytest.raises(Refusal) as refusal:
        function(**values)
    assert refusal.value.code == code
    assert [list(model.objects.order_by("pk").values()) for model in (Precaution, Transplant)] == before
    return refusal.value


def answer(patient, by=None, **answers):
    typed = {kind: value if isinstance(value, tuple) else (value, "") for kind, value in answers.items()}
    return actions.answer_precautions(by=by or patient.registered_by, at=NOW, patient=patient, answers=typed)


# --- Answers about risk


def test_answers_are_recorded_and_the_unchanged_ones_left_alone():
    patient = make_patient()
    assert len(answer(patient, iga_deficiency="absent", renal_impairment=("present", "creatinine 2.1"))) == 2
    first = facts.live_answers(patient)["iga_deficiency"]
    assert [row.kind for row in answer(patient, iga_deficiency="absent", renal_impairment="absent")] == ["renal_impairment"]
    assert facts.live_answers(patient)["iga_deficiency"] == first
    assert Precaution.objects.filter(patient=patient, superseded_at=None).count() == 2
    assert Precaution.objects.filter(patient=patient).count() == 3
    assert Event.objects.filter(name="answer_precautions").count() == 2


def test_unable_to_find_out_is_an_answer_of_its_own():
    patient = make_patient()
    answer(patient, iga_deficiency=("unknown", "Asked the mother"))
    assert facts.live_answers(patient)["iga_deficiency"].get_answer_display() == "Unable to find out"


@pytest.mark.parametrize(
    ("answers", "code"), [({"luck": "absent"}, "unknown_value"), ({"pregnancy": "maybe"}, "unknown_value")]
)
def test_answers_outside_the_list_are_refused(answers, code):
    refused(code, answer, patient=make_patient(), **answers)


def test_a_technician_answers_nothing():
    patient = make_patient()
    refused("role", answer, patient=patient, by=make_member(Role.TECHNICIAN, centre=patient.centre), pregnancy="absent")


def release(patient, by, kind="iga_deficiency", reason="Benefit weighed with immunology"):
    return actions.release_contraindication(by=by, at=NOW, patient=patient, kind=kind, reason=reason)


def test_only_a_prescriber_releases_a_contraindication_with_a_reason_and_once():
    patient = make_patient()
    prescriber = make_member(Role.PRESCRIBER, centre=patient.centre)
    answer(patient, iga_deficiency="present")
    refused("role", release, patient=patient, by=patient.registered_by)
    refused("reason_needed", release, patient=patient, by=prescriber, reason="")
    row = release(patient, prescriber)
    assert (row.released_by, row.released_at) == (prescriber, NOW)
    refused("already_released", release, patient=patient, by=prescriber)


@pytest.mark.parametrize(
    ("kind", "value"), [("iga_deficiency", "absent"), ("renal_impairment", "present"), ("cmvig_hypersensitivity", None)]
)
def test_there_is_nothing_to_release_where_nothing_stops(kind, value):
    patient = make_patient()
    if value:
        answer(patient, **{kind: value})
    refused("nothing_to_release", release, patient=patient, by=make_member(Role.PRESCRIBER, centre=patient.centre), kind=kind)


def test_a_new_answer_takes_the_release_away():
    patient = make_patient()
    answer(patient, iga_deficiency="present")
    release(patient, make_member(Role.PRESCRIBER, centre=patient.centre))
    answer(patient, iga_deficiency=("present", "IgA below 7 mg per dL"))
    assert facts.live_answers(patient)["iga_deficiency"].released_at is None


def test_the_banner_names_what_is_present():
    patient = make_patient()
    answer(patient, iga_deficiency="present", renal_impairment="present", pregnancy="absent")
    release(patient, make_member(Role.PRESCRIBER, centre=patient.centre))
    assert facts.alerts_of(facts.live_answers(patient).values()) == ["Selective IgA deficiency (released)", "Renal impairment"]


def test_questions_about_pregnancy_are_asked_where_they_can_be():
    kinds = {str(kind) for kind in facts.questions_for(make_patient(sex="female"), NOW.date())}
    assert "pregnancy" in kinds and len(kinds) == 7
    assert len(facts.questions_for(make_patient(sex="male"), NOW.date())) == 5
    assert len(facts.questions_for(make_patient(sex="female", birth_on=date(2025, 1, 1)), NOW.date())) == 5


# --- Transplants


def test_a_transplant_is_recorded_in_the_zone_of_the_operation():
    patient = make_patient()
    transplant = make_transplant(
        patient, organs={"pancreas", "kidney"}, antiviral="ganciclovir", antiviral_started_on=date(2026, 11, 21)
    )
    assert (transplant.number, transplant.organs, transplant.zone_name) == (1, ["kidney", "pancreas"], "America/New_York")
    assert make_transplant(patient, organs=["liver"], zone_name="America/Los_Angeles").number == 2


def test_without_a_time_the_day_counts_from_its_first_instant_in_the_zone():
    patient = make_patient()
    transplant = make_transplant(patient, reperfusion_at=datetime(2026, 11, 20, 17, 0, tzinfo=UTC), is_time_known=False)
    assert transplant.reperfusion_at == datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    assert not transplant.is_time_known


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"organs": []}, "no_organs"),
        ({"organs": ["kidney", "spleen"]}, "no_organs"),
        ({"organs": ["hsct", "kidney"]}, "stem_cells_alone"),
        ({"reperfusion_at": datetime(1979, 7, 13, 23, tzinfo=UTC)}, "transplant_before_birth"),
        ({"reperfusion_at": NOW + timedelta(days=1, seconds=1)}, "transplant_too_far_ahead"),
        ({"donor_cmv_igg": "D+"}, "unknown_value"),
        ({"recipient_cmv_igg": ""}, "unknown_value"),
        ({"antiviral": "aciclovir"}, "unknown_value"),
        ({"zone_name": "Mars/Olympus"}, "zone"),
        ({"antiviral_started_on": date(2026, 11, 21)}, "antiviral_start"),
        ({"antiviral": "none", "antiviral_started_on": date(2026, 11, 21)}, "antiviral_start"),
        ({"antiviral": "other", "antiviral_started_on": date(2026, 11, 23)}, "antiviral_start"),
        ({"antiviral": "other", "antiviral_started_on": date(1979, 7, 13)}, "antiviral_start"),
    ],
)
def test_a_transplant_that_cannot_be_is_refused(values, code):
    refused(code, make_transplant, patient=make_patient(), **values)


def test_a_transplant_may_be_entered_one_day_ahead():
    assert make_transplant(make_patient(), reperfusion_at=NOW + timedelta(days=1))


def test_one_operation_is_not_recorded_twice():
    patient = make_patient()
    make_transplant(patient)
    refused("transplant_recorded_already", make_transplant, patient=patient, reperfusion_at=NOW - timedelta(days=2, hours=1))
    assert make_transplant(patient, reperfusion_at=NOW - timedelta(days=4)).number == 2


def test_nurses_record_no_transplant_and_strangers_do_not_find_the_patient():
    patient = make_patient()
    refused("role", make_transplant, patient=patient, by=make_member(Role.NURSE, centre=patient.centre))
    with pytest.raises(Http404):
        make_transplant(patient, by=make_member())


def correct(transplant, by=None, version=1, reason="Read from the operation note", **changes):
    by = by or transplant.recorded_by
    return actions.correct_transplant(by=by, at=NOW, transplant=transplant, version=version, reason=reason, **changes)


def test_a_correction_needs_its_reason_and_the_version_that_was_seen():
    transplant = make_transplant(make_patient())
    earlier = transplant.reperfusion_at - timedelta(hours=3)
    refused("reason_needed", correct, transplant=transplant, reason="", reperfusion_at=earlier)
    corrected = correct(transplant, reperfusion_at=earlier)
    assert (corrected.reperfusion_at, corrected.version, corrected.organs) == (earlier, 2, ["kidney"])
    assert Event.objects.get(name="correct_transplant").facts["changed"] == ["reperfusion_at"]
    refused("stale", correct, transplant=transplant, organs=["liver"])


def test_a_correction_without_a_change_is_no_event():
    transplant = make_transplant(make_patient())
    assert correct(transplant, reason="").version == 1
    assert not Event.objects.filter(name="correct_transplant").exists()


def test_a_transplant_of_another_centre_is_not_found():
    transplant = make_transplant(make_patient())
    with pytest.raises(Http404):
        correct(transplant, by=make_member(centre=make_centre()), organs=["liver"])


def test_a_closed_chart_takes_no_transplant():
    patient = make_patient()
    actions.close_patient(by=patient.registered_by, at=NOW, patient=patient, closed_reason="transferred")
    refused("patient_closed", make_transplant, patient=patient)
