"""The site served for one test, and Chromium to look at it. A page that reaches outside or reports an error fails its test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.support import not_run

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.plugins.database import CommittedDatabase

SCREEN = {"width": 1366, "height": 768}
# Chromium asks its maker for updates and names otherwise; nothing but this machine's loopback may answer.
SWITCHES = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
]
# A form that comes back with its errors is answered 422, and Chromium writes that to its console.
ANSWERED_422 = "the server responded with a status of 422"


@dataclass(frozen=True)
class LiveSite:
    """The site as served: `url` without a slash at its end, and the database of the test behind it."""

    url: str
    database: CommittedDatabase


@pytest.fixture
def live_site(committed_db: CommittedDatabase) -> Iterator[LiveSite]:
    """The WSGI application, style sheets included, on a loopback port; every request in a thread of its own."""
    from django.core.servers.basehttp import ThreadedWSGIServer
    from django.test.testcases import QuietWSGIRequestHandler

    from cmvig_site.wsgi import application

    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.set_app(application)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield LiveSite(f"http://127.0.0.1:{server.server_address[1]}", committed_db)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium, Debian's, for all tests of this process."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        not_run("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import Error, sync_playwright

    try:
        playwright = sync_playwright().start()
    except Exception as error:  # the driver's own program did not start, whatever it was that it missed
        not_run(f"Playwright's driver does not start here: {error} (Debian: apt-get install libatomic1)")
    try:
        chromium = playwright.chromium.launch(executable_path=program, args=SWITCHES)
    except Error as error:
        playwright.stop()
        not_run(f"{program} does not start here: {error}")
    try:
        yield chromium
    finally:
        chromium.close()
        playwright.stop()


@pytest.fixture
def tolerated() -> list[str]:
    """Append a part of a console message that this test provokes on purpose; every other message fails the test."""
    return []


@pytest.fixture
def new_page(browser: Browser, live_site: LiveSite, tolerated: list[str]) -> Iterator[Callable[..., Page]]:
    """Make a page in a browser profile of its own: another person, another computer. Options go to Playwright's new_context."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def make(**options: object) -> Page:
        context = browser.new_context(**{"base_url": live_site.url, "viewport": SCREEN, "locale": "en-US", **options})
        context.set_default_timeout(10_000)
        context.on("request", lambda request: problems.extend(_outside(request.url, live_site.url)))
        context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: problems.append(str(error.error)))
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    expected = [ANSWERED_422, *tolerated]
    unexpected = [problem for problem in problems if not any(part in problem for part in expected)]
    assert not unexpected, "the browser reported: " + "; ".join(unexpected)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A page of the site at 1366 × 768."""
    return new_page()


@pytest.fixture
def sign_in(live_site: LiveSite) -> Callable[[Page, AbstractBaseUser], None]:
    """Sign a person in on a page without going through the sign-in form."""
    from django.conf import settings
    from django.test import Client

    def enter(page: Page, user: AbstractBaseUser) -> None:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_site.url}])

    return enter


def _outside(url: str, site: str) -> list[str]:
    if url.startswith((f"{site}/", "data:", "blob:", "about:")):
        return []
    return [f"a request outside the site: {url}"]
