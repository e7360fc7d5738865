"""The pages of the bedside, with and without htmx: what they answer, and that what was typed is never lost."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from regimens.actions import disputes, planning
from regimens.models import Administration, PlannedDose
from tests.factories import NEW_YORK, make_member
from tests.regimens.ward import Ward, dose, give, identity, make_course, make_ward, release, start

pytestmark = pytest.mark.django_db
HTMX = {"headers": {"HX-Request": "true"}}


def signed_in(member) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(member.user)
    return client


def yesterday() -> datetime:
    """The transplant of a patient whose first dose is due now."""
    return timezone.now() - timedelta(hours=20)


def released(ward: Ward) -> PlannedDose:
    """A first dose that is due now and was released some hours ago."""
    planned = dose(make_course(ward, at=yesterday()))
    release(ward, planned, at=timezone.now() - timedelta(hours=6))
    return planned


def typed(form: str, name: str) -> str:
    """The value of a hidden field in a page."""
    found = re.search(rf'name="{name}" value="([^"]+)"', form)
    assert found, name
    return found[1]


def clock(at: datetime) -> str:
    """The time as it is typed in New York."""
    return at.astimezone(ZoneInfo(NEW_YORK)).strftime("%H:%M")


def day(at: datetime) -> str:
    """The day as it is typed in New York."""
    return at.astimezone(ZoneInfo(NEW_YORK)).strftime("%Y-%m-%d")


def start_data(ward: Ward, planned, page: str, **changes: Any) -> dict[str, Any]:
    facts = {
        "way": "start",
        "token": typed(page, "token"),
        "sheet_code": planning.sheet_code(planned),
        "vial_entered_at_time": clock(timezone.now() - timedelta(minutes=10)),
        "given_by": ward.nurse.pk,
    }
    return facts | identity(planned.course.patient) | changes


def given_data(ward: Ward, planned, page: str, began: datetime, ended: datetime, **changes: Any) -> dict[str, Any]:
    empty = {
        f"{kind}-{name}": value
        for kind, rows in (("vials", 3), ("vitals", 3), ("reactions", 1))
        for name, value in (("TOTAL_FORMS", rows), ("INITIAL_FORMS", 0))
    }
    facts = {
        "way": "given",
        "token": typed(page, "token"),
        "started_at_on": day(began),
        "started_at_time": clock(began),
        "ended_at_on": day(ended),
        "ended_at_time": clock(ended),
        "volume_ml": "210",
        "given_by": ward.nurse.pk,
        "vials-0-lot_number": "A21K77",
        "vials-0-expires_on": "30-Sep-2099",
        "vials-0-given_ml": "200",
        "vials-0-wasted_ml": "40",
    }
    return empty | facts | identity(planned.course.patient) | changes


def test_a_nurse_starts_a_dose_from_its_page_and_lands_on_its_record():
    ward = make_ward()
    planned = released(ward)
    url = reverse("infusion-log", args=[planned.pk])
    client = signed_in(ward.nurse)
    page = client.get(url).content.decode()
    for said in (
        "10,500\u00a0mg",
        "210\u00a0mL",
        "Vials 1–4 whole; from vial 5 use 10\u00a0mL, discard 40\u00a0mL.",
        "Start now",
        "Already given",
    ):
        assert said in page
    answer = client.post(url, start_data(ward, planned, page))
    record = Administration.objects.get(dose=planned)
    assert answer.status_code == 302
    assert answer["Location"] == reverse("infusion", args=[record.pk])
    assert record.vial_entered_at is not None
    shown = client.get(answer["Location"]).content.decode()
    assert "Infusing" in shown
    assert "21\u00a0mL\u00a0per\u00a0h" in shown


def test_the_same_form_posted_again_leads_to_the_same_record():
    ward = make_ward()
    planned = released(ward)
    url = reverse("infusion-log", args=[planned.pk])
    client = signed_in(ward.nurse)
    data = start_data(ward, planned, client.get(url).content.decode())
    answers = {client.post(url, data)["Location"] for _ in range(5)}
    assert answers == {reverse("infusion", args=[Administration.objects.get(dose=planned).pk])}


def test_the_second_nurse_reads_who_was_first_and_finds_the_record():
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday()))
    url = reverse("infusion-log", args=[planned.pk])
    second = signed_in(ward.second_nurse)
    page = second.get(url).content.decode()
    record = start(ward, planned, at=timezone.now())
    answer = second.post(url, start_data(ward, planned, page))
    assert answer.status_code == 409
    assert f"Already recorded by Ana Ruiz at {clock(record.recorded_at)}." in answer.content.decode()
    assert reverse("infusion", args=[record.pk]) in answer.content.decode()
    assert second.get(url)["Location"] == reverse("infusion", args=[record.pk])


def test_a_wrong_identity_is_shown_at_its_field_and_keeps_what_was_typed():
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday()))
    url = reverse("infusion-log", args=[planned.pk])
    client = signed_in(ward.nurse)
    answer = client.post(
        url,
        start_data(
            ward, planned, client.get(url).content.decode(), birth_year="1980", lot_number="A1", expires_on="30-Sep-2099"
        ),
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "do not belong to this patient" in page
    assert 'value="30-Sep-2099"' in page
    assert not Administration.objects.filter(dose=planned).exists()


def test_what_stops_a_start_is_said_before_anything_is_typed():
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday(), verified=False))
    page = signed_in(ward.nurse).get(reverse("infusion-log", args=[planned.pk]) + "?way=start").content.decode()
    assert "not verified" in page
    assert "Rule <span" in page


def test_a_dose_already_given_is_recorded_in_one_form_with_its_lots():
    ward = make_ward()
    planned = released(ward)
    url = reverse("infusion-log", args=[planned.pk]) + "?way=given"
    client = signed_in(ward.pharmacist)
    page = client.get(url).content.decode()
    assert "Start now" not in page  # the nurse starts; the pharmacist transcribes
    ended = timezone.now() - timedelta(minutes=5)
    began = ended - timedelta(hours=4)
    data = given_data(ward, planned, page, began, ended)
    vitals = {"vitals-0-moment": "before", "vitals-0-taken_at_on": day(began), "vitals-0-taken_at_time": clock(began)}
    numbers = {"systolic_mmhg": "118", "diastolic_mmhg": "70", "heart_rate_per_min": "82", "temperature_c": "36.8"}
    data |= vitals | {f"vitals-0-{name}": value for name, value in numbers.items()}
    answer = client.post(url, data)
    assert answer.status_code == 302, answer.content.decode()
    record = Administration.objects.get(dose=planned)
    assert (record.given_by, record.recorded_by, record.volume_ml) == (ward.nurse, ward.pharmacist, 210)
    assert record.vials.count() == 5
    assert record.vitals.get().temperature_c == Decimal("36.8")
    shown = client.get(answer["Location"]).content.decode()
    assert "10\u00a0mL without a lot" in shown
    assert "118/70" in shown


def test_a_departure_without_a_reason_comes_back_with_everything_typed():
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday(), verified=False))
    url = reverse("infusion-log", args=[planned.pk]) + "?way=given"
    client = signed_in(ward.nurse)
    ended = timezone.now() - timedelta(minutes=5)
    data = given_data(ward, planned, client.get(url).content.decode(), ended - timedelta(hours=4), ended)
    answer = client.post(url, data)
    assert answer.status_code == 422
    assert "not verified when it started" in answer.content.decode()
    assert 'value="A21K77"' in answer.content.decode()
    assert client.post(url, data | {"reason": "Given by telephone order at night"}).status_code == 302


@pytest.mark.parametrize("text", ["140,5", "1_4", "１４０", "٧٠", "1e2", "+70", ".5", "70.", "70 mL", "-1", "70.555"])
def test_a_volume_is_read_strictly(text):
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday()))
    url = reverse("infusion-log", args=[planned.pk]) + "?way=given"
    client = signed_in(ward.nurse)
    ended = timezone.now() - timedelta(minutes=5)
    data = given_data(ward, planned, client.get(url).content.decode(), ended - timedelta(hours=4), ended, volume_ml=text)
    answer = client.post(url, data)
    assert answer.status_code == 422
    assert "Write a number with digits" in answer.content.decode()


def test_an_infusion_outside_the_plan_has_its_own_page():
    ward = make_ward()
    course = make_course(ward, at=yesterday())
    url = reverse("infusion-unplanned", args=[course.patient.pk])
    client = signed_in(ward.nurse)
    ended = timezone.now() - timedelta(minutes=5)
    data = given_data(ward, dose(course), client.get(url).content.decode(), ended - timedelta(hours=1), ended)
    assert client.post(url, data).status_code == 422
    answer = client.post(url, data | {"reason": "A second dose was really given"})
    assert answer["Location"] == reverse("infusion", args=[Administration.objects.get(dose=None).pk])
    assert "Not a planned dose" in client.get(answer["Location"]).content.decode()


def act(client: Client, record: Administration, name: str, **data: Any):
    """Send one of the record's small forms as htmx does."""
    record.refresh_from_db()
    facts = {"act": name, "version": record.version} | data
    return client.post(reverse("infusion", args=[record.pk]), facts, **HTMX)


