"""Putting a course on hold, and resuming it: who may, what it stops, and what it settles (nothing)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from patients.models import Event
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import bedside, courses, holds, infusions
from regimens.actions.parts import ReactionFacts
from regimens.domain.status import Status
from regimens.models import Hold
from regimens.models.status import status_of
from tests.factories import NOW, PASSWORD, make_member
from tests.regimens import ward as wards
from tests.regimens.courses import Team, doses_of, make_course, make_team
from tests.regimens.ward import TRANSPLANTED, give, make_ward

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REVIEW = date(2026, 11, 25)
FIRST = TRANSPLANTED + 20 * HOUR


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def hold(team: Team, course, *, at: datetime = NOW, **changes: Any) -> Hold:
    """By the prescriber, for sepsis, to be looked at again in three days."""
    given: dict[str, Any] = {
        "reason_code": "sepsis",
        "review_on": REVIEW,
        "ordered_by": team.prescriber,
        "by": team.prescriber,
    }
    return holds.hold_course(course=course, at=at, **(given | changes))


def resume(team: Team, course, *, at: datetime = NOW + DAY, **changes: Any) -> Hold:
    given: dict[str, Any] = {"reason": "Cultures stay negative", "ordered_by": team.prescriber, "by": team.prescriber}
    return holds.resume_course(course=course, at=at, **(given | changes))


def test_a_hold_stops_starting_settles_nothing_and_a_window_that_closes_in_it_waits_for_a_decision() -> None:
    team = make_team()
    course = make_course(team)
    first, second, *_ = doses_of(course)
    held = hold(team, course)
    assert not course.doses.exclude(settled_at=None).exists()
    assert status_of(first, NOW + HOUR, holds=[held]) == Status.HELD
    assert status_of(first, first.closes_at, holds=[held]) == Status.PASSED_ON_HOLD
    held = resume(team, course, at=first.closes_at + HOUR)
    assert status_of(first, first.closes_at + 2 * HOUR, holds=[held]) == Status.PASSED_ON_HOLD
    assert status_of(second, second.opens_at, holds=[held]) == Status.DUE


def test_a_held_course_is_still_recorded_to() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    holds.hold_course(
        course=course,
        reason_code="no_access",
        review_on=REVIEW,
        ordered_by=ward.prescriber,
        by=ward.prescriber,
        at=TRANSPLANTED + HOUR,
    )
    record = give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR, reason="Given before the order reached the ward")
    assert wards.dose(course, 1).settled_as == "recorded"
    assert record.pk


def test_a_pharmacist_holds_by_read_back_naming_the_prescriber() -> None:
    team = make_team()
    course = make_course(team)
    with refused("not_read_back"):
        hold(team, course, by=team.builder)
    with refused("not_a_prescriber"):
        hold(team, course, by=team.builder, ordered_by=team.verifier, is_read_back=True)
    made = hold(team, course, by=team.builder, is_read_back=True)
    assert (made.held_by, made.ordered_by) == (team.builder, team.prescriber)
    event = Event.objects.get(name="hold_course")
    assert (event.facts["read_back"], event.facts["review_on"]) == (True, "2026-11-25")


def test_a_prescriber_signs_their_own_order_and_one_of_another_centre_orders_nothing() -> None:
    team = make_team()
    course = make_course(team)
    other = make_member(Role.PRESCRIBER, centre=team.centre, given="Imani", family="Okafor")
    with refused("own_order"):
        hold(team, course, ordered_by=other)
    with refused("not_a_prescriber"):
        hold(team, course, by=team.builder, ordered_by=make_member(Role.PRESCRIBER), is_read_back=True)
    other.ended_at = NOW
    other.save()
    with refused("not_a_prescriber"):
        hold(team, course, by=team.builder, ordered_by=other, is_read_back=True)


def test_a_nurse_neither_holds_nor_resumes() -> None:
    team = make_team()
    course = make_course(team)
    with refused("role"):
        hold(team, course, by=team.nurse)
    hold(team, course)
    with refused("role"):
        resume(team, course, by=team.nurse)


@pytest.mark.parametrize("on", [date(2026, 11, 21), date(2026, 11, 22)])
def test_the_review_day_is_today_at_the_earliest(on: date) -> None:
    team = make_team()
    course = make_course(team)
    if on == date(2026, 11, 21):
        with refused("review_is_past"):
            hold(team, course, review_on=on)
    else:
        assert hold(team, course, review_on=on).pk


def test_a_reason_is_one_of_the_list_and_another_one_has_words() -> None:
    team = make_team()
    course = make_course(team)
    with refused("unknown_reason"):
        hold(team, course, reason_code="because")
    with refused("reason_text"):
        hold(team, course, reason_code="other", reason="  ")
    assert hold(team, course, reason_code="other", reason="Patient travels").pk


def test_a_second_hold_is_refused_naming_the_first_and_after_resuming_there_may_be_another() -> None:
    team = make_team()
    course = make_course(team)
    hold(team, course)
    with refused("held_already") as refusal:
        hold(team, course)
    assert "Ingrid Solberg: sepsis" in refusal.value.sentence
    resume(team, course)
    with refused("not_held"):
        resume(team, course)
    assert hold(team, course, at=NOW + 2 * DAY).pk


def test_a_stopped_or_finished_course_is_not_held() -> None:
    team = make_team()
    course = make_course(team)
    course.doses.update(settled_at=NOW, settled_as="omitted")
    with refused("nothing_left"):
        hold(team, course)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=team.prescriber, at=NOW)
    with refused("course_stopped"):
        hold(team, course)


def test_resuming_needs_a_reason_and_a_pharmacist_resumes_by_read_back() -> None:
    team = make_team()
    course = make_course(team)
    hold(team, course)
    with refused("reason_needed"):
        resume(team, course, reason=" ")
    with refused("not_read_back"):
        resume(team, course, by=team.builder)
    made = resume(team, course, by=team.builder, is_read_back=True)
    assert (made.resumed_by, made.resume_ordered_by, made.resumed_at) == (team.builder, team.prescriber, NOW + DAY)


def test_after_a_serious_reaction_only_a_prescriber_resumes_naming_reaction_and_plan() -> None:
    team = make_team()
    course = make_course(team)
    hold(team, course, reason_code="serious_reaction", reason="Rigors and hypotension")
    with refused("prescriber_only"):
        resume(team, course, by=team.builder, is_read_back=True, reason="Rigors; premedication and half the rate")
    with refused("reaction_and_plan"):
        resume(team, course, reason="Better now"[:9])
    assert resume(team, course, reason="Rigors; premedication and half the rate").pk


def serious(at: datetime) -> ReactionFacts:
    return ReactionFacts(at, "Anaphylaxis", is_serious=True, action_taken="Infusion stopped, adrenaline")


def test_a_serious_reaction_holds_the_course_until_a_prescriber_resumes_it() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    record = wards.start(ward, wards.dose(course), at=FIRST)
    bedside.record_reaction(record=record, facts=serious(FIRST + HOUR), by=ward.nurse, at=FIRST + HOUR)
    held = course.holds.get()
    assert (held.reason_code, held.listed_reason, held.reason) == ("serious_reaction", "Serious reaction", "Anaphylaxis")
    assert (held.ordered_by, held.held_by, held.held_at) == (None, ward.nurse, FIRST + HOUR)
    again = bedside.record_reaction(record=record, facts=serious(FIRST + HOUR), by=ward.nurse, at=FIRST + 2 * HOUR)
    assert (again.is_serious, course.holds.count()) == (True, 1)
    plan = {"course": course, "reason": "Anaphylaxis; no further dose here", "ordered_by": ward.prescriber}
    with refused("prescriber_only"):
        holds.resume_course(by=ward.pharmacist, at=FIRST + DAY, is_read_back=True, **plan)
    assert holds.resume_course(by=ward.prescriber, at=FIRST + DAY, **plan).resumed_by == ward.prescriber


def test_a_minor_reaction_holds_nothing() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    record = wards.start(ward, wards.dose(course), at=FIRST)
    minor = ReactionFacts(FIRST + HOUR, "Flushing", is_serious=False, action_taken="Rate halved")
    bedside.record_reaction(record=record, facts=minor, by=ward.nurse, at=FIRST + HOUR)
    assert not course.holds.exists()


@pytest.mark.parametrize("is_planned", [True, False])
def test_a_serious_reaction_charted_afterwards_holds_the_course_too(is_planned: bool) -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    reactions = [serious(FIRST + HOUR)]
    if is_planned:
        give(ward, wards.dose(course), at=FIRST, reactions=reactions)
    else:
        identity = wards.identity(course.patient)
        infusions.log_unplanned(
            patient=course.patient,
            token=uuid.uuid4(),
            started_at=FIRST,
            reactions=reactions,
            reason="Given on the ward without a plan",
            by=ward.nurse,
            at=FIRST + 4 * HOUR,
            **identity,
        )
    assert course.holds.get().reason_code == "serious_reaction"


def test_a_serious_reaction_during_another_hold_leaves_resuming_to_a_prescriber() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    record = wards.start(ward, wards.dose(course), at=FIRST)
    given = {"reason_code": "supply", "review_on": REVIEW, "ordered_by": ward.prescriber, "by": ward.prescriber}
    holds.hold_course(course=course, at=FIRST, **given)
    bedside.record_reaction(record=record, facts=serious(FIRST + HOUR), by=ward.nurse, at=FIRST + HOUR)
    plan = {"course": course, "reason": "The product has come in", "ordered_by": ward.prescriber}
    with refused("prescriber_only"):
        holds.resume_course(by=ward.pharmacist, at=FIRST + DAY, is_read_back=True, **plan)


# Pages ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def now() -> datetime:
    """The real time: pages read the clock."""
    return datetime.now(UTC)


def typed(now: datetime, **changes: Any) -> dict[str, Any]:
    on = (now + 3 * DAY).date().isoformat()
    return {"reason_code": "sepsis", "reason": "", "review_on": on, "password": PASSWORD} | changes


def test_a_hold_is_signed_with_the_password_and_resumed_on_its_own_page(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    client.force_login(team.prescriber.user)
    address = reverse("course-hold", args=[course.pk])
    assert client.get(address).status_code == 200
    wrong = client.post(address, typed(now, password="not this one"))
    assert (wrong.status_code, Hold.objects.count()) == (422, 0)
    assert client.post(address, typed(now)).status_code == 302
    assert "Sepsis" in client.get(address).content.decode()
    again = client.post(address, typed(now))
    assert (again.status_code, Hold.objects.count()) == (422, 1)
    address = reverse("course-resume", args=[course.pk])
    assert client.post(address, {"reason": "", "password": PASSWORD}).status_code == 422
    assert client.post(address, {"reason": "Cultures stay negative", "password": PASSWORD}).status_code == 302
    assert Hold.objects.get().resumed_by == team.prescriber
    assert "not on hold" in client.get(address).content.decode()


def test_a_pharmacist_names_the_prescriber_on_the_page(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    client.force_login(team.builder.user)
    address = reverse("course-hold", args=[course.pk])
    assert client.post(address, typed(now)).status_code == 422
    named = typed(now, ordered_by=team.prescriber.pk)
    answer = client.post(address, named)
    assert answer.status_code == 422
    assert "read back" in answer.content.decode()
    assert client.post(address, named | {"is_read_back": "on"}).status_code == 302
    assert Hold.objects.get().ordered_by == team.prescriber


def test_the_pages_of_a_hold_are_for_its_roles_and_its_centre_in_twelve_statements(
    client: Client, now: datetime, django_assert_max_num_queries
) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    pages = [reverse(name, args=[course.pk]) for name in ("course-hold", "course-resume")]
    client.force_login(team.nurse.user)
    assert [client.get(page).status_code for page in pages] == [403, 403]
    client.force_login(make_team(at=now - DAY).builder.user)
    assert [client.get(page).status_code for page in pages] == [404, 404]
    hold(team, course, at=now, review_on=(now + 3 * DAY).date())
    client.force_login(team.builder.user)
    client.get("/")
    for page in pages:
        with django_assert_max_num_queries(12, info=page):
            assert client.get(page).status_code == 200
