"""Changing a running course in a real browser: a new weight, a corrected time, a second transplant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone

from patients.models import Patient
from regimens.actions import planning
from regimens.models import Administration, Course, SheetCopy
from tests.browser import people
from tests.factories import NEW_YORK, make_weight
from tests.regimens.ward import dose, give, identity, make_course, make_ward, release

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCRIPT = pytest.mark.parametrize("javascript", [True, False], ids=["with the script", "without it"])


def accessible(page: Page) -> None:
    """Nothing for axe to find."""
    violations = Axe().run(page).response["violations"]
    assert not violations, [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in violations]


@SCRIPT
def test_from_70_to_80_kg_recalculated_verified_again_and_the_old_sheet_no_longer_starts(
    new_page: Callable[..., Page], sign_in: Callable, javascript: bool
) -> None:
    now = timezone.now()
    ward = make_ward()
    course = make_course(ward, at=now - 20 * HOUR)
    who = identity(course.patient)
    printed = dose(course)
    old_code = planning.sheet_code(printed)
    SheetCopy.objects.create(
        dose=printed, code=old_code, copy_number=1, size="a4", is_draft=False, printed_by=ward.nurse, printed_at=now - 19 * HOUR
    )

    # The nurse weighs: nothing changes by itself
    bedside = new_page(java_script_enabled=javascript)
    sign_in(bedside, ward.nurse.user)
    bedside.goto(reverse("weight-new", args=[course.patient_id]))
    bedside.locator("[name=weight_kg]").fill("80")
    people.fill_instant(bedside, "measured_at", now - HOUR)
    bedside.get_by_label("Standing scale").check()
    bedside.locator("[name=reason]").fill("Fluid, weighed twice")
    bedside.get_by_role("button", name="Record").click()
    bedside.get_by_text("No dose changes by itself").wait_for()
    assert {row.revision for row in course.doses.all()} == {1}

    # The board names it, and leads to old beside new
    pharmacist = new_page(java_script_enabled=javascript)
    sign_in(pharmacist, ward.pharmacist.user)
    pharmacist.goto(reverse("weights-board"))
    if javascript:
        accessible(pharmacist)
    pharmacist.get_by_role("link", name="Recalculate").first.click()
    shown = pharmacist.locator("main").inner_text()
    for value in ("70\u00a0kg → 80\u00a0kg (+14.3%)", "10,500\u00a0mg", "12,000\u00a0mg", "240\u00a0mL"):
        assert value in shown
    if javascript:
        accessible(pharmacist)
    pharmacist.get_by_role("button", name="Make revision 2").click()
    pharmacist.get_by_text("Revision 2 is saved").wait_for()
    new = dose(course)
    assert (new.dose_mg, new.verified_at) == (12000, None)

    # Another pharmacist verifies it again
    second = new_page(java_script_enabled=javascript)
    sign_in(second, ward.second_pharmacist.user)
    second.goto(reverse("verify", args=[course.pk]))
    people.verify(second, mrn_tail=who["mrn_tail"], birth_year=who["birth_year"], own_dose="12,000")
    new.refresh_from_db()
    assert new.verified_at is not None

    # Released, but the sheet of the old revision starts nothing
    release(ward, dose(course), at=timezone.now())
    bedside.goto(reverse("infusion-log", args=[new.pk]))
    bedside.get_by_label("Record number, last 4").fill(who["mrn_tail"])
    bedside.get_by_label("Birth year").fill(who["birth_year"])
    bedside.get_by_label("Code on the dose sheet").fill(old_code)
    entered_at = now.astimezone(ZoneInfo(NEW_YORK)) - timedelta(minutes=5)
    bedside.locator("[name=vial_entered_at_time]").fill(f"{entered_at:%H:%M}")
    bedside.get_by_role("button", name="Start now").click()
    bedside.get_by_text("This sheet was replaced: destroy it").first.wait_for()
    assert not Administration.objects.exists()


@SCRIPT
def test_a_corrected_time_shows_the_difference_and_keeps_what_was_given(
    new_page: Callable[..., Page], sign_in: Callable, javascript: bool
) -> None:
    now = timezone.now()
    ward = make_ward()
    course = make_course(ward, at=now - 30 * HOUR)
    given = give(ward, dose(course), at=now - 20 * HOUR)
    graft = course.transplant
    before = {row.number: row.target_on for row in course.doses.all()}

    page = new_page(java_script_enabled=javascript)
    sign_in(page, ward.pharmacist.user)
    page.goto(reverse("transplant-edit", args=[graft.pk]))
    people.fill_instant(page, "reperfusion_at", graft.reperfusion_at - 3 * DAY)
    page.locator("[name=reason]").fill("Read from the operation note")
    page.locator("main").get_by_role("button").first.click()
    page.get_by_role("heading", name="Chart").wait_for()
    assert {row.number: row.target_on for row in course.doses.all()} == before, "correcting it moves nothing"

    page.goto(reverse("course-replan", args=[course.pk]))
    stays = page.get_by_role("region", name="Given doses").inner_text()
    assert "Given" in stays and "Given outside window" in stays
    if javascript:
        accessible(page)
    page.get_by_role("button", name="Make revision 2").click()
    page.get_by_text("Revision 2 is saved").wait_for()
    first, *rest = course.doses.exclude(settled_as="superseded").order_by("number")
    assert (first.pk, first.revision, first.target_on) == (given.dose_id, 1, before[1])
    assert all(row.revision == 2 and row.target_on == before[row.number] - 3 * DAY for row in rest)


@SCRIPT
def test_after_a_second_transplant_the_old_course_is_stopped_with_its_reason(
    new_page: Callable[..., Page], sign_in: Callable, javascript: bool
) -> None:
    now = timezone.now()
    ward = make_ward()
    course = make_course(ward, at=now - 20 * DAY)
    make_weight(course.patient, "70", at=now, measured_at=now - HOUR)

    page = new_page(java_script_enabled=javascript)
    sign_in(page, ward.prescriber.user)
    page.goto(reverse("chart", args=[course.patient_id]))
    people.record_transplant(page, "Kidney", now - 5 * HOUR)
    asked = page.get_by_role("link", name="Stop").and_(page.locator("[href*='reason=retransplant']")).first
    asked.click()
    assert page.locator("[name=reason_code]").input_value() == "retransplant"
    page.get_by_role("button", name="Stop the course").click()
    page.get_by_text("The course is stopped").wait_for()
    course.refresh_from_db()
    assert (course.stop_reason_code, course.stopped_by) == ("retransplant", ward.prescriber)
    assert set(course.doses.values_list("settled_as", flat=True)) == {"cancelled"}
    assert page.locator("[href*='reason=retransplant']").count() == 0
    assert Course.objects.filter(patient=Patient.objects.get(), stopped_at=None).count() == 0
