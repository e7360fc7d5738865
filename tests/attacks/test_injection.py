"""SQL in everything that is filtered, sorted, paged or searched: no error, and not one row more (safety C2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patients.models import RowChange
from patients.roles import Role
from tests.attacks.objects import make_cast
from tests.attacks.walking import app_routes, client_of
from tests.factories import make_patient
from tests.support import count

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
STRINGS = [
    "'", "''", '"', "\\", "';", "' or '1'='1", "' or 1=1 --", "' or 1=1 #", "') or ('1'='1", "1 or 1=1", "1; select pg_sleep(9)",
    "'; select pg_sleep(9) --", "1'; drop table patients_patient; --", "' union select null --", "' union select null, version() --",
    "name; delete from patients_patient", "(select 1)", "1 and (select count(*) from patients_user) > 0", "id desc, (select 1)",
    "-id", "pk__gt", "password", "user__password", "centre__name", "%", "%%", "_", "%' --", "%s", "%(centre)s", "{0}", "$1", "$$",
    "/**/or/**/1=1", "admin'--", "0x27 or 1=1", "1e309", "-1", "99999999999999999999", "\u02bc or 1=1",
]  # fmt: skip
QUICK = ["' or 1=1 --", "1; select pg_sleep(9)", "%(centre)s", "99999999999999999999", "%' --"]


def parameters() -> list[str]:
    """Every name that a view reads from a query, out of the source, and the usual ones that none should read."""
    found = {"sort", "_sort", "order", "order_by", "q", "search", "page", "filter", "from", "to"}
    for folder in ("patients", "regimens", "cmvig_site"):
        for file in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"""GET(?:\.get|\.getlist)?[(\[]\s*["']([\w-]+)["']""", file.read_text()))
    return sorted(found)


def test_there_are_forty_strings():
    assert len(set(STRINGS)) == 40 and set(QUICK) <= set(STRINGS)
    assert {"before", "reads", "way"} <= set(parameters())


@pytest.mark.parametrize("text", STRINGS[: count(0, 40)] or QUICK)
def test_no_parameter_of_any_page_is_sql(text):
    cast = make_cast()
    typed = dict.fromkeys(parameters(), text)
    rows = RowChange.objects.count()
    for role in (Role.PHARMACIST, Role.AUDITOR):
        client = client_of(cast.people[role])
        for route in app_routes():
            assert client.get(cast.address(route), typed).status_code < 500, route.name
    assert RowChange.objects.count() == rows


@pytest.mark.parametrize("text", STRINGS)
def test_no_search_finds_a_row_more(text):
    patient = make_patient(mrn="00427719")
    client = client_of(patient.registered_by)
    for sent in ({"q": text}, {"q": f"brandt{text}"}, {"q": f"00990011{text}"}, {"q": f"brandt, {text}"}):
        response = client.post("/patients/", sent)
        assert response.status_code == 200
        assert b"/patients/%s/" % str(patient.pk).encode() not in response.content, sent


@pytest.mark.parametrize("text", STRINGS[: count(0, 40)] or QUICK)
def test_no_field_of_the_audit_search_or_of_emergency_access_is_sql(text):
    cast = make_cast()
    auditor = client_of(cast.people[Role.AUDITOR])
    fields = ("person", "mrn", "name", "since_on", "until_on", "request_id", "before")
    for name in fields:
        response = auditor.post("/audit/", {name: text})
        assert response.status_code in (200, 422)
        if name != "before":
            assert b"/audit/events/" not in response.content or response.status_code == 422, name
    nurse = client_of(cast.people[Role.NURSE])
    for name in ("centre", "mrn", "reason"):
        assert (
            nurse.post("/emergency/", {"centre": "1", "mrn": "1", "reason": "Because it is so", name: text}).status_code == 422
        )