def test_a_whole_infusion_goes_through_the_small_forms():
    ward = make_ward()
    began = timezone.now() - timedelta(minutes=90)
    record = start(ward, dose(make_course(ward, at=yesterday())), at=began)
    client = signed_in(ward.nurse)
    half = clock(began + timedelta(minutes=31))
    refused = act(client, record, "rate", rate_ml_per_h="42", set_at_time=half)
    assert refused.status_code == 422
    assert "Record the vital signs before this rate increase" in refused.content.decode()
    numbers = {"systolic_mmhg": "118", "diastolic_mmhg": "70", "heart_rate_per_min": "82", "temperature_c": "36.8"}
    assert act(client, record, "vitals", moment="before_rise", taken_at_time=half, **numbers).status_code == 200
    answer = act(client, record, "rate", rate_ml_per_h="42", set_at_time=half)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.lstrip().startswith('<div id="infusion-record"')
    assert "<html" not in page
    assert "42\u00a0mL\u00a0per\u00a0h" in page
    assert act(client, record, "vial", lot_number="A1", expires_on="30-Sep-2099", given_ml="40").status_code == 200
    assert act(client, record, "pause", reason="Flushing the line").status_code == 200
    assert (
        act(
            client, record, "reaction", term="other", other_term="Shivering", is_serious="no", action_taken="Warmed"
        ).status_code
        == 200
    )
    partial = act(client, record, "complete", volume_ml="40")
    assert "Say why it was stopped" in partial.content.decode()
    done = act(client, record, "complete", volume_ml="40", stopped_early_reason="Shivering")
    assert "Partial: 40\u00a0mL of 210\u00a0mL" in done.content.decode()
    assert [rate.rate_ml_per_h for rate in record.rates.all()] == [21, 42, 0]


