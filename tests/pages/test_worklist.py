"""The worklist: right at the moment it is asked, one centre's alone, every dose in one group."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions
from regimens.actions import verification
from regimens.domain.clock import local_day
from regimens.models import PlannedDose, Release
from regimens.views import worklist
from tests.factories import NEW_YORK, make_member
from tests.pages.listed import book, course_operated, groups_of, hold, page_of, waiting_of
from tests.regimens.courses import Team, make_course, make_recipient, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team(timezone.now() - timedelta(days=200))


def test_a_dose_whose_window_closed_is_missed_at_once_with_no_job_running(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    assert groups_of(client, team)["Missed"] == "1"
    assert f"/doses/{course.doses.get(number=1).pk}/decide/" in page_of(client, team)


def test_the_72_hours_count_down_until_they_are_over(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=71))
    page = page_of(client, team)
    assert "Time running" in page
    assert "min left" in page


def test_nothing_is_due_for_somebody_who_died_until_the_chart_is_reopened(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=timezone.now())
    assert groups_of(client, team) == {}
    actions.reopen_patient(patient=course.patient, reason="Wrong chart", by=team.builder, at=timezone.now())
    assert groups_of(client, team)["Missed"] == "1"


def test_another_centres_patients_are_never_listed(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=73))
    assert groups_of(client, make_team(timezone.now() - timedelta(days=1))) == {}


def test_an_unverified_plan_waits_for_a_second_pharmacist(client: Client, team: Team) -> None:
    now = timezone.now()
    make_course(team, make_recipient(team, at=now - timedelta(hours=3), reperfusion_at=now - timedelta(hours=5)), at=now)
    assert waiting_of(client, team.verifier)["Awaiting verification"] == "1"
    page = page_of(client, team)
    assert "Nobody is being infused" not in page


def test_an_empty_list_says_when_it_was_computed(client: Client, team: Team) -> None:
    page = page_of(client, team)
    assert "No dose is missed, due or opening in the next 7 days." in page
    assert re.search(r"List computed \d\d:\d\d", page)


def test_pages_follow_each_other_without_losing_or_repeating_a_dose(client: Client, team: Team, monkeypatch) -> None:
    monkeypatch.setattr(worklist, "PAGE_ROWS", 2)
    for hours in (73, 80, 90, 100, 110):
        course_operated(team, timedelta(hours=hours))
    client.force_login(team.verifier.user)
    seen: list[str] = []
    address = "/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'id="row-([0-9a-f-]+)"', page)
        following = re.search(r'href="(/\?after=[^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    soon = PlannedDose.objects.filter(opens_at__lt=timezone.now() + worklist.AHEAD).order_by("closes_at", "pk")
    assert len(seen) > 5
    assert seen == [str(dose.pk) for dose in soon]


@pytest.mark.parametrize("mark", ["x", "1_2", "nan_" + "0" * 32, "99999999999999999999_" + "0" * 32])
def test_a_mangled_position_is_the_first_page(client: Client, team: Team, mark: str) -> None:
    client.force_login(team.verifier.user)
    assert client.get("/", {"after": mark}).status_code == 200


def test_an_editor_is_sent_to_the_monograph_and_sees_no_patient(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=73))
    client.force_login(make_member("monograph_editor", centre=team.centre).user)
    assert client.get("/").headers["Location"] == "/monograph/"


def test_a_dose_on_hold_is_neither_due_nor_overdue(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=60))
    assert groups_of(client, team) == {"Time running": "1"}
    hold(course, team, timedelta(hours=1))
    assert groups_of(client, team) == {"On hold": "1"}
    assert "decide" not in page_of(client, team)


def test_a_window_that_closed_on_hold_stands_among_the_missed_with_its_own_word(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    hold(course, team, timedelta(hours=10))
    assert groups_of(client, team)["Missed"] == "1"
    page = page_of(client, team)
    assert "Passed on hold" in page
    assert f"/doses/{course.doses.get(number=1).pk}/decide/" in page


def test_a_day_of_its_own_is_no_window_in_hours(client: Client, team: Team) -> None:
    at = timezone.now() - timedelta(days=11)
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at), at=at)
    begins = timezone.now() - timedelta(hours=1)
    ends = begins + timedelta(hours=20)
    rows = PlannedDose.objects.filter(pk=course.doses.get(number=2).pk)
    rows.update(opens_at=begins, overdue_at=ends, closes_at=ends, target_on=local_day(begins, NEW_YORK))
    assert "Time running" not in groups_of(client, team)
    assert waiting_of(client, team.verifier)["No booking, and the target day is near"] == "1"


def test_the_counts_say_what_the_list_shows_whatever_the_states(client: Client, team: Team) -> None:
    """Courses at every age, on hold and not, resumed before and after a window closed, booked and not."""
    now = timezone.now()
    for days, hours in ((2, 20), (3, 1), (11, 0), (13, 22), (14, 1), (16, 0), (17, 22), (19, 0), (52, 0), (80, 0), (118, 0)):
        for state in ("plain", "held", "resumed", "passed", "booked"):
            course = course_operated(team, timedelta(days=days, hours=hours))
            if state == "held":
                hold(course, team, timedelta(days=5))
            if state == "resumed":
                hold(course, team, timedelta(days=9), resumed=timedelta(hours=30))
            if state == "passed":
                hold(course, team, timedelta(days=9), resumed=timedelta(minutes=5))
            for dose in course.doses.filter(settled_at=None) if state == "booked" else ():
                book(dose, now - timedelta(hours=1) if dose.number % 2 else now + timedelta(hours=30))
    listed: dict[str, int] = {code: 0 for code, _ in worklist.GROUPS}
    statuses = set()
    after = None
    while rows := worklist.open_doses(team.centre, now, after)[: worklist.PAGE_ROWS]:
        for row in rows:
            listed[worklist.group_of(row, local_day(now, NEW_YORK))] += 1
            statuses.add(row["status"])
        after = (rows[-1]["closes_at"], rows[-1]["pk"])
    counts, people = worklist.counts_of(team.centre, now)
    assert counts == listed
    assert statuses == {"missed", "passed_on_hold", "overdue", "due", "upcoming", "held"}
    assert min(counts.values()) > 0
    assert len(people) == 55


@pytest.mark.parametrize(("ago", "asked"), [(0, False), (47, False), (49, True)])
def test_a_due_dose_leads_a_pharmacist_to_its_release_until_it_is_released(
    client: Client, team: Team, ago: int, asked: bool
) -> None:
    course = course_operated(team, timedelta(hours=60))
    dose = course.doses.get(number=1)
    address = f'href="/doses/{dose.pk}/release/"'
    assert address in page_of(client, team)
    client.force_login(team.nurse.user)
    assert address not in client.get("/").content.decode()
    Release.objects.create(
        dose=dose,
        weight=dose.weight,
        creatinine_missing_reason="Not sampled",
        released_by=team.verifier,
        released_at=timezone.now() - timedelta(hours=ago),
    )
    assert (address in page_of(client, team)) is asked, "a release that has run out is asked for again"


def test_a_booked_dose_says_when_and_is_overdue_from_then(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(days=13))
    dose = course.doses.get(number=2)
    PlannedDose.objects.filter(course=course).exclude(pk=dose.pk).update(settled_at=timezone.now(), settled_as="omitted")
    book(dose, timezone.now() + timedelta(hours=1))
    assert set(groups_of(client, team)) == {"Window open"}
    assert "booked" in page_of(client, team)
    book(dose, timezone.now() - timedelta(hours=1))
    assert set(groups_of(client, team)) == {"Overdue"}


def test_five_statements_whatever_is_on_the_list(client: Client, team: Team, django_assert_num_queries) -> None:
    for hours in (60, 73, 24 * 13):
        course = course_operated(team, timedelta(hours=hours))
        hold(course_operated(team, timedelta(hours=hours)), team, timedelta(hours=30), review=timedelta(0))
    doses = list(verification.open_unsigned(course))
    assert doses == []
    page_of(client, team)
    with django_assert_num_queries(5):
        client.get("/")
