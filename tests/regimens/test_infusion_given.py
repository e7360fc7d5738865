"""Recording what was given: always possible, with a flag and a reason for every departure."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from patients.actions import close_patient
from patients.models import Event
from patients.refusal import Refusal
from regimens.actions import courses, disputes, infusions, missed, replanning
from regimens.actions.infusions import AlreadyRecorded
from regimens.actions.parts import RateFacts, ReactionFacts, VialFacts, split_over_vials
from regimens.models import Administration, PlannedDose
from regimens.models.status import status_of
from tests.factories import make_patient, make_weight
from tests.regimens.ward import (
    LOT_EXPIRES,
    TRANSPLANTED,
    dose,
    give,
    identity,
    make_course,
    make_ward,
    release,
    start,
    verify,
    vitals,
)

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
SECOND = TRANSPLANTED + timedelta(days=14)
WHY = "Given on arrival, charted afterwards"


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have recorded nothing."""
    before = Administration.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert Administration.objects.count() == before
    return caught.value


def test_a_dose_given_in_full_and_in_time_has_no_flag_and_all_its_lots():
    ward = make_ward()
    planned = dose(make_course(ward))
    record = give(ward, planned, at=FIRST)
    assert (record.flags, record.reason) == ([], "")
    assert [(v.lot.number, v.given_ml, v.wasted_ml) for v in record.vials.order_by("pk")] == [
        *[("A21K77", Decimal(50), Decimal(0))] * 4,
        ("A21K77", Decimal(10), Decimal(40)),
    ]
    assert (record.started_at, record.ended_at, record.recorded_at) == (
        FIRST,
        FIRST + timedelta(hours=4),
        FIRST + timedelta(hours=4),
    )
    planned.refresh_from_db()
    assert status_of(planned, record.recorded_at, [record]) == "given"


def test_rates_vital_signs_and_reactions_are_kept():
    ward = make_ward()
    record = give(
        ward,
        dose(make_course(ward)),
        at=FIRST,
        rates=[RateFacts(FIRST, Decimal(21)), RateFacts(FIRST + timedelta(minutes=30), Decimal(42))],
        vitals=[vitals(FIRST, "before"), vitals(FIRST + timedelta(hours=4), "after")],
        reactions=[ReactionFacts(FIRST + timedelta(hours=1), "Headache", False, "Slowed to 21 mL per h")],
    )
    assert [rate.rate_ml_per_h for rate in record.rates.all()] == [21, 42]
    assert [row.moment for row in record.vitals.all()] == ["before", "after"]
    assert record.reactions.get().term == "Headache"


@pytest.mark.parametrize(
    ("given_ml", "wasted_ml", "vials"),
    [
        ("210", "40", [("50", "0")] * 4 + [("10", "40")]),
        ("140", "10", [("50", "0"), ("50", "0"), ("40", "10")]),
        ("0", "50", [("0", "50")]),
        ("5", "0", [("5", "0")]),
        ("50", "60", [("50", "0"), ("0", "50"), ("0", "10")]),
    ],
)
def test_a_lot_is_split_over_its_vials_and_no_vial_holds_more_than_its_size(given_ml, wasted_ml, vials):
    rows = split_over_vials(Decimal(given_ml), Decimal(wasted_ml), Decimal(50))
    assert rows == [(Decimal(a), Decimal(b)) for a, b in vials]


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"at": FIRST + timedelta(hours=6, minutes=1)}, "late_entry"),
        ({"volume_ml": Decimal("212.01")}, "over_volume"),
        ({"vials": [VialFacts("OLD", FIRST.date() - timedelta(days=1), Decimal(50))]}, "expired_lot"),
        ({"rates": [RateFacts(FIRST, Decimal("75.1"))]}, "over_max_rate"),
        ({"vial_entered_at": FIRST - timedelta(hours=6, minutes=1)}, "vial_time"),
        ({"vial_entered_at": FIRST + timedelta(hours=4) - timedelta(hours=12, minutes=1)}, "vial_time"),
        ({"sheet_code": "0000-0000"}, "old_sheet"),
    ],
)
def test_every_departure_is_flagged_and_asks_for_ten_characters(changes: dict[str, Any], flag):
    ward = make_ward()
    planned = dose(make_course(ward))
    release(ward, planned, at=FIRST)
    changes = dict(changes)
    at = changes.pop("at", None)
    charted = {"at": at} if at else {}

    def act(reason: str) -> Administration:
        return infusions.log_given(dose=planned, **_facts(ward, planned, changes | charted | {"reason": reason}))

    assert refused("reason_needed", lambda: act("too short")).field == "reason"
    assert act("long enough").flags == [flag]


