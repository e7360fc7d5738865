"""The second pharmacist's check: independent, one plan at a time, signed with a password or sent back with a query."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import notes, replanning, verification
from regimens.domain.clock import local_day
from regimens.models import Course, Note, PlannedDose
from tests.factories import NEW_YORK, PASSWORD, make_member, make_patient, make_transplant, make_weight, order_anew
from tests.factories import make_answers as answer_all
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"
SOURCES = ("organ", "time", "serology", "weight", "protocol", "precautions")


@pytest.fixture
def now():
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def team(now) -> Team:
    return make_team(now - timedelta(days=3))


def built(team: Team, now, *, ago: timedelta = timedelta(hours=3), **facts: Any) -> Course:
    """A plan that waits for a second pharmacist since so long ago."""
    at = now - ago
    return make_course(team, make_recipient(team, at=at, reperfusion_at=at - timedelta(hours=5), **facts), at=at)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode().replace(NBSP, " ")


def typed(course: Course, **changes: Any) -> dict[str, Any]:
    """Everything in order: identity, each source, one's own dose."""
    doses = [dose for dose in doses_of(course) if not dose.settled_at and not dose.verified_at]
    given = {
        "mrn_tail": course.patient.mrn[-4:],
        "birth_year": str(course.patient.birth_on.year),
        "own_dose_mg": str(doses[0].dose_mg),
        "shown_hash": verification.plan_hash(doses),
    }
    return given | {f"{source}_checked": "on" for source in SOURCES} | changes


def compare(client: Client, course: Course, **changes: Any):
    return client.post(f"/courses/{course.pk}/verify/", typed(course, compare="1", **changes))


def sign(client: Client, course: Course, **changes: Any):
    return client.post(f"/courses/{course.pk}/verify/", typed(course, **({"sign": "1", "password": PASSWORD} | changes)))


def is_signed(course: Course) -> bool:
    return not course.doses.filter(settled_at=None, verified_at=None).exists()


# The check ------------------------------------------------------------------------------------------------------------------


def test_the_computed_dose_is_shown_only_after_an_own_one_that_agrees(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    assert "10,500" not in page(client, f"/courses/{course.pk}/verify/")
    wrong = compare(client, course, own_dose_mg="10,400")
    assert wrong.status_code == 422 and "10,500" not in wrong.content.decode()
    right = compare(client, course)
    assert right.status_code == 200 and "10,500" in right.content.decode().replace(NBSP, " ")
    assert not is_signed(course)
    assert sign(client, course).status_code == 302
    assert is_signed(course)


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_confirmed_by_itself(client: Client, team: Team, now, source: str) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    answer = compare(client, course, **{f"{source}_checked": ""})
    assert answer.status_code == 422 and "10,500" not in answer.content.decode().replace(NBSP, " ")
    assert sign(client, course, **{f"{source}_checked": ""}).status_code == 422
    assert not is_signed(course)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mrn_tail": "0000"}, "mrn_tail"),
        ({"birth_year": "1980"}, "mrn_tail"),
        ({"own_dose_mg": "10,499.99"}, "own_dose_mg"),
        ({"password": "not my password"}, "password"),
        ({"password": ""}, "password"),
        ({"shown_hash": "0" * 64}, ""),
    ],
)
def test_nothing_is_signed_where_one_part_does_not_agree(client: Client, team: Team, now, changes: dict, field: str) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    answer = sign(client, course, **changes)
    assert answer.status_code == 422
    assert not is_signed(course)
    if field:
        assert f'id="id_{field}"' in answer.content.decode()


