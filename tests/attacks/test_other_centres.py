"""Another centre's rows: every address with an id, by everybody, with GET and POST, and with an emergency access (safety A3, A4)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from patients import actions
from patients.models import Event, Membership, RowChange
from patients.roles import Role
from tests.attacks.objects import Cast, Route, make_cast
from tests.attacks.walking import app_routes, client_of
from tests.factories import make_member

pytestmark = pytest.mark.django_db

# Addresses whose parts name nothing of a patient: versions of the monograph are every centre's.
OF_EVERYBODY = {"monograph-version", "monograph-changes", "monograph-publish"}
POSTED = {"reason": "Because it is so", "password": "correct-horse-battery-staple", "version": "1", "q": "o"}


def with_ids() -> list[Route]:
    return [route for route in app_routes() if route.parts and route.name not in OF_EVERYBODY]


def strangers_of(cast: Cast) -> list[Membership]:
    """One person of every role, all of one other centre."""
    first = make_member(Role.PHARMACIST)
    return [first, *(make_member(role, centre=first.centre) for role in Role if role != Role.PHARMACIST)]


def test_no_address_with_an_id_answers_a_stranger_with_anything_but_404():
    cast = make_cast(lambda limit, words: f"Xyzzyqua{words}"[:limit], mrn="ZQ990011", family_name="Okonkwo")
    people = strangers_of(cast)
    rows, reads = RowChange.objects.count(), Event.objects.filter(patient_id=cast.patient.pk).count()
    for member in people:
        client = client_of(member)
        for route in with_ids():
            path = cast.address(route)
            for response in (client.get(path), client.post(path, POSTED), client.get(path, headers={"HX-Request": "true"})):
                # A role that may not be on the page at all is told so before anything is looked up; 405 is a page that only takes POST.
                assert response.status_code in (403, 404, 405), (route.name, member.role, response.status_code)
                assert b"Xyzzyqua" not in response.content and b"ZQ99" not in response.content.upper(), (
                    route.name,
                    member.role,
                )
    assert RowChange.objects.count() == rows
    assert Event.objects.filter(patient_id=cast.patient.pk).count() == reads


def test_for_a_role_that_may_be_on_the_page_somebody_elses_row_is_404_like_one_that_is_not_there():
    cast, own = make_cast(), make_cast()
    for member in own.people.values():
        client = client_of(member)
        for route in with_ids():
            mine, theirs = client.get(own.address(route)), client.get(cast.address(route))
            if mine.status_code in (200, 302, 409):
                assert theirs.status_code == 404, (route.name, member.role)


def test_a_second_id_of_another_patient_is_404_behind_the_own_first_one():
    cast, own = make_cast(), make_cast()
    client = client_of(own.people[Role.PHARMACIST])
    several = [route for route in with_ids() if len(route.parts) > 1 and "str" not in route.parts.values()]
    assert several
    for route in several:
        parts = list(route.parts)
        for stolen in parts[1:]:
            values = {part: (cast if part == stolen else own).rows[part] for part in parts}
            for send in (client.get, client.post):
                assert send(route.fill(values)).status_code == 404, (route.name, stolen)


def test_somebody_with_an_emergency_access_writes_nowhere():
    cast = make_cast()
    for role in (Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER):
        member = make_member(role)
        access = actions.open_emergency_access(
            by=member, at=timezone.now(), centre_id=cast.centre.pk, mrn=cast.patient.mrn, reason="Unconscious, no papers"
        )
        assert access is not None
        client = client_of(member)
        session = client.session
        session["emergency"] = True
        session.save()
        rows = RowChange.objects.count()
        readable = 0
        for route in with_ids():
            path = cast.address(route)
            readable += client.get(path).status_code == 200
            response = client.post(path, POSTED)
            assert response.status_code in (403, 404), (route.name, role, response.status_code)
        assert RowChange.objects.count() == rows
        assert readable >= 5
