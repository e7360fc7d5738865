"""Logging without patients: PostgreSQL's details, tracebacks' data and control characters are cut before anything is written."""

from __future__ import annotations

import logging
import re
import traceback

# psycopg's messages carry rows: 'DETAIL:  Key (mrn)=(…) already exists.' and 'Failing row contains (…)'.
_CONSTRAINT = re.compile(r'constraint "(?P<name>[a-z0-9_]+)"')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def scrubbed_exception(error: BaseException) -> str:
    """The exception's type, the constraint's name if it has one, and nothing of its message."""
    constraint = _CONSTRAINT.search(str(error))
    return type(error).__name__ + (f" (constraint {constraint['name']})" if constraint else "")


class Scrub(logging.Filter):
    """Drops arguments that could carry a request's content, and flattens control characters (no forged lines)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _CONTROL.sub(" ", record.getMessage())
        record.args = None
        return True


class PlainFormatter(logging.Formatter):
    """One line per record; a traceback names places and the type of the error, never the error's text."""

    def formatException(self, ei) -> str:
        _, error, tb = ei
        chain, seen = [], error
        while seen is not None:
            chain.append(scrubbed_exception(seen))
            seen = seen.__cause__ or seen.__context__
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(tb)][-8:]
        return " <- ".join(chain) + " at " + " < ".join(reversed(places))
