"""A dose that was not this centre's to give: its window closed before the patient was referred (late start)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from patients import audit
from patients.actions.common import REASON_LENGTH
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions.charting import lock_dose
from regimens.actions.missed import refuse_unless_open
from regimens.actions.missed_case import CaseFile, read_case
from regimens.domain.changes import mark_before_referral as late_start
from regimens.domain.reasons import Refused
from regimens.domain.status import Status
from regimens.domain.transitions import Event, transition
from regimens.models import PlannedDose

SOURCE = "Site policy: late start"


@transaction.atomic
def mark_before_referral(*, dose: PlannedDose, reason: str, by: Membership, at: datetime) -> PlannedDose:
    """A missed dose of a patient who came late counts as "not given here, before referral". The view has checked the password.

    Refused: another role; a course without a referral; a window that was still open at the referral; a dose that is not missed,
    or decided about already; a reason under 10 characters.
    """
    require(by, "build")
    chart = lock_dose(dose)
    file = read_case(chart, at)
    own = next(row for row in chart.doses if row.pk == dose.pk)
    refuse_unless_open(chart, own, file, at)
    try:
        transition(file.status, Event.MARK_BEFORE_REFERRAL, by.role)
    except Refused as refused:
        raise Refusal(refused.code, refused.sentence, source=refused.source) from None
    if not is_before_referral(file, own):
        raise Refusal(
            "not_before_referral",
            "This dose's window was not closed when the patient was referred here: a prescriber decides about it.",
            source=SOURCE,
        )
    if len(reason.strip()) < REASON_LENGTH:
        raise Refusal(
            "reason_needed", f"Say how you know, in at least {REASON_LENGTH} characters.", source=SOURCE, field="reason"
        )
    audit.event("mark_before_referral", by=by, patient=chart.patient, reason=reason.strip(), dose=str(own.pk))
    PlannedDose.objects.filter(pk=own.pk).update(settled_at=at, settled_as="before_referral")
    own.settled_at, own.settled_as = at, "before_referral"
    return own


def is_before_referral(file: CaseFile, dose: PlannedDose) -> bool:
    """Whether the window of a missed dose had closed when the patient of its course was referred here."""
    referred_at = dose.course.referred_at
    if referred_at is None or file.status is not Status.MISSED:
        return False
    return any(row.is_before_referral for row in late_start([file.case.window], referred_at))