def _facts(ward, planned: PlannedDose, changes: dict[str, Any]) -> dict[str, Any]:
    ended_at = FIRST + timedelta(hours=4)
    facts = {
        "token": uuid.uuid4(),
        "started_at": FIRST,
        "ended_at": ended_at,
        "volume_ml": planned.draw_ml,
        "by": ward.nurse,
        "at": ended_at,
    }
    return facts | identity(planned.course.patient) | changes


@pytest.mark.parametrize(
    "boundary",
    [
        {"at": FIRST + timedelta(hours=6)},
        {"volume_ml": Decimal(212)},
        {"vials": [VialFacts("NEW", FIRST.date(), Decimal(50))]},
        {"rates": [RateFacts(FIRST, Decimal(75))]},
        {"vial_entered_at": FIRST - timedelta(hours=6)},
    ],
)
def test_on_the_limit_is_no_departure(boundary):
    ward = make_ward()
    planned = dose(make_course(ward))
    release(ward, planned, at=FIRST)
    assert infusions.log_given(dose=planned, **_facts(ward, planned, boundary)).flags == []


def test_an_unsigned_dose_that_was_given_is_recorded_as_that():
    ward = make_ward()
    course = make_course(ward, verified=False)
    refused("reason_needed", lambda: give(ward, dose(course), at=FIRST))
    assert give(ward, dose(course), at=FIRST, reason=WHY).flags == ["unsigned", "unreleased"]
    later_signed = make_course(ward, verified=False)
    verify(ward, later_signed, at=FIRST + timedelta(minutes=1))
    assert give(ward, dose(later_signed), at=FIRST, reason=WHY).flags == ["unsigned"]


@pytest.mark.parametrize(
    ("days", "flags"),
    [
        (-3.6, ["outside_window"]),
        (-3, ["early"]),
        (-1, ["early"]),
        (0, []),
        (1, ["late"]),
        (3, ["late"]),
        (4, ["unreleased", "missed_undecided", "outside_window"]),
    ],
)
def test_the_start_says_early_late_or_outside(days, flags):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    noon = second.opens_at + timedelta(days=3, hours=12)
    assert give(ward, second, at=noon + timedelta(days=days), reason=WHY).flags == flags


def test_a_dose_given_too_soon_after_another_is_flagged_also_when_the_other_is_charted_later():
    ward = make_ward()
    course = make_course(ward)
    eighth = FIRST + timedelta(days=8)
    second = give(ward, dose(course, 2), at=eighth, reason=WHY)
    assert "under_interval" not in second.flags
    assert "under_interval" in give(ward, dose(course), at=FIRST + timedelta(days=2), reason=WHY).flags
    third = give(ward, dose(course, 3), at=eighth + timedelta(days=6, hours=23), reason=WHY)
    assert "under_interval" in third.flags


