"""Results and antibody removals: entered, struck out, and what a prescriber answers where one of them asks.

The app only asks. "Hold" and "stop" are answers here; the pages for holding and stopping a course act on them, and until somebody
has done so no dose starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from patients import audit, when
from patients.actions.common import allow, locked_patient, one_of, plain_refusals, signed_reason
from patients.models import Membership, Patient
from patients.refusal import Refusal
from regimens.actions import planning
from regimens.domain import checks
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.units import decimals, number, wall_text, with_unit
from regimens.models import COUNTED, Administration, AntibodyRemoval, Hold, LabResult, OutsideDose, PlannedDose, ResultKind
from regimens.models.together import read_together

REMOVAL_PLANNED_AHEAD = timedelta(days=90)  # an exchange planned further ahead than this is a slip of the pen
RESULTS = "Site policy: checks before a dose"
REMOVALS = "Site policy: antibody removal"
CREATININE_ANSWERS = ("go", "slower", "hold", "stop")
PCR_ANSWERS = ("continue", "treat", "stop")
ACTED_ON_ELSEWHERE = ("hold", "stop")


@dataclass(frozen=True, slots=True)
class Plausible:
    """What a kind of result may be: its name and unit, the smallest and largest number a person can have, and its words."""

    name: str
    unit: str
    low: Decimal
    high: Decimal
    words: tuple[str, ...] = ()


# The limits catch slips of unit and point (creatinine of 106 is µmol per L), not what is abnormal.
PLAUSIBLE = {
    ResultKind.CMV_IGG: Plausible("CMV IgG", "", Decimal(0), Decimal(0), ("positive", "negative", "indeterminate")),
    ResultKind.CMV_PCR: Plausible("CMV PCR", "IU per mL", Decimal(0), Decimal(1_000_000_000), ("positive", "not_detected")),
    ResultKind.CREATININE: Plausible("Creatinine", "mg per dL", Decimal("0.1"), Decimal(30)),
    ResultKind.BUN: Plausible("BUN", "mg per dL", Decimal(1), Decimal(300)),
    ResultKind.URINE_OUTPUT: Plausible("Urine output", "mL per kg per h", Decimal(0), Decimal(30)),
    ResultKind.IGA: Plausible("IgA", "mg per dL", Decimal(0), Decimal(7000)),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Something a prescriber is asked: ``kind`` (creatinine, pcr, removal), the sentence, and the page that takes the answer."""

    kind: str
    sentence: str
    url_name: str
    pk: int


# Results -------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def record_result(
    *, patient: Patient, kind: str, value: Decimal | None, word: str, sampled_at: datetime, by: Membership, at: datetime
) -> LabResult:
    """One result with its sample time, in the kind's unit. Never changed; struck out with a reason and entered again.

    Refused: another role; no known kind; neither a number nor one of its words, or both; a number outside ``PLAUSIBLE`` or with
    more than two decimals; a sample ahead or before birth; a second live result of the kind at the same time.
    """
    allow(by, "record_finding")
    patient = locked_patient(by, patient.pk)
    kind = one_of(kind, ResultKind.values, field="kind", what="the test")
    _check_value(ResultKind(kind), value, word)
    when.check_past(sampled_at, at=at, field="sampled_at", what="A sample")
    if when.local_day(sampled_at, by.centre.time_zone) < patient.birth_on:
        raise Refusal("before_birth", "The sample would have been drawn before the birth.", field="sampled_at")
    if patient.results.filter(kind=kind, sampled_at=sampled_at, error_at=None).exists():
        raise Refusal("result_recorded_already", "A result of this test and time is on record already.", field="sampled_at")
    audit.event("record_result", by=by, patient=patient, kind=kind, value=value, word=word, sampled_at=sampled_at)
    row = LabResult(patient=patient, kind=kind, value=value, word=word, sampled_at=sampled_at, recorded_by=by, recorded_at=at)
    with plain_refusals():
        row.save(force_insert=True)
    return row


