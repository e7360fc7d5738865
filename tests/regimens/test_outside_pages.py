"""The pages of doses given elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from regimens.actions import outside
from regimens.models import OutsideDose
from tests.factories import PASSWORD, make_member
from tests.regimens.courses import make_recipient, make_team
from tests.regimens.test_outside_doses import told

pytestmark = pytest.mark.django_db


# Pages ---------------------------------------------------------------------------------------------------------------------


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def test_a_dose_is_recorded_struck_out_and_decided_on_the_pages() -> None:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now - timedelta(hours=1))
    address = reverse("outside-doses", args=[transplant.patient_id])
    nurse = signed_in(team.nurse)
    assert "None recorded." in nurse.get(address).content.decode()
    graft_on = f"{transplant.reperfusion_at:%Y-%m-%d}"
    typed = {
        "product": "cmv_ig",
        "given_at_on": graft_on,
        "given_at_time": "",
        "given_mg": "10,500",
        "said_by": "Letter of Lakeside",
    }
    assert nurse.post(address, typed | {"said_by": ""}).status_code == 422
    assert nurse.post(address, typed).status_code == 302
    row = OutsideDose.objects.get()
    assert (row.is_time_known, row.given_mg) == (False, 10500)
    page = nurse.get(address).content.decode()
    assert "10,500\u00a0mg" in page
    assert "is it the initial dose?" in page
    decide_page = reverse("outside-dose-decide", args=[row.pk])
    assert nurse.get(decide_page).status_code == 403
    doctor = signed_in(team.prescriber)
    assert decide_page in doctor.get(address).content.decode()
    assert "150\u00a0mg\u00a0per\u00a0kg" in doctor.get(decide_page).content.decode(), "what was given in 7 days, per kg"
    signing = {"decision": "counts_as_initial", "reason": "Full dose of the same product", "password": "wrong"}
    assert doctor.post(decide_page, signing).status_code == 422
    assert doctor.post(decide_page, signing | {"password": PASSWORD}).status_code == 302
    row.refresh_from_db()
    assert (row.decision, row.decided_by) == ("counts_as_initial", team.prescriber)
    assert "Counts as the initial dose" in doctor.get(decide_page).content.decode()
    strike = reverse("outside-dose-strike", args=[row.pk])
    assert nurse.post(strike, {"reason": ""}).status_code == 422
    assert nurse.post(strike, {"reason": "Another patient's letter"}).status_code == 302
    assert "Entered in error" in nurse.get(address).content.decode()


def test_the_doses_of_another_centers_patient_are_not_found() -> None:
    now = timezone.now()
    team, other = make_team(now - timedelta(days=30)), make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now)
    row = outside.record_outside_dose(patient=transplant.patient, dose=told(now - timedelta(days=1)), by=team.nurse, at=now)
    for name, key in (
        ("outside-doses", transplant.patient_id),
        ("outside-dose-strike", row.pk),
        ("outside-dose-decide", row.pk),
    ):
        assert signed_in(other.prescriber).get(reverse(name, args=[key])).status_code == 404
    auditor = signed_in(make_member("auditor", centre=team.centre))
    page = auditor.get(reverse("outside-doses", args=[transplant.patient_id])).content.decode()
    assert "Record one" not in page
    assert auditor.post(reverse("outside-doses", args=[transplant.patient_id]), {}).status_code == 403
