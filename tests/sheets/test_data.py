"""The sentences a sheet is made of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from regimens.sheets.data import AllergyState, VialClock, VialPlan
from tests.sheets.factories import a_banner, a_draft, a_sheet


@pytest.mark.parametrize(
    ("count", "whole", "use", "discard", "sentence"),
    [
        (5, 4, "10", "40", "Vials 1–4 whole; from vial 5 use 10 mL, discard 40 mL."),
        (3, 2, "40", "10", "Vials 1–2 whole; from vial 3 use 40 mL, discard 10 mL."),
        (2, 1, "20.5", "29.5", "Vial 1 whole; from vial 2 use 20.5 mL, discard 29.5 mL."),
        (1, 0, "9.45", "40.55", "From vial 1 use 9.45 mL, discard 40.55 mL."),
        (1, 1, "0", "0", "Vial 1 whole; nothing to discard."),
        (4, 4, "0.00", "0.00", "Vials 1–4 whole; nothing to discard."),
    ],
)
def test_the_last_vial_line_says_what_is_used_and_what_is_discarded(
    count: int, whole: int, use: str, discard: str, sentence: str
) -> None:
    vials = VialPlan(
        count=count,
        size_ml=Decimal("50.00"),
        content_mg=Decimal(2500),
        whole=whole,
        last_use_ml=Decimal(use),
        last_discard_ml=Decimal(discard),
    )
    assert vials.last_vial.replace("\u00a0", " ") == sentence
    assert vials.needed == f"{count} (2.5\u00a0g in 50\u00a0mL)"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [("360", "6 h"), ("359.9", "5 h 59 min"), ("0.9", "0 min"), ("0", "not possible"), ("-12", "not possible")],
)
def test_the_latest_start_is_never_printed_too_late(minutes: str, words: str) -> None:
    clock = VialClock(Decimal(360), Decimal(720), Decimal(minutes))
    assert clock.latest_start.replace("\u00a0", " ").startswith(words)


def test_a_name_is_family_given_and_title() -> None:
    assert a_banner().name == "OKONKWO, Adaeze (Ms)"
    assert a_banner(given_name="", title="").name == "OKONKWO"


def test_each_step_begins_when_the_one_before_it_ends() -> None:
    rows = a_sheet().rate_rows
    assert [row.begins for row in rows] == ["minute 0", "minute 30", "minute 60"]
    assert [row.lasts.replace("\u00a0", " ") for row in rows] == ["30 min", "30 min", "to the end, 2 h 23 min"]
    assert [row.volume.replace("\u00a0", " ") for row in rows] == ["10.5 mL", "21 mL", "178.5 mL"]


def test_there_are_exactly_four_allergy_states() -> None:
    assert [state.value for state in AllergyState] == [
        "Known allergies",
        "No known allergies",
        "Allergies not recorded",
        "Allergies unavailable",
    ]


def test_the_arithmetic_of_a_dose_that_is_not_simply_mg_per_kg_times_kg_says_what_it_is() -> None:
    def plain(sheet) -> str:
        return sheet.arithmetic.replace("\u00a0", " ").split(";")[0]

    assert plain(a_sheet()) == "70 kg × 150 mg per kg = 10,500 mg"
    assert plain(a_sheet(dose_mg=Decimal(4500), is_remainder=True)) == "what was left of the stopped dose = 4,500 mg"
    rounded = a_sheet(dose_mg=Decimal(10000), rounded_from_mg=Decimal(10500))
    assert plain(rounded) == "70 kg × 150 mg per kg = 10,500 mg ordered, -4.76 percent to whole vials = 10,000 mg"


def test_a_sheet_is_a_draft_until_someone_has_verified_it() -> None:
    assert a_draft().is_draft
    assert not a_sheet().is_draft
