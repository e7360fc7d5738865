"""Courses and counts for the tests of the worklist."""

from __future__ import annotations

import re
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from patients.models import Membership
from regimens.domain.clock import local_day
from regimens.models import Course, Hold, PlannedDose
from tests.factories import NEW_YORK
from tests.regimens.courses import Team, make_course, make_recipient, verify


def course_operated(team: Team, ago: timedelta):
    """A verified kidney course of somebody operated so long ago, registered then."""
    now = timezone.now().replace(microsecond=0)
    at = now - ago + timedelta(hours=2)
    return verify(team, make_course(team, make_recipient(team, at=at, reperfusion_at=now - ago), at=at), at=at)


def page_of(client: Client, team: Team) -> str:
    client.force_login(team.verifier.user)
    return client.get("/").content.decode()


def groups_of(client: Client, team: Team) -> dict[str, str]:
    """The count of each group of doses, by the beginning of its title."""
    return counted(page_of(client, team).partition('id="also-waiting"')[0])


def waiting_of(client: Client, by: Membership) -> dict[str, str]:
    """The count of each group beneath the doses, by the beginning of its title."""
    client.force_login(by.user)
    return counted(client.get("/").content.decode().partition('id="also-waiting"')[2])


def counted(page: str) -> dict[str, str]:
    return {title.strip(): count for title, count in re.findall(r'scope="colgroup">([^(:]+)[^(]*\(([0-9,+]+)\)', page)}


# Doses on hold --------------------------------------------------------------------------------------------------------------


def hold(
    course: Course, team: Team, ago: timedelta, *, resumed: timedelta | None = None, review: timedelta = timedelta(3)
) -> Hold:
    """A hold that began so long ago, and ended ``resumed`` ago where it did."""
    now = timezone.now()
    ended = {} if resumed is None else {
        "resumed_at": now - resumed, "resumed_by": team.builder, "resume_ordered_by": team.prescriber, "resume_reason": "Well again"
    }  # fmt: skip
    return Hold.objects.create(
        course=course,
        reason_code="sepsis",
        ordered_by=team.prescriber,
        held_by=team.builder,
        held_at=now - ago,
        review_on=local_day(now + review, NEW_YORK),
        **ended,
    )


def book(dose: PlannedDose, at) -> None:
    PlannedDose.objects.filter(pk=dose.pk).update(booked_for=at, booked_place="Clinic")
