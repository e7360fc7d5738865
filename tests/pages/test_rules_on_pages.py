"""Every rule of the core has a page on which a user meets it: docs/rules.md names the page, and its working shows the rule."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from tests.domain.test_rules_document import documented
from tests.regimens.courses import Team, make_course, make_recipient, make_team, verify

ARGUMENTS = ((), ("00000000-0000-4000-8000-000000000000",), (1,))


def pages() -> dict[str, str]:
    """The page of each rule, as the document names it."""
    return {rule: cells[-1].strip("`") for rule, cells in documented().items()}


def names(resolver: URLResolver) -> set[str]:
    found = set()
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            found |= names(pattern)
        elif isinstance(pattern, URLPattern) and pattern.name:
            found.add(pattern.name)
    return found


def test_every_rule_names_a_page_that_exists() -> None:
    known = names(get_resolver())
    assert {rule for rule, page in pages().items() if page not in known} == set()


def test_every_named_page_has_an_address() -> None:
    for page in set(pages().values()):
        assert any(address(page, arguments) for arguments in ARGUMENTS), page


def address(page: str, arguments: tuple) -> str:
    try:
        return reverse(page, args=arguments)
    except NoReverseMatch:
        return ""


@pytest.mark.django_db
def test_the_page_of_a_dose_shows_the_rules_it_is_named_for(client: Client) -> None:
    """All that a plain kidney dose can carry; the others need an unknown time, a cap, a ceiling, a coarse pump or a remainder."""
    now = timezone.now()
    team: Team = make_team(now - timedelta(hours=6))
    course = make_course(
        team, make_recipient(team, at=now - timedelta(hours=5), reperfusion_at=now - timedelta(hours=6)), at=now
    )
    verify(team, course, at=now)
    client.force_login(team.verifier.user)
    shown = set()
    for number in (1, 2):
        page = client.get(f"/doses/{course.doses.get(number=number).pk}/").content.decode()
        shown |= set(re.findall(r'<span class="rule">(R-[A-Z]+-\d+)</span>', page))
    named = {rule for rule, page in pages().items() if page == "dose"}
    not_here = {"R-WIN-3", "R-WIN-8", "R-DOSE-8", "R-DOSE-10", "R-DOSE-11", "R-RATE-10", "R-RATE-11", "R-RATE-12"}
    assert named - shown <= not_here
    assert {rule for rule in shown if pages()[rule] != "dose"} == set()
