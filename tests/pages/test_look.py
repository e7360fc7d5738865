"""How the pages look: every component in every theme and size, measured in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages.styleguide.serve import guide_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "worklist.html",
    "chart.html",
    "build.html",
    "bedside.html",
    "died.html",
    "help.html",
    "registration/login.html",
    "403.html",
    "404.html",
    "500.html",
    "503.html",
)
THEMES = {
    "light": {},
    "paper": {},
    "dark": {"color_scheme": "dark"},
    "forced colors": {"forced_colors": "active"},
    "phone": {"viewport": {"width": 320, "height": 640}},
}


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_on_any_page(browser: Browser, theme: str):
    from axe_playwright_python.sync_playwright import Axe

    # Forced colors replace every color at paint, which axe does not see: there it checks everything else.
    rules = {"rules": {"color-contrast": {"enabled": False}}} if theme == "forced colors" else None
    found = []
    with guide_page(browser, **THEMES[theme]) as page:
        page.emulate_media(media="print" if theme == "paper" else "screen")
        for name in PAGES:
            page.goto(f"/{name}")
            found += [
                f"{name}: {violation['id']} {violation['nodes'][0]['target']}"
                for violation in Axe().run(page, options=rules).response["violations"]
            ]
    assert not found


def test_no_page_is_wider_than_its_window(browser: Browser):
    with guide_page(browser) as page:
        for name in PAGES:
            page.goto(f"/{name}")
            for width in (320, 390, 768, 1023, 1024, 1366, 1920):
                page.set_viewport_size({"width": width, "height": 700})
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"


def test_nineteen_patients_stand_on_a_small_screen(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/worklist.html")
        bottoms = page.evaluate("[...document.querySelectorAll('[data-row]')].map(row => row.getBoundingClientRect().bottom)")
    assert len([bottom for bottom in bottoms if bottom <= 768]) >= 19


def small_targets(page: Page, least: int) -> list[str]:
    """Things to press that are smaller than ``least`` CSS pixels. Links in a sentence are excepted, as WCAG 2.5.8 has it."""
    return page.evaluate(
        """least => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
            .filter(thing => thing.checkVisibility())
            .filter(thing => !thing.closest(".skip, p:not(.button-row), dd, li:not(.nav li, .tabs li)"))
            .map(thing => [thing, thing.matches("[type=radio], [type=checkbox]") ? thing.closest("label") : thing])
            .map(([thing, place]) => [thing, place.getBoundingClientRect()])
            .filter(([, box]) => box.height < least - 0.01 || box.width < least - 0.01)
            .map(([thing, box]) => `${thing.outerHTML.slice(0, 70)} ${box.width}x${box.height}`)""",
        least,
    )


def test_everything_to_press_is_big_enough(browser: Browser):
    with guide_page(browser) as page:
        for name in PAGES:
            page.goto(f"/{name}")
            assert small_targets(page, 24) == [], name


def test_a_nurse_presses_44_pixels(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/bedside.html")
        page.evaluate("document.querySelectorAll('header, footer').forEach(part => part.remove())")
        assert small_targets(page, 44) == []


@pytest.mark.parametrize("size", [(1366, 768), (768, 1024), (320, 640)])
def test_the_banner_stays_in_sight_and_never_covers_the_focus(browser: Browser, size: tuple[int, int]):
    with guide_page(browser, viewport={"width": size[0], "height": size[1]}) as page:
        page.goto("/build.html")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        assert page.evaluate("document.querySelector('.banner').getBoundingClientRect().top") == 0
        hidden = []
        for _ in range(40):  # backwards from the foot of the page, where a sticky head covers what comes into view
            page.keyboard.press("Shift+Tab")
            hidden += page.evaluate(
                """() => {
                    const thing = document.activeElement, box = thing.getBoundingClientRect();
                    const foot = document.querySelector(".banner").getBoundingClientRect().bottom;
                    return thing.closest("main") && box.bottom <= foot + 4 ? [thing.outerHTML.slice(0, 60)] : [];
                }"""
            )
        assert hidden == []


def test_a_printed_status_needs_no_color(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/chart.html")
        page.emulate_media(media="print")
        grounds = page.evaluate(
            "[...new Set([...document.querySelectorAll('.tag')].map(tag => getComputedStyle(tag).backgroundColor))]"
        )
        assert grounds == ["rgba(0, 0, 0, 0)"]
        assert page.locator(".bar").is_hidden()
        assert page.locator(".banner").is_visible()


def test_the_tab_never_names_a_patient(browser: Browser):
    with guide_page(browser) as page:
        for name in PAGES:
            page.goto(f"/{name}")
            assert page.title().startswith("CMV-IGIV · ")
            assert "OKONKWO" not in page.title().upper()


def test_what_is_absent_and_what_is_not_yours_look_the_same(browser: Browser):
    with guide_page(browser) as page:
        texts = set()
        for name in ("403.html", "404.html"):
            page.goto(f"/{name}")
            texts.add(page.content())
    assert len(texts) == 1


def test_a_wrong_field_is_tied_to_its_label_hint_and_error(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/build.html")
        box = page.get_by_label("Weight", exact=False).first
        assert box.get_attribute("aria-invalid") == "true"
        described = box.get_attribute("aria-describedby").split()
        assert [page.locator(f"#{part}").inner_text().strip() for part in described] == [
            "Measured, in kilograms, one decimal at most. 70.5, not 70,5.",
            "70,5 is not a weight. Write 70.5 with a dot.",
        ]
        assert page.get_by_label("Reason (optional)").is_visible()
        assert page.get_by_role("group", name="How").get_by_label("Bed scale").is_checked()
