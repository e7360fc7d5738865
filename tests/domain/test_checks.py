"""What is asked again before a dose starts: results, antibody removal, and how long a release lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from regimens.domain import checks
from regimens.domain.checks import Sample
from regimens.domain.monograph import Limit
from regimens.domain.reasons import SITE_POLICY, Refused
from tests.domain.factory import monograph

DOSE = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sample(hours: int, value: str, answer: str = "", answered: int | None = None) -> Sample:
    """A creatinine so many hours after the last dose began, answered so many hours after it."""
    return Sample(DOSE + hours * HOUR, Decimal(value), answer, None if answered is None else DOSE + answered * HOUR)


@pytest.mark.parametrize(
    ("samples", "asks"),
    [
        ([], False),
        ([sample(-2, "1.0")], False),
        ([sample(2, "1.4")], False),
        ([sample(-2, "1.0"), sample(2, "1.0")], False),
        ([sample(-2, "1.0"), sample(2, "1.01")], True),
        ([sample(2, "1.4"), sample(-2, "1.0")], True),
        # drawn as the dose began counts as before it
        ([sample(0, "1.4")], False),
        ([sample(-2, "1.0"), sample(0, "1.4"), sample(2, "1.4")], False),
        # the latest counts, on either side of the dose
        ([sample(-9, "2.0"), sample(-2, "1.0"), sample(2, "1.5")], True),
        ([sample(-2, "1.0"), sample(2, "1.5"), sample(4, "0.9")], False),
    ],
)
def test_a_creatinine_above_the_last_one_before_the_last_dose_asks(samples: list[Sample], asks: bool) -> None:
    found = checks.creatinine_rise(samples, last_dose_started_at=DOSE)
    assert (found is not None) is asks
    assert checks.creatinine_rise(samples, last_dose_started_at=None) is None


def test_a_rise_names_both_values_and_where_the_rule_stands() -> None:
    found = checks.creatinine_rise([sample(-2, "1.0"), sample(2, "1.4")], last_dose_started_at=DOSE)
    assert found is not None
    assert (found.before.value, found.latest.value, found.answer, found.answered_at) == (
        Decimal("1.0"),
        Decimal("1.4"),
        "",
        None,
    )
    [step] = found.working
    assert step.rule == "R-CHK-1"
    assert step.sentence == "creatinine 1\u00a0mg per dL before the last dose, 1.4\u00a0mg per dL since"


@pytest.mark.parametrize(
    ("answered_value", "latest_value", "answer"),
    [("1.4", "1.4", "go"), ("1.4", "1.3", "go"), ("1.4", "1.41", "")],
)
def test_an_answer_stands_for_what_is_as_high_or_lower(answered_value: str, latest_value: str, answer: str) -> None:
    samples = [sample(-2, "1.0"), sample(2, answered_value, "go", 3), sample(8, latest_value)]
    found = checks.creatinine_rise(samples, last_dose_started_at=DOSE)
    assert found is not None
    assert found.answer == answer
    assert found.answered_at == (DOSE + 3 * HOUR if answer else None)


def test_an_answer_to_a_sample_drawn_as_the_dose_began_stands_for_nothing_since() -> None:
    samples = [sample(0, "1.5", "go", 1), sample(0, "1.0"), sample(2, "1.4")]
    found = checks.creatinine_rise(samples, last_dose_started_at=DOSE)
    assert found is not None and found.answer == ""


def test_the_latest_answer_stands_and_none_from_before_the_last_dose() -> None:
    samples = [sample(-9, "3.0", "go", -8), sample(-2, "1.0"), sample(2, "1.5", "go", 9), sample(3, "1.4", "hold", 4)]
    found = checks.creatinine_rise(samples, last_dose_started_at=DOSE)
    assert found is not None
    assert found.answer == "go"
    alone = checks.creatinine_rise(
        [sample(-9, "3.0", "go", -8), sample(-2, "1.0"), sample(3, "1.4")], last_dose_started_at=DOSE
    )
    assert alone is not None
    assert alone.answer == ""


@pytest.mark.parametrize(
    ("value", "word", "asks"),
    [
        (None, "positive", True),
        (None, "not_detected", False),
        (None, "negative", False),
        (Decimal(0), "", False),
        (Decimal("0.01"), "", True),
    ],
)
def test_any_pcr_above_zero_asks(value: Decimal | None, word: str, asks: bool) -> None:
    assert checks.is_viremic(value, word) is asks


@pytest.mark.parametrize(("after", "asks"), [(-1, False), (0, True), (23 * 60 + 59, True), (24 * 60, False)])
def test_a_start_less_than_24_hours_before_an_exchange_asks(after: int, asks: bool) -> None:
    removal = DOSE + timedelta(minutes=after)
    found = checks.removals_soon(DOSE, [removal, DOSE - DAY], within=monograph().limit("exchange_before_h"))
    assert found == ((removal,) if asks else ())


@pytest.mark.parametrize(
    ("before", "asks"), [(timedelta(0), False), (HOUR, True), (7 * DAY - HOUR, True), (7 * DAY, False), (-HOUR, False)]
)
def test_an_exchange_less_than_7_days_after_a_dose_asks(before: timedelta, asks: bool) -> None:
    found = checks.doses_before_removal(DOSE, [DOSE - before], within=monograph().limit("exchange_after_days"))
    assert bool(found) is asks


def test_a_release_lasts_48_hours_of_elapsed_time() -> None:
    assert checks.release_lasts_until(DOSE, within=monograph().limit("release_within_h")) == DOSE + 48 * HOUR


def test_a_dose_above_the_labels_highest_is_a_treatment_dose_and_wants_results_of_the_day() -> None:
    value = monograph()
    assert not checks.is_treatment_dose(Decimal(150), value)
    assert checks.is_treatment_dose(Decimal("150.01"), value)
    treatment = checks.result_wanted(mg_per_kg=Decimal(400), at=DOSE, monograph=value)
    assert treatment.sampled_from == DOSE - 24 * HOUR
    assert [step.sentence for step in treatment.working] == ["before 400\u00a0mg per kg: not older than 24\u00a0h"]
    assert checks.result_wanted(mg_per_kg=Decimal(150), at=DOSE, monograph=value).sampled_from == DOSE - 7 * DAY


def test_the_hours_of_a_limit_are_the_monographs() -> None:
    limit = Limit("exchange_before_h", "", Decimal(2), "h", SITE_POLICY)
    assert checks.removals_soon(DOSE, [DOSE + 2 * HOUR], within=limit) == ()
    assert checks.removals_soon(DOSE, [DOSE + HOUR], within=limit) == (DOSE + HOUR,)


def test_an_impossible_result_names_the_value_and_the_limit() -> None:
    facts = {"low": Decimal("0.1"), "high": Decimal(30), "what": "Creatinine", "unit": "mg per dL"}
    assert checks.limit_sentence(Decimal("0.1"), **facts) == checks.limit_sentence(Decimal(30), **facts) == ""  # type: ignore[arg-type]
    above = checks.limit_sentence(Decimal(106), **facts)  # type: ignore[arg-type]
    assert above == "Creatinine: 106\u00a0mg per dL is above 30\u00a0mg per dL. Check number and unit."
    below = checks.limit_sentence(Decimal("0.09"), **facts)  # type: ignore[arg-type]
    assert below == "Creatinine: 0.09\u00a0mg per dL is below 0.1\u00a0mg per dL. Check number and unit."


def test_every_instant_needs_its_zone() -> None:
    naive = DOSE.replace(tzinfo=None)
    within = monograph().limit("exchange_before_h")
    for act in (
        lambda: checks.creatinine_rise([Sample(naive, Decimal(1))], last_dose_started_at=DOSE),
        lambda: checks.creatinine_rise([], last_dose_started_at=naive),
        lambda: checks.removals_soon(naive, [], within=within),
        lambda: checks.doses_before_removal(naive, [], within=within),
        lambda: checks.release_lasts_until(naive, within=within),
        lambda: checks.result_wanted(mg_per_kg=Decimal(1), at=naive, monograph=monograph()),
    ):
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.code == "no_zone"
