"""GET /healthz: is the database there, is a monograph published. Answered before sessions and sign-in, for monitors."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from psycopg_pool import PoolTimeout

PATH = "/healthz"


class HealthMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return health(request) if request.path == PATH else self.get_response(request)


def health(request: HttpRequest) -> JsonResponse:
    """200 with the state of the database and monograph; 503 when either is missing. A late notifier stays 200."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version FROM regimens_monograph WHERE state = 'published'")
            row = cursor.fetchone()
    except (DatabaseError, PoolTimeout):
        return _private(JsonResponse({"database": "down", "monograph": "unknown", "notify": "unknown"}, status=503))
    finally:
        connection.close()
    state = {"database": "ok", "monograph": f"v{row[0]}" if row else "none published", "notify": "ok"}
    return _private(JsonResponse(state, status=200 if row else 503))


def _private(response: JsonResponse) -> JsonResponse:
    response["Cache-Control"] = "no-store"
    return response
