"""Two hundred canary strings in one centre's charts: none is in an answer to anybody else, in a log, a mail, an address, or in what a
browser keeps (safety A4, P1 to P3).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command

from patients.roles import Role
from tests.attacks.objects import make_cast
from tests.attacks.test_cross_site import first_readers
from tests.attacks.walking import app_routes, client_of
from tests.factories import make_member

if TYPE_CHECKING:
    from playwright.sync_api import Page

CANARIES = 200
STORED = """async () => {
  const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href, document.title];
  for (const name of await caches.keys()) for (const request of await (await caches.open(name)).keys()) kept.push(request.url);
  for (const { name } of await indexedDB.databases()) kept.push("database " + name);
  return kept.join("\\n");
}"""


class Canaries:
    """A new string for every text, short enough for the shortest of them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, limit: int, words: str) -> str:
        self.made.append(f"Canary{len(self.made):04d}z")
        return self.made[-1][:limit]

    def in_(self, text: str) -> list[str]:
        return [canary for canary in self.made if canary.lower() in text.lower()]


@pytest.fixture
def written() -> io.StringIO:
    """Everything that is logged from DEBUG up, through the filter and the format that the site writes with."""
    console = next(
        handler for handler in logging.getLogger().handlers if any("Scrub" in type(f).__name__ for f in handler.filters)
    )
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(console.formatter)
    for one in console.filters:
        handler.addFilter(one)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)  # statements are written under DEBUG=1 alone
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.mark.django_db
def test_no_canary_reaches_somebody_else_a_log_or_a_mail(written, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    canaries = Canaries()
    cast = make_cast(canaries)
    while len(canaries.made) < CANARIES:
        make_cast(canaries)
    stranger = make_member(Role.PHARMACIST)
    people = [None, stranger, *(make_member(role, centre=stranger.centre) for role in Role if role != Role.PHARMACIST)]
    people += [cast.people[Role.ADMINISTRATOR], cast.people[Role.MONOGRAPH_EDITOR]]
    for member in people:
        client = client_of(member)
        for route in (route for route in app_routes() if route.name != "monograph-publish"):  # a draft is of no patient
            path = cast.address(route)
            assert not canaries.in_(path)
            for response in (client.get(path), client.post(path, {"q": "canary", "mrn": cast.patient.mrn})):
                assert not canaries.in_(response.content.decode(errors="replace")), (route.name, member and member.role)
                assert not canaries.in_(str(response.headers)), route.name
    for role in (Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER):
        client = client_of(cast.people[role])
        for route in app_routes():
            client.get(cast.address(route))
            client.post(cast.address(route), {"family_name": cast.patient.family_name, "mrn": cast.patient.mrn})
    call_command("notify", stdout=io.StringIO())
    assert len(canaries.made) >= CANARIES
    assert not canaries.in_(written.getvalue())
    assert not [message for message in mail.outbox if canaries.in_(message.subject + message.body)]


def test_no_canary_stays_in_a_browser_or_stands_in_an_address_or_a_title(
    new_page: Callable[..., Page], sign_in: Callable
) -> None:
    canaries = Canaries()
    cast = make_cast(canaries)
    plan = first_readers(cast)
    asked: list[str] = []
    seen = 0
    for role in set(plan.values()):
        page = new_page()
        page.on("request", lambda request: asked.append(request.url + str(request.headers.get("referer", ""))))
        sign_in(page, cast.people[role].user)
        for route in (route for route, reader in plan.items() if reader == role):
            page.goto(cast.address(route), wait_until="domcontentloaded")
            seen += bool(canaries.in_(page.content()))
            assert not canaries.in_(page.evaluate(STORED)), route.name
        assert not canaries.in_(str(page.context.storage_state()))
    assert seen >= 20
    assert not canaries.in_("\\n".join(asked))
    assert settings.SESSION_COOKIE_HTTPONLY
