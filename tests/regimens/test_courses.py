"""Building, verifying, recalculating and stopping courses."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from patients import actions, facts
from patients.refusal import Refusal
from regimens.actions import courses, orders, planning, replanning
from regimens.models import PlannedDose
from tests.factories import NOW, make_member, make_weight
from tests.regimens.courses import doses_of, make_course, make_recipient, make_team, order_of, verify

pytestmark = pytest.mark.django_db


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def test_a_70_kg_kidney_course_has_the_seven_doses_of_the_label() -> None:
    team = make_team()
    doses = doses_of(make_course(team))
    assert [dose.dose_mg for dose in doses] == [10500, 7000, 7000, 7000, 7000, 3500, 3500]
    assert [dose.draw_ml for dose in doses] == [210, 140, 140, 140, 140, 70, 70]
    assert [dose.vials for dose in doses] == [5, 3, 3, 3, 3, 2, 2]
    assert [(dose.target_on - doses[0].target_on).days for dose in doses] == [0, 14, 28, 42, 56, 84, 112]
    assert [dose.rate_table for dose in doses] == ["initial"] + ["subsequent"] * 6


def test_the_course_pins_the_published_monograph_and_each_dose_its_weight_and_working() -> None:
    team = make_team()
    course = make_course(team)
    first = doses_of(course)[0]
    assert course.monograph.state == "published"
    assert first.weight.weight_kg == first.weight_kg == 70
    assert any(step["rule"] == "R-DOSE-1" and "10,500" in step["sentence"] for step in first.working)


def test_an_unanswered_contraindication_stops_planning() -> None:
    team = make_team()
    transplant = make_recipient(team)
    transplant.patient.precautions.filter(kind="iga_deficiency").update(superseded_at=NOW)
    with refused("precaution_unanswered"):
        make_course(team, transplant)


@pytest.mark.parametrize("answer", ["present", "unknown"])
@pytest.mark.parametrize("kind", facts.STOPPING)
def test_a_contraindication_stops_planning_until_a_prescriber_releases_it(kind: str, answer: str) -> None:
    team = make_team()
    transplant = make_recipient(team, answers={kind: answer})
    with refused("contraindicated"):
        make_course(team, transplant)
    actions.release_contraindication(
        patient=transplant.patient, kind=kind, reason="No anti-IgA found", by=team.prescriber, at=NOW
    )
    assert make_course(team, transplant).pk


def test_a_transplant_has_one_open_course() -> None:
    team = make_team()
    course = make_course(team)
    with pytest.raises(Refusal, match="one_open_course_per_transplant"):
        make_course(team, course.transplant)


def test_off_label_needs_a_reason_and_the_prescribers_own_signature_before_verification() -> None:
    team = make_team()
    transplant = make_recipient(team, organs=["hsct"])
    with refused("off_label_reason"):
        make_course(team, transplant, protocol_code="hsct_pneumonitis", first_dose_on=NOW.date())
    course = make_course(
        team,
        transplant,
        protocol_code="hsct_pneumonitis",
        first_dose_on=NOW.date(),
        order=order_of(team, off_label_reason="Severe pneumonitis, ganciclovir failed"),
    )
    with refused("off_label_unsigned"):
        verify(team, course)
    orders.cosign_order(order=course.orders.get(), by=team.prescriber, at=NOW)
    assert verify(team, course)


def test_the_order_is_a_prescribers_of_this_centre_and_not_in_the_future() -> None:
    team, other = make_team(), make_team()
    transplant = make_recipient(team)
    for order, code in (
        (orders.OrderFacts(other.prescriber, NOW, "written", "x"), "not_a_prescriber"),
        (orders.OrderFacts(team.builder, NOW, "written", "x"), "not_a_prescriber"),
        (orders.OrderFacts(team.prescriber, NOW + timedelta(minutes=1), "written", "x"), "order_in_future"),
        (orders.OrderFacts(team.prescriber, NOW, "shouted", "x"), "order_mode"),
        (orders.OrderFacts(team.prescriber, NOW, "written", "  "), "no_indication"),
    ):
        with refused(code):
            make_course(team, transplant, order=order)


def test_a_nurse_builds_nothing_and_a_closed_patient_gets_no_course() -> None:
    team = make_team()
    transplant = make_recipient(team)
    with refused("role"):
        make_course(team, transplant, by=team.nurse)
    actions.close_patient(patient=transplant.patient, closed_reason="died", by=team.builder, at=NOW)
    with refused("patient_closed"):
        make_course(team, transplant)


def test_verifying_signs_every_live_dose_with_a_hash_of_its_content() -> None:
    team = make_team()
    course = make_course(team)
    verify(team, course)
    for dose in doses_of(course):
        assert dose.verified_by == team.verifier
        assert dose.content_hash == planning.content_hash(dose)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dose_mg", Decimal("10499")), ("weight_kg", Decimal("70.1")), ("vials", 4), ("rate_table", "subsequent")],
)
def test_one_changed_value_gives_another_hash(field: str, value: object) -> None:
    dose = doses_of(make_course(make_team()))[0]
    before = planning.content_hash(dose)
    setattr(dose, field, value)
    assert planning.content_hash(dose) != before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mrn_tail": "0000"}, "wrong_identity"),
        ({"birth_year": "1978"}, "wrong_identity"),
        ({"own_dose_mg": Decimal("10499")}, "own_dose_differs"),
        ({"shown_hash": "something else"}, "plan_changed"),
    ],
)
def test_verification_refuses_what_does_not_agree(change: dict, code: str) -> None:
    team = make_team()
    course = make_course(team)
    with refused(code):
        verify(team, course, **change)
    assert not course.doses.exclude(verified_at=None).exists()


def test_the_builder_never_verifies_not_even_in_sql() -> None:
    team = make_team()
    course = make_course(team)
    with refused("own_course"):
        verify(team, course, by=team.builder)
    dose = doses_of(course)[0]
    with pytest.raises(IntegrityError, match="verifier_is_not_the_builder"), transaction.atomic():
        PlannedDose.objects.filter(pk=dose.pk).update(verified_by=team.builder, verified_at=NOW, content_hash="x")


def test_only_a_pharmacist_verifies() -> None:
    team = make_team()
    course = make_course(team)
    for other in (team.nurse, team.prescriber, make_member("technician", centre=team.centre)):
        with refused("role"):
            verify(team, course, by=other)


def test_recalculating_supersedes_what_is_left_and_needs_a_new_signature() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    newer = make_weight(
        course.patient, "80", at=NOW + timedelta(hours=1), measured_at=NOW + timedelta(minutes=30), reason="Fluid"
    )
    course = replanning.recalculate_course(course=course, weight=newer, by=team.builder, at=NOW + timedelta(hours=2))
    doses = doses_of(course)
    assert [dose.dose_mg for dose in doses] == [12000, 8000, 8000, 8000, 8000, 4000, 4000]
    assert all(dose.revision == 2 and dose.verified_at is None and dose.replaces_id for dose in doses)
    assert course.doses.filter(settled_as="superseded").count() == 7
    with refused("same_weight"):
        replanning.recalculate_course(course=course, weight=newer, by=team.builder, at=NOW + timedelta(hours=3))


def test_a_recorded_weight_alone_changes_no_signed_dose() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    before = list(course.doses.order_by("number").values())
    make_weight(course.patient, "70.4", at=NOW + timedelta(hours=1), measured_at=NOW + timedelta(minutes=30))
    assert list(course.doses.order_by("number").values()) == before


def test_a_stopped_course_cancels_what_is_left_and_frees_the_transplant() -> None:
    team = make_team()
    course = make_course(team)
    with refused("role"):
        courses.stop_course(course=course, reason_code="died", reason="", by=team.builder, at=NOW)
    with refused("unknown_reason"):
        courses.stop_course(course=course, reason_code="because", reason="", by=team.prescriber, at=NOW)
    code = course.monograph.reasons.filter(kind="stopped").first().code
    courses.stop_course(course=course, reason_code=code, reason="Decided by the team", by=team.prescriber, at=NOW)
    assert set(course.doses.values_list("settled_as", flat=True)) == {"cancelled"}
    assert make_course(team, course.transplant).pk


def test_a_dose_above_its_cap_is_refused_by_the_database_itself() -> None:
    dose = doses_of(make_course(make_team()))[0]
    with pytest.raises(IntegrityError, match="dose_is_not_above_its_cap"), transaction.atomic():
        PlannedDose.objects.filter(pk=dose.pk).update(dose_mg=dose.dose_mg + 1, volume_ml=300)


def test_a_weight_older_than_its_limit_is_no_basis_for_a_plan() -> None:
    team = make_team()
    transplant = make_recipient(team)
    weight = transplant.patient.weights.get()
    last = weight.measured_at + timedelta(days=7)
    with refused("weight_stale"):
        make_course(team, transplant, at=last + timedelta(seconds=1))
    assert make_course(team, transplant, at=last).pk


def test_an_intestine_alone_gets_the_table_that_is_proposed_for_it() -> None:
    team = make_team()
    assert make_course(team, make_recipient(team, organs=["intestine"]), protocol_code="other_organ").pk


@pytest.mark.parametrize("code", ["kidney", "no_such_protocol", "heart_paediatric_8_week"])
def test_a_protocol_that_is_not_offered_for_the_graft_is_refused(code: str) -> None:
    team = make_team()
    with refused("protocol_for_other_organs"):
        make_course(team, make_recipient(team, organs=["heart"]), protocol_code=code)


def test_a_plan_whose_transplant_was_corrected_is_not_signed() -> None:
    team = make_team()
    course = make_course(team)
    graft = course.transplant
    actions.correct_transplant(
        transplant=graft,
        version=graft.version,
        reason="Read from the operation note",
        reperfusion_at=graft.reperfusion_at - timedelta(hours=1),
        by=team.builder,
        at=NOW,
    )
    with refused("anchor_changed"):
        verify(team, course)


def test_a_recalculated_dose_keeps_the_working_of_its_window() -> None:
    team = make_team()
    course = make_course(team)
    newer = make_weight(
        course.patient, "80", at=NOW + timedelta(hours=1), measured_at=NOW + timedelta(minutes=30), reason="Fluid"
    )
    course = replanning.recalculate_course(course=course, weight=newer, by=team.builder, at=NOW + timedelta(hours=2))
    rules = [step["rule"] for step in doses_of(course)[1].working]
    assert rules[0].startswith("R-WIN-")
    assert "R-DOSE-1" in rules
