"""A process that holds an embedded server, for the tests to start as anybody, to question, and to kill.

It writes one line of JSON about the server, then answers one line of JSON for each question on its standard input, and
stops the server when that is closed. Run as `python -m tests.local.holder STATE [--throwaway] [--elsewhere DIR] [--no-linux]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import psycopg

from cmvig_site.local import placement
from cmvig_site.local.postgres import Server
from cmvig_site.local.problems import Problem


def main() -> int:
    """Hold the server until standard input is closed; 1 if it could not be started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("--throwaway", action="store_true")
    parser.add_argument("--elsewhere", type=Path, default=placement.ELSEWHERE)
    parser.add_argument("--no-linux", action="store_true", help="a system without prctl, such as macOS")
    options = parser.parse_args()
    placement.ELSEWHERE = options.elsewhere
    if options.no_linux:
        sys.platform = "darwin"
    server = Server(options.state, throwaway=options.throwaway)
    try:
        server.start()
    except Problem as problem:
        _say(problem=str(problem))
        return 1
    _say(
        attached=server.attached,
        manner=server.placement.manner,
        data=str(server.placement.data),
        programs=str(server.placement.programs),
        pid=server.process.pid if server.process else None,
        url=server.url(),
    )
    for line in sys.stdin:
        question = json.loads(line)
        try:
            _say(rows=_rows(server.url(role=question["role"]), question["sql"]))
        except psycopg.Error as error:
            _say(error=str(error))
    server.stop()
    return 0


def _rows(url: str, sql: str) -> list:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main())