@pytest.mark.parametrize(
    ("released_before", "flags"),
    [
        (timedelta(0), ["late"]),
        (timedelta(hours=48), ["late"]),
        (timedelta(hours=48, seconds=1), ["unreleased", "late"]),
        (-timedelta(seconds=1), ["unreleased", "late"]),
        (None, ["unreleased", "late"]),
    ],
)
def test_what_was_given_without_a_release_of_the_48_hours_before_says_so_and_is_never_refused(released_before, flags):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    started_at = second.overdue_at + timedelta(hours=12)
    if released_before is not None:
        release(ward, second, at=started_at - released_before)
    assert give(ward, second, at=started_at, released=False, reason=WHY).flags == flags


def test_a_stopped_course_and_a_closed_chart_still_take_the_truth():
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=FIRST)
    close_patient(patient=course.patient, closed_reason="died", closed_at=FIRST, by=ward.prescriber, at=FIRST)
    record = give(ward, planned, at=FIRST + timedelta(minutes=1), reason=WHY)
    assert record.flags == ["unreleased", "course_stopped", "patient_closed"]
    planned.refresh_from_db()
    assert planned.settled_as == "cancelled"
    assert status_of(planned, record.recorded_at, [record]) == "given"


def test_a_dose_given_by_a_replaced_sheet_belongs_to_the_live_revision():
    ward = make_ward()
    course = make_course(ward)
    old = dose(course)
    at = FIRST - timedelta(hours=2)
    verify(
        ward,
        replanning.recalculate_course(
            course=course, weight=make_weight(course.patient, "75", at=at), by=ward.pharmacist, at=at
        ),
        at=at,
    )
    release(ward, dose(course), at=FIRST)
    record = give(ward, old, at=FIRST, reason=WHY, stopped_early_reason="The old sheet said 210 mL")
    assert record.dose == dose(course)
    assert record.flags == ["old_sheet"]
    with pytest.raises(AlreadyRecorded):
        give(ward, dose(course), at=FIRST, reason=WHY)


@pytest.mark.parametrize(
    ("volume_ml", "status"), [("139", "partial"), ("140", "partial"), ("209.99", "partial"), ("210", "given")]
)
def test_less_than_ordered_is_partial_and_says_why_it_stopped(volume_ml, status):
    ward = make_ward()
    planned = dose(make_course(ward))
    facts = {"volume_ml": Decimal(volume_ml), "vials": [VialFacts("A", LOT_EXPIRES, Decimal(100))]}
    if status == "partial":
        assert refused("stopped_early", lambda: give(ward, planned, at=FIRST, **facts)).field == "stopped_early_reason"
    record = give(ward, planned, at=FIRST, stopped_early_reason="Line lost", **facts)
    planned.refresh_from_db()
    assert status_of(planned, record.recorded_at, [record]) == status


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"started_at": FIRST + timedelta(hours=4, seconds=1)}, "in_the_future"),
        ({"ended_at": FIRST + timedelta(hours=4, seconds=1)}, "in_the_future"),
        ({"vial_entered_at": FIRST + timedelta(hours=5)}, "in_the_future"),
        ({"ended_at": FIRST - timedelta(minutes=1)}, "end_before_start"),
        ({"volume_ml": None}, "end_and_volume"),
        ({"ended_at": None}, "end_and_volume"),
        ({"mrn_tail": "9999"}, "wrong_identity"),
        ({"vials": [VialFacts("A", LOT_EXPIRES, Decimal(211))]}, "lots_over_volume"),
        ({"vials": [VialFacts(" ", LOT_EXPIRES, Decimal(10))]}, "lot_number"),
        ({"vitals": [vitals(FIRST, systolic_mmhg=None)]}, "vitals_incomplete"),
        ({"vitals": [vitals(FIRST, diastolic_mmhg=118)]}, "blood_pressure"),
        ({"vitals": [vitals(FIRST, "sometimes")]}, "vitals_moment"),
        ({"reactions": [ReactionFacts(FIRST - timedelta(minutes=1), "Rash", False, "None")]}, "reaction_before_start"),
        ({"reactions": [ReactionFacts(FIRST, "Rash", False, " ")]}, "reaction_incomplete"),
    ],
)
def test_what_cannot_be_true_is_refused(changes, code):
    ward = make_ward()
    planned = dose(make_course(ward))
    refused(code, lambda: infusions.log_given(dose=planned, **_facts(ward, planned, changes | {"reason": WHY})))


