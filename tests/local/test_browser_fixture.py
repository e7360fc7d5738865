"""The page the browser tests get: it fails a test that reaches outside the site or puts an error on the console."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth import get_user_model
from playwright.sync_api import Page

from cmvig_site.local.project import ROOT

FORBIDDEN = """
def test_outside(new_page):
    page = new_page(bypass_csp=True)
    page.goto("/healthz")
    page.evaluate("fetch('http://example.org/').catch(() => {})")

def test_shouting(page):
    page.goto("/healthz")
    page.evaluate("console.error('shouting')")

def test_throwing(page):
    page.goto("/healthz")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('thrown') })")

def test_missing(page):
    page.goto("/static/no-such-file.css")
"""


def run(directory: Path, source: str, **changes: str) -> subprocess.CompletedProcess:
    """Tests with this source, in a pytest of their own on the same template database."""
    test = directory / "test_inner.py"
    test.write_text(source)
    environment = {**os.environ, "CMVIG_TEST_OUTCOME": "", **changes}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", test]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_what_a_page_must_not_do_fails_its_test(tmp_path: Path) -> None:
    answer = run(tmp_path, FORBIDDEN)
    assert "4 passed, 4 errors" in answer.stdout, answer.stdout
    for complaint in ("a request outside the site: http://example.org/", "reported: shouting", "thrown", "status of 404"):
        assert complaint in answer.stdout


def test_a_browser_that_is_not_there_is_not_run_and_not_passed(tmp_path: Path) -> None:
    answer = run(tmp_path, "def test_page(page): pass", CHROMIUM="/no/such/chromium")
    assert answer.returncode == 3, answer.stdout
    assert "test_page: /no/such/chromium does not start here" in answer.stdout


def test_a_quiet_page_passes_and_so_does_a_complaint_that_was_expected(page: Page, tolerated: list[str]) -> None:
    page.goto("/healthz")
    assert "ok" in page.content()
    tolerated.append("shouting")
    page.evaluate("console.error('shouting')")


def test_every_page_is_a_computer_of_its_own_and_signs_in_its_own_person(
    new_page: Callable[[], Page], sign_in: Callable[[Page, object], None]
) -> None:
    one, two = new_page(), new_page()
    sign_in(one, get_user_model().objects.create(username="someone"))
    assert one.context.cookies()
    assert not two.context.cookies()
