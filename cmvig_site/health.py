"""GET /healthz: is the database there, is a monograph published. Answered before sessions and sign-in, for monitors."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from psycopg_pool import PoolTimeout

from regimens.actions.notices import notifier_state

PATH = "/healthz"
STATE = "SELECT (SELECT version FROM regimens_monograph WHERE state = 'published'), (SELECT ran_at FROM regimens_notifierrun)"


class HealthMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return health(request) if request.path == PATH else self.get_response(request)


def health(request: HttpRequest) -> JsonResponse:
    """200 with the state of the database and monograph; 503 when either is missing. A notifier that is late or was never run stays 200."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(STATE)
            version, ran_at = cursor.fetchone()
    except (DatabaseError, PoolTimeout):
        return _answer({"database": "down", "monograph": "unknown", "notify": "unknown"}, 503)
    finally:
        connection.close()
    published = f"v{version}" if version else "none published"
    state = {"database": "ok", "monograph": published, "notify": notifier_state(ran_at, timezone.now())}
    return _answer(state, 200 if version else 503)


def _answer(state: dict[str, str], status: int) -> JsonResponse:
    response = JsonResponse(state, status=status, json_dumps_params={"separators": (",", ":")})
    response["Cache-Control"] = "no-store"
    return response
