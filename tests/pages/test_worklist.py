"""The worklist: right at the moment it is asked, one centre's alone, every dose in one group."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions
from regimens.models import PlannedDose
from regimens.views import worklist
from tests.factories import make_member
from tests.regimens.courses import Team, make_course, make_recipient, make_team, verify

pytestmark = pytest.mark.django_db


def course_operated(team: Team, ago: timedelta):
    """A verified kidney course of somebody operated so long ago, registered then."""
    now = timezone.now().replace(microsecond=0)
    at = now - ago + timedelta(hours=2)
    return verify(team, make_course(team, make_recipient(team, at=at, reperfusion_at=now - ago), at=at), at=at)


@pytest.fixture
def team() -> Team:
    return make_team(timezone.now() - timedelta(days=200))


def page_of(client: Client, team: Team) -> str:
    client.force_login(team.verifier.user)
    return client.get("/").content.decode()


def groups_of(client: Client, team: Team) -> dict[str, str]:
    """Each group's count, by the beginning of its title."""
    return dict(re.findall(r'scope="colgroup">([^(:]+)[^(]*\(([0-9,+]+)\)', page_of(client, team)))


def test_a_dose_whose_window_closed_is_missed_at_once_with_no_job_running(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    assert groups_of(client, team) == {"Missed": "1"}
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
    assert groups_of(client, team) == {"Missed": "1"}


def test_another_centres_patients_are_never_listed(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=73))
    assert groups_of(client, make_team(timezone.now() - timedelta(days=1))) == {}


def test_an_unverified_plan_waits_for_a_second_pharmacist(client: Client, team: Team) -> None:
    now = timezone.now()
    make_course(team, make_recipient(team, at=now - timedelta(hours=3), reperfusion_at=now - timedelta(hours=5)), at=now)
    assert "Awaiting verification (1)" in page_of(client, team)


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