def _check_value(kind: ResultKind, value: Decimal | None, word: str) -> None:
    allowed = PLAUSIBLE[kind]
    if (value is None) == (not word):
        raise Refusal("result_value", "Enter a number, or choose a word.", source=RESULTS, field="value")
    if word and word not in allowed.words:
        only = "This result is a number." if not allowed.words else "Choose one of this test's words."
        raise Refusal("result_word", f"{allowed.name}: {only}", source=RESULTS, field="word")
    if value is None:
        return
    if not allowed.unit:
        raise Refusal("result_is_a_word", f"{allowed.name} is a word, not a number.", source=RESULTS, field="value")
    if decimals(value) > 2:
        raise Refusal("result_decimals", f"{allowed.name}: at most two decimals.", source=RESULTS, field="value")
    sentence = checks.limit_sentence(value, low=allowed.low, high=allowed.high, what=allowed.name, unit=allowed.unit)
    if sentence:
        raise Refusal("result_implausible", sentence, source=RESULTS, field="value")


@transaction.atomic
def strike_result(*, result: LabResult, reason: str, by: Membership, at: datetime) -> LabResult:
    """The result stays readable, struck out, and counts no more. Refused: another role, no reason, struck out already."""
    allow(by, "record_finding")
    locked_patient(by, result.patient_id)
    row = LabResult.objects.select_for_update(of=("self",)).get(pk=result.pk)
    _strike(row, "strike_result", reason, by, at)
    return row


@transaction.atomic
def decide_result(*, result: LabResult, decision: str, reason: str, by: Membership, at: datetime) -> LabResult:
    """A prescriber's signed answer to the question that a result asks. The view has checked the password.

    Refused: another role; a result that asks nothing now; an answer to another question; a reason under 10 characters.
    """
    allow(by, "decide_finding")
    patient = locked_patient(by, result.patient_id)
    row = LabResult.objects.select_for_update(of=("self",)).get(pk=result.pk)
    if not any(q.pk == row.pk and q.kind != "removal" for q in open_questions(patient)):
        raise Refusal("nothing_asked", "This result asks nothing, or was answered already.")
    one_of(decision, list(answers_to(row)), field="decision", what="the answer")
    _decide(row, "decide_result", decision, reason, by, at)
    return row


def answers_to(result: LabResult) -> tuple[str, ...]:
    """The answers that fit the question of a result."""
    return CREATININE_ANSWERS if result.kind == ResultKind.CREATININE else PCR_ANSWERS


def rise_of(results: Sequence[LabResult], given_at: Sequence[datetime]) -> tuple[LabResult, checks.Rise] | None:
    """The latest creatinine where it has risen since before the last dose, with the rise; ``results`` in order of sampling."""
    rows = [row for row in results if row.kind == ResultKind.CREATININE and row.value is not None]
    samples = [checks.Sample(row.sampled_at, row.value or Decimal(0), row.decision, row.decided_at) for row in rows]
    rise = checks.creatinine_rise(samples, last_dose_started_at=max(given_at, default=None))
    return (rows[-1], rise) if rise else None


def viremia_of(results: Sequence[LabResult]) -> LabResult | None:
    """The latest CMV PCR where it is positive; ``results`` in order of sampling."""
    latest = next((row for row in reversed(results) if row.kind == ResultKind.CMV_PCR), None)
    return latest if latest is not None and checks.is_viremic(latest.value, latest.word) else None


def value_text(row: LabResult) -> str:
    """A result as a sentence names it: "1.4 mg per dL", "Positive"."""
    return with_unit(row.value, PLAUSIBLE[ResultKind(row.kind)].unit) if row.value is not None else LabResult.WORDS[row.word]


def check_results(results: Sequence[LabResult], given_at: Sequence[datetime], holds: Sequence[Hold]) -> None:
    """Nothing is released or started while a result asks, or while "hold" or "stop" was answered and nobody has acted on it.

    Refused: "result_undecided", "result_says_hold", "result_says_stop". A hold resumed after the answer has acted on "hold"; after
    "stop" only a newer result changes anything.
    """
    for question in result_questions(results, given_at):
        raise Refusal("result_undecided", question.sentence, source=RESULTS)
    answered: list[tuple[str, datetime | None]] = []
    if (risen := rise_of(results, given_at)) is not None:
        answered.append((risen[1].answer, risen[1].answered_at))
    if (viremia := viremia_of(results)) is not None:
        answered.append((viremia.decision, viremia.decided_at))
    for answer, since in answered:
        resumed = since is not None and any(hold.resumed_at is not None and hold.resumed_at > since for hold in holds)
        if answer == "stop" or (answer == "hold" and not resumed):
            word = LabResult.DECISIONS[answer].lower()
            raise Refusal(
                f"result_says_{answer}",
                f"A prescriber answered “{word}” to the last result: {word} the course first, or enter a newer result.",
                source=RESULTS,
            )


