"""The auditor's pages: search by person, patient, event, days and request; export; emergencies; failed sign-ins."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions, audit, second_factor
from patients.export import csv_cell
from patients.models import Event, Membership
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import make_centre, make_member, make_patient

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(client: Client) -> Membership:
    member = make_member(Role.AUDITOR, given="Ada", family="Audit")
    client.force_login(member.user)
    client.get("/help/")
    return member


def found(client: Client, **typed: object) -> list[str]:
    """The names of the events on the page, newest first."""
    response = client.post("/audit/", typed)
    assert response.status_code == 200, response.content.decode()
    return re.findall(r'href="/audit/events/\d+/">([a-z_]+)</a>', response.content.decode())


def test_a_search_by_person_patient_event_day_and_request_finds_only_what_fits(client, auditor):
    one = make_member(centre=auditor.centre)
    other = make_member(Role.NURSE, centre=auditor.centre)
    patient = make_patient(by=one)
    with audit.request("0123456789abcdef0123456789abcdef"):
        audit.event("read_chart", by=other, patient=patient)
    audit.event("read_list", by=one)
    assert found(client, person=other.user_id) == ["read_chart"]
    assert set(found(client, mrn=patient.mrn, name="re")) - {"read_audit"} == {"read_chart", "register_patient"}
    assert found(client, name="read_list") == ["read_list"]
    assert found(client, request_id="0123456789abcdef0123456789abcdef") == ["read_chart"]
    assert found(client, name="read_list", since_on="01-Jan-2100") == []
    assert found(client, name="read_list", until_on="01-Jan-2020") == []
    today = f"{timezone.now():%Y-%m-%d}"
    near = {"since_on": f"{timezone.now() - timedelta(days=2):%Y-%m-%d}", "until_on": today}
    assert found(client, name="read_list", **near) == ["read_list"]


def test_a_search_is_an_event_itself_and_leaves_nothing_in_an_address(client, auditor):
    patient = make_patient(by=make_member(centre=auditor.centre))
    found(client, mrn=patient.mrn)
    event = Event.objects.filter(name="read_audit").latest("pk")
    assert (event.patient_id, event.actor_id, event.facts["asked"]) == (patient.pk, auditor.user_id, ["mrn"])
    page = client.post("/audit/", {"mrn": patient.mrn}).content.decode()
    assert not any(patient.mrn in address for address in re.findall(r'(?:href|action)="([^"]*)"', page))


def test_another_centres_acts_are_not_found_but_theirs_on_our_charts_are(client, auditor):
    patient = make_patient(by=make_member(centre=auditor.centre))
    stranger = make_member(Role.NURSE, centre=make_centre(), given="Far", family="Away")
    audit.event("read_something", by=stranger)
    assert found(client, name="read_something") == []
    foreign = make_patient(by=make_member(centre=stranger.centre))
    assert "No patient of this center" in client.post("/audit/", {"mrn": foreign.mrn}).content.decode()
    assert client.get(f"/audit/events/{Event.objects.get(name='read_something').pk}/").status_code == 404
    audit.event("read_emergency", by=stranger, patient=patient)
    assert found(client, name="read_emergency") == ["read_emergency"]


def test_parts_of_a_long_answer_join_without_a_gap(client, auditor):
    for _ in range(103):
        audit.event("read_list", by=auditor)
    numbers: list[int] = []
    before = ""
    while True:
        page = client.post("/audit/", {"name": "read_list", "before": before}).content.decode()
        numbers += [int(number) for number in re.findall(r'href="/audit/events/(\d+)/"', page)]
        older = re.search(r'name="before" value="(\d+)"', page)
        if not older:
            break
        before = older[1]
    assert len(numbers) == 103 and numbers == sorted(set(numbers), reverse=True)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "1; drop table audit.event"])
def test_any_other_beginning_of_a_part_is_answered(client, auditor, before):
    assert client.post("/audit/", {"name": "read_", "before": before}).status_code == 200


@pytest.mark.parametrize("role", [role for role in Role if role != Role.AUDITOR])
def test_nobody_but_the_auditor_sees_any_of_it(client, role):
    client.force_login(make_member(role).user)
    event = Event.objects.latest("pk")
    for path in ("/audit/", f"/audit/events/{event.pk}/"):
        assert client.get(path).status_code == 403
    for path in ("/audit/", "/audit/export/"):
        assert client.post(path, {"name": "read_", "export_reason": "Because I can"}).status_code == 403


def test_an_export_needs_a_reason_and_is_recorded(client, auditor):
    audit.event("read_list", by=auditor)
    assert client.post("/audit/export/", {"name": "read_list"}).status_code == 422
    assert client.post("/audit/export/", {"name": "read_list", "export_reason": "123456789"}).status_code == 422
    answer = client.post("/audit/export/", {"name": "read_list", "export_reason": "Yearly review"})
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert answer["Content-Type"].startswith("text/csv") and answer["Cache-Control"] == "no-store"
    assert [row[2] for row in rows[1:]] == ["read_list"]
    event = Event.objects.latest("pk")
    assert (event.name, event.reason, event.facts["rows"]) == ("export_audit", "Yearly review", 1)


def test_no_cell_that_somebody_typed_begins_a_formula(client, auditor):
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "　=1", "|cmd", "%0A"):
        assert csv_cell(text) == f"'{text}"
        audit.event("read_list", by=auditor, reason=text)
    assert [csv_cell(value) for value in (-5, "Kemi", "", None)] == [-5, "Kemi", "", None]
    answer = client.post("/audit/export/", {"name": "read_list", "export_reason": "Yearly review"}).content.decode("utf-8-sig")
    for row in list(csv.reader(io.StringIO(answer)))[1:]:
        assert all(not cell.startswith(tuple("=+-@\t\r＝")) for cell in row), row


def test_an_event_shows_what_it_changed_in_words(client, auditor):
    pharmacist = make_member(centre=auditor.centre)
    patient = make_patient(by=pharmacist)
    actions.correct_patient(
        by=pharmacist, at=timezone.now(), patient=patient, version=1, family_name="Brandt", reason="Wrong form"
    )
    event = Event.objects.filter(name="correct_patient").latest("pk")
    page = client.get(f"/audit/events/{event.pk}/").content.decode()
    assert "Patient: family name" in page and "<del>Okonkwo</del>" in page and "Brandt" in page and "Wrong form" in page


def test_an_emergency_stands_first_until_the_auditor_has_seen_it(client, auditor):
    patient = make_patient(by=make_member(centre=auditor.centre))
    nurse = make_member(Role.NURSE, given="Far", family="Away")
    access = actions.open_emergency_access(
        by=nurse, at=timezone.now(), centre_id=patient.centre_id, mrn=patient.mrn, reason="Unconscious in our hospital"
    )
    page = client.get("/audit/").content.decode()
    assert "1 not seen yet" in page and "Far Away" in page and "Unconscious in our hospital" in page
    assert client.post(f"/audit/emergencies/{access.pk}/acknowledge/").status_code == 302
    page = client.get("/audit/").content.decode()
    assert "not seen yet" not in page and "Ada Audit" in page
    assert client.post(f"/audit/emergencies/{access.pk}/acknowledge/").status_code == 409


def test_failed_sign_ins_are_listed_with_the_account_that_was_tried_and_other_centres_are_not(client, auditor):
    ours, theirs = make_member(centre=auditor.centre), make_member()
    for account in (ours.user_id, theirs.user_id, None):
        audit.event("sign_in_failed", by=None, account=account, address="192.0.2.7")
    page = client.get("/audit/").content.decode()
    assert f"{ours.user.username}, from 192.0.2.7" in page and "an unknown account, from 192.0.2.7" in page
    assert theirs.user.username not in page
    assert found(client, name="sign_in_failed") == ["sign_in_failed"] * 2


def test_failed_codes_are_listed_with_their_kind(client, auditor):
    user = make_member(centre=auditor.centre, given="Kemi", family="Adeyemi").user
    for code in ("000000", "AAAAA-AAAAA"):
        with pytest.raises(Refusal):
            second_factor.check_code(user, code, at=timezone.now())
    assert client.get("/audit/").content.decode().count("code_refused") == 2
    events = Event.objects.filter(name="code_refused").order_by("pk")
    assert [event.facts["kind"] for event in events] == ["app", "recovery code"]
    assert "recovery code" in client.get(f"/audit/events/{events[1].pk}/").content.decode()


def test_every_page_of_the_auditor_counts_the_emergencies_that_nobody_has_seen(client, auditor):
    patient = make_patient(by=make_member(centre=auditor.centre))
    assert "count" not in navigation_of(client.get("/help/"))
    reason, at = "Unconscious in our hospital", timezone.now()
    access = actions.open_emergency_access(
        by=make_member(Role.NURSE), at=at, centre_id=patient.centre_id, mrn=patient.mrn, reason=reason
    )
    elsewhere = make_patient()
    actions.open_emergency_access(
        by=make_member(Role.NURSE), at=at, centre_id=elsewhere.centre_id, mrn=elsewhere.mrn, reason=reason
    )
    assert '<span class="count">1</span>' in navigation_of(client.get("/help/"))
    client.post(f"/audit/emergencies/{access.pk}/acknowledge/")
    assert "count" not in navigation_of(client.get("/help/"))
    client.force_login(make_member(Role.NURSE, centre=auditor.centre).user)
    assert "count" not in navigation_of(client.get("/help/"))


def navigation_of(page):
    return page.content.decode().split("<nav", 1)[1].split("</nav>")[0]


def test_each_page_asks_at_most_twelve_times(client, auditor, django_assert_max_num_queries):
    patient = make_patient(by=make_member(centre=auditor.centre))
    for _ in range(60):
        audit.event("read_chart", by=auditor, patient=patient)
    event = Event.objects.filter(name="register_patient").latest("pk")
    with django_assert_max_num_queries(12):
        client.get("/audit/")
    with django_assert_max_num_queries(12):
        client.post("/audit/", {"mrn": patient.mrn, "name": "read_"})
    with django_assert_max_num_queries(12):
        client.get(f"/audit/events/{event.pk}/")
