"""What every test stands on. The parts are in tests/plugins; what tests call is in tests/support.py."""

from __future__ import annotations

import os

import pytest

from tests.support import FULL

# So that the tests of the rules run by plain pytest as well, without a server and without ./dev.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cmvig_site.settings")
os.environ.setdefault("SECRET_KEY", "only-for-the-tests-" + "x" * 40)
os.environ.setdefault("CMVIG_PLAIN_HTTP", "1")
# Playwright keeps an event loop in the thread in which a browser test uses the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

pytest_plugins = ["tests.plugins.report", "tests.plugins.database", "tests.plugins.browser"]


def pytest_configure() -> None:
    """Read the settings, so that pytest-django finds Django configured when its turn comes."""
    from django.conf import settings

    assert settings.ROOT_URLCONF


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether this is `./dev test --full`: more rounds, every combination."""
    return FULL
