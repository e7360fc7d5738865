"""An infusion on the ward's tablet: started, charted and ended with the page never reloaded, every target large enough for a glove."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone

from regimens.actions import planning
from regimens.models import Administration
from tests.factories import NEW_YORK
from tests.regimens.test_missed_pages import missed_second
from tests.regimens.ward import dose, identity, make_course, make_ward, release

if TYPE_CHECKING:
    from playwright.sync_api import Page

TABLET = {"width": 768, "height": 1024}
TARGETS = "main :is(input:not([type=hidden], [type=radio], [type=checkbox]), select, button, summary, .button)"
SMALL = """targets => [...document.querySelectorAll(targets)]
    .filter(one => one.checkVisibility())
    .filter(one => { const box = one.getBoundingClientRect(); return box.height < 44; })
    .map(one => one.outerHTML.slice(0, 120))"""


def looks_right(page: Page) -> None:
    """Nothing for axe to find, no target under 44 px, nothing wider than the tablet."""
    violations = Axe().run(page).response["violations"]
    assert not violations, [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]
    assert page.evaluate(SMALL, TARGETS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_whole_infusion_is_charted_on_a_tablet_without_a_reload(page: Page, sign_in: Callable) -> None:
    ward = make_ward()
    planned = dose(make_course(ward, at=timezone.now() - timedelta(hours=20)))
    release(ward, planned, at=timezone.now())
    who = identity(planned.course.patient)
    sign_in(page, ward.nurse.user)
    page.set_viewport_size(TABLET)
    page.goto(reverse("infusion-log", args=[planned.pk]))
    assert page.get_by_text("Released by Ravi Patel").is_visible()
    looks_right(page)
    page.get_by_label("Record number, last 4").fill(who["mrn_tail"])
    page.get_by_label("Birth year").fill(who["birth_year"])
    page.get_by_label("Code on the dose sheet").fill(planning.sheet_code(planned))
    page.get_by_role("button", name="Start now").click()
    page.locator("[data-error-focus]:focus").wait_for()  # the vial's time is missing, and the focus says so
    assert page.get_by_label("Birth year").input_value() == who["birth_year"]
    entered_at = timezone.now().astimezone(ZoneInfo(NEW_YORK)) - timedelta(minutes=5)
    page.locator("[name=vial_entered_at_time]").fill(f"{entered_at:%H:%M}")
    page.locator("[name=vial_entered_at_on]").fill("")
    page.get_by_role("button", name="Start now").click()
    page.get_by_text("Infusing", exact=True).first.wait_for()
    record = Administration.objects.get(dose=planned)
    assert page.url.endswith(reverse("infusion", args=[record.pk]))
    looks_right(page)
    page.evaluate("window.neverReloaded = true")

    page.get_by_label("Rate in mL per h").fill("42")
    page.get_by_role("button", name="Set the rate").click()
    page.get_by_text("The plan is at 21\u00a0mL per h now").first.wait_for()
    page.locator("#id_rate_reason").fill("Ordered by Dr. Okafor")
    page.get_by_role("button", name="Set the rate").click()
    page.get_by_text("Record the vital signs before this rate increase").first.wait_for()
    assert page.locator("#id_rate_rate_ml_per_h").input_value() == "42"
    page.locator("#id_rate_vitals_not_taken_reason").fill("Cuff is being changed")
    page.get_by_role("button", name="Set the rate").click()
    page.get_by_text("Rate recorded.").wait_for()

    for name, value in {
        "systolic_mmhg": "118",
        "diastolic_mmhg": "70",
        "heart_rate_per_min": "82",
        "temperature_c": "36.8",
    }.items():
        page.locator(f"#id_vitals_{name}").fill(value)
    page.get_by_role("button", name="Record vital signs").click()
    page.get_by_text("Vital signs recorded.").wait_for()
    assert page.get_by_text("118/70").is_visible()

    page.locator("summary", has_text="Add a lot").click()
    page.locator("#id_vial_lot_number").fill("A21K77")
    page.locator("#id_vial_expires_on").fill("30-Sep-2099")
    page.locator("#id_vial_given_ml").fill("5")
    page.locator("#id_vial_wasted_ml").fill("45")
    page.get_by_role("button", name="Add the lot").click()
    page.get_by_text("Lot recorded.").wait_for()

    page.locator("#id_complete_volume_ml").fill("12")
    page.locator("#id_complete_stopped_early_reason").fill("Line lost")
    page.get_by_role("button", name="Record the end").click()
    page.get_by_text("Partial: 12\u00a0mL of 210\u00a0mL").wait_for()
    assert page.get_by_text("7\u00a0mL without a lot").is_visible()
    assert page.evaluate("window.neverReloaded")
    looks_right(page)
    record.refresh_from_db()
    assert (record.volume_ml, record.flags) == (12, ["above_plan"])


def test_the_form_for_what_was_given_the_board_and_the_missed_dose_look_right(page: Page, sign_in: Callable) -> None:
    ward = make_ward()
    planned = dose(make_course(ward, at=timezone.now() - timedelta(hours=20)))
    page.set_viewport_size(TABLET)
    sign_in(page, ward.nurse.user)
    page.goto(reverse("infusion-log", args=[planned.pk]) + "?way=given")
    for summary in page.locator("main form summary").all():
        summary.click()
    looks_right(page)
    page.goto(reverse("infusing"))
    looks_right(page)
    other, missed = missed_second()
    sign_in(page, other.prescriber.user)
    for url in (reverse("missed"), reverse("decide", args=[missed.pk])):
        page.goto(url)
        violations = Axe().run(page).response["violations"]
        assert not violations, [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]