@pytest.mark.parametrize(("is_serious", "is_said"), [("yes", True), ("no", False)])
def test_whoever_records_a_serious_reaction_reads_that_the_course_is_held(is_serious, is_said):
    ward = make_ward()
    record = start(ward, dose(make_course(ward, at=yesterday())), at=timezone.now() - timedelta(minutes=5))
    client = signed_in(ward.nurse)
    typed_in = {"term": "other", "other_term": "Wheeze", "is_serious": is_serious, "action_taken": "Stopped"}
    answer = act(client, record, "reaction", **typed_in)
    assert ("no further dose starts until a prescriber resumes the course" in answer.content.decode()) is is_said
    assert record.dose.course.holds.exists() is is_said


def test_without_htmx_every_small_form_leads_back_to_the_record():
    ward = make_ward()
    record = start(ward, dose(make_course(ward, at=yesterday())), at=timezone.now() - timedelta(minutes=5))
    client = signed_in(ward.nurse)
    url = reverse("infusion", args=[record.pk])
    answer = client.post(url, {"act": "pause", "version": 1, "reason": "Patient to the bathroom"})
    assert (answer.status_code, answer["Location"]) == (302, url)
    wrong = client.post(url, {"act": "pause", "version": 2, "reason": ""})
    assert wrong.status_code == 422
    assert "<html" in wrong.content.decode()


