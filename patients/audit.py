"""History: one event per action, written in the action's own transaction; what it changed is recorded by the database itself.

Call :func:`event` first in the transaction, before the rows it changes. Nothing here can be changed later: the app's role
may only read history and call the function audit.act.
"""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import cache
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from patients.models import Membership, Patient, User

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def set_request_id(request_id: str) -> Token[str]:
    """Name the request that this thread now serves; "" is none."""
    return _request_id.set(request_id)


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Serve one request: every event inside carries its number."""
    token = set_request_id(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def event(
    name: str,
    *,
    by: Membership | User | None,
    patient: Patient | uuid.UUID | None = None,
    reason: str = "",
    **facts: Any,
) -> int:
    """Record one action, in one statement, inside the current transaction; the number of the event.

    ``by`` is the membership that acts (its role and the person's name are read from the database at that moment), a user who
    has not chosen a centre, or None for the installation itself and failed sign-ins. ``facts`` are what a reader of the
    history will want: decimals, instants and ids are kept as text. An actor who is not in the database is refused.
    """
    values = [
        name,
        _request_id.get(),
        by.pk if isinstance(by, Membership) else None,
        by.pk if isinstance(by, User) else None,
        patient.pk if isinstance(patient, Patient) else patient,
        reason,
        json.dumps({"app": app_version()} | facts, cls=DjangoJSONEncoder),
    ]
    with connection.cursor() as cursor:
        cursor.execute("select audit.act(%s, %s, %s, %s, %s, %s, %s::jsonb)", values)
        return cursor.fetchone()[0]


@cache
def app_version() -> str:
    """The installed version, as pyproject.toml names it."""
    return tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
