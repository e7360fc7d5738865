"""Stored scripts: one patient per string with every text filled by it, every page seen once in Chromium (safety C1).

No dialog opens, the content policy has nothing to stop, and the string stands on the page as it was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from patients.roles import Role
from tests.attacks.objects import Cast, Route, make_cast
from tests.attacks.walking import app_routes, client_of
from tests.support import count

if TYPE_CHECKING:
    from playwright.sync_api import Page

STRINGS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "'><img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>", "</title><script>alert(1)</script>", "</option></select><img src=x onerror=alert(1)>",
    "\" onfocus=alert(1) autofocus x=\"", "' onmouseover=alert(1) '", "javascript:alert(1)", "<a href=javascript:alert(1)>x</a>",
    "<iframe src=javascript:alert(1)>", "<body onload=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>",
    "<math><mi xlink:href=javascript:alert(1)>", "<object data=javascript:alert(1)>", "<embed src=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>x", "<style>@import'javascript:alert(1)'</style>", "<base href=//attacker.example/>",
    "<meta http-equiv=refresh content=0;url=javascript:alert(1)>", "{{constructor.constructor('alert(1)')()}}", "{% debug %}",
    "${alert(1)}", "<div hx-on:load=alert(1)>", "<div hx-get=/patients/ hx-trigger=load hx-vals='js:{a:alert(1)}'>",
    "--><script>alert(1)</script>", "]]><script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;<b>",
]  # fmt: skip
QUICK = [STRINGS[0], STRINGS[2], STRINGS[4], STRINGS[7], STRINGS[26]]
WATCH = """
window.seen = [];
for (const name of ["alert", "confirm", "prompt"]) window[name] = () => { window.seen.push(name); };
document.addEventListener("securitypolicyviolation", (event) => window.seen.push(event.violatedDirective + " " + event.blockedURI));
"""
SHOWN = "document.body.innerText + [...document.querySelectorAll('input,textarea')].map((e) => e.value).join(' ')"


def test_there_are_thirty_strings():
    assert len(set(STRINGS)) == 30


@pytest.mark.parametrize("string", STRINGS[: count(0, 30)] or QUICK, ids=lambda string: str(STRINGS.index(string)))
def test_a_script_in_every_text_is_shown_and_never_run(new_page: Callable[..., Page], sign_in: Callable, string: str) -> None:
    cast = make_cast(lambda limit, words: string[:limit], given_name=string)
    plan = first_readers(cast)
    literal = 0
    for role in set(plan.values()):
        page = new_page()
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
        page.context.add_init_script(WATCH)
        sign_in(page, cast.people[role].user)
        for route in (route for route, reader in plan.items() if reader == role):
            answer = page.goto(cast.address(route), wait_until="domcontentloaded")
            assert answer is not None and answer.status == 200, route.name
            assert page.evaluate("window.seen") == [], route.name
            literal += string[:60] in page.evaluate(SHOWN)
    assert len(plan) >= 40 and literal >= 10, (len(plan), literal)


def first_readers(cast: Cast) -> dict[Route, str]:
    """Every page that anybody can open, with the first role that can: each is looked at once for each patient."""
    plan: dict[Route, str] = {}
    for role in (Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER, Role.COORDINATOR, Role.AUDITOR):
        client = client_of(cast.people[role])
        for route in app_routes():
            if route not in plan and client.get(cast.address(route)).status_code == 200:
                plan[route] = str(role)
    return plan
