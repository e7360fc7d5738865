"""What stands beside the courses on a chart: results, vaccines, weights, the order beside what was built, and what is folded away."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from regimens.models import (
    Course,
    OutsideDose,
    PlannedDose,
)
from tests.factories import NEW_YORK, make_weight, order_anew
from tests.pages.test_chart import NBSP, chart, course_of, result
from tests.regimens import ward as wards
from tests.regimens.ward import Ward, make_ward

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch, now) -> Ward:
    monkeypatch.setattr(wards, "TRANSPLANTED", now - timedelta(days=20))
    return make_ward()


def test_results_show_the_last_value_its_sample_and_its_trend(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    result(course, ward, "creatinine", now - timedelta(days=2), value=Decimal("1.1"))
    result(course, ward, "creatinine", now - timedelta(days=1), value=Decimal("1.4"))
    result(course, ward, "cmv_igg", now - timedelta(days=1), word="positive")
    page = chart(client, ward.nurse, course)
    assert re.search(r"1\.4 mg per dL <span class=\"soft\">▲ up from 1\.1</span>", page)
    assert "may be passive" not in page  # nothing was given yet


def test_an_igg_sampled_after_the_first_dose_may_be_passive(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    given = now - timedelta(days=10)
    OutsideDose.objects.create(
        patient=course.patient, product="cmv_ig", given_at=given, said_by="Letter", recorded_by=ward.nurse, recorded_at=now
    )
    result(course, ward, "cmv_igg", given - timedelta(days=1), word="negative")
    assert "may be passive" not in chart(client, ward.nurse, course)
    result(course, ward, "cmv_igg", given, word="positive")
    page = chart(client, ward.nurse, course)
    assert "may be passive" in page and "before: Negative" in page


def test_live_vaccines_count_from_the_last_dose_here_or_elsewhere(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    assert "no antibody of ours" in chart(client, ward.nurse, course)
    OutsideDose.objects.create(
        patient=course.patient, product="other_ig", given_at=now, given_mg=Decimal(7000), said_by="Letter", recorded_by=ward.nurse,
        recorded_at=now,
    )  # fmt: skip
    page = chart(client, ward.nurse, course)
    assert "Antibody may blunt measles" in page
    assert "#limit-vaccine_label_months" in page and "R-SCR-9" in page


def test_an_unknown_amount_given_elsewhere_counts_as_a_high_one(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    OutsideDose.objects.create(
        patient=course.patient, product="other_ig", given_at=now, said_by="Letter", recorded_by=ward.nurse, recorded_at=now
    )
    assert "highest 400 mg per kg" in chart(client, ward.nurse, course)


def test_a_weight_that_waits_for_a_second_measurement_is_not_shown(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    make_weight(course.patient, "154", by=ward.nurse, at=now, keep_for_second=True)
    assert "154" not in chart(client, ward.second_nurse, course).partition('<h2 id="weights">')[2].partition("</section>")[0]


def test_every_amount_leads_to_its_working_and_its_clause(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    page = chart(client, ward.nurse, course)
    for dose in course.doses.all():
        assert page.count(f'href="/doses/{dose.pk}/#why"') == 2, "the dose and its volume"
    assert page.count("#protocol-kidney") >= 8
    monograph = client.get(re.findall(r'href="(/monograph/[^"#]+)#protocol-kidney"', page)[0]).content.decode()
    assert 'id="protocol-kidney"' in monograph and 'id="limit-vaccine_label_months"' in monograph
    dose_page = client.get(f"/doses/{dose.pk}/").content.decode()
    assert 'id="why"' in dose_page


def test_the_order_stands_beside_what_was_built_and_a_difference_is_marked(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    page = chart(client, ward.nurse, course)
    assert "Order beside built" in page and "they differ" not in page
    order = course.orders.get()
    changed = [[code, "60" if code == "W12" else mg] for code, mg in order.ordered_rows]
    order_anew(order, ordered_rows=changed)
    page = chart(client, ward.nurse, course)
    assert "they differ" in page
    assert re.search(r"Week 12</th><td>60 mg per kg</td><td>50 mg per kg</td><td><span class=\"tag tag-warn\">⚠ Differs", page)


def test_a_stopped_course_is_kept_folded_below(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    Course.objects.filter(pk=course.pk).update(
        stopped_at=now, stopped_by=ward.prescriber, stop_reason_code="other", stop_reason="Graft lost"
    )
    page = chart(client, ward.nurse, course)
    assert "No course is running" in page
    assert "Graft lost" in page.partition("<details")[2]


def test_two_stopped_courses_have_names_of_their_own(client: Client, ward: Ward, now) -> None:
    first = course_of(ward, now)
    PlannedDose.objects.filter(course=first, settled_at=None).update(settled_at=now, settled_as="cancelled")
    stop = {"stopped_at": now, "stopped_by": ward.prescriber, "stop_reason_code": "graft_loss"}
    Course.objects.filter(pk=first.pk).update(**stop)
    second = wards.make_course(ward, patient=first.patient, at=now - timedelta(days=2))
    Course.objects.filter(pk=second.pk).update(**stop)
    page = chart(client, ward.nurse, second)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    regions = re.findall(r'role="region" aria-label="([^"]*)"', page)
    assert len(regions) == len(set(regions)) and all(regions)


def test_a_dose_elsewhere_of_an_unknown_hour_shows_its_day_alone(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    midnight = now.astimezone(ZoneInfo(NEW_YORK)).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=12)
    told = {"product": "cmv_ig", "given_at": midnight, "is_time_known": False, "said_by": "Their letter"}
    OutsideDose.objects.create(patient=course.patient, recorded_by=ward.nurse, recorded_at=now, **told)
    client.force_login(ward.second_pharmacist.user)
    dose = course.doses.get(number=2)
    for address in (f"/patients/{course.patient_id}/", f"/doses/{dose.pk}/release/", f"/doses/{dose.pk}/decide/"):
        page = client.get(address).content.decode()
        assert f"{midnight:%d-%b-%Y}" in page or address.endswith("decide/"), address
        assert f"{midnight:%d-%b-%Y}{NBSP}00:00" not in page, address
