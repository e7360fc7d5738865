"""The databases of the tests. Every one is a copy of the template `./dev test` made; every query is made as the app's role.

- `db` (pytest-django's): one database for the process, each test in a transaction that is rolled back.
- `committed_db`: a fresh database for one test, for what must really commit: threads, browsers, processes that are killed.

Django's own way of cleaning up, TRUNCATE, is refused by the database itself, so the fixtures that use it are refused here.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from cmvig_site.local import databases
from tests.support import not_run

TEMPLATE = os.environ.get("CMVIG_TEST_TEMPLATE", "")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class CommittedDatabase:
    """A database of one test: its name, and its addresses as app and as owner, for processes the test starts."""

    name: str
    url: str
    owner_url: str

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this database."""
        return {"DATABASE_URL": self.url, "DATABASE_OWNER_URL": self.owner_url}


@pytest.fixture(scope="session")
def django_db_setup(worker_id: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Give this process its own copy of the template, instead of Django's test database."""
    if not TEMPLATE:
        not_run("no test database here: start the tests with ./dev test")
    with django_db_blocker.unblock(), _copy_of_template(worker_id):
        yield


@pytest.fixture
def committed_db(
    django_db_setup: None, worker_id: str, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[CommittedDatabase]:
    """A fresh copy of the template for this test alone, used by all of Django's connections in all threads."""
    if "db" in request.fixturenames:
        pytest.fail("committed_db and db exclude each other: one commits, the other rolls back")
    with django_db_blocker.unblock(), _copy_of_template(f"{worker_id}_{next(_numbers)}") as copy:
        yield copy


@pytest.fixture
def transactional_db() -> None:
    """Refused: it empties tables with TRUNCATE, which the app's role may not."""
    pytest.fail("use committed_db instead of transactional_db, live_server or django_db(transaction=True)")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The same by its other name."""
    for mark in item.iter_markers("django_db"):
        if mark.kwargs.get("transaction") or True in mark.args:
            pytest.fail("use committed_db instead of django_db(transaction=True)")


@contextmanager
def _copy_of_template(suffix: str) -> Iterator[CommittedDatabase]:
    name = f"test_{suffix}_{os.getpid()}"  # a test may run a pytest of its own on the same server
    owner_url = os.environ["DATABASE_OWNER_URL"]
    databases.clone(owner_url, template=TEMPLATE, name=name)
    try:
        with _connections_to(name):
            yield CommittedDatabase(name, _with_database(os.environ["DATABASE_URL"], name), _with_database(owner_url, name))
    finally:
        databases.drop(owner_url, name)


@contextmanager
def _connections_to(name: str) -> Iterator[None]:
    # Every thread's connection reads this one dictionary when it opens.
    before = connection.settings_dict["NAME"]
    _disconnect()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        _disconnect()
        connection.settings_dict["NAME"] = before


def _disconnect() -> None:
    connections.close_all()
    connection.close_pool()


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
