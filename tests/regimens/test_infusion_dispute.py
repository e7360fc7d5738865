"""A record entered in error: the dose stays closed until two people have looked (workflow W1.5, W2.12)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patients.refusal import Refusal
from regimens.actions import bedside, courses, disputes
from regimens.models import Administration
from regimens.models.status import status_of
from tests.factories import make_member
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, start, vitals

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
LATER = FIRST + timedelta(hours=5)
WHY = "Recorded on the wrong patient"
KNOWS = "Asked the nurse and counted the vials"


def refused(code: str, act) -> None:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code


def struck():
    """A ward, its first dose and the record of it that the nurse struck out again."""
    ward = make_ward()
    planned = dose(make_course(ward))
    record = give(ward, planned, at=FIRST)
    disputes.enter_in_error(record=record, reason=WHY, by=ward.nurse, at=LATER)
    return ward, planned


def status(planned, at=LATER) -> str:
    planned.refresh_from_db()
    return str(status_of(planned, at, planned.administrations.all()))


def settle(ward, planned, outcome: str, by, at=LATER):
    return disputes.settle_dispute(dose=planned, outcome=outcome, reason=KNOWS, by=by, at=at)


def test_a_struck_record_stays_readable_and_its_dose_is_disputed_and_does_not_start():
    ward, planned = struck()
    record = Administration.objects.get(dose=planned)
    assert (record.error_by, record.error_at, record.error_reason) == (ward.nurse, LATER, WHY)
    assert status(planned) == "disputed"
    refused("disputed", lambda: start(ward, planned, at=LATER))


def test_striking_out_wants_a_reason_and_happens_once():
    ward = make_ward()
    record = give(ward, dose(make_course(ward)), at=FIRST)
    refused("reason_needed", lambda: disputes.enter_in_error(record=record, reason="wrong", by=ward.nurse, at=LATER))
    disputes.enter_in_error(record=record, reason=WHY, by=ward.nurse, at=LATER)
    refused("entered_in_error", lambda: disputes.enter_in_error(record=record, reason=WHY, by=ward.nurse, at=LATER))
    refused("entered_in_error", lambda: bedside.record_vitals(record=record, facts=vitals(FIRST), by=ward.nurse, at=LATER))


def test_neither_who_recorded_nor_who_struck_it_out_settles_the_dispute():
    ward = make_ward()
    planned = dose(make_course(ward))
    record = give(ward, planned, at=FIRST, by=ward.pharmacist, given_by=ward.nurse)
    disputes.enter_in_error(record=record, reason=WHY, by=ward.second_pharmacist, at=LATER)
    refused("own_record", lambda: settle(ward, planned, "not_given", ward.pharmacist))
    refused("own_record", lambda: settle(ward, planned, "not_given", ward.second_pharmacist))
    refused("role", lambda: settle(ward, planned, "not_given", ward.second_nurse))
    assert status(planned) == "disputed"
    settle(ward, planned, "not_given", ward.prescriber)
    assert status(planned) == "due"


def test_not_given_opens_the_dose_again_and_it_can_be_started():
    ward, planned = struck()
    settle(ward, planned, "not_given", ward.pharmacist)
    assert start(ward, dose(planned.course), at=LATER).dose == planned


def test_given_keeps_the_dose_closed_until_it_is_recorded_again():
    ward, planned = struck()
    settle(ward, planned, "given", ward.pharmacist)
    assert status(planned) == "given"
    refused("given", lambda: start(ward, planned, at=LATER))
    record = give(ward, planned, at=FIRST, reason="The true times, from paper")
    assert record.flags == ["disputed"]
    assert status(planned) == "given"
    refused("not_disputed", lambda: settle(ward, planned, "not_given", ward.prescriber))


def test_a_record_struck_out_twice_is_disputed_twice():
    ward, planned = struck()
    settle(ward, planned, "given", ward.pharmacist)
    again = give(ward, planned, at=FIRST, reason="The true times, from paper")
    disputes.enter_in_error(record=again, reason=WHY, by=ward.nurse, at=LATER + timedelta(hours=1))
    assert status(planned) == "disputed"


def test_a_new_record_says_given_and_nobody_says_not_given_after_it():
    ward, planned = struck()
    give(ward, planned, at=FIRST, by=ward.second_nurse, reason="Recorded again, on the right dose")
    assert status(planned) == "given"
    refused("recorded_again", lambda: settle(ward, planned, "not_given", ward.pharmacist))


def test_a_dose_that_was_not_given_is_cancelled_where_its_course_was_stopped_meanwhile():
    ward, planned = struck()
    courses.stop_course(course=planned.course, reason_code="graft_loss", reason="", by=ward.prescriber, at=LATER)
    settle(ward, planned, "not_given", ward.pharmacist)
    assert status(planned) == "cancelled"


def test_a_disputed_infusion_still_keeps_the_next_dose_at_its_distance():
    ward = make_ward()
    course = make_course(ward)
    eighth = FIRST + timedelta(days=8)
    record = give(ward, dose(course), at=eighth, reason="Given on arrival, before the decision")
    disputes.enter_in_error(record=record, reason=WHY, by=ward.nurse, at=eighth + timedelta(hours=5))
    second = dose(course, 2)
    early = second.opens_at + timedelta(hours=6)
    refused("min_interval", lambda: start(ward, second, at=early))
    settle(ward, dose(course), "not_given", ward.pharmacist, at=early)
    refused("missed_undecided", lambda: start(ward, dose(course), at=early))
    assert start(ward, second, at=early).dose == second


def test_one_person_with_two_memberships_is_one_person():
    ward = make_ward()
    other_role = make_member("pharmacist", centre=None, user=ward.nurse.user, at=TRANSPLANTED)
    planned = dose(make_course(ward))
    record = give(ward, planned, at=FIRST)
    disputes.enter_in_error(record=record, reason=WHY, by=ward.second_nurse, at=LATER)
    refused("own_record", lambda: settle(ward, planned, "not_given", other_role))