def result_questions(results: Sequence[LabResult], given_at: Sequence[datetime]) -> list[Question]:
    """What the results ask a prescriber now."""
    found = []
    risen = rise_of(results, given_at)
    if risen is not None and not risen[1].answer:
        row, rise = risen
        before, now = number(rise.before.value), with_unit(rise.latest.value, "mg per dL")
        sentence = f"Creatinine has risen since before the last dose, from {before} to {now}: go, slower, hold or stop?"
        found.append(Question("creatinine", sentence, "result-decide", row.pk))
    viremia = viremia_of(results)
    if viremia is not None and not viremia.decision:
        sentence = f"CMV PCR is positive ({value_text(viremia)}): continue, treat or stop?"
        found.append(Question("pcr", sentence, "result-decide", viremia.pk))
    return found


# Antibody removal ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def record_removal(*, patient: Patient, kind: str, removed_at: datetime, by: Membership, at: datetime) -> AntibodyRemoval:
    """A plasma exchange or immunoadsorption, done or planned. It adds no dose and moves none.

    Refused: another role; no known kind; before birth; planned more than 90 days ahead; the same one a second time.
    """
    allow(by, "record_finding")
    patient = locked_patient(by, patient.pk)
    kind = one_of(kind, AntibodyRemoval.Kind.values, field="kind", what="how antibody was removed")
    if removed_at > at + REMOVAL_PLANNED_AHEAD:
        days = REMOVAL_PLANNED_AHEAD.days
        raise Refusal("removal_too_far_ahead", f"That is more than {days} days ahead. Check the date.", field="removed_at")
    if when.local_day(removed_at, by.centre.time_zone) < patient.birth_on:
        raise Refusal("before_birth", "That is before the birth.", field="removed_at")
    if patient.antibody_removals.filter(at=removed_at, error_at=None).exists():
        raise Refusal("removal_recorded_already", "An antibody removal at this time is on record already.", field="removed_at")
    audit.event("record_removal", by=by, patient=patient, kind=kind, removed_at=removed_at)
    row = AntibodyRemoval(patient=patient, kind=kind, at=removed_at, recorded_by=by, recorded_at=at)
    with plain_refusals():
        row.save(force_insert=True)
    return row


@transaction.atomic
def strike_removal(*, removal: AntibodyRemoval, reason: str, by: Membership, at: datetime) -> AntibodyRemoval:
    """One that was not done, or was entered wrongly. Refused: another role, no reason, struck out already."""
    allow(by, "record_finding")
    locked_patient(by, removal.patient_id)
    row = AntibodyRemoval.objects.select_for_update(of=("self",)).get(pk=removal.pk)
    _strike(row, "strike_removal", reason, by, at)
    return row


@transaction.atomic
def decide_removal(*, removal: AntibodyRemoval, decision: str, reason: str, by: Membership, at: datetime) -> AntibodyRemoval:
    """A prescriber's signed answer about a dose beside an antibody removal. The view has checked the password.

    "Repeat" adds nothing: the dose is ordered anew. Refused: another role; struck out or answered already; an answer that does
    not fit; a reason under 10 characters.
    """
    allow(by, "decide_finding")
    patient = locked_patient(by, removal.patient_id)
    row = AntibodyRemoval.objects.select_for_update(of=("self",)).get(pk=removal.pk)
    if row.error_at or row.decision:
        raise Refusal("nothing_asked", "This was answered already, or struck out.")
    value = planning.published().to_domain()
    fitting = removal_answers(row, known_of(patient).given_at, value, at)
    if decision not in fitting:
        raise Refusal(
            "unknown_value", "Choose an answer that fits: before an exchange to come, or after a dose.", field="decision"
        )
    _decide(row, "decide_removal", decision, reason, by, at)
    return row


def removal_answers(
    removal: AntibodyRemoval, given_at: Sequence[datetime], value: MonographValue, at: datetime
) -> tuple[str, ...]:
    """The answers that fit: "give_before" while it is still to come, "repeat" and "no_repeat" after a dose in the days before."""
    after = checks.doses_before_removal(removal.at, given_at, within=value.limit("exchange_after_days"))
    return (("give_before",) if removal.at > at else ()) + (("repeat", "no_repeat") if after else ())


