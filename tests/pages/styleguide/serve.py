"""The style guide in a browser: pages and static files are answered in place, so neither a server nor a database is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django_htmx
from django.conf import settings
from django.test.utils import override_settings

from tests.pages.styleguide import guide

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

SITE = "http://127.0.0.1:9"  # the discard port: whatever is not answered here fails
STATIC = (guide.ROOT / "static", Path(django_htmx.__file__).parent / "static")
PLAIN_STATIC = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# Chromium and htmx write to the console that a request failed; here it fails on purpose.
EXPECTED = re.compile("Failed to load resource|htmx:sendError|htmx:afterRequest|Response Status Error Code")
Answer = tuple[int, str]


def _policy() -> str:
    """The content security policy of the product, as its middleware would send it."""
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


@contextmanager
def guide_page(browser: Browser, answer: Callable[[Request], Answer | None] | None = None, **options: object) -> Iterator[Page]:
    """A page of a fresh browser profile. ``answer`` may answer a request itself (status, html; status 0 breaks the line).

    Anything the console reports as an error, a refused style or script included, fails the test at the end.
    """
    problems: list[str] = []
    rendered: dict[str, str] = {}

    def fulfill(route: Route) -> None:
        path = route.request.url.removeprefix(f"{SITE}/").split("?")[0]
        given = answer(route.request) if answer else None
        if given is not None:
            status, html = given
            route.fulfill(status=status, body=html, content_type="text/html") if status else route.abort()
        elif path.startswith("static/"):
            route.fulfill(path=next(root / path[7:] for root in STATIC if (root / path[7:]).exists()))
        elif path.endswith(".html"):
            if path not in rendered:
                with override_settings(ROOT_URLCONF=guide.__name__, STORAGES=PLAIN_STATIC):
                    rendered[path] = guide.render(path)
            route.fulfill(body=rendered[path], content_type="text/html", headers={"Content-Security-Policy": _policy()})
        else:
            route.fulfill(body="<!doctype html><title>elsewhere</title>", content_type="text/html")

    context = browser.new_context(**{"base_url": SITE, "viewport": {"width": 1366, "height": 768}, **options})
    context.set_default_timeout(10_000)
    context.route("**/*", fulfill)
    page = context.new_page()
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on(
        "console",
        lambda message: (
            problems.append(message.text) if message.type == "error" and not EXPECTED.search(message.text) else None
        ),
    )
    try:
        yield page
    finally:
        context.close()
    assert not problems, "the browser reported: " + "; ".join(problems)
