"""The pages of results, antibody removal and the checklist of risks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.roles import Role
from regimens.models import AntibodyRemoval, LabResult
from tests.factories import PASSWORD, make_member
from tests.regimens.test_findings import WHY, result
from tests.regimens.ward import dose, give, make_course, make_ward

HOURS, DAYS = timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.django_db


# Pages ---------------------------------------------------------------------------------------------------------------------


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def typed_instant(name: str, at: datetime) -> dict[str, str]:
    local = at.astimezone(timezone.get_fixed_timezone(-300))
    return {f"{name}_on": f"{local:%Y-%m-%d}", f"{name}_time": f"{local:%H:%M}"}


def test_a_result_is_typed_marked_as_passive_answered_and_struck_out_on_pages(django_assert_max_num_queries):
    ward = make_ward()
    now = timezone.now()
    course = make_course(ward, at=now - 3 * DAYS)
    patient = course.patient
    result(ward, patient, "1.0", now - 2.9 * DAYS)
    give(ward, dose(course), at=now - 2.5 * DAYS)
    url = reverse("results", args=[patient.pk])
    client = signed_in(ward.nurse)
    wrong = client.post(url, {"kind": "creatinine", "value": "1,5", **typed_instant("sampled_at", now - HOURS)})
    assert (wrong.status_code, "Write a number with digits" in wrong.content.decode()) == (422, True)
    implausible = client.post(url, {"kind": "creatinine", "value": "106", **typed_instant("sampled_at", now - HOURS)})
    assert "is above 30" in implausible.content.decode()
    assert LabResult.objects.count() == 1
    igg = {"kind": "cmv_igg", "word": "positive", **typed_instant("sampled_at", now - HOURS)}
    assert client.post(url, igg).status_code == 302
    raised = {"kind": "creatinine", "value": "1.5", **typed_instant("sampled_at", now - HOURS)}
    answered = client.post(url, raised, follow=True).content.decode()
    assert "A prescriber is asked about it." in answered
    with django_assert_max_num_queries(12):
        page = client.get(url).content.decode()
    assert "May be passive" in page
    assert "A prescriber is asked" in page
    row = LabResult.objects.get(value=Decimal("1.5"))
    decide = reverse("result-decide", args=[row.pk])
    assert client.get(decide).status_code == 403
    doctor = signed_in(ward.prescriber)
    assert "None of the answers is recommended" in doctor.get(decide).content.decode()
    data = {"decision": "hold", "reason": WHY}
    assert doctor.post(decide, data | {"password": "wrong"}).status_code == 422
    done = doctor.post(decide, data | {"password": PASSWORD})
    assert done["Location"] == reverse("course-hold", args=[course.pk])
    assert "Hold" in doctor.get(decide).content.decode()
    strike = reverse("result-strike", args=[row.pk])
    assert client.get(strike).status_code == 200
    assert client.post(strike, {"reason": "short"}).status_code == 422
    assert client.post(strike, {"reason": "Sample of another patient"}).status_code == 302
    assert "Sample of another patient" in client.get(url).content.decode()


def test_an_exchange_is_recorded_and_answered_on_pages():
    ward = make_ward()
    now = timezone.now()
    course = make_course(ward, at=now - 3 * DAYS)
    give(ward, dose(course), at=now - 2.5 * DAYS)
    url = reverse("removals", args=[course.patient_id])
    client = signed_in(ward.nurse)
    data = {"kind": "plasma_exchange", **typed_instant("removed_at", now - HOURS)}
    assert client.post(url, data).status_code == 302
    assert "is the dose to be repeated?" in client.get(url).content.decode()
    row = AntibodyRemoval.objects.get()
    doctor = signed_in(ward.prescriber)
    decide = reverse("removal-decide", args=[row.pk])
    assert "Repeat the dose" in doctor.get(decide).content.decode()
    answer = {"decision": "no_repeat", "reason": WHY, "password": PASSWORD}
    assert doctor.post(decide, answer)["Location"] == url
    assert "Do not repeat the dose" in client.get(url).content.decode()
    strike = reverse("removal-strike", args=[row.pk])
    assert client.post(strike, {"reason": "It was not done after all"}).status_code == 302


def test_the_checklist_offers_its_statement_to_a_prescriber_alone():
    ward = make_ward()
    course = make_course(ward)
    url = reverse("risks", args=[course.patient_id])
    nurse = signed_in(ward.nurse)
    assert "prescriber_statement" not in nurse.get(url).content.decode()
    assert nurse.post(url, {"factors": ["sepsis"], "pregnancy": "pregnant"}).status_code == 302
    doctor = signed_in(ward.prescriber)
    assert "No prescriber" in doctor.get(url).content.decode()
    said = {"factors": ["sepsis"], "pregnancy": "pregnant", "prescriber_statement": "No alternative is left"}
    assert doctor.post(url, said).status_code == 302
    page = doctor.get(url).content.decode()
    assert "No alternative is left (Imani Okafor" in page
    assert "Risk factors for the kidney: sepsis" in page
    assert signed_in(make_member(Role.NURSE)).get(url).status_code == 404
