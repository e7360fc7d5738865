"""Not given today: a nurse says why, the dose stays open, and nothing else changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.refusal import Refusal
from regimens.actions.not_given import notes_of, record_not_given
from regimens.models import NotGivenToday
from regimens.models.status import status_of
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, start

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)


def second_due():
    """A ward, a second dose, and an hour of its target day."""
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    return ward, second, second.overdue_at - timedelta(hours=9)


def note(ward, planned, at, **changes):
    facts = {"reason_code": "no_access", "was_prepared": False, "by": ward.nurse} | changes
    return record_not_given(dose=planned, at=at, **facts)


def refused(code: str, act) -> Refusal:
    before = NotGivenToday.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert (caught.value.code, NotGivenToday.objects.count()) == (code, before)
    return caught.value


def test_the_note_keeps_who_when_why_and_whether_it_was_prepared_and_the_dose_stays_due():
    ward, second, at = second_due()
    row = note(ward, second, at, reason_code="other", reason="Blood culture first", was_prepared=True)
    assert (row.dose, row.reason_code, row.reason, row.was_prepared) == (second, "other", "Blood culture first", True)
    assert (row.recorded_by, row.recorded_at) == (ward.nurse, at)
    second.refresh_from_db()
    assert (second.settled_at, status_of(second, at)) == (None, "due")


def test_it_may_be_noted_as_often_as_it_happens_and_the_dose_may_still_be_given():
    ward, second, at = second_due()
    note(ward, second, at)
    note(ward, second, at + timedelta(days=1), reason_code="absent")
    assert [row.reason_code for row in notes_of(second)] == ["no_access", "absent"]
    assert start(ward, second, at=at + timedelta(days=1, hours=1)).flags == ["late"]


def test_only_a_nurse_notes_it():
    ward, second, at = second_due()
    for person in (ward.pharmacist, ward.prescriber):
        refused("role", lambda person=person: note(ward, second, at, by=person))


def test_only_what_is_due_or_overdue_is_not_given_today():
    ward, second, _ = second_due()
    refused("not_from_this_state", lambda: note(ward, second, second.opens_at - timedelta(seconds=1)))
    note(ward, second, second.opens_at)
    note(ward, second, second.closes_at - timedelta(seconds=1))
    refused("not_from_this_state", lambda: note(ward, second, second.closes_at))
    refused("not_from_this_state", lambda: note(ward, dose(second.course), second.opens_at))


def test_another_reason_needs_words_and_an_unknown_one_is_refused():
    ward, second, at = second_due()
    assert refused("reason_text", lambda: note(ward, second, at, reason_code="other", reason=" ")).field == "reason"
    assert refused("unknown_reason", lambda: note(ward, second, at, reason_code="tired")).field == "reason_code"


# The page ------------------------------------------------------------------------------------------------------------------


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def due_now():
    """A ward, and the address of a second dose that is due now."""
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=14, hours=1)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    return ward, dose(course, 2), reverse("not-given", args=[dose(course, 2).pk])


GIVEN = {"reason_code": "no_access", "reason": "", "was_prepared": "yes"}


def test_a_nurse_notes_it_on_the_page_and_sees_what_was_noted_before():
    ward, second, url = due_now()
    client = signed_in(ward.nurse)
    page = client.get(url).content.decode()
    assert "Not given today: dose 2, Week 2" in page
    assert "checked" not in page
    assert client.post(url, GIVEN)["Location"] == reverse("chart", args=[second.course.patient_id])
    assert NotGivenToday.objects.get().was_prepared
    assert "It had been prepared" in client.get(url).content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason_code": ""}, "This field is required."),
        ({"was_prepared": ""}, "This field is required."),
        ({"reason_code": "other"}, "This reason needs words."),
    ],
)
def test_an_incomplete_note_is_shown_again(changes, said):
    ward, _, url = due_now()
    answer = signed_in(ward.nurse).post(url, GIVEN | changes)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not NotGivenToday.objects.exists()


def test_a_dose_that_is_not_open_is_refused_on_the_page():
    ward, second, _ = due_now()
    answer = signed_in(ward.nurse).post(reverse("not-given", args=[dose(second.course).pk]), GIVEN)
    assert answer.status_code == 422
    assert "Not noted" in answer.content.decode()


def test_others_and_other_centers_do_not_note():
    ward, _, url = due_now()
    assert signed_in(ward.pharmacist).get(url).status_code == 403
    assert signed_in(make_ward().nurse).get(url).status_code == 404


def test_the_page_stays_within_its_statements(django_assert_max_num_queries):
    ward, _, url = due_now()
    client = signed_in(ward.nurse)
    client.get(url)
    with django_assert_max_num_queries(12):
        assert client.get(url).status_code == 200
