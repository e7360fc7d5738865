"""Looking changes nothing: every address with GET and HEAD, by everybody, and not one recorded row moves (safety A5)."""

from __future__ import annotations

import pytest

from patients.models import Event, RowChange
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
    assert "read_chart" in names and "read_history" in names