def test_a_form_sent_twice_is_told_that_the_record_changed_and_can_be_sent_again():
    ward = make_ward()
    record = start(ward, dose(make_course(ward, at=yesterday())), at=timezone.now() - timedelta(minutes=5))
    client = signed_in(ward.nurse)
    data = {"act": "vial", "version": 1, "lot_number": "A1", "expires_on": "30-Sep-2099", "given_ml": "50"}
    url = reverse("infusion", args=[record.pk])
    assert client.post(url, data, **HTMX).status_code == 200
    again = client.post(url, data, **HTMX)
    assert again.status_code == 422
    assert "changed after the page was opened" in again.content.decode()
    assert record.vials.count() == 1
    assert client.post(url, data | {"version": typed(again.content.decode(), "version")}, **HTMX).status_code == 200


def test_an_unknown_act_is_refused():
    ward = make_ward()
    record = start(ward, dose(make_course(ward, at=yesterday())), at=timezone.now())
    assert signed_in(ward.nurse).post(reverse("infusion", args=[record.pk]), {"act": "delete"}).status_code == 400


def test_a_struck_record_offers_another_person_to_settle_it():
    ward = make_ward()
    now = timezone.now()
    record = give(ward, dose(make_course(ward, at=yesterday())), at=now - timedelta(hours=5))
    disputes.enter_in_error(record=record, reason="Recorded on the wrong patient", by=ward.nurse, at=now)
    url = reverse("infusion", args=[record.pk])
    assert "Settle the dispute" not in signed_in(ward.second_nurse).get(url).content.decode()
    pharmacist = signed_in(ward.pharmacist)
    assert "Settle the dispute" in pharmacist.get(url).content.decode()
    answer = pharmacist.post(url, {"act": "settle", "outcome": "not_given", "reason": "Asked the nurse and the ward"}, **HTMX)
    assert answer.status_code == 200
    assert "Not given" in answer.content.decode()


def test_the_board_shows_who_is_running_in_this_centre_alone():
    ward, other = make_ward(), make_ward()
    now = timezone.now()
    record = start(
        ward,
        dose(make_course(ward, at=yesterday())),
        at=now - timedelta(minutes=40),
        vial_entered_at=now - timedelta(minutes=50),
    )
    theirs = start(other, dose(make_course(other, at=yesterday())), at=now)
    page = signed_in(ward.prescriber).get(reverse("infusing")).content.decode()
    assert str(record.pk) in page
    assert str(theirs.pk) not in page
    for said in ("2 of 3", "21\u00a0mL\u00a0per\u00a0h", "14\u00a0mL of 210\u00a0mL", clock(now - timedelta(minutes=40))):
        assert said in page


def test_the_board_is_one_statement_whatever_the_rows(django_assert_num_queries):
    from regimens.views.infusing import rows

    ward = make_ward()
    now = timezone.now()
    for _ in range(3):
        start(ward, dose(make_course(ward, at=yesterday())), at=now)
    rows(ward.centre, now)  # the monograph is read once per process
    with django_assert_num_queries(1):
        assert len(rows(ward.centre, now)) == 3


def test_the_record_page_stays_within_twelve_statements(django_assert_max_num_queries):
    ward = make_ward()
    record = give(ward, dose(make_course(ward, at=yesterday())), at=timezone.now() - timedelta(hours=5))
    client = signed_in(ward.nurse)
    url = reverse("infusion", args=[record.pk])
    client.get(url)
    with django_assert_max_num_queries(12):
        assert client.get(url).status_code == 200


@pytest.mark.parametrize("name", ["infusion", "infusion-log", "infusion-unplanned"])
def test_another_centre_finds_nothing(name):
    ward, other = make_ward(), make_ward()
    course = make_course(ward, at=yesterday())
    planned = dose(course)
    record = start(ward, planned, at=timezone.now())
    pk = {"infusion": record.pk, "infusion-log": planned.pk, "infusion-unplanned": course.patient.pk}[name]
    client = signed_in(other.nurse)
    for answer in (client.get(reverse(name, args=[pk])), client.post(reverse(name, args=[pk]), {"act": "error"})):
        assert answer.status_code == 404
        assert course.patient.mrn not in answer.content.decode()


@pytest.mark.parametrize("role", ["technician", "coordinator", "auditor", "monograph_editor"])
def test_only_those_who_give_open_the_form_that_records(role):
    ward = make_ward()
    planned = dose(make_course(ward, at=yesterday()))
    client = signed_in(make_member(role, centre=ward.centre))
    assert client.get(reverse("infusion-log", args=[planned.pk])).status_code in (403, 404)
