"""Changing what is left of a running course: another weight, a corrected transplant time, another day of the window."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from patients import actions
from patients.models import Patient
from patients.refusal import Refusal
from regimens.actions import charting, courses, planning, replanning
from regimens.domain.reasons import Refused
from regimens.models import Course, PlannedDose
from tests.factories import NOW, make_weight
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
