"""Deciding about a missed or stopped dose: who signed which of the nine decisions, why, and how they were reached."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from patients import audit
from patients.constraints import sentence_for
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import may, protocol_for, require
from regimens.actions.charting import Chart, clock, lock_dose
from regimens.actions.decisions import EFFECTS, NEEDS_A_DAY, Choice
from regimens.actions.missed_case import SOURCE, CaseFile, effects_of, options_for, read_case
from regimens.actions.reasons import chosen
from regimens.domain.monograph import Monograph, ReasonCode
from regimens.domain.status import Status
from regimens.domain.transitions import decisions_from
from regimens.models import Decision, MissedDoseDecision, PlannedDose

__all__ = ["EFFECTS", "decide", "options_for", "read_case", "reasons_for", "refuse_unless_open", "signable"]

# How the prescriber was reached: the words a signature is kept with.
REACHED = {
    "own_review": "Own review of the list",
    "in_person": "In person",
    "telephone": "By telephone",
    "pager": "By pager",
    "message": "By secure message",
}
# What a pharmacist signs within the center's collaborative protocol. Changing the dose or the protocol, and stopping, stay a
# prescriber's, and so does everything about an off-label course; a pharmacist enters a hold on its own page.
BY_PROTOCOL = frozenset(
    {
        Decision.GIVE_LATE,
        Decision.GIVE_LATE_AND_SHIFT,
        Decision.GIVE_REMAINDER,
        Decision.ACCEPT_PARTIAL,
        Decision.OMIT,
    }
)
# Which list of the monograph's reasons belongs to which decision.
REASON_KINDS = {
    Decision.GIVE_LATE: "late",
    Decision.GIVE_LATE_AND_SHIFT: "late",
    Decision.GIVE_REMAINDER: "late",
    Decision.ACCEPT_PARTIAL: "omitted",
    Decision.OMIT: "omitted",
    Decision.CHANGE_DOSE: "override",
    Decision.HOLD: "held",
    Decision.STOP: "stopped",
    Decision.CHANGE_PROTOCOL: "stopped",
}


def reasons_for(decision: Decision, value: Monograph) -> tuple[ReasonCode, ...]:
    """The monograph's reasons that may be signed with a decision."""
    return value.listed(REASON_KINDS[decision])


def signable(by: Membership, chart: Chart, file: CaseFile) -> frozenset[Decision]:
    """The decisions about this dose that are this person's to sign: a prescriber's all of them; those of the collaborative protocol
    for a pharmacist whose center has one; none for anybody else, or for whoever reads in an emergency."""
    if not may(by, "decide_missed") or chart.centre.pk != by.centre_id:
        return frozenset()
    if not protocol_for(by, "decide_missed"):
        return frozenset(Decision)
    return BY_PROTOCOL if not _off_label(file) else frozenset()


def _off_label(file: CaseFile) -> str:
    """What about this dose lies outside the label: its course, or an initial dose whose hours have passed; "" where nothing does."""
    if file.case.protocol.off_label:
        return "This course is off-label"
    is_late = file.case.window.in_hours and file.status is not Status.PARTIAL
    return "The label's window for the initial dose has passed" if is_late else ""


def refuse_unless_signable(by: Membership, chart: Chart, file: CaseFile, decision: Decision) -> None:
    """Refuse ("prescriber_only") a pharmacist's decision that the collaborative protocol does not hand over."""
    if decision in signable(by, chart, file):
        return
    why = _off_label(file) or "The collaborative protocol does not reach this"
    sentence = f"{why}: a prescriber alone signs it ({decision.label.lower()})."
    raise Refusal("prescriber_only", sentence, source="Site policy: collaborative protocol", field="decision")


