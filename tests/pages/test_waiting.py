"""What waits beneath the doses of the worklist: each group for those whom it concerns, and for nobody else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions
from patients.roles import Role
from regimens.actions import findings, notes
from regimens.domain.clock import local_day
from regimens.models import Authorization, Course, Handover, LabResult, Order, OutsideDose
from regimens.views import waiting
from tests.factories import NEW_YORK, make_member, make_patient
from tests.pages.listed import book, course_operated, hold, page_of, waiting_of
from tests.regimens.courses import Team, make_recipient, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team(timezone.now() - timedelta(days=200))


# What waits besides ---------------------------------------------------------------------------------------------------------


def later(days: int):
    """The course of somebody operated so that the second dose's target lies so many days ahead."""
    return timedelta(days=14 - days)


def test_nothing_but_running_papers_and_bookings_waits_for_a_plain_course(client: Client, team: Team) -> None:
    course_operated(team, later(4))
    assert waiting_of(client, team.builder) == {
        "No booking, and the target day is near": "1",
        "Payer or vials not settled, and the dose is near": "1",
    }


@pytest.mark.parametrize(("days", "asked"), [(6, False), (5, True), (0, True), (-3, True), (-4, False)])
def test_a_dose_without_a_booking_is_named_from_five_days_before_its_target(
    client: Client, team: Team, days: int, asked: bool
) -> None:
    course = course_operated(team, later(days))
    assert ("No booking, and the target day is near" in waiting_of(client, team.nurse)) is asked
    book(course.doses.get(number=2), timezone.now())
    assert "No booking, and the target day is near" not in waiting_of(client, team.nurse)


def paper(course: Course, team: Team, **facts) -> None:
    given = {"state": "not_needed", "vials": "reserved", "vials_for_on": course.doses.get(number=2).target_on}
    Authorization.objects.filter(course=course).update(superseded_at=timezone.now())
    Authorization.objects.create(course=course, recorded_by=team.builder, recorded_at=timezone.now(), **(given | facts))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"state": "pending"}, "Payer: pending"),
        ({"state": "denied"}, "Payer: denied"),
        ({"state": "approved", "approved_until": 0}, ""),
        ({"state": "approved", "approved_until": -1}, "Payer: ends before the dose"),
        ({"vials": "not_asked", "vials_for_on": None}, "Vials not asked for"),
        ({"vials": "ordered"}, ""),
        ({"vials_for_on": -3}, ""),
        ({"vials_for_on": 3}, ""),
        ({"vials_for_on": 4}, "Vials are for another dose"),
        ({"vials_for_on": -4}, "Vials are for another dose"),
    ],
)
def test_papers_that_are_not_green_are_named_14_days_before(client: Client, team: Team, facts: dict, said: str) -> None:
    course = course_operated(team, later(10))
    target_on = course.doses.get(number=2).target_on
    days = {name: target_on + timedelta(days=value) for name, value in facts.items() if isinstance(value, int)}
    assert "Nothing recorded" in page_of(client, team)
    paper(course, team, **(facts | days))
    waits = waiting_of(client, team.builder)
    assert ("Payer or vials not settled, and the dose is near" in waits) is bool(said)
    assert said in page_of(client, team)


def test_papers_are_no_matter_fifteen_days_before_nor_for_a_course_on_hold(client: Client, team: Team) -> None:
    course_operated(team, timedelta(days=14 - 15 + 15))  # the second target is today, the third in 14 days
    assert waiting_of(client, team.builder)["Payer or vials not settled, and the dose is near"] == "1"
    Course.objects.get().doses.filter(number=2).update(settled_at=timezone.now(), settled_as="omitted")
    Course.objects.get().doses.filter(number=3).update(settled_at=timezone.now(), settled_as="omitted")
    assert "Payer or vials not settled, and the dose is near" not in waiting_of(client, team.builder)
    held = course_operated(team, later(4))
    hold(held, team, timedelta(hours=1))
    assert waiting_of(client, team.builder) == {}


@pytest.mark.parametrize(("days", "named"), [(1, False), (0, True), (-2, True)])
def test_a_hold_is_named_from_its_review_day_on(client: Client, team: Team, days: int, named: bool) -> None:
    course = course_operated(team, timedelta(hours=60))
    hold(course, team, timedelta(days=2), review=timedelta(days=days))
    assert waiting_of(client, team.builder) == ({"On hold, review day reached": "1"} if named else {})


def place_order(team: Team, ago: timedelta) -> Order:
    """A signed order of somebody operated so long ago, from which nothing is built."""
    at = timezone.now() - ago
    transplant = make_recipient(team, at=at, reperfusion_at=at - timedelta(hours=2))
    return Order.objects.create(
        transplant=transplant, protocol_code="kidney", ordered_rows=[], prescriber=team.prescriber, ordered_at=at, mode="written",
        indication="Prophylaxis", entered_by=team.prescriber, entered_at=at, signed_at=at,
    )  # fmt: skip


def test_an_order_waits_until_it_is_built(client: Client, team: Team) -> None:
    order = place_order(team, timedelta(hours=3))
    assert waiting_of(client, team.builder) == {"Orders to build": "1"}
    Order.objects.filter(pk=order.pk).update(superseded_at=timezone.now())
    assert waiting_of(client, team.builder) == {}


def test_an_order_entered_by_somebody_else_waits_for_its_own_prescriber_alone(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=60))
    course.orders.update(signed_at=None)
    assert "Orders for you to sign" in waiting_of(client, team.prescriber)
    for other in (team.builder, make_member(Role.PRESCRIBER, centre=team.centre)):
        assert "Orders for you to sign" not in waiting_of(client, other)
    course.orders.update(signed_at=timezone.now())
    assert "Orders for you to sign" not in waiting_of(client, team.prescriber)