def test_the_giver_is_named_and_belongs_to_the_centre():
    ward = make_ward()
    planned = dose(make_course(ward))
    refused("giver", lambda: give(ward, planned, at=FIRST, given_by=make_ward().nurse))
    record = give(ward, planned, at=FIRST, by=ward.pharmacist, given_by=ward.nurse)
    assert (record.given_by, record.recorded_by) == (ward.nurse, ward.pharmacist)


def test_an_infusion_that_began_elsewhere_and_runs_is_recorded_without_an_end():
    ward = make_ward()
    planned = dose(make_course(ward))
    release(ward, planned, at=FIRST)
    running = {"ended_at": None, "volume_ml": None, "at": FIRST + timedelta(hours=1)}
    record = infusions.log_given(dose=planned, **_facts(ward, planned, running))
    planned.refresh_from_db()
    assert status_of(planned, record.recorded_at, [record]) == "in_progress"


def test_an_omitted_dose_that_was_given_after_all_keeps_its_decision_and_shows_as_given():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    at = second.closes_at + timedelta(hours=1)
    missed.decide(dose=second, decision="omit", reason_code="declined", reached_by="in_person", by=ward.prescriber, at=at)
    record = give(ward, second, at=SECOND, reason=WHY)
    assert "dose_omitted" in record.flags
    second.refresh_from_db()
    assert (second.settled_as, status_of(second, at, [record])) == ("omitted", "given")


def test_an_unplanned_infusion_is_always_possible_with_a_reason():
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    facts = {"token": uuid.uuid4(), "started_at": FIRST, "by": ward.nurse, "at": FIRST + timedelta(hours=1)} | identity(patient)
    refused("reason_needed", lambda: infusions.log_unplanned(patient=patient, reason="", **facts))
    record = infusions.log_unplanned(patient=patient, reason="Second dose by mistake", **facts)
    assert (record.dose, record.flags) == (None, ["unplanned"])
    assert infusions.log_unplanned(patient=patient, reason="Second dose by mistake", **facts) == record


def test_a_second_real_dose_is_recorded_beside_the_first():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    with pytest.raises(AlreadyRecorded):
        give(ward, dose(course), at=FIRST + timedelta(hours=5), by=ward.second_nurse)
    again = FIRST + timedelta(hours=5)
    facts = {"token": uuid.uuid4(), "started_at": again, "by": ward.second_nurse, "at": again} | identity(course.patient)
    infusions.log_unplanned(patient=course.patient, reason="The dose was given a second time", **facts)
    assert Administration.objects.filter(patient=course.patient, error_at=None).count() == 2


def test_an_unplanned_infusion_counts_for_the_interval_to_the_next_dose():
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    at = SECOND - timedelta(days=5)
    facts = {"token": uuid.uuid4(), "started_at": at, "by": ward.nurse, "at": at} | identity(course.patient)
    infusions.log_unplanned(
        patient=course.patient, reason="Given in the emergency room", ended_at=at, volume_ml=Decimal(1), **facts
    )
    refused("min_interval", lambda: start(ward, dose(course, 2), at=SECOND))


def test_one_act_is_one_event():
    ward = make_ward()
    planned = dose(make_course(ward))
    record = give(ward, planned, at=FIRST)
    disputes.enter_in_error(record=record, reason="Recorded on the wrong dose", by=ward.nurse, at=FIRST + timedelta(hours=5))
    assert list(Event.objects.filter(name="log_infusion").values_list("patient_id", flat=True)) == [record.patient_id]
    assert Event.objects.filter(name="enter_in_error").count() == 1
