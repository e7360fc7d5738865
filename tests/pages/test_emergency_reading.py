"""A chart read in an emergency from another center: on the clock of the center that treats the patient, not of the one that reads."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from regimens.models import Note, PlannedDose
from regimens.templatetags import display
from tests.factories import NEW_YORK, make_centre, make_member
from tests.regimens.courses import make_course, make_recipient, make_team

pytestmark = pytest.mark.django_db
INSTANT = re.compile(r"\d{2}-[A-Z][a-z]{2}-\d{4}\N{NO-BREAK SPACE}\d{2}:\d{2}")


def test_every_page_of_a_chart_shows_the_times_of_its_own_center() -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    team, at = make_team(now - timedelta(days=30)), now - timedelta(hours=20)
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at), at=at)
    first = course.doses.get(number=1)
    note = Note.objects.create(
        patient=course.patient, text="Which arm?", is_query=True, owner=team.nurse, due_on=now.date(), written_by=team.nurse, written_at=at
    )  # fmt: skip
    far = make_member("prescriber", centre=make_centre(time_zone="Asia/Kolkata", at=at), at=at)
    why = "Found unconscious in our emergency room"
    patient = course.patient
    here, there = Client(), Client()
    here.force_login(team.prescriber.user)
    there.force_login(far.user)
    asked = {"centre": patient.centre_id, "mrn": patient.mrn, "reason": why}
    assert there.post(reverse("emergency"), asked).status_code == 302
    named = [
        ("chart", patient.pk),
        ("dose", first.pk),
        ("booking", first.pk),
        ("verify", course.pk),
        ("papers", course.pk),
        ("notes", patient.pk),
        ("note-answer", note.pk),
        ("decide", first.pk),
        ("course-hold", course.pk),
    ]
    for name, pk in named:
        pages = [client.get(reverse(name, args=[pk])) for client in (here, there)]
        assert [page.status_code for page in pages] == [200, 200], name
        told = [set(INSTANT.findall(page.content.decode().partition("<h1")[2])) for page in pages]
        assert told[0] == told[1], name
    page = there.get(reverse("chart", args=[patient.pk])).content.decode()
    closes_at = PlannedDose.objects.get(pk=first.pk).closes_at
    assert f"until {display.format_instant(closes_at, NEW_YORK)}" in page
    assert display.format_instant(closes_at, "Asia/Kolkata") not in page