def decide(
    *,
    dose: PlannedDose,
    decision: str,
    reason_code: str,
    by: Membership,
    at: datetime,
    reached_by: str = "",
    reason: str = "",
    give_on: date | None = None,
    mg_per_kg: Decimal | None = None,
    review_on: date | None = None,
    protocol_code: str = "",
) -> MissedDoseDecision | None:
    """A prescriber's decision about a dose that needs one, or a pharmacist's within the center's collaborative protocol, which is
    then kept in the place of ``reached_by``. The view has checked the password.

    A hold is of the course: the dose still waits for its decision, and None is returned.
    Refused: anybody else, and what the protocol does not hand over ("prescriber_only"); a dose about which nothing is to be
    decided, or decided already; a decision that its state or its option does not allow; a reason that is not in the decision's
    list; what the decision needs beside (``give_on``, ``mg_per_kg``, ``review_on``, ``protocol_code``) missing or out of its limits.
    """
    require(by, "decide_missed")
    if decision not in EFFECTS:
        raise Refusal("decision", "Choose what is to happen with this dose.", field="decision")
    protocol = protocol_for(by, "decide_missed")
    if not protocol and reached_by not in REACHED:
        raise Refusal("reached_by", "Say how you were reached.", field="reached_by")
    wanted = Decision(decision)
    try:
        with transaction.atomic():
            chart = lock_dose(dose)
            own = next(row for row in chart.doses if row.pk == dose.pk)
            file = read_case(chart, at)
            refuse_unless_open(chart, own, file, at)
            refuse_unless_signable(by, chart, file, wanted)
            theirs = signable(by, chart, file)
            if wanted not in decisions_from(file.status):
                raise _not_from(file.status, wanted)
            _check_reason(chart, wanted, reason_code, reason.strip())
            if wanted in NEEDS_A_DAY and give_on is None:
                raise Refusal("giving_late_has_a_day", NEEDS_A_DAY[wanted], field="give_on")
            if wanted == Decision.CHANGE_DOSE and mg_per_kg is None:
                raise Refusal("mg_per_kg", "Enter the new dose in mg per kg.", field="mg_per_kg")
            on = give_on if wanted in NEEDS_A_DAY else None
            amount = mg_per_kg if wanted == Decision.CHANGE_DOSE else None
            options = options_for(chart, at, on, amount, file)
            if wanted not in options:
                raise Refusal("not_available", "This center does not shift courses.", source=SOURCE, field="decision")
            option = options[wanted]
            if not option.is_available:
                raise Refusal("not_available", option.reasons_against[0], source=SOURCE, field="decision")
            made = None
            if wanted != Decision.HOLD:  # a hold is its own event in the history, and decides nothing about this dose
                audit.event(
                    "decide_missed",
                    by=by,
                    patient=chart.patient,
                    reason=reason.strip() or reason_code,
                    dose=str(own.pk),
                    decision=decision,
                    give_on=on,
                )
                made = MissedDoseDecision.objects.create(
                    dose=own,
                    decision=decision,
                    give_on=on,
                    reason_code=reason_code,
                    reason=reason.strip(),
                    reached_by=f"Collaborative protocol: {protocol}" if protocol else REACHED[reached_by],
                    effects=effects_of({d: shown for d, shown in options.items() if d in theirs}, chart.centre.time_zone),
                    decided_by=by,
                    decided_at=at,
                )
            choice = Choice(
                chart, own, file.case, option, on, amount, review_on, protocol_code, reason_code, reason.strip(), by, at
            )
            EFFECTS[wanted](choice)
            return made
    except IntegrityError as error:
        raise sentence_for(error) from None


def refuse_unless_open(chart: Chart, dose: PlannedDose, file: CaseFile, at: datetime) -> None:
    """Only a dose that needs a decision (missed, passed on hold, stopped part way) is decided here, and only once."""
    if dose.pk in file.decided:
        done = MissedDoseDecision.objects.select_related("decided_by__user").get(dose=dose, superseded_at=None)
        when = clock(done.decided_at, chart.centre.time_zone, at)
        raise Refusal(
            "already_decided",
            f"Already decided by {done.signed_by} at {when}: {done.get_decision_display().lower()}.",
        )
    status = Status.SUPERSEDED if dose.settled_as == "superseded" else file.status
    if decisions_from(status):
        if dose.course.stopped_at:
            raise Refusal("course_stopped", "Nothing to decide: this course was stopped.", source=SOURCE)
        return
    if (live := chart.live_record(dose)) is not None:
        when = clock(live.recorded_at, chart.centre.time_zone, at)
        raise Refusal("already_recorded", f"Not missed: recorded by {live.recorded_by.user.printed_name} at {when}.")
    raise Refusal("not_missed", f"This dose is not missed: it is {str(status).replace('_', ' ')}.", source=SOURCE)


def _not_from(status: Status, decision: Decision) -> Refusal:
    words = str(status).replace("_", " ")
    sentence = f"A dose that is {words} cannot take this: {decision.label.lower()}."
    return Refusal("not_from_this_state", sentence, source=SOURCE, field="decision")


def _check_reason(chart: Chart, decision: Decision, reason_code: str, reason: str) -> None:
    assert chart.course is not None
    sentence = "Choose a reason that belongs to this decision."
    chosen(chart.course.monograph.to_domain(), REASON_KINDS[decision], reason_code, reason, sentence=sentence)
