"""Changing what is left of a running course: another weight, a corrected transplant time, another day of the window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from patients import actions
from patients.models import Patient
from patients.refusal import Refusal
from regimens.actions import charting, courses, planning, replanning
from regimens.domain.reasons import Refused
from regimens.models import Course, PlannedDose
from tests.factories import NOW, make_transplant, make_weight
from tests.regimens import ward as wards
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, order_of, verify
from tests.regimens.ward import TRANSPLANTED, give, make_ward

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def reweigh(patient: Patient, weight_kg: str, at: datetime = NOW + HOUR):
    return make_weight(patient, weight_kg, at=at, measured_at=at - HOUR / 2, reason="Fluid, measured twice")


def correct(course: Course, *, by: timedelta, at: datetime = NOW + HOUR, **changes) -> None:
    graft = course.transplant
    graft.refresh_from_db()
    actions.correct_transplant(
        transplant=graft,
        version=graft.version,
        reason="Read from the operation note",
        reperfusion_at=graft.reperfusion_at + by,
        by=course.built_by,
        at=at,
        **changes,
    )


def draft(course: Course, weight=None, at: datetime = NOW + 2 * HOUR) -> replanning.Replan:
    return replanning.draft_replan(charting.read_dose(course.doses.earliest("number")), weight=weight, at=at)


def recalculate(team: Team, course: Course, weight=None, at: datetime = NOW + 2 * HOUR, **seen) -> Course:
    return replanning.recalculate_course(course=course, weight=weight, by=team.builder, at=at, **seen)


# A new weight --------------------------------------------------------------------------------------------------------------------


def test_from_70_to_80_kg_every_dose_left_is_a_new_unsigned_revision_with_its_window_and_rates_kept() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    before = doses_of(course)
    recalculate(team, course, reweigh(course.patient, "80"))
    after = doses_of(course)
    assert [dose.dose_mg for dose in after] == [12000, 8000, 8000, 8000, 8000, 4000, 4000]
    assert [dose.draw_ml for dose in after] == [240, 160, 160, 160, 160, 80, 80]
    assert [dose.vials for dose in after] == [5, 4, 4, 4, 4, 2, 2]
    assert all(dose.verified_at is None and dose.revision == 2 and dose.built_by == team.builder for dose in after)
    for old, new in zip(before, after, strict=True):
        assert new.replaces_id == old.pk
        for kept in ("opens_at", "target_on", "overdue_at", "closes_at", "rate_table", "ceiling_mg_per_kg_per_h", "mg_per_kg"):
            assert getattr(new, kept) == getattr(old, kept), kept


def test_the_draft_saves_nothing_and_says_what_the_revision_then_is() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    weight = reweigh(course.patient, "80")
    before = list(PlannedDose.objects.order_by("pk").values())
    seen = draft(course, weight)
    assert list(PlannedDose.objects.order_by("pk").values()) == before
    assert [line.new.dose_mg for line in seen.changed if line.new] == [12000, 8000, 8000, 8000, 8000, 4000, 4000]
    recalculate(team, course, weight, shown=seen.fingerprint)
    saved = doses_of(course)
    assert [planning.content_hash(dose) for dose in saved] == [
        planning.content_hash(line.new) for line in seen.changed if line.new
    ]


def test_a_given_dose_and_an_omitted_one_stay_as_they_are() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    given = give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    PlannedDose.objects.filter(course=course, number=2).update(settled_at=TRANSPLANTED, settled_as="omitted")
    at = TRANSPLANTED + 30 * HOUR
    replanning.recalculate_course(course=course, weight=reweigh(course.patient, "80", at), by=ward.pharmacist, at=at)
    first, second, *rest = doses_of(course)
    assert (first.pk, first.dose_mg, first.revision) == (given.dose_id, 10500, 1)
    assert (second.dose_mg, second.revision, second.settled_as) == (7000, 1, "omitted")
    assert {dose.revision for dose in rest} == {2}


def test_what_is_left_of_a_stopped_dose_keeps_its_amount_at_another_weight() -> None:
    team = make_team()
    course = make_course(team)
    PlannedDose.objects.filter(course=course, number=1).update(is_remainder=True, dose_mg=5000, volume_ml=100, draw_ml=100)
    recalculate(team, course, reweigh(course.patient, "80"))
    rest, *others = doses_of(course)
    assert (rest.dose_mg, rest.weight_kg, rest.revision) == (5000, 70, 1)
    assert {dose.revision for dose in others} == {2}


def test_a_dose_rounded_to_vials_is_rounded_again_and_says_what_from() -> None:
    team = make_team()
    team.centre.vial_rounding_percent = Decimal(5)
    team.centre.save()
    course = make_course(team)
    PlannedDose.objects.filter(course=course, number=2).update(rounded_from_mg=7350, dose_mg=7500, volume_ml=150, draw_ml=150)
    recalculate(team, course, reweigh(course.patient, "74"))
    second = doses_of(course)[1]
    assert (second.dose_mg, second.rounded_from_mg, second.vials) == (7500, 7400, 3)


def test_a_weight_out_of_date_is_no_basis_and_the_last_day_still_is() -> None:
    team = make_team()
    course = make_course(team)
    weight = reweigh(course.patient, "80")
    last = weight.measured_at + 7 * DAY
    with refused("weight_stale"):
        recalculate(team, course, weight, at=last + timedelta(seconds=1))
    assert recalculate(team, course, weight, at=last).revision == 2


def test_nothing_that_changes_is_refused_and_so_is_a_course_with_nothing_left() -> None:
    team = make_team()
    course = make_course(team)
    same = reweigh(course.patient, "70")
    with refused("same_weight"):
        recalculate(team, course, same)
    with refused("same_weight"):
        recalculate(team, course)
    course.doses.update(settled_at=NOW, settled_as="omitted")
    with refused("nothing_left"):
        recalculate(team, course, reweigh(course.patient, "80", NOW + 2 * HOUR))
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=team.prescriber, at=NOW)
    with refused("course_stopped"):
        recalculate(team, course)


def test_only_the_latest_valid_weight_is_taken_and_only_by_who_builds() -> None:
    team = make_team()
    course = make_course(team)
    older = reweigh(course.patient, "80")
    newer = reweigh(course.patient, "81", NOW + 2 * HOUR)
    with refused("weight_not_usable"):
        recalculate(team, course, older, at=NOW + 3 * HOUR)
    with refused("role"):
        replanning.recalculate_course(course=course, weight=newer, by=team.nurse, at=NOW + 3 * HOUR)
    assert recalculate(team, course, newer, at=NOW + 3 * HOUR).revision == 2


def test_a_weight_the_pump_cannot_follow_is_refused_and_nothing_is_saved() -> None:
    team = make_team()
    course = make_course(team)
    weight = reweigh(course.patient, "37")
    PlannedDose.objects.filter(course=course).update(pump_increment_ml_per_h=12)
    with pytest.raises(Refused):
        recalculate(team, course, weight)
    course.refresh_from_db()
    assert course.revision == 1


def test_a_contraindication_found_since_stops_a_recalculation() -> None:
    team = make_team()
    course = make_course(team)
    weight = reweigh(course.patient, "80")
    actions.answer_precautions(
        patient=course.patient, answers={"iga_deficiency": ("present", "IgA below detection")}, by=team.builder, at=NOW + HOUR
    )
    with refused("contraindicated"):
        recalculate(team, course, weight)


@pytest.mark.parametrize("change", ["weight", "time", "revision"])
def test_what_changed_after_the_page_was_opened_is_stale(change: str) -> None:
    team = make_team()
    course = make_course(team)
    weight = reweigh(course.patient, "80")
    seen = draft(course, weight).fingerprint
    if change == "weight":
        reweigh(course.patient, "81", NOW + 2 * HOUR)
    elif change == "time":
        correct(course, by=-HOUR)
    else:
        recalculate(team, course, weight)
    with refused("stale"):
        recalculate(team, course, weight, at=NOW + 3 * HOUR, shown=seen)
    course.refresh_from_db()
    assert course.revision == (2 if change == "revision" else 1)


# A corrected time ----------------------------------------------------------------------------------------------------------------


def test_a_corrected_time_moves_what_is_left_keeps_what_was_given_and_tells_its_timing_by_the_new_plan() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    at = TRANSPLANTED + 30 * HOUR
    correct(course, by=-4 * DAY, at=at)
    seen = draft(course, at=at)
    first = seen.lines[0]
    assert first.new is None and first.change is not None
    assert (str(first.change.timing_before), str(first.change.timing_after)) == ("on_time", "outside_window")
    old = {dose.number: dose for dose in doses_of(course)}
    replanning.recalculate_course(course=course, by=ward.pharmacist, at=at)
    course.refresh_from_db()
    assert course.anchor_at == TRANSPLANTED - 4 * DAY
    assert course.anchor_on == old[1].target_on - 4 * DAY
    assert not courses.is_anchor_outdated(Course.objects.select_related("transplant").get(pk=course.pk))
    for dose in doses_of(course):
        before = old[dose.number]
        if dose.number == 1:
            assert (dose.pk, dose.settled_as) == (before.pk, "recorded")
            continue
        assert before.target_on - dose.target_on == 4 * DAY
        assert dose.closes_at < before.closes_at
        assert (dose.dose_mg, dose.weight_id, dose.rate_table) == (before.dose_mg, before.weight_id, before.rate_table)
        assert dose.verified_at is None
        assert [step["rule"] for step in dose.working].count("R-WIN-2") == 1
        assert any(step["rule"] == "R-DOSE-1" for step in dose.working)


def test_minutes_on_the_same_day_move_the_72_hours_alone_and_leave_every_other_signature() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    correct(course, by=timedelta(minutes=20))
    recalculate(team, course)
    first, *rest = doses_of(course)
    assert first.closes_at == NOW - 2 * DAY + timedelta(minutes=20) + 72 * HOUR
    assert first.verified_at is None
    assert all(dose.verified_at and dose.revision == 1 for dose in rest)
    assert verify(team, course, at=NOW + 3 * HOUR).pk


def test_where_nothing_left_moves_the_course_counts_from_the_corrected_time_without_a_new_revision() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    at = TRANSPLANTED + 30 * HOUR
    correct(course, by=timedelta(minutes=20), at=at)
    assert not draft(course, at=at).changed
    after = replanning.recalculate_course(course=course, by=ward.pharmacist, at=at)
    assert (after.revision, after.anchor_at) == (1, TRANSPLANTED + timedelta(minutes=20))
    with refused("same_weight"):
        replanning.recalculate_course(course=course, by=ward.pharmacist, at=at)


def test_a_corrected_zone_alone_asks_too() -> None:
    team = make_team()
    course = make_course(team)
    correct(course, by=timedelta(0), zone_name="Asia/Tokyo")
    assert draft(course).is_anchor_moved
    recalculate(team, course)
    course.refresh_from_db()
    assert (course.anchor_zone_name, course.anchor_on) == ("Asia/Tokyo", date(2026, 11, 21))


def test_a_closed_window_stays_decided_and_a_day_decided_for_a_late_dose_stays() -> None:
    team = make_team()
    course = make_course(team)
    late = doses_of(course)[1]
    PlannedDose.objects.filter(course=course, number=1).update(settled_at=NOW, settled_as="omitted")
    day = late.closes_at + 2 * DAY
    PlannedDose.objects.filter(pk=late.pk).update(opens_at=day, target_on=day.date(), overdue_at=day + DAY, closes_at=day + DAY)
    correct(course, by=-3 * DAY)
    recalculate(team, course)
    first, second, *rest = doses_of(course)
    assert (first.settled_as, first.revision) == ("omitted", 1)
    assert (second.pk, second.opens_at) == (late.pk, day)
    assert {dose.revision for dose in rest} == {2}


def test_a_day_moved_inside_its_window_stays_where_the_new_window_still_holds_it() -> None:
    team = make_team()
    course = make_course(team)
    second, third = doses_of(course)[1:3]
    for dose in (second, third):
        replanning.move_dose(dose=dose, to_on=dose.target_on + 3 * DAY, by=team.builder, at=NOW)
    correct(course, by=-DAY)
    correct(course, by=2 * DAY)
    recalculate(team, course)
    after = doses_of(course)
    assert (after[1].target_on, after[2].target_on) == (second.target_on + 3 * DAY, third.target_on + 3 * DAY)
    correct(course, by=-6 * DAY, at=NOW + 3 * HOUR)
    recalculate(team, course, at=NOW + 4 * HOUR)
    assert [dose.target_on for dose in doses_of(course)[1:3]] == [second.target_on - 5 * DAY, third.target_on - 5 * DAY]


def test_a_shift_goes_along_with_the_corrected_time_and_a_pushed_opening_stays() -> None:
    team = make_team()
    course = make_course(team)
    second, third = doses_of(course)[1:3]
    PlannedDose.objects.filter(pk=second.pk).update(
        shifted_days=2,
        opens_at=second.opens_at + 2 * DAY,
        target_on=second.target_on + 2 * DAY,
        overdue_at=second.overdue_at + 2 * DAY,
        closes_at=second.closes_at + 2 * DAY,
    )
    pushed = third.opens_at + 40 * HOUR
    PlannedDose.objects.filter(pk=third.pk).update(opens_at=pushed)
    correct(course, by=-DAY)
    recalculate(team, course)
    after = doses_of(course)
    assert after[1].target_on == second.target_on + DAY
    assert after[1].closes_at == second.closes_at + DAY
    assert (after[2].opens_at, after[2].target_on) == (pushed, third.target_on - DAY)


def test_a_booking_goes_along_where_the_new_window_holds_it_and_is_dropped_where_not() -> None:
    team = make_team()
    course = make_course(team)
    second, third = doses_of(course)[1:3]
    kept, lost = second.opens_at + 2 * DAY, third.closes_at - HOUR
    PlannedDose.objects.filter(pk=second.pk).update(booked_for=kept, booked_place="Infusion clinic")
    PlannedDose.objects.filter(pk=third.pk).update(booked_for=lost, booked_place="Infusion clinic")
    correct(course, by=-DAY)
    seen = draft(course)
    assert [line.dose.number for line in seen.lines if line.booking_is_dropped] == [3]
    recalculate(team, course)
    after = doses_of(course)
    assert (after[1].booked_for, after[1].booked_place) == (kept, "Infusion clinic")
    assert (after[2].booked_for, after[2].booked_place) == (None, "")


def test_a_new_weight_and_a_corrected_time_are_taken_over_together() -> None:
    team = make_team()
    course = make_course(team)
    old = doses_of(course)
    correct(course, by=-DAY)
    recalculate(team, course, reweigh(course.patient, "80"))
    after = doses_of(course)
    assert [dose.dose_mg for dose in after] == [12000, 8000, 8000, 8000, 8000, 4000, 4000]
    assert [a.target_on for a in after] == [b.target_on - DAY for b in old]
    assert {dose.revision for dose in after} == {2}


def test_a_course_counted_from_its_first_dose_is_not_moved_by_the_transplants_time() -> None:
    team = make_team()
    transplant = make_recipient(team, organs=["hsct"])
    course = make_course(
        team,
        transplant,
        protocol_code="hsct_pneumonitis",
        first_dose_on=NOW.date(),
        order=order_of(team, off_label_reason="Severe pneumonitis, ganciclovir failed"),
    )
    correct(course, by=-DAY)
    with refused("same_weight"):
        draft(course)


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


# Pages ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def signed_in(client: Client):
    def sign_in(member) -> Client:
        client.force_login(member.user)
        return client

    return sign_in


def posted(page) -> dict[str, str]:
    """What the page's own button sends: the hidden boxes as they were rendered."""
    form = page.context["form"]
    return {name: "" if form[name].value() is None else str(form[name].value()) for name in form.fields}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The real time: pages read the clock, so their courses are made for now."""
    return datetime.now(UTC)


def running_course(team: Team, now: datetime) -> Course:
    return verify(team, make_course(team, make_recipient(team, at=now - 2 * HOUR), at=now - HOUR), at=now - HOUR)


def test_the_page_shows_old_beside_new_and_the_button_makes_that_revision(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    page = client.get(address)
    text = page.content.decode()
    for shown in (
        "70\u00a0kg → 80\u00a0kg",
        "+14.3%",
        "10,500\u00a0mg",
        "12,000\u00a0mg",
        "240\u00a0mL",
        "Make revision 2",
        "150\u00a0mg per kg",
    ):
        assert shown in text, shown
    assert "differs" not in text
    answer = client.post(address, posted(page))
    assert answer.status_code == 302
    assert {dose.revision for dose in doses_of(course)} == {2}
    assert ["Revision 2 is saved" in str(message) for message in get_messages(answer.wsgi_request)] == [True]


def test_a_stale_page_is_refused_with_what_was_seen_beside_what_holds(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    seen = posted(client.get(address))
    reweigh(course.patient, "82", now - HOUR / 4)
    answer = client.post(address, seen)
    assert answer.status_code == 422
    assert answer.context["stale"] == [{"label": "Weight", "typed": "80\u00a0kg", "stored": "82\u00a0kg"}]
    assert {dose.revision for dose in doses_of(course)} == {1}
    assert client.post(address, posted(answer)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {82}


def test_an_old_weight_does_not_keep_anybody_from_a_corrected_time(signed_in, now) -> None:
    team = make_team(at=now - 10 * DAY)
    course = make_course(team, make_recipient(team, at=now - 9 * DAY), at=now - 9 * DAY)
    make_weight(course.patient, "75", at=now - 8 * DAY, measured_at=now - 8 * DAY)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk])
    refused_page = client.get(address)
    assert refused_page.context["refusal"].code == "weight_stale"
    assert refused_page.context["draft"] is None
    correct(course, by=-DAY, at=now)
    page = client.get(address)
    assert (page.context["refusal"], page.context["refused_weight"].code) == (None, "weight_stale")
    assert client.post(address, posted(page)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {70}


def test_the_corrected_time_may_be_taken_over_alone(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    correct(course, by=-DAY, at=now)
    client = signed_in(team.builder)
    address = reverse("course-replan", args=[course.pk]) + "?weight=keep"
    page = client.get(address)
    assert "12,000" not in page.content.decode()
    assert client.post(address, posted(page)).status_code == 302
    assert {dose.weight_kg for dose in doses_of(course)} == {70}
    course.refresh_from_db()
    assert course.anchor_at == course.transplant.reperfusion_at


def test_the_pages_of_a_change_belong_to_who_builds_and_to_the_centre(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    pages = [reverse("course-replan", args=[course.pk]), reverse("dose-move", args=[doses_of(course)[1].pk])]
    client = signed_in(team.nurse)
    assert [client.get(page).status_code for page in pages] == [403, 403]
    client = signed_in(make_team(at=now - DAY).builder)
    assert [client.get(page).status_code for page in pages] == [404, 404]


def test_a_dose_is_moved_from_its_page_to_one_of_the_days_offered(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    dose = doses_of(course)[1]
    client = signed_in(team.builder)
    address = reverse("dose-move", args=[dose.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"target_on": (dose.target_on + 9 * DAY).isoformat()}).status_code == 422
    assert client.post(address, {"target_on": (dose.target_on + DAY).isoformat()}).status_code == 302
    assert doses_of(course)[1].target_on == dose.target_on + DAY
    assert client.get(address).status_code == 409
    first = client.get(reverse("dose-move", args=[doses_of(course)[0].pk]))
    assert "it has no other day" in first.content.decode()


def test_the_pages_of_a_change_ask_the_database_at_most_twelve_times(signed_in, now, django_assert_max_num_queries) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    reweigh(course.patient, "80", now - HOUR / 2)
    correct(course, by=-DAY, at=now)
    client = signed_in(team.builder)
    client.get("/")
    for page in (reverse("course-replan", args=[course.pk]), reverse("dose-move", args=[doses_of(course)[1].pk])):
        with django_assert_max_num_queries(13, info=page):  # one of them records who read the chart
            assert client.get(page).status_code == 200


def test_the_reason_of_a_stop_is_chosen_beforehand_only_where_the_list_has_it(signed_in, now) -> None:
    team = make_team(at=now - DAY)
    course = running_course(team, now)
    client = signed_in(team.prescriber)
    address = reverse("course-stop", args=[course.pk])
    assert client.get(f"{address}?reason=retransplant").context["form"]["reason_code"].value() == "retransplant"
    assert not client.get(f"{address}?reason=because").context["form"]["reason_code"].value()