def test_a_plan_that_changed_after_it_was_shown_is_read_again(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    seen = typed(course)
    heavier = make_weight(course.patient, "72", by=team.nurse, at=now)
    replanning.recalculate_course(course=course, weight=heavier, by=team.builder, at=now)
    answer = client.post(f"/courses/{course.pk}/verify/", seen | {"sign": "1", "password": PASSWORD, "own_dose_mg": "10,800"})
    assert answer.status_code == 422
    assert "The plan changed after this page was opened" in answer.content.decode()
    assert not is_signed(course)


def test_the_builder_reads_the_plan_and_cannot_check_it(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.builder.user)
    shown = page(client, f"/courses/{course.pk}/verify/")
    assert "You built this plan" in shown and "verify-form" not in shown and "Return with" not in shown
    assert sign(client, course).status_code == 422
    back = client.post(f"/courses/{course.pk}/verify/", {"return": "1", "text": "x", "due_on": f"{now:%Y-%m-%d}"})
    assert back.status_code == 422
    assert not is_signed(course) and not Note.objects.exists()


@pytest.mark.parametrize("role", ["nurse", "prescriber"])
def test_other_roles_read_and_cannot_sign(client: Client, team: Team, now, role: str) -> None:
    course = built(team, now)
    client.force_login(getattr(team, role).user)
    assert "A pharmacist other than the builder" in page(client, f"/courses/{course.pk}/verify/")
    assert sign(client, course).status_code == 403
    assert not is_signed(course)


def test_what_was_ordered_stands_beside_what_was_built(client: Client, team: Team, now) -> None:
    course = built(team, now)
    first, second, *_ = course.orders.get().ordered_rows
    order_anew(course.orders.get(), ordered_rows=[[first[0], "100"], second])
    client.force_login(team.verifier.user)
    shown = page(client, f"/courses/{course.pk}/verify/")
    assert re.search(r"Initial dose</th><td>100 mg per kg</td><td>150 mg per kg</td><td><span class=\"tag tag-warn\">", shown)
    assert re.search(r"Week 2</th><td>100 mg per kg</td><td>100 mg per kg</td><td><span class=\"soft\">Same", shown)
    assert re.search(r"Week 4</th><td>Not ordered</td>", shown)


# Sent back ------------------------------------------------------------------------------------------------------------------


def send_back(client: Client, course: Course, now, **changes: Any):
    facts = {"return": "1", "text": "Which weight is the dry one?", "due_on": f"{local_day(now, NEW_YORK):%Y-%m-%d}"}
    return client.post(f"/courses/{course.pk}/verify/", facts | changes)


def test_a_plan_goes_back_with_a_query_to_its_builder_and_comes_again_with_the_answer(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    assert send_back(client, course, now).headers["Location"] == "/verify/"
    note = Note.objects.get()
    assert (note.owner, note.returned_revision) == (team.builder, 1)
    shown = page(client, f"/courses/{course.pk}/verify/")
    assert "Which weight is the dry one?" in shown and "verify-form" not in shown
    assert sign(client, course).status_code == 422
    queue = page(client, "/verify/")
    assert "Sent back" in queue and "Which weight is the dry one?" in queue and "Kemi Adeyemi" in queue
    assert f"/notes/{note.pk}/answer/" in queue
    notes.answer_query(note=note, answer="68 kg", by=team.builder, at=now)
    queue = page(client, "/verify/")
    assert "Sent back" not in queue and f"/courses/{course.pk}/verify/" in queue
    assert "68 kg" in page(client, f"/courses/{course.pk}/verify/")
    assert sign(client, course).status_code == 302
    assert is_signed(course)


@pytest.mark.parametrize("changes", [{"text": ""}, {"due_on": ""}, {"due_on": "2020-01-01"}, {"due_on": "soon"}])
def test_a_return_says_what_and_until_when(client: Client, team: Team, now, changes: dict) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    answer = send_back(client, course, now, **changes)
    assert answer.status_code == 422
    assert '<details class="send-back" open>' in answer.content.decode()
    assert not Note.objects.exists()


def test_another_owner_may_be_named(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    send_back(client, course, now, owner=team.prescriber.pk)
    assert Note.objects.get().owner == team.prescriber


def test_an_owner_of_another_center_is_no_choice(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    assert send_back(client, course, now, owner=make_member().pk).status_code == 422
    assert not Note.objects.exists()


# The queue ------------------------------------------------------------------------------------------------------------------


def test_the_longest_waiting_comes_first_with_its_age_and_own_plans_are_marked(client: Client, team: Team, now) -> None:
    newer, older = built(team, now, ago=timedelta(hours=2)), built(team, now, ago=timedelta(hours=26))
    client.force_login(team.verifier.user)
    queue = page(client, "/verify/")
    assert queue.index(str(older.pk)) < queue.index(str(newer.pk))
    assert "26 h" in queue and "Your own plan" not in queue
    client.force_login(team.builder.user)
    assert page(client, "/verify/").count("Your own plan") == 2


def test_who_recalculated_a_plan_owns_what_waits(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    sign(client, course)
    third = make_member(centre=team.centre, given="Mira", family="Castell")
    heavier = make_weight(course.patient, "78", by=team.nurse, at=now, reason="Fluid gained, measured twice")
    replanning.recalculate_course(course=course, weight=heavier, by=third, at=now)
    client.force_login(third.user)
    assert "Your own plan" in page(client, "/verify/")
    client.force_login(team.builder.user)
    queue = page(client, "/verify/")
    assert "Mira Castell" in queue and "Your own plan" not in queue


def test_there_is_no_way_to_verify_more_than_one(client: Client, team: Team, now) -> None:
    built(team, now)
    built(team, now)
    client.force_login(team.verifier.user)
    queue = page(client, "/verify/")
    main = queue.partition("<main")[2].partition("</main>")[0]
    assert "<form" not in main and "checkbox" not in main and " all" not in re.sub("<[^>]+>", " ", main).lower()


def test_a_closed_chart_and_a_stopped_course_leave_the_queue(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=now)
    assert "No plan waits for verification" in page(client, "/verify/")
    with pytest.raises(Refusal, match="patient_closed"):
        verification.verify_course(
            course=course, by=team.verifier, at=now, own_dose_mg=doses_of(course)[0].dose_mg, **{
                name: typed(course)[name] for name in ("shown_hash", "mrn_tail", "birth_year")
            },
        )  # fmt: skip


def test_the_queue_and_the_check_ask_few_statements_whatever_waits(
    client: Client, team: Team, now, django_assert_max_num_queries
) -> None:
    for _ in range(4):
        course = built(team, now)
    client.force_login(team.verifier.user)
    send_back(client, course, now)
    client.get("/verify/")
    with django_assert_max_num_queries(6):
        client.get("/verify/")
    with django_assert_max_num_queries(12):
        client.get(f"/courses/{course.pk}/verify/")


def test_look_alikes_in_the_queue_are_marked(client: Client, team: Team, now) -> None:
    def waits(family: str, given: str, mrn: str, born: date) -> Course:
        patient = make_patient(by=team.builder, at=now, family_name=family, given_name=given, mrn=mrn, birth_on=born)
        make_weight(patient, at=now)
        answer_all(patient, at=now)
        return make_course(team, make_transplant(patient, at=now, reperfusion_at=now - timedelta(hours=5)), at=now)

    waits("Okonkwo", "Adaeze", "00427719", date(1979, 7, 14))
    client.force_login(team.verifier.user)
    assert "easily taken" not in page(client, "/verify/")
    waits("Okonkwa", "Ada", "11111111", date(1981, 3, 9))
    assert page(client, "/verify/").count("easily taken") == 2
    assert PlannedDose.objects.count() == 14


def test_an_auditor_reads_the_queue_and_answers_nothing(client: Client, team: Team, now) -> None:
    course = built(team, now)
    client.force_login(team.verifier.user)
    send_back(client, course, now)
    client.force_login(make_member(Role.AUDITOR, centre=team.centre).user)
    queue = page(client, "/verify/")
    assert "Which weight is the dry one?" in queue and "/answer/" not in queue
