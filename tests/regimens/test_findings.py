"""Results, antibody removals and risks: what is refused, what asks a prescriber, and what an answer does and does not do."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from patients.models import Event
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import findings, outside, risks
from regimens.models import Administration, AntibodyRemoval, Hold, LabResult, PlannedDose, RiskReview
from tests.factories import make_answers, make_member, make_patient
from tests.regimens.ward import TRANSPLANTED, Ward, dose, give, make_course, make_ward, release, start

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
HOURS, DAYS = timedelta(hours=1), timedelta(days=1)
WHY = "Seen and talked over with the team"


def refused(code: str, act) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    return caught.value


def result(ward: Ward, patient, value: str | None, sampled_at: datetime, kind: str = "creatinine", **changes: Any) -> LabResult:
    facts: dict[str, Any] = {"word": "", "by": ward.nurse, "at": sampled_at}
    number = None if value is None else Decimal(value)
    return findings.record_result(patient=patient, kind=kind, value=number, sampled_at=sampled_at, **(facts | changes))


def second_dose(ward: Ward) -> tuple[Any, PlannedDose, datetime]:
    """A patient after the first dose, with a creatinine of 1.0 before it; the second dose, and noon of its target day."""
    course = make_course(ward)
    result(ward, course.patient, "1.00", FIRST - HOURS)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    return course, second, second.overdue_at - 12 * HOURS


# Results -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "word", "code"),
    [
        ("creatinine", "0.1", "", ""),
        ("creatinine", "30", "", ""),
        ("creatinine", "0.09", "", "result_implausible"),
        ("creatinine", "30.01", "", "result_implausible"),
        ("creatinine", "1.001", "", "result_decimals"),
        ("creatinine", None, "", "result_value"),
        ("creatinine", "1", "positive", "result_value"),
        ("creatinine", None, "positive", "result_word"),
        ("bun", "1", "", ""),
        ("bun", "300.01", "", "result_implausible"),
        ("urine_output", "0", "", ""),
        ("urine_output", "30.01", "", "result_implausible"),
        ("iga", "7000", "", ""),
        ("iga", "7000.01", "", "result_implausible"),
        ("cmv_pcr", "0", "", ""),
        ("cmv_pcr", "1000000000", "", ""),
        ("cmv_pcr", "1000000000.01", "", "result_implausible"),
        ("cmv_pcr", None, "not_detected", ""),
        ("cmv_pcr", None, "indeterminate", "result_word"),
        ("cmv_igg", None, "indeterminate", ""),
        ("cmv_igg", "1", "", "result_is_a_word"),
        ("cmv_igg", None, "not_detected", "result_word"),
        ("potassium", "4", "", "unknown_value"),
    ],
)
def test_a_result_is_a_number_in_its_limits_or_one_of_its_words(kind, value, word, code):
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    if code:
        refused(code, lambda: result(ward, patient, value, FIRST, kind, word=word))
        assert not LabResult.objects.exists()
    else:
        assert result(ward, patient, value, FIRST, kind, word=word).kind == kind


def test_an_impossible_result_names_the_value_and_the_limit():
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    refusal = refused("result_implausible", lambda: result(ward, patient, "106", FIRST))
    assert refusal.sentence == "Creatinine: 106\u00a0mg per dL is above 30\u00a0mg per dL. Check number and unit."
    assert refusal.field == "value"


def test_a_sample_is_neither_ahead_nor_before_birth_nor_entered_twice():
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED, birth_on=date(2026, 3, 2))
    refused("in_the_future", lambda: result(ward, patient, "1", FIRST + timedelta(seconds=1), at=FIRST))
    refused("before_birth", lambda: result(ward, patient, "1", datetime.fromisoformat("2026-03-02T04:59:00+00:00"), at=FIRST))
    result(ward, patient, "1", datetime.fromisoformat("2026-03-02T05:00:00+00:00"), at=FIRST)
    result(ward, patient, "1", FIRST)
    refused("result_recorded_already", lambda: result(ward, patient, "1.2", FIRST))


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.COORDINATOR, Role.AUDITOR])
def test_a_finding_is_recorded_by_nurse_pharmacist_or_prescriber(role):
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    person = make_member(role, centre=ward.centre, at=TRANSPLANTED)
    refused("role", lambda: result(ward, patient, "1", FIRST, by=person))
    removal = {"patient": patient, "kind": "plasma_exchange", "removed_at": FIRST, "by": person, "at": FIRST}
    refused("role", lambda: findings.record_removal(**removal))
    review = {"patient": patient, "factors": [], "pregnancy": "not_recorded", "by": person, "at": FIRST}
    refused("role", lambda: risks.record_risks(**review))


def test_a_result_is_struck_out_with_a_reason_once_and_counts_no_more():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    row = result(ward, course.patient, "1.4", noon - HOURS)
    assert [q.kind for q in findings.open_questions(course.patient)] == ["creatinine"]
    refused("reason_needed", lambda: findings.strike_result(result=row, reason="wrong", by=ward.nurse, at=noon))
    findings.strike_result(result=row, reason="Another patient's sample", by=ward.nurse, at=noon)
    refused("already_in_error", lambda: findings.strike_result(result=row, reason=WHY, by=ward.nurse, at=noon))
    assert findings.open_questions(course.patient) == []
    release(ward, second, at=noon)
    result(ward, course.patient, "1.0", noon - HOURS, at=noon)


def test_a_risen_creatinine_stops_release_and_start_until_a_prescriber_has_answered():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    release(ward, second, at=noon - 2 * HOURS)
    row = result(ward, course.patient, "1.4", noon - HOURS)
    [question] = findings.open_questions(course.patient)
    assert (question.kind, question.url_name, question.pk) == ("creatinine", "result-decide", row.pk)
    assert "from 1 to 1.4\u00a0mg per dL" in question.sentence
    refused("result_undecided", lambda: start(ward, second, at=noon))
    answer = {"result": row, "decision": "slower", "reason": WHY, "at": noon}
    refused("role", lambda: findings.decide_result(**answer, by=ward.pharmacist))
    refused("reason_needed", lambda: findings.decide_result(**(answer | {"reason": "short"}), by=ward.prescriber))
    refused("unknown_value", lambda: findings.decide_result(**(answer | {"decision": "treat"}), by=ward.prescriber))
    findings.decide_result(**answer, by=ward.prescriber)
    refused("nothing_asked", lambda: findings.decide_result(**answer, by=ward.prescriber))
    assert start(ward, second, at=noon).dose == second
    assert Event.objects.filter(name="decide_result", actor_id=ward.prescriber.user_id).count() == 1


@pytest.mark.parametrize("decision", ["hold", "stop"])
def test_hold_and_stop_only_record_the_answer_and_a_resumed_hold_has_acted_on_hold_alone(decision):
    ward = make_ward()
    course, second, noon = second_dose(ward)
    row = result(ward, course.patient, "1.4", noon - 2 * HOURS)
    findings.decide_result(result=row, decision=decision, reason=WHY, by=ward.prescriber, at=noon - HOURS)
    course.refresh_from_db()
    assert (course.stopped_at, course.holds.count()) == (None, 0)
    refused(f"result_says_{decision}", lambda: release(ward, second, at=noon))
    result(ward, course.patient, "1.3", noon - HOURS)
    refused(f"result_says_{decision}", lambda: start(ward, second, at=noon))
    who = {"ordered_by": ward.prescriber, "held_by": ward.prescriber, "resumed_by": ward.prescriber}
    Hold.objects.create(
        course=course,
        reason_code="acute_kidney_injury",
        held_at=noon - HOURS / 2,
        review_on=noon.date(),
        resumed_at=noon,
        resume_ordered_by=ward.prescriber,
        resume_reason=WHY,
        **who,
    )
    if decision == "stop":
        refused("result_says_stop", lambda: start(ward, second, at=noon + HOURS))
        result(ward, course.patient, "1.0", noon)
    assert start(ward, second, at=noon + HOURS).dose == second


def test_a_creatinine_back_to_what_it_was_asks_nothing_more():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    result(ward, course.patient, "1.4", noon - 2 * HOURS)
    result(ward, course.patient, "1.00", noon - HOURS)
    assert findings.open_questions(course.patient) == []
    assert start(ward, second, at=noon).dose == second


def test_a_dose_given_elsewhere_counts_as_the_last_dose():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    result(ward, course.patient, "1.4", FIRST + 5 * HOURS)
    facts = outside.OutsideFacts(product="other_ig", given_at=FIRST + 6 * HOURS, said_by="Letter of the clinic")
    outside.record_outside_dose(patient=course.patient, dose=facts, by=ward.nurse, at=noon)
    assert findings.open_questions(course.patient) == []
    assert start(ward, second, at=noon).dose == second


@pytest.mark.parametrize(("value", "word"), [("120", ""), (None, "positive")])
def test_a_positive_pcr_asks_continue_treat_or_stop(value, word):
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    row = result(ward, course.patient, value, FIRST - HOURS, "cmv_pcr", word=word)
    [question] = findings.open_questions(course.patient)
    assert (question.kind, question.pk) == ("pcr", row.pk)
    refused("result_undecided", lambda: release(ward, planned, at=FIRST))
    answer = {"result": row, "reason": WHY, "by": ward.prescriber, "at": FIRST}
    refused("unknown_value", lambda: findings.decide_result(decision="slower", **answer))
    findings.decide_result(decision="treat", **answer)
    assert findings.open_questions(course.patient) == []
    assert start(ward, planned, at=FIRST).dose == planned


def test_a_pcr_that_is_negative_again_asks_nothing():
    ward = make_ward()
    course = make_course(ward)
    result(ward, course.patient, "120", FIRST - 2 * HOURS, "cmv_pcr")
    result(ward, course.patient, None, FIRST - HOURS, "cmv_pcr", word="not_detected")
    assert findings.open_questions(course.patient) == []


def test_what_was_given_is_recorded_whatever_a_result_asks():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    result(ward, course.patient, "1.4", noon - HOURS)
    record = give(ward, second, at=noon, reason="Was running when the result came")
    assert Administration.objects.get(dose=second) == record


# Antibody removal ----------------------------------------------------------------------------------------------------------


def removal(ward: Ward, patient, removed_at: datetime, at: datetime, **changes: Any) -> AntibodyRemoval:
    facts: dict[str, Any] = {"kind": "plasma_exchange", "by": ward.nurse}
    return findings.record_removal(patient=patient, removed_at=removed_at, at=at, **(facts | changes))


@pytest.mark.parametrize(
    ("after", "code"), [(23.99 * HOURS, "exchange_soon"), (24 * HOURS, ""), (timedelta(0), "exchange_soon"), (-HOURS, "")]
)
def test_a_start_less_than_24_hours_before_an_exchange_stops(after, code):
    ward = make_ward()
    course, second, noon = second_dose(ward)
    removal(ward, course.patient, noon + after, noon - 2 * HOURS)
    if code:
        refused(code, lambda: release(ward, second, at=noon))
        refused(code, lambda: start(ward, second, at=noon))
    else:
        assert start(ward, second, at=noon).dose == second


def test_a_prescriber_signs_to_give_the_dose_before_the_exchange():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    row = removal(ward, course.patient, noon + 3 * HOURS, noon - HOURS)
    answer = {"removal": row, "reason": WHY, "at": noon}
    refused("role", lambda: findings.decide_removal(decision="give_before", by=ward.nurse, **answer))
    refused("unknown_value", lambda: findings.decide_removal(decision="repeat", by=ward.prescriber, **answer))
    findings.decide_removal(decision="give_before", by=ward.prescriber, **answer)
    refused("nothing_asked", lambda: findings.decide_removal(decision="give_before", by=ward.prescriber, **answer))
    assert start(ward, second, at=noon).dose == second


def test_a_booked_dose_shortly_before_an_exchange_asks():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    removal(ward, course.patient, noon + 3 * HOURS, noon - 2 * DAYS)
    assert findings.open_questions(course.patient) == []
    PlannedDose.objects.filter(pk=second.pk).update(booked_for=noon, booked_place="Clinic")
    [question] = findings.open_questions(course.patient)
    assert (question.kind, question.url_name) == ("removal", "removal-decide")
    refused("exchange_soon", lambda: release(ward, dose(course, 2), at=noon - 6 * HOURS))


@pytest.mark.parametrize(("days", "asks"), [(1, True), (6.99, True), (7, False)])
def test_an_exchange_within_7_days_after_a_dose_asks_whether_to_repeat_and_adds_nothing(days, asks):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    at = FIRST + timedelta(days=days)
    row = removal(ward, course.patient, at, at)
    assert [q.pk for q in findings.open_questions(course.patient)] == ([row.pk] if asks else [])
    answer = {"removal": row, "decision": "repeat", "reason": WHY, "by": ward.prescriber, "at": at}
    doses = course.doses.count()
    if asks:
        refused("unknown_value", lambda: findings.decide_removal(**(answer | {"decision": "give_before"})))
        findings.decide_removal(**answer)
        assert findings.open_questions(course.patient) == []
    else:
        refused("unknown_value", lambda: findings.decide_removal(**answer))
    assert course.doses.count() == doses


def test_a_removal_is_not_too_far_ahead_nor_before_birth_nor_twice_and_is_struck_out():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    refused("removal_too_far_ahead", lambda: removal(ward, course.patient, noon + 90 * DAYS + HOURS, noon))
    refused("before_birth", lambda: removal(ward, course.patient, datetime.fromisoformat("1979-07-13T12:00:00+00:00"), noon))
    refused("unknown_value", lambda: removal(ward, course.patient, noon, noon, kind="dialysis"))
    row = removal(ward, course.patient, noon + HOURS, noon)
    refused("removal_recorded_already", lambda: removal(ward, course.patient, noon + HOURS, noon))
    findings.strike_removal(removal=row, reason="Cancelled by the team", by=ward.nurse, at=noon)
    refused(
        "nothing_asked",
        lambda: findings.decide_removal(removal=row, decision="give_before", reason=WHY, by=ward.prescriber, at=noon),
    )
    assert start(ward, second, at=noon).dose == second


# Risks ---------------------------------------------------------------------------------------------------------------------


def review(ward: Ward, patient, **changes: Any) -> RiskReview:
    facts: dict[str, Any] = {"factors": ["diabetes"], "pregnancy": "not_recorded", "by": ward.nurse, "at": FIRST}
    return risks.record_risks(patient=patient, **(facts | changes))


def test_a_newer_checklist_replaces_the_older_and_only_a_prescriber_states_that_it_is_needed():
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    first = review(ward, patient, pregnancy="pregnant")
    assert risks.lacks_statement([], first)
    refused("not_a_prescriber", lambda: review(ward, patient, prescriber_statement="No alternative is left"))
    stated = review(
        ward, patient, pregnancy="pregnant", prescriber_statement="No alternative is left", by=ward.prescriber, at=FIRST + HOURS
    )
    assert stated.prescriber_statement == "No alternative is left (Imani Okafor, 21-Nov-2026)"
    kept = review(ward, patient, pregnancy="pregnant", factors=["sepsis", "diabetes"], at=FIRST + 2 * HOURS)
    assert (kept.factors, kept.prescriber_statement) == (["diabetes", "sepsis"], stated.prescriber_statement)
    assert not risks.lacks_statement([], kept)
    changed = review(ward, patient, pregnancy="declined", at=FIRST + 3 * HOURS)
    assert changed.prescriber_statement == ""
    assert RiskReview.objects.get(patient=patient, superseded_at=None) == changed
    first.refresh_from_db()
    assert first.superseded_at == FIRST + HOURS


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"factors": ["smoking"]}, "unknown_value"),
        ({"pregnancy": "maybe"}, "unknown_value"),
        ({"pregnancy": "negative"}, "pregnancy_test_day"),
        ({"pregnancy": "negative", "pregnancy_on": FIRST.date() + DAYS}, "in_the_future"),
        ({"pregnancy": "negative", "pregnancy_on": FIRST.date()}, ""),
    ],
)
def test_the_checklist_takes_known_risks_and_a_test_with_its_day(changes, code):
    ward = make_ward()
    patient = make_patient(by=ward.pharmacist, at=TRANSPLANTED)
    if code:
        refused(code, lambda: review(ward, patient, **changes))
    else:
        assert review(ward, patient, **changes).pregnancy_on == FIRST.date()


def test_kidney_risks_are_one_caution_clot_risks_another_and_lactation_asks_for_the_statement():
    ward = make_ward()
    course = make_course(ward)
    value = course.monograph.to_domain()
    listed = review(ward, course.patient, factors=["sepsis", "estrogens"])
    shown = risks.screening_of(course.transplant, value, [], listed, FIRST.date())
    codes = {finding.code for finding in shown.cautions}
    assert {"renal_risk", "thrombosis_risk_factors"} <= codes
    assert any("sepsis" in finding.sentence for finding in shown.cautions)
    make_answers(course.patient, at=FIRST, lactation="present")
    assert risks.lacks_statement(list(course.patient.precautions.filter(superseded_at=None)), listed)
