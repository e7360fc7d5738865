"""Notes and queries: a question has an owner and a day, and stays open until somebody answers it (hazard H47)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import notes
from regimens.models import Note
from tests.factories import NOW, make_centre, make_member, make_patient
from tests.regimens.courses import Team, make_course, make_team, verify

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}:")


@pytest.fixture
def team() -> Team:
    return make_team()


def query(team: Team, patient, **changes: Any) -> Note:
    facts: dict[str, Any] = {"text": "Which weight?", "is_query": True, "owner": team.builder, "due_on": TODAY}
    return notes.write_note(patient=patient, by=team.nurse, at=NOW, **(facts | changes))


def test_a_note_is_kept_with_who_and_when_and_asks_nobody(team: Team) -> None:
    patient = make_patient(by=team.builder)
    note = notes.write_note(
        patient=patient, text="  Prefers the left arm ", by=team.nurse, at=NOW, owner=team.builder, due_on=TODAY
    )
    note.refresh_from_db()
    assert (note.text, note.written_by, note.written_at, note.is_query) == ("Prefers the left arm", team.nurse, NOW, False)
    assert (note.owner, note.due_on, note.course) == (None, None, None)


def test_a_query_stays_open_with_its_owner_until_it_is_answered_once(team: Team) -> None:
    asked = query(team, make_patient(by=team.builder))
    assert (asked.owner, asked.due_on, asked.answered_at) == (team.builder, TODAY, None)
    answered = notes.answer_query(note=asked, answer="The bed scale", by=team.verifier, at=NOW + timedelta(hours=1))
    assert (answered.answer, answered.answered_by) == ("The bed scale", team.verifier)
    with refused("already_answered"):
        notes.answer_query(note=asked, answer="Another", by=team.builder, at=NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text": "   "}, "note_says_something"),
        ({"text": "x" * 1001}, "too_long"),
        ({"owner": None}, "query_has_an_owner"),
        ({"due_on": None}, "query_has_a_day"),
        ({"due_on": TODAY - timedelta(days=1)}, "query_day"),
        ({"due_on": TODAY + timedelta(days=31)}, "query_day"),
    ],
)
def test_a_query_without_words_owner_or_a_day_to_come_is_refused(team: Team, change: dict, code: str) -> None:
    with refused(code):
        query(team, make_patient(by=team.builder), **change)
    assert not Note.objects.exists()


def test_the_last_day_a_query_may_wait_is_thirty_days_off(team: Team) -> None:
    assert query(team, make_patient(by=team.builder), due_on=TODAY + timedelta(days=30)).pk


def test_the_owner_works_with_this_chart(team: Team) -> None:
    patient = make_patient(by=team.builder)
    elsewhere = make_member(centre=make_centre())
    auditor = make_member(Role.AUDITOR, centre=team.centre)
    for stranger in (elsewhere, auditor):
        with refused("owner_not_here"):
            query(team, patient, owner=stranger)


def test_only_clinical_roles_write_and_answer(team: Team) -> None:
    patient = make_patient(by=team.builder)
    auditor = make_member(Role.AUDITOR, centre=team.centre)
    with refused("role"):
        notes.write_note(patient=patient, text="x", by=auditor, at=NOW)
    with refused("role"):
        notes.answer_query(note=query(team, patient), answer="x", by=auditor, at=NOW)


def test_a_plain_note_is_not_answered_and_an_answer_has_words(team: Team) -> None:
    patient = make_patient(by=team.builder)
    with refused("not_a_query"):
        notes.answer_query(
            note=notes.write_note(patient=patient, text="x", by=team.nurse, at=NOW), answer="y", by=team.nurse, at=NOW
        )
    with refused("note_says_something"):
        notes.answer_query(note=query(team, patient), answer=" ", by=team.nurse, at=NOW)


def test_a_note_about_somebody_elses_course_is_refused(team: Team) -> None:
    with refused("other_patient"):
        query(team, make_patient(by=team.builder), course=make_course(team))


def test_the_database_itself_keeps_a_note_and_an_answer_as_they_were_written(team: Team) -> None:
    asked = query(team, make_patient(by=team.builder))
    for change in ({"text": "Another question"}, {"owner": team.nurse}, {"due_on": TODAY + timedelta(days=2)}):
        with pytest.raises(IntegrityError, match="note_is_never_overwritten"), transaction.atomic():
            Note.objects.filter(pk=asked.pk).update(**change)
    notes.answer_query(note=asked, answer="The bed scale", by=team.builder, at=NOW)
    with pytest.raises(IntegrityError, match="note_is_never_overwritten"), transaction.atomic():
        Note.objects.filter(pk=asked.pk).update(answer="The other scale")


# A plan sent back ----------------------------------------------------------------------------------------------------------


def send_back(team: Team, course, **changes: Any) -> Note:
    facts: dict[str, Any] = {"text": "Which weight is the dry one?", "due_on": TODAY, "by": team.verifier}
    return notes.return_with_query(course=course, at=NOW, **(facts | changes))


def test_a_returned_plan_names_its_revision_and_asks_the_builder(team: Team) -> None:
    course = make_course(team)
    note = send_back(team, course)
    assert (note.owner, note.returned_revision, note.is_query, note.course) == (team.builder, course.revision, True, course)
    assert send_back(team, course, owner=team.prescriber).owner == team.prescriber


def test_a_plan_with_an_open_query_is_not_signed_and_is_after_the_answer(team: Team) -> None:
    course = make_course(team)
    note = send_back(team, course)
    with refused("query_open"):
        verify(team, course)
    notes.answer_query(note=note, answer="70 kg, weighed before surgery", by=team.builder, at=NOW)
    verify(team, course)
    assert not course.doses.filter(verified_at=None).exists()


def test_any_open_query_about_the_course_stops_its_signature_and_a_note_does_not(team: Team) -> None:
    course = make_course(team)
    notes.write_note(patient=course.patient, course=course, text="Seen on rounds", by=team.nurse, at=NOW)
    query(team, course.patient)  # about the patient, not the course
    asked = query(team, course.patient, course=course)
    with refused("query_open"):
        verify(team, course)
    notes.answer_query(note=asked, answer="Bed scale", by=team.builder, at=NOW)
    verify(team, course)


def test_only_another_pharmacist_sends_a_plan_back_and_only_one_that_waits(team: Team) -> None:
    course = make_course(team)
    with refused("own_course"):
        send_back(team, course, by=team.builder)
    with refused("role"):
        send_back(team, course, by=team.nurse)
    with refused("note_says_something"):
        send_back(team, course, text="")
    with refused("query_day"):
        send_back(team, course, due_on=TODAY - timedelta(days=1))
    verify(team, course)
    with refused("nothing_to_verify"):
        send_back(team, course)


# The page ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live() -> Team:
    return make_team(timezone.now() - timedelta(days=3))


def test_the_page_lists_open_queries_first_and_takes_an_answer(client: Client, live: Team) -> None:
    patient = make_patient(by=live.builder)
    now = timezone.now()
    client.force_login(live.nurse.user)
    address = f"/patients/{patient.pk}/notes/"
    answer = client.post(
        address, {"kind": "query", "text": "Which arm?", "owner": live.builder.pk, "due_on": f"{now:%Y-%m-%d}"}
    )
    assert answer.status_code == 302
    assert client.post(address, {"kind": "note", "text": "Seen on rounds"}).status_code == 302
    page = client.get(address).content.decode()
    assert page.index("Which arm?") < page.index("Seen on rounds")
    asked = Note.objects.get(is_query=True)
    assert client.post(f"/notes/{asked.pk}/answer/", {"answer": ""}).status_code == 422
    assert client.post(f"/notes/{asked.pk}/answer/", {"answer": "The left"}).status_code == 302
    assert "The left" in client.get(address).content.decode()


def test_a_query_without_an_owner_comes_back_with_the_words_that_were_typed(client: Client, live: Team) -> None:
    patient = make_patient(by=live.builder)
    client.force_login(live.nurse.user)
    answer = client.post(f"/patients/{patient.pk}/notes/", {"kind": "query", "text": "Which arm?"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "A query has an owner." in page
    assert "Which arm?" in page


def test_notes_are_read_by_who_reads_charts_and_written_by_clinicians_alone(client: Client, live: Team) -> None:
    patient = make_patient(by=live.builder)
    address = f"/patients/{patient.pk}/notes/"
    client.force_login(make_member(Role.AUDITOR, centre=live.centre).user)
    assert "Save the note" not in client.get(address).content.decode()
    assert client.post(address, {"kind": "note", "text": "x"}).status_code == 403
    client.force_login(make_member().user)
    assert client.get(address).status_code == 404
    note = notes.write_note(
        patient=patient,
        text="x",
        is_query=True,
        owner=live.nurse,
        due_on=timezone.now().date(),
        by=live.nurse,
        at=timezone.now(),
    )
    assert client.get(f"/notes/{note.pk}/answer/").status_code == 404
