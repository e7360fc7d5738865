"""The pages of a change: old beside new, what was seen beside what holds, and another day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from regimens.models import Course
from tests.factories import make_weight
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, verify
from tests.regimens.test_replanning import correct, reweigh

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.django_db


# Pages ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def signed_in(client: Client):
    def sign_in(member) -> Client:
        client.force_login(member.user)
        return client

    return sign_in


def posted(page) -> dict[str, str]:
    """What the page's own button sends: the hidden boxes as they were rendered."""
    form = page.context["form"]
    return {name: "" if form[name].value() is None else str(form[name].value()) for name in form.fields}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The real time: pages read the clock, so their courses are made for now."""
    return datetime.now(UTC)


def running_course(team: Team, now: datetime) -> Course:
    return verify(team, make_course(team, make_recipient(team, at=now - 2 * HOUR), at=now - HOUR), at=now - HOUR)


def test_the_page_shows_old_beside_new_and_the_button_makes_that_revision(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    page = client.get(address)
    text = page.content.decode()
    for shown in (
        "70\u00a0kg → 80\u00a0kg",
        "+14.3%",
        "10,500\u00a0mg",
        "12,000\u00a0mg",
        "240\u00a0mL",
        "Make revision 2",
        "ordered 150\u00a0mg\u00a0per\u00a0kg",
    ):
        assert shown in text, shown
    assert "differs" not in text
    answer = client.post(address, posted(page))
    assert answer.status_code == 302
    assert {dose.revision for dose in doses_of(course)} == {2}
    assert ["Revision 2 is saved" in str(message) for message in get_messages(answer.wsgi_request)] == [True]


def test_a_form_that_arrives_mangled_says_so(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    client, address = signed_in(team.builder), reverse("course-replan", args=[course.pk])
    answer = client.post(address, posted(client.get(address)) | {"shown": "", "revision": "two"})
    assert answer.status_code == 422
    assert "The form did not arrive as it was shown." in answer.content.decode()
    assert {dose.revision for dose in doses_of(course)} == {1}


def test_a_stale_page_is_refused_with_what_was_seen_beside_what_holds(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    seen = posted(client.get(address))
    reweigh(course.patient, "82", now - HOUR / 4)
    answer = client.post(address, seen)
    assert answer.status_code == 422
    assert answer.context["stale"] == [{"label": "Weight", "typed": "80\u00a0kg", "stored": "82\u00a0kg"}]
    assert {dose.revision for dose in doses_of(course)} == {1}
    assert client.post(address, posted(answer)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {82}


def test_an_old_weight_does_not_keep_anybody_from_a_corrected_time(signed_in, now) -> None:
    team = make_team(at=now - 10 * DAY)
    course = make_course(team, make_recipient(team, at=now - 9 * DAY), at=now - 9 * DAY)
    make_weight(course.patient, "75", at=now - 8 * DAY, measured_at=now - 8 * DAY)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    refused_page = client.get(address)
    assert refused_page.context["refusal"].code == "weight_stale"
    assert refused_page.context["draft"] is None
    correct(course, by=-DAY, at=now)
    page = client.get(address)
    assert (page.context["refusal"], page.context["refused_weight"].code) == (None, "weight_stale")
    assert client.post(address, posted(page)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {70}


def test_the_corrected_time_may_be_taken_over_alone(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    correct(course, by=-DAY, at=now)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk]) + "?weight=keep"
    page = client.get(address)
    assert "12,000" not in page.content.decode()
    assert client.post(address, posted(page)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {70}
    course.refresh_from_db()
    assert course.anchor_at == course.transplant.reperfusion_at


def test_the_pages_of_a_change_belong_to_who_builds_and_to_the_centre(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    pages = [reverse("course-replan", args=[course.pk]), reverse("dose-move", args=[doses_of(course)[1].pk])]
    client = signed_in(team.nurse)
    assert [client.get(page).status_code for page in pages] == [403, 403]
    client = signed_in(make_team(at=now - DAY).builder)
    assert [client.get(page).status_code for page in pages] == [404, 404]


def test_a_dose_is_moved_from_its_page_to_one_of_the_days_offered(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    dose = doses_of(course)[1]
    client = signed_in(team.builder)
    address = reverse("dose-move", args=[dose.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"target_on": (dose.target_on + 9 * DAY).isoformat()}).status_code == 422
    assert client.post(address, {"target_on": (dose.target_on + DAY).isoformat()}).status_code == 302
    assert doses_of(course)[1].target_on == dose.target_on + DAY
    assert client.get(address).status_code == 409
    first = client.get(reverse("dose-move", args=[doses_of(course)[0].pk]))
    assert "it has no other day" in first.content.decode()


def test_the_pages_of_a_change_ask_the_database_at_most_twelve_times(signed_in, now, django_assert_max_num_queries) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    correct(course, by=-DAY, at=now)
    client = signed_in(team.builder)
    client.get("/")
    for page in (reverse("course-replan", args=[course.pk]), reverse("dose-move", args=[doses_of(course)[1].pk])):
        with django_assert_max_num_queries(12, info=page):
            assert client.get(page).status_code == 200


def test_the_reason_of_a_stop_is_chosen_beforehand_only_where_the_list_has_it(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    client = signed_in(team.prescriber)
    address = reverse("course-stop", args=[course.pk])
    assert client.get(f"{address}?reason=retransplant").context["form"]["reason_code"].value() == "retransplant"
    assert not client.get(f"{address}?reason=because").context["form"]["reason_code"].value()
