"""Which commands of ./dev manage need a database server."""

from __future__ import annotations

import pytest

from cmvig_site.local.manage import _needs_database


@pytest.mark.parametrize(
    "arguments",
    [["migrate"], ["export_monograph"], ["export_monograph", "--version", "1"], ["check_cases", "cases.csv"], ["shell"]],
)
def test_a_command_that_reads_or_writes_rows_gets_a_server(arguments: list[str]) -> None:
    assert _needs_database(arguments)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--version"], ["migrate", "--help"], ["migrate", "--version"], ["check"], ["check_cases", "cases.csv", "--library"]],
)
def test_a_command_that_only_says_something_gets_none(arguments: list[str]) -> None:
    assert not _needs_database(arguments)
