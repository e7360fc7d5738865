"""Looking changes nothing: every address with GET and HEAD, by everybody, and not one recorded row moves (safety A5)."""

from __future__ import annotations

import pytest

from cmvig_site.reading import LISTS
from patients.models import Event, RowChange
from patients.roles import Role
from tests.attacks.objects import make_cast
from tests.attacks.walking import client_of, pages_of
from tests.support import count

pytestmark = pytest.mark.django_db


def test_no_get_by_anybody_changes_a_row_or_records_anything_but_a_read():
    cast = make_cast()
    pages = list(pages_of(cast))
    before, last = RowChange.objects.count(), Event.objects.latest("pk").pk
    for member in (*cast.people.values(), None):
        client = client_of(member)
        for route, path in pages:
            for send in (client.get, client.head)[: count(1, 2)]:
                response = send(path)
                assert response.status_code < 500, (route.name, member and member.role)
    assert RowChange.objects.count() == before
    names = set(Event.objects.filter(pk__gt=last).values_list("name", flat=True))
    assert all(name.startswith("read_") for name in names), names
    assert {"read_chart", "read_list"} <= names


def test_every_page_below_a_chart_is_recorded_once_as_read_and_every_list_once_in_a_session():
    cast = make_cast()
    clients = {role: client_of(cast.people[role]) for role in (Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER, Role.AUDITOR)}
    shown, wrong = set(), []
    for role, client in clients.items():
        for route, path in pages_of(cast):
            last = Event.objects.latest("pk").pk
            response = client.get(path)
            answer = b"" if response.streaming else response.content
            if response.status_code != 200 or not (
                b'data-patient="' in answer.replace(b'data-patient=""', b"") and route.parts
            ):
                continue
            reads = Event.objects.filter(pk__gt=last, name="read_chart", facts__page=route.name).exclude(patient_id=None)
            shown.add(route.name)
            if list(reads.values_list("role", flat=True)) != [role]:
                wrong.append((route.name, role, list(reads.values_list("name", "facts"))))
    assert not wrong
    assert len(shown) > 40 and {"chart", "dose", "infusion", "results", "patient-history"} <= shown, shown
    lists = Event.objects.filter(name="read_list", role=Role.NURSE).values_list("facts__page", flat=True)
    assert sorted(lists) == sorted(LISTS)


def test_a_page_that_refreshes_itself_is_no_further_read():
    cast = make_cast()
    client, path = client_of(cast.people[Role.NURSE]), f"/patients/{cast.patient.pk}/"
    for headers in ({}, {"X-Refresh": "auto"}, {"X-Refresh": "auto"}):
        assert client.get(path, headers=headers).status_code == 200
    assert Event.objects.filter(name="read_chart", patient_id=cast.patient.pk).count() == 1
