"""A dose on another day of its window, and the open course of an earlier transplant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from patients import actions
from patients.refusal import Refusal
from regimens.actions import charting, courses, replanning
from regimens.domain.reasons import Refused
from regimens.models import PlannedDose
from tests.factories import NOW, make_transplant
from tests.regimens import ward as wards
from tests.regimens.courses import doses_of, make_course, make_team, verify
from tests.regimens.test_replanning import refused
from tests.regimens.ward import TRANSPLANTED, give, make_ward

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.django_db


# Another day ---------------------------------------------------------------------------------------------------------------------


def test_a_moved_dose_is_a_new_unsigned_revision_of_it_alone_with_window_amount_and_booking_kept() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    old = doses_of(course)[1]
    booked = old.opens_at + HOUR
    PlannedDose.objects.filter(pk=old.pk).update(booked_for=booked, booked_place="Infusion clinic")
    new = replanning.move_dose(dose=old, to_on=old.target_on + 2 * DAY, by=team.builder, at=NOW)
    assert (new.opens_at, new.closes_at, new.overdue_at) == (old.opens_at, old.closes_at, old.overdue_at + 2 * DAY)
    assert (new.target_on, new.dose_mg, new.booked_for) == (old.target_on + 2 * DAY, old.dose_mg, booked)
    assert (new.revision, new.verified_at, new.replaces_id) == (2, None, old.pk)
    assert [step["rule"] for step in new.working][-1] == "R-WIN-10"
    assert all(dose.verified_at for dose in doses_of(course) if dose.number != 2)
    again = replanning.move_dose(dose=new, to_on=old.target_on - 3 * DAY, by=team.builder, at=NOW)
    assert [step["rule"] for step in again.working].count("R-WIN-10") == 1


@pytest.mark.parametrize(("days", "code"), [(4, "outside_window"), (-4, "outside_window"), (0, "same_day")])
def test_a_dose_does_not_move_out_of_its_window_nor_to_its_own_day(days: int, code: str) -> None:
    team = make_team()
    dose = doses_of(make_course(team))[1]
    with pytest.raises((Refusal, Refused)) as refusal:
        replanning.move_dose(dose=dose, to_on=dose.target_on + days * DAY, by=team.builder, at=NOW)
    assert refusal.value.code == code


def test_the_initial_dose_has_no_other_day() -> None:
    team = make_team()
    dose = doses_of(make_course(team))[0]
    with pytest.raises(Refused) as refusal:
        replanning.move_dose(dose=dose, to_on=NOW.date(), by=team.builder, at=NOW)
    assert refusal.value.code == "hours_do_not_move"


def test_a_dose_is_not_moved_to_a_day_that_is_over() -> None:
    team = make_team()
    dose = doses_of(make_course(team))[1]
    at = dose.overdue_at - HOUR
    with refused("day_is_past"):
        replanning.move_dose(dose=dose, to_on=dose.target_on - DAY, by=team.builder, at=at)
    assert replanning.move_dose(dose=dose, to_on=dose.target_on + DAY, by=team.builder, at=at).pk


def test_a_moved_dose_keeps_its_interval_to_what_was_given_and_to_what_is_planned() -> None:
    ward = make_ward()
    course = wards.make_course(ward, verified=False)
    PlannedDose.objects.filter(course=course, number__gte=3).update(min_interval_hours=240)
    second, third = wards.dose(course, 2), wards.dose(course, 3)
    # Week 2 was given on its last day, 07-Dec-2026; ten days later is inside the window of week 4, 15 to 21.
    give(ward, second, at=second.closes_at - 5 * HOUR, reason="The clinic was full on the target day")
    at = second.closes_at + HOUR

    def limit(dose: PlannedDose, on: date) -> tuple[str, str]:
        with pytest.raises(Refused) as refusal:
            replanning.move_dose(dose=dose, to_on=on, by=ward.pharmacist, at=at)
        return refusal.value.code, refusal.value.limit

    assert limit(third, date(2026, 12, 16)) == ("too_near_before", "17-Dec-2026")
    third = replanning.move_dose(dose=third, to_on=date(2026, 12, 21), by=ward.pharmacist, at=at)
    fourth = wards.dose(course, 4)  # week 6, planned for 01-Jan-2027, open from 29-Dec-2026
    assert limit(fourth, date(2026, 12, 30)) == ("too_near_before", "31-Dec-2026")
    fourth = replanning.move_dose(dose=fourth, to_on=date(2026, 12, 31), by=ward.pharmacist, at=at)
    third = replanning.move_dose(dose=third, to_on=date(2026, 12, 17), by=ward.pharmacist, at=at)
    replanning.move_dose(dose=fourth, to_on=date(2026, 12, 29), by=ward.pharmacist, at=at)
    assert limit(third, date(2026, 12, 20)) == ("too_near_after", "19-Dec-2026")


def test_a_replaced_settled_stopped_or_closed_dose_is_not_moved_and_a_nurse_moves_none() -> None:
    team = make_team()
    course = make_course(team)
    old = doses_of(course)[1]
    to_on = old.target_on + DAY
    with refused("role"):
        replanning.move_dose(dose=old, to_on=to_on, by=team.nurse, at=NOW)
    new = replanning.move_dose(dose=old, to_on=to_on, by=team.builder, at=NOW)
    with refused("superseded"):
        replanning.move_dose(dose=old, to_on=to_on + DAY, by=team.builder, at=NOW)
    third = doses_of(course)[2]
    PlannedDose.objects.filter(pk=third.pk).update(settled_at=NOW, settled_as="omitted")
    with refused("dose_settled"):
        replanning.move_dose(dose=third, to_on=third.target_on + DAY, by=team.builder, at=NOW)
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=NOW)
    with refused("patient_closed"):
        replanning.move_dose(dose=new, to_on=to_on + DAY, by=team.builder, at=NOW)
    actions.reopen_patient(patient=course.patient, reason="Closed by mistake", by=team.builder, at=NOW)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=team.prescriber, at=NOW)
    with refused("course_stopped"):
        replanning.move_dose(dose=new, to_on=to_on + DAY, by=team.builder, at=NOW)


def test_the_days_offered_name_closed_ones_and_leave_out_what_is_over() -> None:
    team = make_team()
    course = make_course(team)  # transplanted Fri 20-Nov-2026: week 2 on Fri 04-Dec, open from Tue 01 to Mon 07
    dose = doses_of(course)[1]
    team.centre.closed_days.create(on=date(2026, 12, 2), title="Founders' day")
    team.centre.closed_days.create(on=date(2026, 12, 3), title="Listed in error", removed_at=NOW)
    chart = charting.read_dose(dose)
    days = replanning.days_of(chart, NOW)
    assert [day.on.day for day in days] == [1, 2, 3, 5, 6, 7]
    assert {day.on.day: day.closed_for for day in days if day.is_closed} == {2: "Founders' day", 5: "", 6: ""}
    later = datetime(2026, 12, 4, 17, tzinfo=UTC)
    assert [day.on.day for day in replanning.days_of(chart, later)] == [5, 6, 7]
    assert all(day.refusal for day in replanning.days_of(charting.read_dose(doses_of(course)[0]), NOW - 2 * DAY))


# A second transplant -------------------------------------------------------------------------------------------------------------


def test_after_a_retransplant_the_open_course_of_the_earlier_graft_is_asked_about_until_it_ends() -> None:
    team = make_team()
    course = make_course(team)
    patient = course.patient
    assert replanning.older_open_courses(patient) == []
    make_transplant(patient, at=NOW + 3 * DAY, by=team.builder, reperfusion_at=NOW + 3 * DAY - HOUR)
    assert replanning.older_open_courses(patient) == [course]
    courses.stop_course(course=course, reason_code="retransplant", reason="", by=team.prescriber, at=NOW + 3 * DAY)
    assert replanning.older_open_courses(patient) == []


def test_a_finished_course_of_an_earlier_graft_is_not_asked_about() -> None:
    team = make_team()
    course = make_course(team)
    make_transplant(course.patient, at=NOW + 3 * DAY, by=team.builder, reperfusion_at=NOW + 3 * DAY - HOUR)
    course.doses.update(settled_at=NOW, settled_as="omitted")
    assert replanning.older_open_courses(course.patient) == []


def test_a_course_is_not_stopped_while_an_infusion_of_it_runs() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    at = TRANSPLANTED + 20 * HOUR
    record = wards.start(ward, wards.dose(course, 1), at=at)
    with refused("infusion_running"):
        courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=at)
    type(record).objects.filter(pk=record.pk).update(ended_at=at + HOUR, volume_ml=210)
    assert courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=at).stopped_at
