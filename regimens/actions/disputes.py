"""Records entered in error, and who says whether the dose was given.

Nothing that was "given" becomes startable by one person's act (workflow W1.5, W2.12): the dose stays disputed until a
pharmacist or prescriber who neither recorded it nor marked it says given or not given.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from patients import audit
from patients.actions.common import signed_reason
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions.bedside import lock_record
from regimens.actions.charting import Chart, lock_dose, lock_patient
from regimens.actions.revisions import drop_booking, save_revision, successor
from regimens.models import Administration, MissedDoseDecision, PlannedDose

OUTCOMES = ("given", "not_given")
SOURCE = "Site policy: a record is undone by two people"


@transaction.atomic
def enter_in_error(
    *, record: Administration, reason: str, by: Membership, at: datetime, version: int | None = None
) -> Administration:
    """Strike a record out, with a reason. Its dose stays closed and disputed; its contents stay readable."""
    require(by, "log_infusion")  # who may record an infusion may say that a record is wrong (workflow W3)
    reason = signed_reason(reason, sentence="Say what is wrong with it")
    chart = lock_dose(record.dose) if record.dose is not None else lock_patient(record.patient)
    locked = lock_record(record, version, at)
    audit.event("enter_in_error", by=by, patient=locked.patient, reason=reason.strip(), record=str(locked.pk))
    locked.error_at, locked.error_by, locked.error_reason = at, by, reason.strip()
    locked.version += 1
    locked.save(update_fields=["error_at", "error_by", "error_reason", "version"])
    _undo_what_followed(chart, locked, at)
    return locked


def _undo_what_followed(chart: Chart, record: Administration, at: datetime) -> None:
    """What a prescriber decided about the amount of a struck-out record counts no more: the dose itself stands again, disputed."""
    rest, own = chart.dose, next((row for row in chart.doses if row.pk == record.dose_id), None)
    if rest is None or own is None:
        return
    decided = MissedDoseDecision.objects.filter(dose=own, superseded_at=None, decided_at__gte=record.recorded_at)
    if own.settled_as == "accepted":
        decided.update(superseded_at=at)
        PlannedDose.objects.filter(pk=own.pk).update(settled_at=at, settled_as="recorded")
    elif rest.pk != own.pk and rest.is_remainder and not rest.settled_as:
        # What was left over was reckoned from this record.
        decided.update(superseded_at=at)
        PlannedDose.objects.filter(pk=rest.pk).update(settled_at=at, settled_as="superseded")
        PlannedDose.objects.filter(pk=own.pk).update(settled_at=at, settled_as="recorded")


@transaction.atomic
def settle_dispute(*, dose: PlannedDose, outcome: str, reason: str, by: Membership, at: datetime) -> PlannedDose:
    """Say whether a disputed dose was given: "not_given" opens it again, "given" keeps it closed until it is recorded again.

    Refused: nothing in dispute; whoever recorded it or marked it as entered in error; a reason under 10 characters.
    """
    require(by, "settle_dispute")
    if outcome not in OUTCOMES:
        raise Refusal("outcome", "Say whether the dose was given.", field="outcome")
    reason = signed_reason(reason, sentence="Say how you know")
    chart = lock_dose(dose)
    live = chart.dose
    assert live is not None  # lock_dose always finds it
    struck = Administration.objects.select_for_update(of=("self",), no_key=True).select_related("recorded_by", "error_by")
    rows = {row.pk: row for row in chart.doses if row.number == live.number}  # every revision of the dose
    open_disputes = list(struck.filter(dose__in=rows, error_at__isnull=False, dispute_settled_at=None))
    if not open_disputes:
        raise Refusal("not_disputed", "No record of this dose is in dispute.")
    if any(by.user_id in (r.recorded_by.user_id, r.error_by.user_id if r.error_by else None) for r in open_disputes):
        raise Refusal(
            "own_record", "You recorded this dose or marked it: another pharmacist or prescriber settles it.", source=SOURCE
        )
    if outcome == "not_given" and any(chart.live_record(rows[r.dose_id]) for r in open_disputes if r.dose_id):
        raise Refusal("recorded_again", "The dose has been recorded again, so it was given.")
    audit.event("settle_dispute", by=by, patient=chart.patient, reason=reason.strip(), dose=str(live.pk), outcome=outcome)
    for record in open_disputes:
        record.dispute_settled_at, record.dispute_settled_by = at, by
        record.dispute_outcome, record.dispute_reason = outcome, reason.strip()
        record.version += 1
    Administration.objects.bulk_update(
        open_disputes, ["dispute_settled_at", "dispute_settled_by", "dispute_outcome", "dispute_reason", "version"]
    )
    if outcome == "not_given" and live.settled_as in ("recorded", "accepted") and chart.live_record(live) is None:
        _open_again(chart, live, by, at)
    return live


def _open_again(chart: Chart, dose: PlannedDose, by: Membership, at: datetime) -> None:
    """A dose that was not given waits again; in a stopped course it is cancelled.

    One that a prescriber had decided about keeps that decision, and an unsigned row waits in its place.
    """
    assert chart.course is not None
    is_open = not chart.course.stopped_at
    if is_open and MissedDoseDecision.objects.filter(dose=dose, superseded_at=None).exists():
        new = successor(dose, chart.course)
        drop_booking(new)
        save_revision(chart.course, [new], by=by, at=at)
        return
    dose.settled_at, dose.settled_as = (None, "") if is_open else (at, "cancelled")
    dose.save(update_fields=["settled_at", "settled_as"])
