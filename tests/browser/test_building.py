"""Courses as a prescriber orders them and two pharmacists build and verify them, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from patients.models import Transplant
from patients.when import day_text
from regimens.models import Course, Order, PlannedDose
from tests.browser import people
from tests.factories import NEW_YORK, PASSWORD
from tests.regimens.courses import Team, doses_of, make_recipient, make_team

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def team(live_site, now: datetime, tolerated: list[str]) -> Team:
    # A preview that a newer one replaces is given up by htmx, which says so in the console.
    tolerated += ["htmx:sendAbort", "htmx:afterRequest"]
    return make_team(now - timedelta(days=100))


def axe_finds_nothing(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    assert not violations, [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]


def opened(new_page: Callable[..., Page], sign_in: Callable, member, path: str) -> Page:
    """A page in the person's own browser."""
    page = new_page()
    sign_in(page, member.user)
    page.goto(path)
    return page


def order(page: Page, protocol: str, *, off_label: str = "") -> None:
    """The prescriber's own order, signed."""
    page.get_by_label(protocol).check()
    if off_label:
        page.get_by_label("Reason for off-label use").fill(off_label)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign the order").click()
    page.get_by_text("Order signed.").wait_for()


def request_verification(page: Page, *, prior: str = "no") -> Course:
    page.locator(f"[name=prior_ig][value={prior}]").check()
    page.get_by_role("button", name="Request verification").click()
    page.get_by_text("Plan saved").wait_for()
    return Course.objects.latest("built_at")


def verify(new_page: Callable[..., Page], sign_in: Callable, team: Team, course: Course) -> list[PlannedDose]:
    """The second pharmacist's check in the browser; the doses afterwards."""
    page = opened(new_page, sign_in, team.verifier, f"/courses/{course.pk}/verify/")
    first = next(dose for dose in doses_of(course) if not dose.settled_at)
    patient = course.patient
    people.verify(
        page, mrn_tail=patient.mrn[-4:], birth_year=str(patient.birth_on.year), own_dose=f"{first.dose_mg.normalize():f}"
    )
    return doses_of(course)


def test_from_chart_to_request_takes_at_most_25_keys(team: Team, now: datetime, new_page: Callable, sign_in: Callable) -> None:
    transplant = make_recipient(team, at=now)
    page = opened(new_page, sign_in, team.builder, f"/patients/{transplant.patient_id}/")
    keys = 0

    def press(key: str) -> None:
        nonlocal keys
        keys += 1
        page.keyboard.press(key)

    press("b")
    page.get_by_role("heading", name="Build a course").wait_for()
    press("Tab")
    press("Enter")  # skip to the page
    while not page.evaluate("document.activeElement.name === 'prior_ig'"):
        press("Tab")
        assert keys < 25
    while not page.evaluate("document.activeElement.checked && document.activeElement.value === 'no'"):
        press("ArrowDown")
        assert keys < 25
    press("Enter")
    page.get_by_text("Plan saved with 7 doses").wait_for()
    assert keys <= 25, keys
    assert Course.objects.get().orders.get().prescriber == team.prescriber


def test_a_kidney_and_pancreas_is_chosen_in_the_order_built_beside_it_and_verified(
    team: Team, now: datetime, new_page: Callable, sign_in: Callable
) -> None:
    transplant = make_recipient(team, at=now, organs=["kidney", "pancreas"])
    doctor = opened(new_page, sign_in, team.prescriber, f"/transplants/{transplant.pk}/order/")
    assert doctor.locator("input[name=protocol_code]:checked").count() == 0
    axe_finds_nothing(doctor)
    doctor.get_by_role("button", name="Sign the order").click()
    doctor.locator("[data-error-focus]:focus").wait_for()
    order(doctor, "Liver, lung, pancreas or heart transplant")
    builder = opened(new_page, sign_in, team.builder, "/orders/")
    axe_finds_nothing(builder)
    builder.get_by_role("link", name="Build").first.click()
    preview = builder.locator("#preview")
    assert "66,500" in preview.inner_text()
    assert builder.locator("input[name=protocol_code]").count() == 0, "the order's protocol, not a second choice"
    axe_finds_nothing(builder)
    course = request_verification(builder)
    assert all(dose.verified_at for dose in verify(new_page, sign_in, team, course))
    assert course.orders.get() == Order.objects.get()


