"""Authorization, vials and consent: each replaced by a newer one, and the courses for whose next dose they are not there."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import papers
from regimens.models import Authorization, Consent, Course
from tests.factories import make_member
from tests.regimens.ward import TRANSPLANTED, Ward, dose, give, make_course, make_ward

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
DAY = timedelta(days=1)


def refused(code: str, act) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    return caught.value


def authorize(ward: Ward, course: Course, **changes: Any) -> Authorization:
    facts: dict[str, Any] = {"state": "pending", "vials": "not_asked", "by": ward.pharmacist, "at": FIRST}
    return papers.record_authorization(course=course, **(facts | changes))


def consent(ward: Ward, course: Course, **changes: Any) -> Consent:
    facts: dict[str, Any] = {
        "given_by": "The patient",
        "obtained_by": ward.nurse,
        "obtained_on": FIRST.date(),
        "form_version": "2026-3",
        "by": ward.nurse,
        "at": FIRST,
    }
    return papers.record_consent(course=course, **(facts | changes))


def test_a_newer_authorization_replaces_the_older():
    ward = make_ward()
    course = make_course(ward)
    first = authorize(ward, course)
    approved = authorize(ward, course, state="approved", approved_until=FIRST.date() + 90 * DAY, at=FIRST + DAY)
    first.refresh_from_db()
    assert first.superseded_at == FIRST + DAY
    assert Authorization.objects.get(course=course, superseded_at=None) == approved


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "unknown"}, "unknown_value"),
        ({"vials": "lost"}, "unknown_value"),
        ({"state": "approved"}, "approved_until"),
        ({"state": "approved", "approved_until": FIRST.date() - DAY}, "approval_over"),
        ({"state": "approved", "approved_until": FIRST.date()}, ""),
        ({"vials": "reserved"}, "vials_day"),
        ({"vials": "ordered", "vials_for_on": FIRST.date()}, ""),
    ],
)
def test_an_approval_has_an_end_and_vials_a_day(changes, code):
    ward = make_ward()
    course = make_course(ward)
    if code:
        refused(code, lambda: authorize(ward, course, **changes))
        assert not Authorization.objects.exists()
    else:
        assert authorize(ward, course, **changes).superseded_at is None


@pytest.mark.parametrize(
    ("role", "may_authorize", "may_consent"),
    [
        (Role.COORDINATOR, True, True),
        (Role.PHARMACIST, True, True),
        (Role.NURSE, False, True),
        (Role.PRESCRIBER, False, True),
        (Role.TECHNICIAN, False, False),
    ],
)
def test_who_records_authorization_and_who_consent(role, may_authorize, may_consent):
    ward = make_ward()
    course = make_course(ward)
    by = make_member(role, centre=ward.centre, at=TRANSPLANTED)
    for act, may in ((authorize, may_authorize), (consent, may_consent)):
        if may:
            assert act(ward, course, by=by).pk
        else:
            refused("role", lambda act=act: act(ward, course, by=by))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"given_by": " "}, "consent_incomplete"),
        ({"form_version": ""}, "consent_incomplete"),
        ({"obtained_on": FIRST.date() + 2 * DAY}, "in_the_future"),
        ({"obtained_on": date(1979, 7, 13)}, "before_birth"),
    ],
)
def test_a_consent_names_who_when_and_the_form(changes, code):
    ward = make_ward()
    course = make_course(ward)
    refused(code, lambda: consent(ward, course, **changes))
    refused("obtainer", lambda: consent(ward, course, obtained_by=make_ward().nurse))


def test_one_consent_is_on_record_until_it_is_withdrawn_with_a_reason():
    ward = make_ward()
    course = make_course(ward)
    refused("no_consent", lambda: papers.withdraw_consent(course=course, reason="Changed mind", by=ward.nurse, at=FIRST))
    first = consent(ward, course)
    refused("one_live_consent_per_course", lambda: consent(ward, course))
    refused("reason_needed", lambda: papers.withdraw_consent(course=course, reason="", by=ward.nurse, at=FIRST))
    papers.withdraw_consent(course=course, reason="Changed mind", by=ward.nurse, at=FIRST + DAY)
    first.refresh_from_db()
    assert first.withdrawn_reason == "Changed mind"
    consent(ward, course, at=FIRST + 2 * DAY)


def test_a_course_is_listed_from_14_days_before_its_next_dose_until_payer_and_vials_are_there():
    ward = make_ward()
    course = make_course(ward)
    assert list(papers.not_green(ward.centre, FIRST)) == []
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    noon = second.overdue_at - timedelta(hours=12)

    def listed(days_before: int = 3) -> list[Course]:
        return list(papers.not_green(ward.centre, noon - days_before * DAY))

    assert listed(15) == []
    assert listed(14) == [course]
    for changes in (
        {"state": "not_needed", "vials": "not_asked"},
        {"state": "pending", "vials": "reserved", "vials_for_on": second.target_on},
        {"state": "denied", "vials": "reserved", "vials_for_on": second.target_on},
        {"state": "approved", "approved_until": second.target_on - DAY, "vials": "ordered", "vials_for_on": second.target_on},
        {"state": "not_needed", "vials": "reserved", "vials_for_on": second.target_on - 4 * DAY},
        {"state": "not_needed", "vials": "reserved", "vials_for_on": second.target_on + 4 * DAY},
    ):
        row = authorize(ward, course, **changes)
        assert listed() == [course], changes
        assert not (papers.pays(row, second) and papers.has_vials(row, second, ward.centre.time_zone))
    for changes in (
        {"state": "approved", "approved_until": second.target_on, "vials": "ordered", "vials_for_on": second.target_on},
        {"state": "not_needed", "vials": "reserved", "vials_for_on": second.target_on - 3 * DAY},
        {"state": "not_needed", "vials": "reserved", "vials_for_on": second.target_on + 3 * DAY},
    ):
        row = authorize(ward, course, **changes)
        assert listed() == [], changes
        assert papers.pays(row, second)
        assert papers.has_vials(row, second, ward.centre.time_zone)


def test_the_papers_are_recorded_on_one_page(django_assert_max_num_queries):
    ward = make_ward()
    course = make_course(ward, at=timezone.now() - timedelta(hours=20))
    url = reverse("papers", args=[course.pk])
    client = Client()
    client.force_login(ward.pharmacist.user)
    client.get("/")
    with django_assert_max_num_queries(12):
        assert "Not recorded" in client.get(url).content.decode()
    wrong = client.post(url, {"act": "authorize", "state": "approved", "vials": "not_asked"})
    assert (wrong.status_code, "last day of the approval" in wrong.content.decode()) == (422, True)
    data = {"act": "authorize", "state": "approved", "approved_until": "31-Dec-2099", "vials": "not_asked"}
    assert client.post(url, data).status_code == 302
    today = timezone.now().date() - DAY
    given = {"act": "consent", "given_by": "The patient", "form_version": "7", "obtained_on": today.isoformat()}
    assert client.post(url, given | {"obtained_by": ward.nurse.pk}).status_code == 302
    page = client.get(url).content.decode()
    assert "31-Dec-2099" in page
    assert "form 7" in page
    assert client.post(url, {"act": "withdraw", "withdrawn_reason": "Changed mind"}).status_code == 302
    nurse = Client()
    nurse.force_login(ward.nurse.user)
    assert nurse.post(url, data).status_code == 403
