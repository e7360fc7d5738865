"""The status in SQL and in Python are one rule: asked side by side over every hour of a window and each edge, in six zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from regimens.models import Course, Hold, PlannedDose
from regimens.models.status import in_hours_sql, open_status_sql, status_of, with_hold
from tests.factories import make_centre, make_member
from tests.regimens.courses import Team, make_course, make_recipient

pytestmark = pytest.mark.django_db

ZONES = ("America/New_York", "Europe/London", "Australia/Sydney", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
ZERO, MINUTE, HOUR = timedelta(0), timedelta(minutes=1), timedelta(hours=1)


def team_in(zone: str) -> Team:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    centre = make_centre(time_zone=zone, at=at)
    roles = ("pharmacist", "pharmacist", "prescriber", "nurse")
    return Team(centre, *(make_member(role, centre=centre, at=at) for role in roles))


def book(dose: PlannedDose, booked_for: datetime) -> None:
    dose.booked_for, dose.booked_place = booked_for, "Ward 5"
    dose.save(update_fields=["booked_for", "booked_place"])


def hold(team: Team, course: Course, held_at: datetime, resumed_at: datetime | None) -> Hold:
    made = Hold(course=course, reason_code="sepsis", ordered_by=team.prescriber, held_by=team.prescriber, held_at=held_at)
    made.review_on = held_at.date()
    if resumed_at:
        made.resumed_at, made.resumed_by, made.resume_ordered_by = resumed_at, team.prescriber, team.prescriber
        made.resume_reason = "Cultures negative"
    made.save(force_insert=True)
    return made


@pytest.mark.parametrize("zone", ZONES)
def test_sql_and_python_agree_on_every_hour_and_edge(zone: str) -> None:
    at = datetime(2026, 9, 27, 12, 0, tzinfo=UTC)  # windows of weeks 2 to 8 lie across the autumn and spring changes
    team = team_in(zone)
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at - timedelta(hours=5)), at=at)
    doses = list(course.doses.order_by("number"))
    # Booked two days before the target, from which dose 3 is overdue; a booking outside the window counts for nothing.
    book(doses[2], doses[2].overdue_at - timedelta(days=3))
    book(doses[3], doses[3].closes_at)
    # One hold over the end of dose 2's window, one that ends before dose 3's does, one still on.
    holds = [
        hold(team, course, doses[1].overdue_at, doses[1].closes_at + HOUR),
        hold(team, course, doses[2].opens_at, doses[2].opens_at + 30 * HOUR),
        hold(team, course, doses[4].opens_at - HOUR, None),
    ]
    asked = {edge + step for h in holds for edge in (h.held_at, h.resumed_at) if edge for step in (-MINUTE, ZERO, MINUTE)}
    for dose in doses:
        for edge in (dose.opens_at, dose.overdue_at, dose.closes_at):
            asked |= {edge - MINUTE, edge, edge + MINUTE}
    moment = doses[0].opens_at - HOUR
    while moment < doses[2].closes_at + HOUR:
        asked.add(moment)
        moment += HOUR
    words = set()
    for moment in sorted(asked):
        by_sql = dict(
            with_hold(PlannedDose.objects.filter(course=course), moment)
            .annotate(word=open_status_sql(moment))
            .values_list("pk", "word")
        )
        by_python = {dose.pk: status_of(dose, moment, holds=holds).value for dose in doses}
        assert by_sql == by_python, moment
        words |= set(by_python.values())
    assert words == {"upcoming", "due", "overdue", "missed", "held", "passed_on_hold"}


def test_the_initial_dose_is_due_for_72_hours_and_never_overdue() -> None:
    team = team_in("America/New_York")
    at = datetime(2026, 10, 30, 22, 0, tzinfo=UTC)  # 18:00 in New York, two days before the clocks go back
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at), at=at)
    dose = course.doses.get(number=1)
    assert dose.closes_at == at + timedelta(hours=72)
    assert not PlannedDose.objects.filter(pk=dose.pk, overdue_at__lt=F("closes_at")).exists()
    assert [status_of(dose, at + timedelta(hours=h)).value for h in (0, 71, 72)] == ["due", "due", "missed"]


def on_one_day(dose: PlannedDose, at: datetime, **changes) -> PlannedDose:
    """The dose as one that is given late, or moved to the last day of its window: its target day is all that is left."""
    rows = PlannedDose.objects.filter(pk=dose.pk)
    rows.update(opens_at=at, overdue_at=at + 24 * HOUR, closes_at=at + 24 * HOUR, target_on=at.date(), **changes)
    return rows.select_related("protocol_dose").get()


def test_only_the_protocols_own_hours_are_a_window_in_hours() -> None:
    team = team_in("America/New_York")
    at = datetime(2026, 10, 29, 4, 0, tzinfo=UTC)
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at), at=at)
    first, second, third = course.doses.select_related("protocol_dose").order_by("number")[:3]
    assert [dose.in_hours for dose in (first, second, third)] == [True, False, False]
    late, second = on_one_day(first, at + 120 * HOUR), on_one_day(second, second.opens_at)
    assert not late.in_hours, "the first dose on a day of its own, after its 72 hours"
    assert not second.in_hours
    by_sql = dict(course.doses.annotate(in_hours_by_sql=in_hours_sql()).values_list("number", "in_hours_by_sql"))
    assert not any(by_sql.values())
    book(second, second.opens_at + 3 * HOUR)
    for hours, word in ((2, "due"), (3, "overdue"), (24, "missed")):
        moment = second.opens_at + hours * HOUR
        rows = with_hold(PlannedDose.objects.filter(pk=second.pk), moment)
        assert rows.annotate(word=open_status_sql(moment)).get().word == status_of(second, moment).value == word