def test_a_query_is_on_its_owners_list_until_it_is_answered(client: Client, team: Team) -> None:
    now = timezone.now()
    note = notes.write_note(
        patient=make_patient(by=team.builder), text="Which arm?", is_query=True, owner=team.builder, due_on=local_day(now, NEW_YORK),
        by=team.nurse, at=now,
    )  # fmt: skip
    assert waiting_of(client, team.builder) == {"Queries for you": "1"}
    assert waiting_of(client, team.verifier) == {}
    notes.answer_query(note=note, answer="The left", by=team.builder, at=now)
    assert waiting_of(client, team.builder) == {}


def test_a_handed_over_patient_stays_ours_until_acknowledged(client: Client, team: Team) -> None:
    now = timezone.now()
    handover = Handover.objects.create(
        patient=make_patient(by=team.builder), to_person="Dr Lee", to_place="Lakeside", handed_by=team.builder, handed_at=now
    )
    assert waiting_of(client, team.nurse) == {"Handed over, not acknowledged": "1"}
    Handover.objects.filter(pk=handover.pk).update(
        acknowledged_at=now, acknowledged_recorded_by=team.builder, acknowledged_how="By telephone"
    )
    assert waiting_of(client, team.nurse) == {}


def test_more_than_ten_of_a_kind_are_counted_as_ten_and_more(client: Client, team: Team) -> None:
    now = timezone.now()
    patient = make_patient(by=team.builder)
    for number in range(11):
        notes.write_note(
            patient=patient, text=f"Question {number}", is_query=True, owner=team.builder, due_on=local_day(now, NEW_YORK),
            by=team.nurse, at=now,
        )  # fmt: skip
    assert waiting_of(client, team.builder)["Queries for you"] == "10+"


def test_what_waits_elsewhere_or_for_a_closed_chart_is_not_listed(client: Client, team: Team) -> None:
    course = course_operated(team, later(4))
    hold(course_operated(team, timedelta(hours=60)), team, timedelta(days=1), review=timedelta(0))
    stranger = make_member(centre=make_team(timezone.now() - timedelta(days=1)).centre)
    assert waiting_of(client, stranger) == {}
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=timezone.now())
    assert waiting_of(client, team.builder) == {"On hold, review day reached": "1"}


def test_closed_charts_leave_their_place_in_the_list_to_others(client: Client, team: Team) -> None:
    now = timezone.now()
    for number in range(11):
        patient = place_order(team, timedelta(hours=30 - number)).transplant.patient
        actions.close_patient(patient=patient, closed_reason="died", by=team.builder, at=now)
    place_order(team, timedelta(hours=3))
    assert waiting_of(client, team.builder) == {"Orders to build": "1"}


def sample(course: Course, team: Team, kind: str, at, **facts) -> LabResult:
    """A result of the patient of a course."""
    made = {"patient": course.patient, "kind": kind, "sampled_at": at, "recorded_by": team.nurse, "recorded_at": at}
    return LabResult.objects.create(**made, **facts)


def asked(course: Course) -> set[int]:
    """The results that ask, as the rules say."""
    return {question.pk for question in findings.open_questions(course.patient)}


def test_a_result_that_asks_is_on_every_prescribers_list_until_it_is_answered(client: Client, team: Team) -> None:
    course, now = course_operated(team, timedelta(hours=60)), timezone.now()
    elsewhere = {"product": "cmv_ig", "said_by": "Their letter", "recorded_by": team.nurse, "recorded_at": now}
    OutsideDose.objects.create(
        patient=course.patient, given_at=now - timedelta(hours=40), decision="give_initial", decided_by=team.prescriber,
        decided_at=now, decision_reason="Half a dose only", **elsewhere,
    )  # fmt: skip
    listed = "Results that ask you"
    sample(course, team, "creatinine", now - timedelta(hours=50), value=Decimal("1.1"))
    sample(course, team, "creatinine", now - timedelta(hours=30), value=Decimal("1.1"))
    sample(course, team, "cmv_pcr", now - timedelta(hours=30), word="not_detected")
    assert (listed in waiting_of(client, team.prescriber), asked(course)) == (False, set())
    risen = sample(course, team, "creatinine", now - timedelta(hours=20), value=Decimal("1.4"))
    assert asked(course) == {risen.pk}
    assert waiting_of(client, team.prescriber)[listed] == "1"
    assert listed not in waiting_of(client, team.builder), "a pharmacist cannot answer it"
    positive = sample(course, team, "cmv_pcr", now - timedelta(hours=10), value=Decimal(400))
    assert asked(course) == {risen.pk, positive.pk}
    assert waiting_of(client, team.prescriber)[listed] == "2"
    answer = {"decided_by": team.prescriber, "decided_at": now, "decision_reason": "Seen on the round"}
    LabResult.objects.filter(pk=risen.pk).update(decision="go", **answer)
    LabResult.objects.filter(pk=positive.pk).update(decision="treat", **answer)
    sample(course, team, "creatinine", now - timedelta(hours=5), value=Decimal("1.3"))
    assert (listed in waiting_of(client, team.prescriber), asked(course)) == (False, set())
    higher = sample(course, team, "creatinine", now - timedelta(hours=4), value=Decimal("1.5"))
    assert asked(course) == {higher.pk}
    assert waiting_of(client, team.prescriber)[listed] == "1"


def test_every_group_beneath_has_an_address() -> None:
    for kind in waiting.KINDS:
        assert kind.address(
            "1" if kind.code in ("query", "cosign", "result", "single") else "00000000-0000-4000-8000-000000000000"
        ).startswith("/")
