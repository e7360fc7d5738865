"""A draft as the one who decides reads it: every difference, what follows at three weights, in worked cases and running courses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patients.models import Event, Membership
from patients.roles import Role
from regimens.actions import library
from regimens.domain import monograph as domain
from regimens.domain.library_file import parse
from regimens.library import SHIPPED
from regimens.models import Monograph, PlannedDose
from tests.factories import NOW, PASSWORD, make_member
from tests.regimens.courses import make_course, make_recipient, make_team

pytestmark = pytest.mark.django_db
VALUE = parse(SHIPPED.read_text("utf-8"))


def week_16(mg_per_kg: int, **kidney: object) -> domain.Monograph:
    """The shipped monograph with another last dose in the kidney protocol."""
    protocol, *others = VALUE.protocols
    *doses, last = protocol.doses
    changed = replace(protocol, doses=(*doses, replace(last, mg_per_kg=Decimal(mg_per_kg))), **kidney)  # type: ignore[arg-type]
    return replace(VALUE, what_changed="Week 16: 60 mg per kg.", protocols=(changed, *others))


def submitted(editor: Membership, value: domain.Monograph) -> Monograph:
    draft, _ = library.load_draft(value=value, by=editor, at=NOW)
    return library.submit(monograph=draft, by=editor, at=NOW)


def page(by: Membership, draft: Monograph) -> str:
    client = Client()
    client.force_login(by.user)
    answer = client.get(reverse("monograph-publish", args=[draft.pk]))
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def test_the_page_tells_the_difference_and_what_follows_from_it() -> None:
    team = make_team()
    make_course(team)
    editor = make_member(Role.MONOGRAPH_EDITOR, centre=team.centre)
    shown = page(team.builder, submitted(editor, week_16(60)))
    assert "<td><del>50</del></td><td><ins>60</ins></td>" in shown
    for words in ("500 → 600 mg (+20 percent)", "3,500 → 4,200 mg (+20 percent)", "7,000 → 8,400 mg (+20 percent)"):
        assert words in shown
    assert "16 same, 0 changed" in shown
    assert "1 of 1 running course would be another plan" in shown
    assert "OKONKWO, Adaeze" in shown and "45,500 → 46,200 mg (+1.5 percent)" in shown and "1 amount" in shown
    assert "Publish as a new version" in shown


def test_the_worked_cases_that_change_are_named_with_both_values() -> None:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    slower = tuple(replace(row, value=Decimal(50)) if row.code == "max_rate_ml_per_h" else row for row in VALUE.limits)
    shown = page(editor, submitted(editor, replace(VALUE, what_changed="Slower.", limits=slower)))
    assert '<th scope="row">C07</th>' in shown
    assert "rates_ml_per_h 21|42|75" in shown and "rates_ml_per_h 21|42|50" in shown


def test_an_editor_reads_how_many_courses_differ_and_no_name() -> None:
    team = make_team()
    make_course(team)
    editor = make_member(Role.MONOGRAPH_EDITOR, centre=team.centre)
    shown = page(editor, submitted(editor, week_16(60)))
    assert "1 of 1 running course" in shown and "1 more is not named here" in shown
    assert "OKONKWO" not in shown


def test_a_pharmacist_reads_the_names_of_their_own_center_alone() -> None:
    there, here = make_team(), make_team()
    make_course(there)
    shown = page(here.builder, submitted(make_member(Role.MONOGRAPH_EDITOR), week_16(60)))
    assert "1 of 1 running course" in shown and "OKONKWO" not in shown


def test_a_draft_that_is_not_submitted_is_read_and_not_published() -> None:
    team = make_team()
    editor = make_member(Role.MONOGRAPH_EDITOR, centre=team.centre)
    draft, _ = library.load_draft(value=week_16(60), by=editor, at=NOW)
    shown = page(team.builder, draft)
    assert "Not submitted yet" in shown and "Publish as a new version" not in shown
    client = Client()
    client.force_login(team.builder.user)
    answer = client.post(reverse("monograph-publish", args=[draft.pk]), {"publish": "1", "password": PASSWORD})
    assert answer.status_code == 422 and "Only a submitted draft is published" in answer.content.decode()


@pytest.mark.parametrize("courses", [1, 4])
def test_the_page_asks_the_database_at_most_twelve_times_whatever_runs(courses: int) -> None:
    team = make_team()
    for _ in range(courses):
        make_course(team, make_recipient(team))
    draft = submitted(make_member(Role.MONOGRAPH_EDITOR, centre=team.centre), week_16(60))
    client = Client()
    client.force_login(team.builder.user)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(reverse("monograph-publish", args=[draft.pk]))
    assert len(queries) <= 12, [query["sql"][:120] for query in queries]


def test_a_wrong_password_publishes_nothing_and_the_right_one_leaves_every_plan_as_it_is() -> None:
    team = make_team()
    make_course(team)
    draft = submitted(make_member(Role.MONOGRAPH_EDITOR, centre=team.centre), week_16(60))
    before = list(PlannedDose.objects.order_by("pk").values())
    client = Client()
    client.force_login(team.builder.user)
    address = reverse("monograph-publish", args=[draft.pk])
    assert client.post(address, {"publish": "1", "password": "not it"}).status_code == 422
    assert Monograph.objects.get(state="published").version == 1
    assert client.post(address, {"publish": "1", "password": PASSWORD}).status_code == 302
    assert Monograph.objects.get(state="published").version == 2
    assert list(PlannedDose.objects.order_by("pk").values()) == before
    assert Event.objects.filter(name="publish_monograph", facts__version=2).exists()
