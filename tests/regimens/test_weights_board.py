"""Weights that no longer hold: what stops a start, what a pharmacist may sign instead, and the board of both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from patients import actions
from patients.models import WeightMeasurement
from patients.refusal import Refusal
from regimens.actions import courses, replanning, weighing
from regimens.models import Course, PlannedDose, WeightKept
from tests.factories import NOW, PASSWORD, make_weight
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOW + 6 * HOUR


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def first_dose(course) -> PlannedDose:
    return doses_of(course)[0]


@pytest.mark.parametrize(
    ("weight_kg", "stops"), [("76.9", False), ("77", True), ("80", True), ("63.1", False), ("63", True), ("70", False)]
)
def test_a_weight_10_percent_off_stops_the_start_and_exactly_10_percent_is_off(weight_kg: str, stops: bool) -> None:
    course = make_course(make_team())
    make_weight(course.patient, weight_kg, at=LATER, reason="Weighed twice")
    if not stops:
        return weighing.check_weight_holds(first_dose(course), LATER)
    with refused("weight_changed") as refusal:
        weighing.check_weight_holds(first_dose(course), LATER)
    assert "70\u00a0kg" in refusal.value.sentence
    assert f"{weight_kg}\u00a0kg" in refusal.value.sentence


def test_the_latest_weight_counts_not_the_furthest_and_only_what_was_on_record() -> None:
    course = make_course(make_team())
    make_weight(course.patient, "80", at=LATER, reason="Weighed twice")
    make_weight(course.patient, "72", at=LATER + 2 * HOUR, reason="Dialysis since")
    weighing.check_weight_holds(first_dose(course), LATER + 2 * HOUR)
    with refused("weight_changed"):
        weighing.check_weight_holds(first_dose(course), LATER + HOUR)


def test_a_remainder_is_its_own_amount_and_never_asks() -> None:
    course = make_course(make_team())
    make_weight(course.patient, "80", at=LATER, reason="Weighed twice")
    dose = first_dose(course)
    dose.is_remainder = True
    weighing.check_weight_holds(dose, LATER)


def test_a_weight_entered_in_error_with_none_left_stops_the_start() -> None:
    team = make_team()
    course = make_course(team)
    actions.mark_weight_in_error(weight=course.patient.weights.get(), reason="Wrong patient", by=team.builder, at=LATER)
    with refused("weight_changed") as refusal:
        weighing.check_weight_holds(first_dose(course), LATER)
    assert "entered in error" in refusal.value.sentence


# Keeping the doses ---------------------------------------------------------------------------------------------------------------

REASON = "Ascites drains this week, dry weight unchanged"


def keep(team: Team, course: Course, weight: WeightMeasurement, *, at: datetime = LATER, **changes: Any) -> WeightKept:
    given: dict[str, Any] = {"reason": REASON, "by": team.builder}
    return weighing.keep_weight(course=course, weight=weight, at=at, **(given | changes))


def test_a_pharmacist_signs_that_the_doses_stay_and_they_start_again() -> None:
    team = make_team()
    course = make_course(team)
    weight = make_weight(course.patient, "77", at=LATER, reason="Ascites")
    before = list(course.doses.order_by("number").values())
    made = keep(team, course, weight)
    assert (made.weight, made.kept_by, made.reason) == (weight, team.builder, REASON)
    weighing.check_weight_holds(first_dose(course), LATER)
    assert list(course.doses.order_by("number").values()) == before


@pytest.mark.parametrize(("next_kg", "asks"), [("77", False), ("76", False), ("77.1", True), ("63", True)])
def test_a_kept_weight_covers_what_is_no_further_off_and_nothing_beyond(next_kg: str, asks: bool) -> None:
    team = make_team()
    course = make_course(team)
    keep(team, course, make_weight(course.patient, "77", at=LATER, reason="Ascites"))
    later = LATER + 3 * HOUR
    weight = make_weight(course.patient, next_kg, at=later, reason="Ascites")
    assert bool(weighing.doses_that_ask(course, weight)) is asks
    if asks:
        with refused("weight_changed"):
            weighing.check_weight_holds(first_dose(course), later)
    else:
        weighing.check_weight_holds(first_dose(course), later)


def test_after_recalculating_an_older_signature_covers_nothing() -> None:
    team = make_team()
    course = make_course(team)
    keep(team, course, make_weight(course.patient, "50", at=LATER, reason="After dialysis"))
    heavier = make_weight(course.patient, "80", at=LATER + 2 * HOUR, reason="Weighed twice")
    replanning.recalculate_course(course=course, weight=heavier, by=team.builder, at=LATER + 2 * HOUR)
    last = LATER + 6 * HOUR
    make_weight(course.patient, "70", at=last, reason="Weighed twice")
    with refused("weight_changed"):
        weighing.check_weight_holds(first_dose(course), last)


def test_a_kept_weight_that_was_entered_in_error_covers_nothing() -> None:
    team = make_team()
    course = make_course(team)
    weight = make_weight(course.patient, "80", at=LATER, reason="Ascites")
    keep(team, course, weight)
    actions.mark_weight_in_error(weight=weight, reason="Wrong patient", by=team.builder, at=LATER + HOUR)
    again = make_weight(course.patient, "79", at=LATER + 2 * HOUR, reason="Weighed twice")
    assert weighing.doses_that_ask(course, again)


def test_keeping_is_refused_for_another_role_a_short_reason_an_older_weight_and_where_nothing_asks() -> None:
    team = make_team()
    course = make_course(team)
    near = make_weight(course.patient, "71", at=LATER)
    with refused("nothing_to_keep"):
        keep(team, course, near)
    weight = make_weight(course.patient, "80", at=LATER + HOUR, reason="Weighed twice")
    for role in (team.nurse, team.prescriber):
        with refused("role"):
            keep(team, course, weight, at=LATER + HOUR, by=role)
    with refused("reason_needed"):
        keep(team, course, weight, at=LATER + HOUR, reason="Too short")
    with refused("stale"):
        keep(team, course, near, at=LATER + HOUR)
    keep(team, course, weight, at=LATER + HOUR, reason="x" * 10)
    with refused("nothing_to_keep"):
        keep(team, course, weight, at=LATER + HOUR)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=team.prescriber, at=LATER)
    with refused("course_stopped"):
        keep(team, course, weight, at=LATER + HOUR)


def test_doses_of_a_weight_entered_in_error_are_recalculated_not_kept() -> None:
    team = make_team()
    course = make_course(team)
    weight = make_weight(course.patient, "80", at=LATER, reason="Weighed twice")
    first = course.patient.weights.get(weight_kg=70)
    actions.mark_weight_in_error(weight=first, reason="Wrong patient", by=team.builder, at=LATER)
    with refused("weight_in_error"):
        keep(team, course, weight)


# The board -----------------------------------------------------------------------------------------------------------------------


def board(course: Course, at: datetime) -> list[tuple[int, bool, bool]]:
    """(dose, old, changed) of each line."""
    return [(line.dose.number, line.is_stale, line.has_changed) for line in weighing.board(course.patient.centre, at)]


def test_the_board_is_empty_where_every_weight_holds_and_names_each_dose_of_a_changed_one() -> None:
    team = make_team()
    course = make_course(team)
    assert board(course, NOW) == []
    weight = make_weight(course.patient, "77", at=NOW, measured_at=NOW, reason="Ascites")
    assert board(course, NOW) == [(1, False, True), (2, False, True)]
    keep(team, course, weight, at=NOW)
    assert board(course, NOW) == []


def test_a_weight_is_old_after_7_days_for_doses_1_to_5_and_after_14_for_later_ones() -> None:
    course = make_course(make_team())
    measured_at = course.patient.weights.get().measured_at
    assert board(course, measured_at + 7 * DAY) == []
    assert board(course, measured_at + 7 * DAY + timedelta(seconds=1)) == [(2, True, False)]
    course.doses.filter(number__lte=5).update(settled_at=NOW, settled_as="omitted")
    sixth = course.doses.get(number=6)
    at = sixth.opens_at
    make_weight(course.patient, "70", at=at - 14 * DAY, measured_at=at - 14 * DAY)
    assert board(course, at) == []
    assert board(course, at + timedelta(seconds=1)) == [(6, True, False)]


def test_the_board_looks_14_days_ahead_and_leaves_out_what_is_closed() -> None:
    team = make_team()
    course = make_course(team)
    course.doses.filter(number__lte=5).update(settled_at=NOW, settled_as="omitted")
    opens_at = course.doses.get(number=6).opens_at
    assert board(course, opens_at - 14 * DAY) == []
    assert board(course, opens_at - 14 * DAY + timedelta(seconds=1)) == [(6, True, False)]
    actions.mark_weight_in_error(weight=course.patient.weights.get(), reason="Wrong patient", by=team.builder, at=NOW)
    assert board(course, opens_at) == [(6, True, True)]
    assert weighing.board(make_team().centre, opens_at) == []
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=NOW)
    assert board(course, opens_at) == []


# Pages ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def now() -> datetime:
    """The real time: pages read the clock."""
    return datetime.now(UTC)


def test_the_board_links_to_weighing_recalculating_and_keeping_by_role(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    make_weight(course.patient, "77", at=now, measured_at=now, reason="Ascites")
    links = {
        reverse("weight-new", args=[course.patient_id]): {team.builder, team.nurse, team.prescriber},
        reverse("course-replan", args=[course.pk]): {team.builder, team.prescriber},
        reverse("course-keep-weight", args=[course.pk]): {team.builder},
    }
    for member in (team.builder, team.nurse, team.prescriber):
        client.force_login(member.user)
        page = client.get(reverse("weights-board")).content.decode()
        assert "OKONKWO" in page
        for link, members in links.items():
            assert (f'"{link}"' in page) is (member in members), (link, member.role)


def test_keeping_is_signed_with_the_password_for_the_weight_that_was_seen(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    seen = make_weight(course.patient, "77", at=now - HOUR / 2, measured_at=now - HOUR / 2, reason="Ascites")
    client.force_login(team.builder.user)
    address = reverse("course-keep-weight", args=[course.pk])
    assert client.get(address).context["form"]["weight"].value() == seen.pk
    sent = {"weight": seen.pk, "reason": REASON, "password": PASSWORD}
    assert client.post(address, sent | {"password": "not this one"}).status_code == 422
    newer = make_weight(course.patient, "78", at=now, measured_at=now, reason="Ascites")
    assert client.post(address, sent).status_code == 422
    assert not WeightKept.objects.exists()
    assert client.post(address, sent | {"weight": newer.pk}).status_code == 302
    assert WeightKept.objects.get().weight == newer
    assert "No dose of this course asks for it" in client.get(address).content.decode()


def test_the_pages_about_weights_ask_at_most_twelve_times_whatever_the_rows(
    client: Client, now: datetime, django_assert_max_num_queries
) -> None:
    team = make_team(at=now - DAY)
    for _ in range(4):
        course = make_course(team, make_recipient(team, at=now - HOUR), at=now - HOUR)
        make_weight(course.patient, "77", at=now, measured_at=now, reason="Ascites")
    client.force_login(team.builder.user)
    client.get("/")
    for page in (reverse("weights-board"), reverse("course-keep-weight", args=[course.pk])):
        with django_assert_max_num_queries(12, info=page):
            assert client.get(page).status_code == 200
    client.force_login(team.nurse.user)
    assert client.get(reverse("course-keep-weight", args=[course.pk])).status_code == 403
    client.force_login(make_team(at=now - DAY).builder.user)
    assert client.get(reverse("course-keep-weight", args=[course.pk])).status_code == 404
