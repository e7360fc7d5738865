"""What stops, what is shown, and what the patient's facts mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from regimens.domain.monograph import Intent
from regimens.domain.reasons import Refused
from regimens.domain.screening import (
    Screening,
    asks_antiviral,
    is_antibody_passive,
    propose_protocol,
    risk_group,
    screen,
    vaccine_interference,
)
from tests.domain.factory import MONOGRAPH

ON = date(2026, 11, 22)


def screened(**facts: object) -> Screening:
    base: dict[str, object] = {
        "precautions": (),
        "organs": {"kidney"},
        "donor_igg": "positive",
        "recipient_igg": "positive",
        "has_antiviral": True,
        "born_on": date(1980, 1, 1),
        "on": ON,
    }
    return screen(monograph=MONOGRAPH, **{**base, **facts})  # type: ignore[arg-type]


def codes(found: Screening) -> list[str]:
    return [finding.code for finding in found.findings]


def test_nothing_to_find_leaves_only_the_risk_group() -> None:
    found = screened()
    assert found.findings == found.stops == found.cautions == found.notes == ()
    assert found.working.rules == ("R-SCR-5",)


def test_a_contraindication_stops_and_a_caution_is_shown() -> None:
    found = screened(precautions={"renal_impairment", "iga_deficiency", "cmvig_hypersensitivity"})
    assert [finding.code for finding in found.stops] == ["cmvig_hypersensitivity", "iga_deficiency"]
    assert [finding.code for finding in found.cautions] == ["renal_impairment"]
    assert [finding.rule for finding in found.findings] == ["R-SCR-1", "R-SCR-1", "R-SCR-2"]
    assert found.stops[1].sentence == "Selective IgA deficiency."
    assert found.stops[1].source == "Monograph, Dosage"
    assert found.working.steps[0].rule == "R-SCR-1"


def test_a_precaution_without_a_statement_is_never_passed_over() -> None:
    with pytest.raises(Refused) as refusal:
        screened(precautions={"left_handed"})
    assert (refusal.value.code, refusal.value.value) == ("unknown_precaution", "left_handed")
    assert "iga_deficiency" in refusal.value.limit


@pytest.mark.parametrize(
    ("born_on", "expected"),
    [(date(1960, 11, 23), []), (date(1960, 11, 22), ["older"]), (date(2008, 11, 22), []), (date(2008, 11, 23), ["paediatric"])],
)
def test_over_65_begins_with_the_66th_birthday_and_under_18_ends_with_the_18th(born_on: date, expected: list[str]) -> None:
    found = screened(born_on=born_on)
    assert codes(found) == expected
    assert all(finding.level == "caution" for finding in found.findings)


def test_risk_factors_for_the_kidney_are_one_line() -> None:
    found = screened(renal_risks={"sepsis", "diabetes"})
    assert codes(found) == ["renal_risk"]
    assert found.cautions[0].sentence.startswith("Risk factors for the kidney: diabetes, sepsis.")
    assert found.cautions[0].rule == "R-SCR-12"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("pregnant", ["pregnant"]), ("negative", []), ("not_applicable", []), ("declined", []), ("not_recorded", [])],
)
def test_pregnancy_is_a_caution_only(word: str, expected: list[str]) -> None:
    assert codes(screened(pregnancy=word)) == expected


def test_an_unknown_pregnancy_word_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        screened(pregnancy="maybe")
    assert (refusal.value.code, refusal.value.value) == ("unknown_pregnancy", "maybe")


def test_donor_and_recipient_negative_asks_for_the_indication() -> None:
    found = screened(donor_igg="negative", recipient_igg="negative")
    assert codes(found) == ["low_risk"]
    assert found.cautions[0].sentence == "D−/R−: low risk: CMV-specific prophylaxis often not given; confirm indication."


@pytest.mark.parametrize(
    ("organs", "recipient", "antiviral", "expected"),
    [
        ({"lung"}, "negative", False, ["no_antiviral"]),
        ({"lung"}, "negative", True, []),
        ({"kidney"}, "negative", False, []),
        ({"kidney", "pancreas"}, "negative", False, ["no_antiviral"]),
        ({"lung"}, "positive", False, []),
        ({"hsct"}, "positive", False, []),
        ({"lung"}, "indeterminate", False, ["no_antiviral"]),
    ],
)
def test_highest_risk_without_an_antiviral_is_shown_for_grafts_other_than_kidney(
    organs: set[str], recipient: str, antiviral: bool, expected: list[str]
) -> None:
    assert codes(screened(organs=organs, recipient_igg=recipient, has_antiviral=antiviral)) == expected


@pytest.mark.parametrize("field", ["donor_igg", "recipient_igg"])
def test_an_unknown_igg_word_is_refused_by_its_field(field: str) -> None:
    with pytest.raises(Refused) as refusal:
        risk_group(organs={"kidney"}, **{"donor_igg": "positive", "recipient_igg": "positive", field: "weak"})
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("unknown_igg", field, "weak")


def test_indeterminate_is_told_in_the_working() -> None:
    assert risk_group(donor_igg="indeterminate", recipient_igg="negative", organs={"kidney"}).working.rules == (
        "R-SCR-6",
        "R-SCR-5",
    )
    assert risk_group(donor_igg="positive", recipient_igg="indeterminate", organs={"kidney"}).working.rules == (
        "R-SCR-6",
        "R-SCR-5",
    )


def test_vaccine_dates_are_never_a_clearance() -> None:
    got = vaccine_interference(last_given_on=date(2026, 5, 7), highest_mg_per_kg=Decimal(150), monograph=MONOGRAPH)
    assert got.sentence == (
        "Antibody may blunt measles, mumps, rubella and varicella vaccines until at least 07-Aug-2026 (label) and 07-Nov-2026 (ACIP). "
        "This is not a clearance: live vaccines need the transplant team's decision."
    )
    assert got.working.rules == ("R-SCR-9", "R-SCR-10")
    assert [step.sentence.replace("\u00a0", " ") for step in got.working] == [
        "3 months after the last dose on 07-May-2026: 07-Aug-2026",
        "6 months after the last dose (highest 150 mg per kg): 07-Nov-2026",
    ]
    with pytest.raises(Refused):
        vaccine_interference(last_given_on=date(2026, 5, 7), highest_mg_per_kg=Decimal(0), monograph=MONOGRAPH)
    with pytest.raises(Refused):
        vaccine_interference(last_given_on="2026-05-07", highest_mg_per_kg=Decimal(150), monograph=MONOGRAPH)  # type: ignore[arg-type]


def test_antibody_may_be_passive_from_the_day_of_the_first_dose() -> None:
    first = date(2026, 1, 2)
    assert not is_antibody_passive(sampled_on=date(2026, 1, 1), first_dose_on=first)
    assert is_antibody_passive(sampled_on=first, first_dose_on=first)
    assert not is_antibody_passive(sampled_on=first, first_dose_on=None)
    with pytest.raises(Refused):
        is_antibody_passive(sampled_on="today", first_dose_on=first)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("organs", "donor", "recipient", "intent", "asks"),
    [
        ({"heart"}, "positive", "negative", Intent.PROPHYLAXIS, True),
        ({"kidney", "pancreas"}, "positive", "negative", Intent.PROPHYLAXIS, True),
        ({"liver"}, "indeterminate", "indeterminate", Intent.PROPHYLAXIS, True),
        ({"kidney"}, "positive", "negative", Intent.PROPHYLAXIS, False),
        ({"heart"}, "positive", "positive", Intent.PROPHYLAXIS, False),
        ({"heart"}, "negative", "negative", Intent.PROPHYLAXIS, False),
        ({"hsct"}, "unknown", "positive", Intent.PROPHYLAXIS, False),
        ({"hsct"}, "unknown", "unknown", Intent.TREATMENT, True),
    ],
)
def test_the_antiviral_is_asked_for_the_highest_risk_without_a_kidney_alone_and_for_pneumonitis(
    organs: set[str], donor: str, recipient: str, intent: Intent, asks: bool
) -> None:
    assert asks_antiviral(organs=organs, donor_igg=donor, recipient_igg=recipient, intent=intent) is asks


@pytest.mark.parametrize(
    ("organs", "code", "limit"),
    [
        (set(), "no_organ", "at least one organ"),
        ({"hsct", "kidney"}, "cells_with_organ", "one kind"),
        ({"cornea"}, "unknown_organ", "heart, hsct, intestine, kidney, liver, lung, pancreas"),
    ],
)
def test_a_graft_no_protocol_can_be_for_is_refused(organs: set[str], code: str, limit: str) -> None:
    with pytest.raises(Refused) as refusal:
        propose_protocol(organs=organs, age=40, monograph=MONOGRAPH)
    assert (refusal.value.code, refusal.value.limit, refusal.value.field) == (code, limit, "organs")


def test_a_proposal_tells_its_reason_and_its_source() -> None:
    alone = propose_protocol(organs={"lung"}, age=40, monograph=MONOGRAPH)
    assert (alone.reason, alone.working.steps[0].source) == ("lung alone", "Monograph, Dosage")
    both = propose_protocol(organs={"pancreas", "kidney"}, age=40, monograph=MONOGRAPH)
    assert both.reason.startswith("combined graft (kidney, pancreas): no row in the label")
    assert both.working.steps[0].source == "Site policy"
    assert "off-label" in propose_protocol(organs={"intestine"}, age=40, monograph=MONOGRAPH).reason
    assert "signature" in propose_protocol(organs={"hsct"}, age=40, monograph=MONOGRAPH).reason


def test_a_protocol_switched_off_is_neither_proposed_beside_nor_known() -> None:
    off = replace(
        MONOGRAPH, protocols=tuple(replace(row, enabled=row.code != "heart_paediatric_8_week") for row in MONOGRAPH.protocols)
    )
    assert propose_protocol(organs={"heart"}, age=10, monograph=off).alternatives == ()
    kidney_only = replace(MONOGRAPH, protocols=tuple(replace(row, enabled=row.code == "kidney") for row in MONOGRAPH.protocols))
    with pytest.raises(Refused):
        propose_protocol(organs={"lung"}, age=40, monograph=kidney_only)
