"""Many people record one dose at the same moment: one record, and everybody else is told whose it is (hazard H11)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from typing import Any

from django.db import connection

from patients.roles import Role
from regimens.actions.infusions import AlreadyRecorded
from regimens.models import Administration
from tests.factories import make_member
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward, release, start
from tests.support import count

FIRST = TRANSPLANTED + timedelta(hours=20)
PEOPLE = 50
ROUNDS = count(5, 20)


def all_at_once(rounds: list[list[Callable[[], Any]]]) -> list[list[Any]]:
    """Round by round, every act in a thread with a connection of its own, let go together; what each returned or raised."""
    barrier = Barrier(len(rounds[0]))
    outcomes: list[list[Any]] = [[None] * len(acts) for acts in rounds]

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            for number, acts in enumerate(rounds):
                barrier.wait(timeout=120)
                try:
                    outcomes[number][place] = acts[place]()
                except Exception as error:  # whatever it is, the test looks at it
                    outcomes[number][place] = error
        finally:
            connection.close()

    threads = [Thread(target=run, args=[place]) for place in range(len(rounds[0]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_fifty_people_record_one_dose_and_one_record_is_made(committed_db):
    ward = make_ward()
    names = [f"Nurse {number}" for number in range(PEOPLE)]
    people = [make_member(Role.NURSE, centre=ward.centre, given=name, family="Ward", at=TRANSPLANTED) for name in names]
    doses = [dose(make_course(ward)) for _ in range(ROUNDS)]
    for planned in doses:
        release(ward, planned, at=FIRST)
    rounds = [[partial(give, ward, planned, at=FIRST, by=by, released=False) for by in people] for planned in doses]
    for planned, outcomes in zip(doses, all_at_once(rounds), strict=True):
        records = [outcome for outcome in outcomes if isinstance(outcome, Administration)]
        refusals = [outcome for outcome in outcomes if isinstance(outcome, AlreadyRecorded)]
        assert (len(records), len(refusals)) == (1, PEOPLE - 1), [o for o in outcomes if o not in records and o not in refusals]
        live = Administration.objects.get(dose=planned, error_at=None)
        first = live.recorded_by.user.printed_name
        assert {refusal.sentence for refusal in refusals} == {f"Already recorded by {first} at 10:00."}
        assert {refusal.record_id for refusal in refusals} == {live.pk}


def test_one_form_sent_many_times_at_once_is_one_record_and_every_answer_shows_it(committed_db):
    ward = make_ward()
    planned = dose(make_course(ward))
    release(ward, planned, at=FIRST)
    token = uuid.uuid4()
    [outcomes] = all_at_once([[partial(start, ward, planned, at=FIRST, released=False, token=token) for _ in range(10)]])
    assert {outcome.pk for outcome in outcomes} == {Administration.objects.get(dose=planned).pk}


def test_two_open_doses_of_one_patient_are_never_both_started_in_silence(committed_db):
    ward = make_ward()
    rounds = []
    for _ in range(count(5, 20)):
        course = make_course(ward)
        give(ward, dose(course), at=FIRST)
        missed, open_now = dose(course, 2), dose(course, 3)
        at = open_now.opens_at + timedelta(hours=1)
        release(ward, open_now, at=at)
        running = {"ended_at": None, "volume_ml": None, "vials": [], "reason": "Given after a telephone call"}
        rounds.append(
            [
                partial(give, ward, missed, at=at, released=False, **running),
                partial(start, ward, open_now, at=at, released=False, by=ward.second_nurse),
            ]
        )
    for outcomes in all_at_once(rounds):
        records = [outcome for outcome in outcomes if isinstance(outcome, Administration)]
        # Whoever comes second is refused, or recorded as the departure it is.
        unflagged = [record for record in records if "under_interval" not in record.flags]
        assert len(unflagged) == 1, outcomes