def check_removals(removals: Sequence[AntibodyRemoval], starts_at: datetime, value: MonographValue, zone_name: str) -> None:
    """Refused ("exchange_soon"): an antibody removal is planned less than 24 h after a start, and no prescriber signed to give
    the dose before it.
    """
    within = value.limit("exchange_before_h")
    open_ones = [row.at for row in removals if row.decision != "give_before"]
    if soon := checks.removals_soon(starts_at, open_ones, within=within):
        raise Refusal(
            "exchange_soon",
            f"An antibody removal is planned for {wall_text(soon[0], zone_name)}, less than "
            f"{with_unit(within.value, within.unit)} after this dose would start: it would take the dose away. "
            "Give it afterwards, or a prescriber signs to give it before.",
            source=REMOVALS,
        )


def removal_questions(
    removals: Sequence[AntibodyRemoval], given_at: Sequence[datetime], booked_for: Sequence[datetime], value: MonographValue
) -> list[Question]:
    """What antibody removals ask a prescriber: repeat a dose given shortly before, or give one that is booked shortly before."""
    found = []
    for row in removals:
        if row.decision:
            continue
        name = row.get_kind_display()
        if checks.doses_before_removal(row.at, given_at, within=value.limit("exchange_after_days")):
            days = number(value.limit("exchange_after_days").value)
            sentence = f"{name} within {days} days after a dose: is the dose to be repeated? Nothing is added by itself."
            found.append(Question("removal", sentence, "removal-decide", row.pk))
        elif any(checks.removals_soon(start, [row.at], within=value.limit("exchange_before_h")) for start in booked_for):
            sentence = f"{name} shortly after a booked dose: is the dose to be given before it?"
            found.append(Question("removal", sentence, "removal-decide", row.pk))
    return found


# Both ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What a patient's questions follow from: live results and removals in order, when doses were given, which are booked."""

    results: list[LabResult]
    removals: list[AntibodyRemoval]
    given_at: list[datetime]
    booked_for: list[datetime]
    first_given_at: datetime | None


def known_of(patient: Patient) -> Known:
    """All of it, in one statement."""
    rows = read_together(
        {
            "results": LabResult.objects.filter(patient=patient, error_at=None).order_by("sampled_at", "pk"),
            "removals": AntibodyRemoval.objects.filter(patient=patient, error_at=None).order_by("at", "pk"),
            "records": Administration.objects.filter(COUNTED, patient=patient).order_by("started_at"),
            "outside": OutsideDose.objects.filter(patient=patient, error_at=None).order_by("given_at"),
            "booked": PlannedDose.objects.filter(
                course__patient=patient, settled_at=None, booked_for__isnull=False, course__stopped_at=None
            ),
        }
    )
    given_at = sorted([row.started_at for row in rows["records"]] + [row.given_at for row in rows["outside"]])
    booked_for = [row.booked_for for row in rows["booked"]]
    return Known(rows["results"], rows["removals"], given_at, booked_for, next(iter(given_at), None))


def open_questions(patient: Patient) -> list[Question]:
    """Everything that results and antibody removals ask a prescriber about a patient now, in two statements."""
    known = known_of(patient)
    value = planning.published().to_domain()
    return [
        *result_questions(known.results, known.given_at),
        *removal_questions(known.removals, known.given_at, known.booked_for, value),
    ]


def _strike(row: LabResult | AntibodyRemoval, event: str, reason: str, by: Membership, at: datetime) -> None:
    if row.error_at:
        raise Refusal("already_in_error", "This is struck out already.")
    reason = signed_reason(reason)
    audit.event(event, by=by, patient=row.patient_id, reason=reason, finding=row.pk)
    row.error_at, row.error_by, row.error_reason = at, by, reason
    with plain_refusals():
        row.save(update_fields=["error_at", "error_by", "error_reason"])


def _decide(row: LabResult | AntibodyRemoval, event: str, decision: str, reason: str, by: Membership, at: datetime) -> None:
    reason = signed_reason(reason)
    audit.event(event, by=by, patient=row.patient_id, reason=reason, finding=row.pk, decision=decision)
    row.decision, row.decided_by, row.decided_at, row.decision_reason = decision, by, at, reason
    with plain_refusals():
        row.save(update_fields=["decision", "decided_by", "decided_at", "decision_reason"])
