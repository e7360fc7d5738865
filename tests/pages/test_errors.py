"""What a person sees when something failed: plain words, a number to tell, and nothing that asks the failed database again."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError
from django.test import RequestFactory

from cmvig_site.views import server_error


def answer_to(error: Exception):
    request = RequestFactory().get("/")
    request.request_id = "4711"  # type: ignore[attr-defined]  # as the middleware sets it
    try:
        raise error
    except Exception:
        return server_error(request)  # no user, no session, no database: none of them is asked


@pytest.mark.parametrize("error", [OperationalError("connection is lost"), InterfaceError("closed")])
def test_a_lost_database_is_a_503_that_says_nothing_was_saved(error: Exception) -> None:
    answer = answer_to(error)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "Nothing was saved" in answer.content.decode()


def test_any_other_error_is_a_500_with_the_requests_number_and_not_its_words() -> None:
    answer = answer_to(ValueError("OKONKWO"))
    assert answer.status_code == 500
    assert "4711" in answer.content.decode()
    assert "OKONKWO" not in answer.content.decode()
