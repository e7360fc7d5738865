"""A signature asks for the password again, and does not let anybody guess it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import RequestFactory

from patients import tries
from patients.models import Event, Tries
from patients.refusal import Refusal
from patients.signing import signed_by
from tests.factories import PASSWORD, make_member

pytestmark = pytest.mark.django_db
WRONG = "not-the-password"


def request_of(member):
    request = RequestFactory().post("/")
    request.user, request.membership = member.user, member
    return request


def refused(member, password=WRONG, **more):
    with pytest.raises(Refusal) as refusal:
        signed_by(request_of(member), password, **more)
    return refusal.value


def wait(seconds):
    for row in Tries.objects.all():
        row.began_at -= timedelta(seconds=seconds)
        row.save()


def events(name):
    return Event.objects.filter(name=name).count()


def test_the_right_password_signs():
    signed_by(request_of(make_member()), PASSWORD)
    assert not Tries.objects.exists()


def test_a_wrong_password_signs_nothing_and_is_recorded_without_itself():
    member = make_member()
    refusal = refused(member, "Tr0ub4dor", done="published")
    assert (refusal.code, refusal.field) == ("wrong_password", "password")
    assert "Nothing was published." in refusal.sentence
    event = Event.objects.get(name="signature_refused")
    assert (event.actor_id, event.role) == (member.user_id, member.role)
    assert "Tr0ub4dor" not in str(event.facts)


def test_the_fifth_wrong_password_locks_signing_even_for_the_right_one():
    member = make_member()
    assert [refused(member).code for _ in range(5)] == ["wrong_password"] * 5
    assert events("signing_locked") == 1
    assert [refused(member, PASSWORD).code for _ in range(20)] == ["signing_locked"] * 20
    assert (events("signing_locked"), events("signature_refused")) == (1, 5)


def test_a_locked_signature_opens_again_after_15_minutes():
    member = make_member()
    for _ in range(5):
        refused(member)
    wait(14 * 60)
    assert refused(member, PASSWORD).code == "signing_locked"
    wait(60)
    signed_by(request_of(member), PASSWORD)


def test_four_wrong_ones_and_a_right_one_start_anew():
    member = make_member()
    for _ in range(2):
        for _ in range(4):
            refused(member)
        signed_by(request_of(member), PASSWORD)


def test_nobody_locks_a_colleague():
    guesser, other = make_member(), make_member()
    for _ in range(6):
        refused(guesser)
    signed_by(request_of(other), PASSWORD)


def test_counters_hold_no_name_and_are_swept():
    member = make_member()
    refused(member)
    row = Tries.objects.get()
    assert (len(row.key), row.number) == (64, 1)
    tries.sweep(at=row.began_at + timedelta(hours=23))
    assert Tries.objects.count() == 1
    tries.sweep(at=row.began_at + timedelta(hours=25))
    assert not Tries.objects.exists()
