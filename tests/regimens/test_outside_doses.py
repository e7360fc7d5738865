"""Doses given elsewhere: entered with a source, struck out, placed at a visit, and asked about before dose 1."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from patients.models import Patient, Transplant
from patients.refusal import Refusal
from regimens.actions import outside, planning
from regimens.actions.outside import OutsideFacts
from regimens.domain.reasons import Refused
from regimens.models import OutsideDose
from tests.factories import NOW, make_transplant, make_weight
from tests.regimens import ward as ward_of
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, verify

pytestmark = pytest.mark.django_db
WEEK_5 = timedelta(days=35)


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def told(given_at: datetime, **facts: Any) -> OutsideFacts:
    base: dict[str, Any] = {"product": "cmv_ig", "said_by": "Discharge letter", "given_mg": Decimal(10500)}
    return OutsideFacts(given_at=given_at, **(base | facts))


def record(team: Team, patient: Patient, given_at: datetime, **facts: Any) -> OutsideDose:
    return outside.record_outside_dose(patient=patient, dose=told(given_at, **facts), by=team.nurse, at=NOW)


def decide(team: Team, row: OutsideDose, decision: str, **changes: Any) -> OutsideDose:
    facts = {"reason": "Same product, full dose, by the letter", "by": team.prescriber, "at": NOW} | changes
    return outside.decide_outside(outside=row, decision=decision, **facts)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"given_at": NOW + timedelta(seconds=1)}, "in_the_future"),
        ({"given_at": datetime(1979, 7, 13, tzinfo=NOW.tzinfo)}, "before_birth"),
        ({"product": "aspirin"}, "unknown_value"),
        ({"given_mg": Decimal(0)}, "outside_mg"),
        ({"said_by": "  "}, "outside_source"),
    ],
)
def test_what_cannot_have_been_given_is_not_recorded(changes: dict[str, Any], code: str) -> None:
    team = make_team()
    patient = make_recipient(team).patient
    facts = {"given_at": NOW - timedelta(days=1)} | changes
    with refused(code):
        record(team, patient, facts.pop("given_at"), **facts)
    assert not OutsideDose.objects.exists()


def test_the_same_dose_is_recorded_once_and_struck_out_with_a_reason() -> None:
    team = make_team()
    patient = make_recipient(team).patient
    row = record(team, patient, NOW - timedelta(days=1))
    with refused("outside_recorded_already"):
        record(team, patient, NOW - timedelta(days=1))
    with refused("reason_needed"):
        outside.strike_out(outside=row, reason="", by=team.nurse, at=NOW)
    assert planning.had_cmvig_before(patient)
    outside.strike_out(outside=row, reason="Belongs to another patient", by=team.nurse, at=NOW)
    assert not planning.had_cmvig_before(patient)
    with refused("already_in_error"):
        outside.strike_out(outside=row, reason="Belongs to another patient", by=team.nurse, at=NOW)
    assert record(team, patient, NOW - timedelta(days=1)).pk != row.pk


def test_only_cmv_immune_globulin_decides_the_rates_of_the_first_dose_here() -> None:
    team = make_team()
    transplant = make_recipient(team)
    record(team, transplant.patient, NOW - timedelta(days=20), product="other_ig")
    assert doses_of(make_course(team, transplant))[0].rate_table == "initial"
    other = make_recipient(team)
    record(team, other.patient, NOW - timedelta(days=20))
    assert doses_of(make_course(team, other))[0].rate_table == "subsequent"


# Before a course: the last 28 days -------------------------------------------------------------------------------------------


def test_a_course_waits_for_the_answer_about_the_last_28_days() -> None:
    team = make_team()
    transplant = make_recipient(team)
    for prior, code in (
        ("", "prior_ig_unanswered"),
        ("perhaps", "prior_ig_unanswered"),
        ("unknown", "prior_ig_asked"),
        ("yes", "prior_ig_doses"),
    ):
        with refused(code):
            make_course(team, transplant, prior_ig=prior)
    course = make_course(team, transplant, prior_ig="unknown", prior_ig_asked="The referring ward")
    assert (course.prior_ig, course.prior_ig_asked) == ("unknown", "The referring ward")


@pytest.mark.parametrize(("ago", "answer"), [(timedelta(days=28), "yes"), (timedelta(days=28, seconds=1), "no")])
def test_the_answer_agrees_with_what_is_on_record(ago: timedelta, answer: str) -> None:
    team = make_team()
    transplant = make_recipient(team)
    record(team, transplant.patient, NOW - ago, product="other_ig")
    wrong = {"yes": "no", "no": "yes"}[answer]
    with refused("prior_ig_contradicts" if wrong == "no" else "prior_ig_doses"):
        make_course(team, transplant, prior_ig=wrong)
    assert make_course(team, transplant, prior_ig=answer).prior_ig == answer


def test_a_dose_told_while_building_is_recorded_and_answers_yes() -> None:
    team = make_team()
    transplant = make_recipient(team)
    course = make_course(
        team, transplant, prior_ig="yes", outside_doses=(told(NOW - timedelta(days=3), product="other_ig", given_mg=None),)
    )
    row = course.patient.outside_doses.get()
    assert (row.given_mg, row.said_by, row.dose) == (None, "Discharge letter", None)


# Late start ----------------------------------------------------------------------------------------------------------------


def late_recipient(team: Team) -> Transplant:
    return make_recipient(team, reperfusion_at=NOW - WEEK_5)


def test_a_late_start_settles_what_passed_before_referral_and_what_was_given_elsewhere() -> None:
    team = make_team()
    transplant = late_recipient(team)
    course = make_course(
        team,
        transplant,
        prior_ig="yes",
        referred_at=NOW - timedelta(hours=5),
        referred_from="Lakeside Hospital",
        outside_doses=(
            told(transplant.reperfusion_at + timedelta(hours=10), visit="W0"),
            told(transplant.reperfusion_at + timedelta(days=14), visit="W2", given_mg=Decimal(7000)),
        ),
    )
    doses = doses_of(course)
    assert [dose.settled_as for dose in doses] == ["before_referral"] * 3 + [""] * 4
    assert [row.dose for row in course.patient.outside_doses.all()] == doses[:2]
    assert [dose.rate_table for dose in doses][3:] == ["subsequent"] * 4
    assert any(step["rule"] == "R-WIN-5" for step in doses[2].working)
    assert (course.referred_from, course.referred_at) == ("Lakeside Hospital", NOW - timedelta(hours=5))
    verify(team, course)
    assert [bool(dose.verified_at) for dose in doses_of(course)] == [False] * 3 + [True] * 4


def test_72_hours_shut_before_referral_stay_missed_and_the_first_dose_here_takes_the_initial_rates() -> None:
    team = make_team()
    transplant = late_recipient(team)
    course = make_course(team, transplant, referred_at=NOW, referred_from="Lakeside Hospital")
    doses = doses_of(course)
    assert [dose.settled_as for dose in doses] == ["", "before_referral", "before_referral", "", "", "", ""]
    assert doses[0].closes_at < NOW, "missed: a prescriber decides at once"
    assert [dose.rate_table for dose in doses][3:] == ["initial"] + ["subsequent"] * 3


def test_a_referral_has_its_time_and_its_place() -> None:
    team = make_team()
    transplant = late_recipient(team)
    for facts, code in (
        ({"referred_at": NOW + timedelta(seconds=1), "referred_from": "Lakeside"}, "referral_in_future"),
        ({"referred_at": NOW, "referred_from": " "}, "referral_says_from_where"),
        ({"referred_from": "Lakeside"}, "referral_day"),
    ):
        with refused(code):
            make_course(team, transplant, **facts)


def test_each_visit_has_one_dose_of_the_right_product_and_is_one_of_the_plan() -> None:
    team = make_team()
    transplant = late_recipient(team)
    at = transplant.reperfusion_at + timedelta(days=14)
    late = {"referred_at": NOW, "referred_from": "Lakeside", "prior_ig": "yes"}
    with refused("visit_twice"):
        make_course(team, transplant, outside_doses=(told(at, visit="W2"), told(at + timedelta(days=1), visit="W2")), **late)
    with refused("visit_product"):
        make_course(team, transplant, outside_doses=(told(at, visit="W2", product="other_ig"),), **late)
    with pytest.raises(Refused) as refusal:
        make_course(team, transplant, outside_doses=(told(at, visit="W3"),), **late)
    assert refusal.value.code == "unknown_dose"
    assert not OutsideDose.objects.exists(), "a refused plan leaves nothing behind"


def test_a_plan_with_nothing_left_to_give_here_is_not_built() -> None:
    team = make_team()
    transplant = make_recipient(team, reperfusion_at=NOW - timedelta(days=200))
    with refused("nothing_to_give"):
        make_course(
            team,
            transplant,
            referred_at=NOW,
            referred_from="Lakeside",
            outside_doses=(told(transplant.reperfusion_at + timedelta(hours=10), visit="W0"),),
        )


# Does it count as the initial dose? ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days_before", "asks"), [(8, False), (7, True), (0, True), (-1, True)])
def test_a_dose_from_the_seventh_day_before_the_transplant_asks(days_before: int, asks: bool) -> None:
    team = make_team()
    transplant = make_recipient(team)
    record(team, transplant.patient, transplant.reperfusion_at - timedelta(days=days_before))
    assert bool(outside.undecided(transplant.patient, transplant)) is asks


def test_another_product_a_struck_out_dose_and_stem_cells_ask_nothing() -> None:
    team = make_team()
    transplant = make_recipient(team)
    record(team, transplant.patient, transplant.reperfusion_at, product="other_ig")
    outside.strike_out(
        outside=record(team, transplant.patient, transplant.reperfusion_at), reason="Twice on the list", by=team.nurse, at=NOW
    )
    assert outside.undecided(transplant.patient, transplant) == []
    cells = make_recipient(team, organs=["hsct"])
    record(team, cells.patient, cells.reperfusion_at)
    assert outside.undecided(cells.patient, cells) == []


def test_nothing_is_verified_until_the_prescriber_has_said() -> None:
    team = make_team()
    transplant = make_recipient(team)
    row = record(team, transplant.patient, transplant.reperfusion_at - timedelta(days=1))
    course = make_course(team, transplant)
    with refused("outside_undecided"):
        verify(team, course)
    decide(team, row, "give_initial")
    verify(team, course)
    assert all(dose.verified_at for dose in doses_of(course))


def test_counting_it_settles_the_initial_dose_of_the_open_course() -> None:
    team = make_team()
    transplant = make_recipient(team)
    row = record(team, transplant.patient, transplant.reperfusion_at - timedelta(days=1))
    course = make_course(team, transplant)
    row = decide(team, row, "counts_as_initial")
    first, second, *_ = doses_of(course)
    assert (first.settled_as, first.settled_at) == ("before_referral", NOW)
    assert (row.dose, second.settled_at) == (first, None)
    assert outside.undecided(transplant.patient, transplant) == []
    with refused("outside_settled"):
        decide(team, row, "give_initial")


def test_counted_before_anything_is_built_the_course_begins_with_the_second_visit() -> None:
    team = make_team()
    transplant = make_recipient(team)
    row = decide(team, record(team, transplant.patient, transplant.reperfusion_at), "counts_as_initial")
    assert row.dose is None
    course = make_course(team, transplant)
    row.refresh_from_db()
    first, second, *_ = doses_of(course)
    assert (first.settled_as, row.dose, second.settled_as) == ("before_referral", first, "")


def test_once_the_initial_dose_is_settled_nothing_is_asked_and_a_second_one_cannot_count() -> None:
    team = make_team()
    transplant = make_recipient(team)
    one = record(team, transplant.patient, transplant.reperfusion_at)
    two = record(team, transplant.patient, transplant.reperfusion_at + timedelta(hours=20))
    course = make_course(team, transplant)
    decide(team, one, "counts_as_initial")
    assert outside.undecided(transplant.patient, transplant) == []
    with refused("initial_settled"):
        decide(team, two, "counts_as_initial")
    verify(team, course)


def test_only_a_prescriber_decides_with_a_reason_about_a_dose_that_asks() -> None:
    team = make_team()
    transplant = make_recipient(team)
    row = record(team, transplant.patient, transplant.reperfusion_at)
    for changes, code in (
        ({"by": team.builder}, "role"),
        ({"by": team.nurse}, "role"),
        ({"reason": "Because"}, "outside_reason"),
    ):
        with refused(code):
            decide(team, row, "counts_as_initial", **changes)
    with refused("outside_decision"):
        decide(team, row, "perhaps")
    early = record(team, transplant.patient, transplant.reperfusion_at - timedelta(days=8))
    with refused("outside_asks_nothing"):
        decide(team, early, "counts_as_initial")


def test_a_struck_out_dose_leaves_its_visit_as_not_given_here() -> None:
    team = make_team()
    transplant = make_recipient(team)
    row = record(team, transplant.patient, transplant.reperfusion_at)
    course = make_course(team, transplant)
    decide(team, row, "counts_as_initial")
    outside.strike_out(outside=row, reason="The letter was about another patient", by=team.nurse, at=NOW)
    assert doses_of(course)[0].settled_as == "before_referral"


def test_a_second_transplant_asks_for_itself() -> None:
    team = make_team()
    first = make_recipient(team, reperfusion_at=NOW - timedelta(days=60))
    second = make_transplant(first.patient, reperfusion_at=NOW - timedelta(days=1))
    row = record(team, first.patient, NOW - timedelta(days=3))
    assert outside.undecided(first.patient, second) == [row]
    decide(team, row, "give_initial")
    assert outside.undecided(first.patient, second) == []


def test_the_minimum_interval_counts_from_a_dose_given_elsewhere_too() -> None:
    ward = ward_of.make_ward()
    course = ward_of.make_course(ward)
    second = ward_of.dose(course, 2)
    at = second.opens_at
    patient = course.patient
    two_days_ago = told(at - timedelta(days=2), given_mg=Decimal(7000))
    row = outside.record_outside_dose(patient=patient, dose=two_days_ago, by=ward.nurse, at=at)
    make_weight(patient, at=at)
    signed = {"reason": "The letter names the full dose", "by": ward.prescriber, "at": at}
    row = outside.decide_outside(outside=row, decision="counts_as_initial", **signed)
    with refused("min_interval"):
        ward_of.start(ward, second, at=at)
    outside.strike_out(outside=row, reason="Another patient's letter", by=ward.nurse, at=at)
    assert ward_of.start(ward, second, at=at).pk
