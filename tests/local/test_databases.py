"""The databases the tests themselves stand on."""

from __future__ import annotations

from threading import Thread

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tests.plugins.database import CommittedDatabase


def one(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize("time", ["first", "second"])
def test_a_test_queries_as_the_app_and_what_it_writes_is_rolled_back(time: str) -> None:
    assert one("select current_user") == "cmvig_app"
    people = get_user_model().objects
    assert not people.filter(username="left-behind").exists(), time
    people.create(username="left-behind")


def test_a_committed_database_is_seen_by_every_thread_and_by_other_processes(committed_db: CommittedDatabase) -> None:
    seen = []

    def look() -> None:
        seen.append(one("select current_database()"))
        connection.close()

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(committed_db.url) as other:
        seen.append(other.execute("select current_database()").fetchone()[0])
    assert set(seen) == {committed_db.name}


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_committed_database_is_fresh_each_time(committed_db: CommittedDatabase, time: str) -> None:
    people = get_user_model().objects
    assert not people.filter(username="committed").exists(), time
    people.create(username="committed")
    with psycopg.connect(committed_db.url) as other:
        assert other.execute("select count(*) from patients_user where username = 'committed'").fetchone() == (1,)


def test_the_app_may_not_truncate_so_nothing_of_django_can_flush(committed_db: CommittedDatabase) -> None:
    with psycopg.connect(committed_db.url) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute("truncate patients_user cascade")
