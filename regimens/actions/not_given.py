"""A nurse's note that a dose is not given today (workflow W2.17). It closes nothing: the case opens with it, and the dose stays due."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from patients import audit
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions.charting import lock_dose
from regimens.actions.reasons import chosen
from regimens.domain.reasons import Refused
from regimens.domain.transitions import Event, transition
from regimens.models import Hold, NotGivenToday, PlannedDose
from regimens.models.status import status_of

SOURCE = "Site policy: not given today"


@transaction.atomic
def record_not_given(
    *, dose: PlannedDose, reason_code: str, was_prepared: bool, by: Membership, at: datetime, reason: str = ""
) -> NotGivenToday:
    """Why a due or overdue dose is not given today, and whether it had been prepared; as often as it happens.

    Refused: another role than a nurse; a dose that is not due or overdue; an unknown reason, or another one without words.
    """
    require(by, "not_given_today")
    chart = lock_dose(dose)
    live = next(row for row in chart.doses if row.pk == dose.pk)
    holds = Hold.objects.filter(course=live.course)
    status = status_of(live, at, [r for r in chart.records if r.dose_id == live.pk], holds)
    try:
        transition(status, Event.NOT_GIVEN_TODAY, by.role)
    except Refused as refused:
        raise Refusal(refused.code, refused.sentence, source=refused.source) from None
    listed = chosen(live.course.monograph.to_domain(), "not_given", reason_code, reason)
    audit.event("not_given_today", by=by, patient=chart.patient, reason=reason.strip() or reason_code, dose=str(live.pk))
    return NotGivenToday.objects.create(
        dose=live,
        reason_code=reason_code,
        reason_words=listed.sentence,
        reason=reason.strip(),
        was_prepared=was_prepared,
        recorded_by=by,
        recorded_at=at,
    )


def notes_of(dose: PlannedDose) -> list[NotGivenToday]:
    """What nurses noted about this dose of the course, in any of its revisions, oldest first."""
    rows = NotGivenToday.objects.filter(dose__course=dose.course_id, dose__number=dose.number)
    return list(rows.select_related("recorded_by__user"))
