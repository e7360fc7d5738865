"""What the few lines of script promise: nothing lost in silence, nothing of another patient shown, no key that records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages.styleguide.guide import PATIENT
from tests.pages.styleguide.serve import SITE, guide_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

OTHER = "11111111-2222-3333-4444-555555555555"
SIGN_IN = "<!DOCTYPE html><title>Sign in</title><h1>Sign in</h1>"


def form(inside: str, patient: str = PATIENT) -> str:
    htmx = 'hx-post="/record" hx-target="#record" hx-swap="outerHTML"'
    return f'<form id="record" method="post" {htmx} data-patient="{patient}">{inside}</form>'


class Server:
    """Answers /record with what it is told, and remembers what was sent."""

    def __init__(self, status: int = 200, html: str = "") -> None:
        self.status, self.html = status, html
        self.sent: list[dict[str, str]] = []

    def __call__(self, request: Request) -> tuple[int, str] | None:
        if not request.url.endswith(("/record", "/rows")):
            return None
        self.sent.append(request.headers)
        return self.status, self.html


def record(page: Page) -> None:
    page.get_by_label("Pulse").fill("91")
    page.get_by_role("button", name="Record vital signs").click()


def test_a_refused_form_is_shown_and_its_errors_take_the_focus(browser: Browser):
    server = Server(422, form('<div class="error-summary" tabindex="-1" data-error-focus>Pulse: 911 is too high</div>'))
    with guide_page(browser, server) as page:
        page.goto("/bedside.html")
        record(page)
        page.get_by_text("911 is too high").wait_for()
        page.wait_for_function("document.activeElement.matches('.error-summary')")
        assert page.locator("#not-saved").is_hidden()
    assert server.sent[0]["x-csrftoken"] == "x" * 64


def test_an_answer_about_another_patient_is_dropped(browser: Browser):
    with guide_page(browser, Server(200, form("someone else’s record", patient=OTHER))) as page:
        page.goto("/bedside.html")
        record(page)
        page.get_by_text("An answer about another patient was dropped").wait_for()
        assert page.get_by_text("someone else’s record").count() == 0
        assert page.get_by_label("Pulse").input_value() == "91"


def test_an_answer_about_this_patient_is_shown(browser: Browser):
    with guide_page(browser, Server(200, form("recorded 17:03"))) as page:
        page.goto("/bedside.html")
        record(page)
        page.get_by_text("recorded 17:03").wait_for()


def test_the_sign_in_page_never_lands_inside_a_chart(browser: Browser):
    with guide_page(browser, Server(200, SIGN_IN)) as page:
        page.goto("/bedside.html")
        record(page)
        page.get_by_text("NOT SAVED. You are signed out.").wait_for()
        assert page.get_by_role("heading", name="Sign in").count() == 0
        assert page.get_by_label("Pulse").input_value() == "91"


@pytest.mark.parametrize(
    ("status", "html", "sentence"),
    [
        (0, "", "NOT SAVED. No answer from the server."),
        (503, "", "NOT SAVED. The server is not ready."),
        (500, "", "NOT SAVED. The server could not answer."),
        (404, "", "NOT SAVED. This record is not available to you."),
        (
            409,
            '<main><section class="refusal"><h2>Not done</h2><p>Dose 1 was recorded by A. Silva at 13:40.</p></section></main>',
            "NOT SAVED. Dose 1 was recorded by A. Silva at 13:40.",
        ),
    ],
)
def test_what_was_not_saved_says_so_and_is_kept_to_be_sent_again(browser: Browser, status: int, html: str, sentence: str):
    server = Server(status, html)
    with guide_page(browser, server) as page:
        page.goto("/bedside.html")
        record(page)
        page.get_by_role("alert").get_by_text(sentence).wait_for()
        assert page.get_by_label("Pulse").input_value() == "91"
        server.status, server.html = 200, form("recorded 17:03")
        page.get_by_role("button", name="Try again").click()
        page.get_by_text("recorded 17:03").wait_for()
        assert page.locator("#not-saved").is_hidden()
    assert len(server.sent) == 2


def test_pressing_again_while_a_form_is_under_way_sends_nothing(browser: Browser):
    server = Server(503)  # so that the form stays, and a second sending that htmx had put aside would follow
    with guide_page(browser, server) as page:
        page.goto("/bedside.html")
        page.evaluate(
            "() => { const it = document.querySelector('#record .button-primary'); it.click(); it.click(); it.click(); }"
        )
        page.get_by_text("NOT SAVED").wait_for()
        page.wait_for_function("!document.querySelector('#record').dataset.underWay")
        record(page)
        page.wait_for_function("!document.querySelector('#record').dataset.underWay")
    assert len(server.sent) == 2


def test_a_form_without_htmx_is_sent_once_as_well(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/build.html")
        sent = page.evaluate(
            """() => {
                let sent = 0;
                document.addEventListener("submit", event => { sent += 1; event.preventDefault(); });
                const it = document.querySelector("main form .button-primary");
                it.click(); it.click();
                return sent;
            }"""
        )
        page.wait_for_function("document.querySelector('main form .button-primary').getAttribute('aria-disabled') === 'true'")
    assert sent == 1


def test_a_list_that_is_not_refreshed_says_so_after_ninety_seconds(browser: Browser):
    server = Server(0)
    with guide_page(browser, server) as page:
        page.clock.install()
        page.goto("/worklist.html")
        page.clock.run_for(89_000)
        assert page.locator("#stale").is_hidden()
        page.clock.run_for(8_000)
        assert page.locator("#stale").inner_text().startswith("Not refreshed since 07:02.")
        assert page.locator("#not-saved").is_hidden()
    assert {headers.get("x-refresh") for headers in server.sent} == {"auto"}


def test_a_list_that_is_refreshed_never_says_it_is_old_and_keeps_the_focus(browser: Browser):
    rows = (
        '<div id="list" data-fresh data-as-of="07:03" hx-get="/rows" hx-trigger="every 30s" hx-swap="outerHTML">'
        '<a class="row-link" id="row-1-1" href="/x">again</a></div>'
    )
    with guide_page(browser, Server(200, rows)) as page:
        page.clock.install()
        page.goto("/worklist.html")
        page.locator("#row-1-1").focus()
        for _ in range(4):
            page.clock.run_for(31_000)
            page.get_by_role("link", name="again").wait_for()
        assert page.locator("#stale").is_hidden()
        assert page.evaluate("document.activeElement.id") == "row-1-1"


def test_g_and_a_letter_goes_to_a_place(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/bedside.html")
        page.locator("main").focus()
        with page.expect_navigation(url=f"{SITE}/worklist"):
            page.keyboard.press("g")
            page.keyboard.press("w")


def test_j_and_k_walk_the_rows_and_enter_opens_one(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/worklist.html")
        for key, row in (("j", "row-1-1"), ("j", "row-1-2"), ("k", "row-1-1"), ("k", "row-1-1")):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.id") == row
        with page.expect_navigation(url=f"{SITE}/chart/1"):
            page.keyboard.press("Enter")


def test_in_a_text_box_keys_only_write(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/bedside.html")
        page.get_by_label("Pulse").fill("")
        page.get_by_label("Pulse").press_sequentially("gw?/jb")
        assert page.get_by_label("Pulse").input_value() == "gw?/jb"
        assert page.url == f"{SITE}/bedside.html"


def test_no_single_key_sends_a_form(browser: Browser):
    server = Server()
    with guide_page(browser, server) as page:
        page.goto("/bedside.html")
        page.evaluate(
            """document.addEventListener("click", event => {
                window.pressed = event.target.closest("button, form");
                event.preventDefault();
            })"""
        )
        page.locator("main").focus()
        for key in "abcdefghijklmnopqrstuvwxyz0123456789?/":
            page.keyboard.press(key)
        assert page.evaluate("window.pressed ?? null") is None
    assert server.sent == []


def test_keys_can_be_switched_off_and_nothing_else_is_kept_in_the_browser(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/help.html")
        page.get_by_label("Use these keys on this computer").uncheck()
        page.goto("/worklist.html")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") == "BODY"
        page.goto("/bedside.html")
        assert page.evaluate("JSON.stringify(localStorage)") == '{"cmvig.keys":"off"}'
        # htmx notes the address it is on, which names nobody
        assert page.evaluate("JSON.stringify(sessionStorage)") == '{"htmx-current-path-for-history":"/bedside.html"}'


def test_an_error_leads_into_its_field(browser: Browser):
    with guide_page(browser) as page:
        page.goto("/build.html")
        page.get_by_role("link", name="Weight:").click()
        assert page.evaluate("document.activeElement.id") == "id_weight_kg"
        page.get_by_role("link", name="I have read the cautions").click()
        assert page.evaluate("document.activeElement.id") == "id_confirmed"


def test_without_script_every_page_is_whole(browser: Browser):
    with guide_page(browser, java_script_enabled=False) as page:
        page.goto("/bedside.html")
        assert page.get_by_role("button", name="Record vital signs").is_enabled()
        assert page.locator("#not-saved").is_hidden()
        page.goto("/help.html")
        assert page.get_by_label("Use these keys on this computer").is_hidden()
