"""A plan that a prescriber built has one pharmacist: who says why, and another one who looks at it afterwards (W1.15)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.models import Event
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import verification
from regimens.models import SingleCheck
from tests.factories import PASSWORD, make_centre, make_member
from tests.regimens.courses import Team, make_course, make_recipient, make_team, verify

pytestmark = pytest.mark.django_db
FOUND = "Counted again: 10,500 mg, agrees"


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def built_by_a_prescriber(**changes):
    """A team, its course as the prescriber ordered and built it, and now."""
    now = timezone.now()
    team = make_team(at=now)
    transplant = make_recipient(team, at=now)
    return team, make_course(team, transplant, at=now, by=team.prescriber, **changes), now


def checked() -> tuple[Team, SingleCheck]:
    team, course, now = built_by_a_prescriber()
    verify(team, course, at=now, single_why="off_hours")
    return team, SingleCheck.objects.select_related("course").get()


def test_one_pharmacist_signs_a_prescribers_plan_with_a_coded_reason_and_it_is_listed() -> None:
    team, course, now = built_by_a_prescriber()
    with refused("single_check_why"):
        verify(team, course, at=now)
    with refused("single_check_why"):
        verify(team, course, at=now, single_why="tired")
    with refused("reason_text"):
        verify(team, course, at=now, single_why="other", single_words=" ")
    assert not course.doses.exclude(verified_at=None).exists()
    verify(team, course, at=now, single_why="other", single_words="Flood in the pharmacy")
    row = SingleCheck.objects.get()
    assert (row.course, row.revision, row.why, row.words) == (course, 1, "other", "Flood in the pharmacy")
    assert (row.checked_by, row.reviewed_at) == (team.verifier, None)
    assert Event.objects.get(name="verify_course").facts["single"] == "other"


def test_a_pharmacists_plan_is_checked_by_a_second_one_and_nothing_is_listed() -> None:
    team = make_team()
    verify(team, make_course(team), single_why="off_hours")
    assert not SingleCheck.objects.exists()


def test_another_pharmacist_looks_at_it_once_and_says_what_was_found() -> None:
    team, row = checked()
    act = {"check": row, "review": FOUND, "at": timezone.now()}
    with refused("own_course"):
        verification.review_single_check(**act, by=team.verifier)
    with refused("role"):
        verification.review_single_check(**act, by=team.prescriber)
    with refused("reason_needed"):
        verification.review_single_check(**(act | {"review": "Fine"}), by=team.builder)
    done = verification.review_single_check(**act, by=team.builder)
    assert (done.reviewed_by, done.review) == (team.builder, FOUND)
    with refused("reviewed_already"):
        verification.review_single_check(**act, by=team.builder)


def test_the_check_page_asks_why_and_the_worklist_leads_another_pharmacist_to_the_review(client: Client) -> None:
    team, course, _ = built_by_a_prescriber()
    client.force_login(team.verifier.user)
    url = reverse("verify", args=[course.pk])
    doses = list(verification.open_unsigned(course).select_related("built_by"))
    for dose in doses:
        dose.course = course
    sources = ("organ", "time", "serology", "weight", "protocol", "precautions")
    typed = {f"{name}_checked": "on" for name in sources} | {
        "mrn_tail": course.patient.mrn[-4:],
        "birth_year": str(course.patient.birth_on.year),
        "own_dose_mg": str(doses[0].dose_mg),
        "shown_hash": verification.plan_hash(doses),
        "sign": "1",
        "password": PASSWORD,
    }
    page = client.post(url, typed)
    assert (page.status_code, SingleCheck.objects.count()) == (422, 0)
    assert "Why you alone check it" in page.content.decode()
    assert client.post(url, typed | {"single_why": "off_hours"}).status_code == 302
    row = SingleCheck.objects.get()
    review = reverse("single-check", args=[row.pk])
    own = client.get(review).content.decode()
    assert "Sign that you looked at it" not in own
    client.force_login(team.builder.user)
    assert review in client.get("/").content.decode()
    assert "no second pharmacist on duty" in client.get(review).content.decode()
    assert client.post(review, {"review": FOUND, "password": "wrong"}).status_code == 422
    assert client.post(review, {"review": FOUND, "password": PASSWORD}).status_code == 302
    assert FOUND in client.get(review).content.decode()
    assert review not in client.get("/").content.decode()
    client.force_login(make_member(Role.PHARMACIST, centre=make_centre()).user)
    assert client.get(review).status_code == 404


def test_a_review_is_not_written_over_in_the_database_either() -> None:
    team, row = checked()
    verification.review_single_check(check=row, review=FOUND, by=team.builder, at=timezone.now() + timedelta(seconds=1))
    with pytest.raises(Exception, match="statement_is_never_overwritten"):
        SingleCheck.objects.filter(pk=row.pk).update(review="Something else was found")
