"""A shorter interval, signed by a prescriber: what it lets start, and when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.refusal import Refusal
from regimens.actions import outside, releases
from tests.factories import PASSWORD
from tests.regimens.test_releases import FIRST, HOURS, refused, signed_in
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, release, start

pytestmark = pytest.mark.django_db


def test_a_prescriber_signs_a_shorter_interval_and_the_start_says_so():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=TRANSPLANTED + timedelta(days=8), reason="Given on arrival, before the decision")
    second = dose(course, 2)
    at = second.opens_at + 6 * HOURS
    reason = "Travels on the day after; agreed with the team"
    refused("role", lambda: releases.release_interval(dose=second, reason=reason, by=ward.pharmacist, at=at))
    refused("reason_needed", lambda: releases.release_interval(dose=second, reason="short", by=ward.prescriber, at=at))
    release(ward, second, at=at)
    refused("min_interval", lambda: start(ward, second, at=at, released=False))
    releases.release_interval(dose=second, reason=reason, by=ward.prescriber, at=at)
    with pytest.raises(Refusal):
        releases.release_interval(dose=second, reason=reason, by=ward.prescriber, at=at)
    assert "under_interval" in start(ward, second, at=at).flags


def test_a_signature_under_a_shorter_interval_ends_with_the_next_infusion_on_record():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=TRANSPLANTED + timedelta(days=8), reason="Given on arrival, before the decision")
    second = dose(course, 2)
    at = second.opens_at + 6 * HOURS
    sign = {"dose": second, "reason": "Travels on the day after; agreed with the team", "by": ward.prescriber}
    releases.release_interval(**sign, at=at)
    told = outside.OutsideFacts(product="cmv_ig", given_at=at + HOURS, said_by="Letter of the clinic")
    outside.record_outside_dose(patient=course.patient, dose=told, by=ward.nurse, at=at + 2 * HOURS)
    release(ward, second, at=at + 3 * HOURS)
    refused("min_interval", lambda: start(ward, second, at=at + 3 * HOURS, released=False))
    releases.release_interval(**sign, at=at + 3 * HOURS)
    assert "under_interval" in start(ward, second, at=at + 3 * HOURS, released=False).flags


def test_there_is_nothing_to_sign_where_the_interval_is_kept():
    ward = make_ward()
    course = make_course(ward)
    act = releases.release_interval
    with pytest.raises(Refusal) as caught:
        act(dose=dose(course), reason="No dose before this one", by=ward.prescriber, at=FIRST)
    assert caught.value.code == "interval_kept"
    give(ward, dose(course), at=FIRST)
    with pytest.raises(Refusal) as caught:
        act(dose=dose(course, 2), reason="Fourteen days after it", by=ward.prescriber, at=dose(course, 2).opens_at)
    assert caught.value.code == "interval_kept"
    with pytest.raises(Refusal) as caught:
        act(dose=dose(course), reason="Was given already", by=ward.prescriber, at=FIRST + HOURS)
    assert caught.value.code == "not_waiting"


def test_the_interval_page_asks_a_prescriber_for_reason_and_password():
    ward = make_ward()
    now = timezone.now()
    course = make_course(ward, at=now - timedelta(days=12))
    give(ward, dose(course), at=now - timedelta(days=3), reason="Given on arrival, before the decision")
    second = dose(course, 2)
    url = reverse("interval-release", args=[second.pk])
    nurse = signed_in(ward.nurse).get(url).content.decode()
    assert "168\u00a0h" in nurse
    assert "Sign the shorter interval" not in nurse
    client = signed_in(ward.prescriber)
    data = {"reason": "Travels on the day after this one"}
    assert client.post(url, data | {"password": "wrong"}).status_code == 422
    assert client.post(url, data | {"password": PASSWORD}).status_code == 302
    assert second.interval_releases.get().reason == "Travels on the day after this one"
    assert "Travels on the day after this one" in client.get(url).content.decode()
