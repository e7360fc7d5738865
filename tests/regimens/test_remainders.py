"""What is left of a dose that was stopped early: given as a row of its own, accepted, or undone with the record it came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from patients.models import Centre
from regimens.actions import disputes
from regimens.models.status import status_of
from tests.regimens.test_decisions import (
    DAY,
    LATE_DAY,
    NOW,
    TARGET,
    decide,
    elsewhere,
    missed_second,
    refused,
    stop_early,
    stopped_second,
)
from tests.regimens.ward import dose, give, start, verify

pytestmark = pytest.mark.django_db


def test_the_remainder_is_a_row_of_its_own_with_what_is_left_and_the_initial_rates():
    ward, course, _ = stopped_second()
    old = dose(course, 2)
    at = TARGET + timedelta(hours=8)
    decide(ward, old, "give_remainder", at=at)
    old.refresh_from_db()
    new = dose(course, 2)
    assert (old.settled_as, new.replaces, new.is_remainder, new.mg_per_kg) == ("superseded", old, True, old.mg_per_kg)
    assert (new.dose_mg, new.draw_ml, new.vials, new.rate_table) == (4500, 90, 2, "initial")
    assert (new.opens_at, new.closes_at) == (at, datetime(2026, 12, 7, 5, tzinfo=UTC))
    assert (new.verified_at, status_of(new, at)) == (None, "due")
    assert [step["rule"] for step in new.working if step["rule"] in ("R-DOSE-10", "R-MISS-4")] == ["R-DOSE-10", "R-MISS-4"]


def test_a_remainder_starts_without_the_interval_and_is_verified_at_its_own_amount():
    ward, course, _ = stopped_second()
    at = TARGET + timedelta(hours=8)
    decide(ward, dose(course, 2), "give_remainder", at=at)
    verify(ward, course, at=at + timedelta(minutes=10))
    record = start(ward, dose(course, 2), at=at + timedelta(hours=1))
    assert (record.flags, record.rate_table) == ([], "initial")


def test_a_remainder_keeps_the_interval_to_any_other_dose():
    ward, course, _ = stopped_second()
    at = TARGET + timedelta(hours=8)
    decide(ward, dose(course, 2), "give_remainder", at=at)
    verify(ward, course, at=at + timedelta(minutes=10))
    elsewhere(course, "3500", given_at=at + timedelta(minutes=20), recorded_at=at + timedelta(minutes=30))
    refused("min_interval", lambda: start(ward, dose(course, 2), at=at + timedelta(hours=1)))
    record = give(ward, dose(course, 2), at=at + timedelta(hours=1), reason="Given before the letter was read")
    assert "under_interval" in record.flags


@pytest.mark.parametrize("decision", ["change_dose", "give_late_and_shift"])
def test_a_missed_remainder_keeps_its_amount_and_moves_nothing(decision):
    ward, course, _ = stopped_second()
    Centre.objects.filter(pk=ward.centre.pk).update(shift_allowed=True)
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + timedelta(hours=8))
    refused("not_available", lambda: decide(ward, dose(course, 2), decision))


def test_a_remainder_that_is_not_given_by_its_day_is_missed_and_decided_again():
    ward, course, _ = stopped_second()
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + timedelta(hours=8))
    assert status_of(dose(course, 2), NOW) == "missed"
    decide(ward, dose(course, 2), "omit")
    assert status_of(dose(course, 2), NOW) == "omitted"


def test_what_is_left_of_a_stopped_remainder_is_reckoned_from_it():
    ward, course, _ = stopped_second()
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + timedelta(hours=8))
    stop_early(ward, dose(course, 2), "40", at=TARGET + DAY, reason="Given before it was verified")
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + DAY + timedelta(hours=8))
    assert dose(course, 2).dose_mg == 4500 - 2000


def test_a_late_remainder_is_not_given_once_the_next_dose_was_started():
    ward, course, _ = stopped_second()
    third = dose(course, 3)
    at = third.opens_at + timedelta(hours=9)
    start(ward, third, at=at)
    refused("not_available", lambda: decide(ward, dose(course, 2), "give_remainder", at=at + DAY, give_on=at.date() + 2 * DAY))


def test_a_part_may_be_accepted_as_the_dose():
    ward, course, _ = stopped_second()
    second = dose(course, 2)
    assert status_of(second, NOW, second.administrations.all()) == "partial"
    decide(ward, second, "accept_partial")
    second = dose(course, 2)
    assert (second.settled_as, status_of(second, NOW, second.administrations.all())) == ("accepted", "given")


@pytest.mark.parametrize("decision", ["give_late", "omit", "change_dose", "give_late_and_shift"])
def test_a_stopped_dose_takes_no_decision_that_belongs_to_a_missed_one(decision):
    ward, course, _ = stopped_second()
    refused("not_from_this_state", lambda: decide(ward, dose(course, 2), decision))


@pytest.mark.parametrize("decision", ["give_remainder", "accept_partial"])
def test_a_missed_dose_takes_no_decision_that_belongs_to_a_stopped_one(decision):
    ward, course = missed_second()
    refused("not_from_this_state", lambda: decide(ward, dose(course, 2), decision, give_on=LATE_DAY))


def test_an_accepted_dose_whose_record_was_wrong_is_disputed_and_waits_unsigned_when_it_was_not_given():
    ward, course, record = stopped_second()
    decide(ward, dose(course, 2), "accept_partial", at=TARGET + timedelta(hours=9))
    at = TARGET + timedelta(hours=10)
    disputes.enter_in_error(record=record, reason="Recorded for the wrong patient", by=ward.nurse, at=at)
    second = dose(course, 2)
    assert status_of(second, at, second.administrations.all()) == "disputed"
    disputes.settle_dispute(dose=second, outcome="not_given", reason="No vial left the store", by=ward.second_pharmacist, at=at)
    again = dose(course, 2)
    assert (again, status_of(again, at)) == (second, "due")
    decide(ward, again, "omit")


def test_a_part_that_was_accepted_by_a_wrong_record_is_decided_about_again():
    ward, course, record = stopped_second()
    decide(ward, dose(course, 2), "accept_partial", at=TARGET + timedelta(hours=9))
    at = TARGET + timedelta(hours=10)
    disputes.enter_in_error(record=record, reason="The pump says 20 mL, not 50 mL", by=ward.nurse, at=at)
    stop_early(ward, dose(course, 2), "20", by=ward.second_nurse, at=TARGET, reason="Read from the pump's log")
    second = dose(course, 2)
    assert status_of(second, at, second.administrations.all()) == "partial"
    decide(ward, second, "give_remainder", at=at)
    assert dose(course, 2).dose_mg == 6000


def test_a_remainder_falls_away_when_the_record_it_was_reckoned_from_was_wrong():
    ward, course, record = stopped_second()
    old = dose(course, 2)
    decide(ward, old, "give_remainder", at=TARGET + timedelta(hours=9))
    at = TARGET + timedelta(hours=10)
    disputes.enter_in_error(record=record, reason="Recorded for the wrong patient", by=ward.nurse, at=at)
    stands = dose(course, 2)
    assert stands == old
    assert status_of(stands, at, stands.administrations.all()) == "disputed"
    disputes.settle_dispute(dose=stands, outcome="not_given", reason="No vial left the store", by=ward.second_pharmacist, at=at)
    assert (dose(course, 2), dose(course, 2).dose_mg, dose(course, 2).is_remainder) == (old, 7000, False)


def test_a_remainder_that_was_planned_anew_falls_away_too():
    ward, course, record = stopped_second()
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + timedelta(hours=8))
    decide(ward, dose(course, 2), "give_late")
    assert dose(course, 2).is_remainder
    disputes.enter_in_error(record=record, reason="Recorded for the wrong patient", by=ward.nurse, at=NOW + DAY)
    second = dose(course, 2)
    assert (second.pk, status_of(second, NOW + DAY, second.administrations.all())) == (record.dose_id, "disputed")


def test_a_part_is_in_dispute_also_once_the_rest_of_it_was_given():
    ward, course, record = stopped_second()
    decide(ward, dose(course, 2), "give_remainder", at=TARGET + timedelta(hours=8))
    rest = give(ward, dose(course, 2), at=TARGET + timedelta(hours=9), reason="Given before it was verified")
    at = TARGET + DAY
    disputes.enter_in_error(record=record, reason="Recorded for the wrong patient", by=ward.nurse, at=at)
    settled = {"reason": "No vial left the store", "by": ward.second_pharmacist, "at": at}
    disputes.settle_dispute(dose=dose(course, 2), outcome="not_given", **settled)
    record.refresh_from_db()
    assert (record.is_counted, dose(course, 2).administrations.get()) == (False, rest)