def test_a_patient_referred_in_week_5_begins_with_what_is_left(
    team: Team, now: datetime, new_page: Callable, sign_in: Callable
) -> None:
    transplant = make_recipient(team, at=now, reperfusion_at=now - timedelta(days=35))
    page = opened(new_page, sign_in, team.builder, f"/transplants/{transplant.pk}/build/")
    page.locator("summary", has_text="Late start").click()
    people.fill_instant(page, "referred_at", now - timedelta(hours=3))
    page.get_by_label("Referred from").fill("Lakeside Hospital")
    for number, (days, mg, visit) in enumerate(((0, "10,500", "W0"), (14, "7,000", "W2"))):
        row = f"outside-{number}"
        page.locator(f"[name={row}-product]").select_option("cmv_ig")
        page.locator(f"[name={row}-given_mg]").fill(mg)
        people.fill_instant(page, f"{row}-given_at", transplant.reperfusion_at + timedelta(days=days, hours=10))
        page.locator(f"[name={row}-said_by]").fill("Discharge letter")
        page.locator(f"[name={row}-visit]").select_option(visit)
    page.locator("#preview .tag", has_text="Not given here").wait_for()
    assert page.locator("#preview .tag", has_text="Given elsewhere").count() == 2
    axe_finds_nothing(page)
    people.fill_instant(page, "ordered_at", now - timedelta(minutes=5))
    course = request_verification(page, prior="yes")
    doses = verify(new_page, sign_in, team, course)
    assert [dose.settled_as for dose in doses] == ["before_referral"] * 3 + [""] * 4
    assert [bool(dose.verified_at) for dose in doses] == [False] * 3 + [True] * 4
    assert course.patient.outside_doses.filter(dose__in=doses[:2]).count() == 2


def test_pneumonitis_is_ordered_off_label_with_a_tail_twice_weekly_and_its_review(
    team: Team, now: datetime, new_page: Callable, sign_in: Callable
) -> None:
    transplant = make_recipient(
        team,
        at=now,
        organs=["hsct"],
        reperfusion_at=now - timedelta(days=40),
        donor_cmv_igg="unknown",
        antiviral="not_recorded",
    )
    doctor = opened(new_page, sign_in, team.prescriber, f"/transplants/{transplant.pk}/order/")
    doctor.get_by_label("Antiviral at the same time").select_option("ganciclovir")
    order(doctor, "Severe CMV pneumonitis", off_label="Severe pneumonitis, ganciclovir alone has failed")
    page = opened(new_page, sign_in, team.builder, f"/transplants/{transplant.pk}/build/")
    day_1 = now.astimezone(ZoneInfo(NEW_YORK)).date()
    page.locator("[name=first_dose_on]").fill(day_text(day_1))
    page.get_by_label(re.compile("Twice weekly instead of day 21")).check()
    first = day_1 + timedelta(days=20)
    page.locator("[name=repeat_dates]").fill(", ".join(day_text(first + timedelta(days=step)) for step in (0, 3, 6)))
    page.locator("[name=review_on]").fill(day_text(first + timedelta(days=6)))
    page.get_by_text("no more than 2 doses in 7 days").wait_for()
    assert page.locator("#preview table").count() == 0, "what cannot be planned shows no dose"
    page.locator("[name=repeat_dates]").fill(", ".join(day_text(first + timedelta(days=step)) for step in (0, 3, 7)))
    page.locator("#preview tr[data-dose='7']").wait_for()
    axe_finds_nothing(page)
    course = request_verification(page)
    doses = verify(new_page, sign_in, team, course)
    assert [dose.mg_per_kg for dose in doses] == [400, 400, 400, 200, 150, 150, 150]
    assert all(dose.verified_at for dose in doses)
    assert course.review_on == first + timedelta(days=6)


def test_a_child_of_4_25_kg_gets_exact_doses_drawn_to_a_hundredth(
    team: Team, now: datetime, new_page: Callable, sign_in: Callable
) -> None:
    transplant = make_recipient(team, at=now, weight_kg="4.25", organs=["heart"])
    patient = transplant.patient
    type(patient).objects.filter(pk=patient.pk).update(birth_on=now.date() - timedelta(days=100))
    doctor = opened(new_page, sign_in, team.prescriber, f"/transplants/{transplant.pk}/order/")
    order(doctor, "Pediatric heart transplant", off_label="Infant, 8-week course of the center")
    page = opened(new_page, sign_in, team.builder, f"/transplants/{transplant.pk}/build/")
    assert "637.5" in page.locator("#preview").inner_text()
    course = request_verification(page)
    doses = verify(new_page, sign_in, team, Course.objects.get(pk=course.pk))
    assert (doses[0].dose_mg, doses[0].draw_ml) == (Decimal("637.5"), Decimal("12.75"))
    assert all(dose.verified_at for dose in doses)
    assert Transplant.objects.get() == transplant
