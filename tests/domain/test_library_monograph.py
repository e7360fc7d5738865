"""The shipped monograph holds what its sources hold: doses, reactions, warnings, questions, limits, each with its source."""

from __future__ import annotations

from decimal import Decimal

import pytest

from regimens.domain.library_checks import problems
from regimens.domain.library_file import dump, parse
from regimens.domain.monograph import Anchor, Intent, Monograph, Source, SourceKind
from regimens.library import SHIPPED

COMMON = "Chills · Flushing · Nausea and vomiting · Arthralgia · Back pain · Muscle cramps · Wheezing · Fever"
SERIOUS = (
    "Abdominal pain · Acute renal failure · Acute respiratory distress · Anaphylactic shock · Angioedema · "
    "Aseptic meningitis · Bronchospasm · Bullous dermatitis · Circulatory shock · Coma · Cyanosis · "
    "Decreased blood pressure · Dyspnea · Epidermolysis · "
    "Erythema multiforme · Hemolysis · Hepatic insufficiency · Hypotension · Hypoxemia · Leukopenia · Loss of consciousness · "
    "Oliguria · Osmotic nephrosis · Pancytopenia · Positive direct Coombs test · Pulmonary edema · Renal insufficiency · "
    "Renal tubular necrosis · Rigors · Seizures · Stevens-Johnson syndrome · Thromboembolism · "
    "Transfusion-related acute lung injury · Tremor"
)


@pytest.fixture(scope="module")
def monograph() -> Monograph:
    return parse(SHIPPED.read_text("utf-8"))


def rows(monograph: Monograph, code: str) -> list[tuple[str, int, int]]:
    return [(row.code, row.offset_days, int(row.mg_per_kg)) for row in monograph.protocol(code).doses]


def test_kidney_has_seven_doses(monograph: Monograph) -> None:
    assert rows(monograph, "kidney") == [
        ("W0", 0, 150),
        ("W2", 14, 100),
        ("W4", 28, 100),
        ("W6", 42, 100),
        ("W8", 56, 100),
        ("W12", 84, 50),
        ("W16", 112, 50),
    ]


def test_liver_lung_pancreas_and_heart_share_seven_doses(monograph: Monograph) -> None:
    assert monograph.protocol("other_organ").organs == ("liver", "lung", "pancreas", "heart")
    assert rows(monograph, "other_organ") == [
        ("W0", 0, 150),
        ("W2", 14, 150),
        ("W4", 28, 150),
        ("W6", 42, 150),
        ("W8", 56, 150),
        ("W12", 84, 100),
        ("W16", 112, 100),
    ]


def test_pneumonitis_has_four_fixed_doses_and_a_tail_of_two_alternatives(monograph: Monograph) -> None:
    assert rows(monograph, "hsct_pneumonitis") == [
        ("D1", 0, 400),
        ("D2", 1, 400),
        ("D7", 6, 400),
        ("D14", 13, 200),
        ("D21", 20, 200),
        ("D21_ALT", 20, 150),
    ]
    protocol = monograph.protocol("hsct_pneumonitis")
    assert [row.optional for row in protocol.doses] == [False] * 4 + [True] * 2
    assert (protocol.dose("D21_ALT").alternative_of, protocol.dose("D21_ALT").repeats) == ("D21", True)
    assert (protocol.off_label, protocol.anchor, protocol.intent, protocol.cap_mg_per_kg) == (
        True,
        Anchor.FIRST_DOSE,
        Intent.TREATMENT,
        Decimal(400),
    )
    assert [row.min_interval_hours for row in protocol.doses] == [0, 18, 96, 120, 120, 72]
    assert [(row.opens_days_before, row.closes_days_after) for row in protocol.doses] == [
        (0, 0),
        (0, 0),
        (1, 1),
        (1, 1),
        (1, 1),
        (0, 0),
    ]


def test_the_pediatric_heart_schedule_has_three_doses_from_a_guideline(monograph: Monograph) -> None:
    protocol = monograph.protocol("heart_paediatric_8_week")
    assert rows(monograph, "heart_paediatric_8_week") == [("W0", 0, 150), ("W4", 28, 100), ("W8", 56, 100)]
    assert (protocol.population, protocol.source.kind) == ("paediatric", SourceKind.GUIDELINE)


def test_prophylaxis_is_capped_at_the_labels_150_and_counts_fourteen_rows(monograph: Monograph) -> None:
    labelled = [protocol for protocol in monograph.protocols if not protocol.off_label]
    assert [protocol.code for protocol in labelled] == ["kidney", "other_organ"]
    assert sum(len(protocol.doses) for protocol in labelled) == 14
    assert {protocol.cap_mg_per_kg for protocol in labelled} == {Decimal(150)}
    assert {protocol.cap_source.kind for protocol in labelled} == {SourceKind.LABEL}


@pytest.mark.parametrize("code", ["kidney", "other_organ", "heart_paediatric_8_week"])
def test_prophylaxis_windows_are_72_hours_then_days_of_site_policy(monograph: Monograph, code: str) -> None:
    first, *later = monograph.protocol(code).doses
    assert (first.closes_after_hours, first.window_source.kind is SourceKind.SITE_POLICY) == (72, False)
    for row in later:
        days = 7 if row.code in ("W12", "W16") else 3
        assert (row.opens_days_before, row.closes_days_after, row.min_interval_hours) == (days, days, 7 * 24), row.code
        assert (row.closes_after_hours, row.window_source.kind) == (None, SourceKind.SITE_POLICY), row.code


def test_late_limits_are_the_sites(monograph: Monograph) -> None:
    latest = {row.code: row.latest_late_day for row in monograph.protocol("kidney").doses}
    assert latest == {"W0": 10, "W2": 24, "W4": 38, "W6": 52, "W8": 70, "W12": 98, "W16": 126}
    assert {row.code: row.latest_late_day for row in monograph.protocol("other_organ").doses} == latest


def test_rate_tables_rise_to_60_in_steps_of_30_and_of_15_minutes(monograph: Monograph) -> None:
    for code, minutes in (("initial", 30), ("subsequent", 15)):
        steps = monograph.rate_table(code).steps
        assert [(step.mg_per_kg_per_h, step.minutes) for step in steps] == [(15, minutes), (30, minutes), (60, None)]


@pytest.mark.parametrize(("seriousness", "terms", "count"), [("common", COMMON, 8), ("serious", SERIOUS, 34)])
def test_every_reaction_is_listed_once_under_its_frequency(
    monograph: Monograph, seriousness: str, terms: str, count: int
) -> None:
    found = [row for row in monograph.reactions if row.seriousness == seriousness]
    assert [row.term for row in found] == terms.split(" · ")
    assert len(found) == count
    assert len({row.frequency for row in found}) == 1


def test_contraindications_risks_cautions_and_interactions_are_complete(monograph: Monograph) -> None:
    codes = {
        kind: [row.code for row in monograph.statements if row.kind == kind]
        for kind in ("contraindication", "increased_risk", "caution", "interaction")
    }
    assert codes["contraindication"] == [
        "cmvig_hypersensitivity",
        "ig_hypersensitivity",
        "component_hypersensitivity",
        "iga_deficiency",
    ]
    assert codes["increased_risk"] == [
        "anaphylaxis",
        "aseptic_meningitis",
        "pulmonary_edema",
        "thrombosis",
        "hemolysis",
        "acute_renal_dysfunction",
    ]
    assert {"older_than_65", "renal_impairment", "pregnancy", "lactation"} <= set(codes["caution"])
    assert "live_vaccines" in codes["interaction"]


def test_six_questions_are_answered(monograph: Monograph) -> None:
    assert len(monograph.questions) == 6
    words = [("vein", "pump", "filter"), ("once",), ("refrigerator",), ("physician",), ("rare",), ("No.", "preventive")]
    for question, needed in zip(monograph.questions, words, strict=True):
        assert all(word in question.answer for word in needed), question.question


@pytest.mark.parametrize(
    ("section", "facts"),
    [
        ("usage", "kidney lung liver pancreas heart ganciclovir off-label pneumonitis CMV-positive CMV-negative"),
        ("dosage_adult", "72 150 100 50 400 200 twice weekly symptoms persist ganciclovir off-label"),
        ("dosage_pediatric", "antiviral risk serology blood weight"),
        ("renal_impairment", "no dose adjustment lowest rate 350"),
        ("hepatic_impairment", "no dose adjustment"),
        ("mechanism", "passive immunity IgG IgA IgM neutralize"),
        ("pregnancy", "category C fetus reproduce clearly needed"),
        ("lactation", "breast milk not known"),
        ("live_vaccines", "Avoid same time 3 months 6 months 8 months"),
        ("cautious_use", "65 renal impairment"),
        ("administration", "15 micron"),
        ("administration", "separate line do not shake 6 hours 12 hours 1 part 2 parts colorless"),
        ("storage", "2 to 8"),
        ("missed_dose", "physician doubled"),
        ("disclaimer", "no medical advice physician history"),
        ("monitoring", "before each rate increase midway after"),
        ("reactions", "medical attention 6% 1%"),
    ],
)
def test_every_fact_of_the_text_is_present(monograph: Monograph, section: str, facts: str) -> None:
    passages = {row.code: row.text for row in monograph.sections}
    text = passages[section] + (monograph.product.filter if "micron" in facts else "")
    assert [word for word in facts.split() if word.lower() not in text.lower()] == []


@pytest.mark.parametrize(
    ("code", "value", "unit", "kind"),
    [
        ("max_rate_ml_per_h", "75", "mL per h", SourceKind.LABEL),
        ("max_rate_mg_per_kg_per_h", "60", "mg per kg per h", SourceKind.LABEL),
        ("label_max_mg_per_kg", "150", "mg per kg", SourceKind.LABEL),
        ("begin_within_h", "6", "h", SourceKind.LABEL),
        ("finish_within_h", "12", "h", SourceKind.LABEL),
        ("initial_table_after_days", "56", "days", SourceKind.SITE_POLICY),
        ("vaccine_label_months", "3", "months", SourceKind.LABEL),
        ("vaccine_acip_months", "6", "months", SourceKind.GUIDELINE),
        ("vaccine_high_dose_months", "8", "months", SourceKind.GUIDELINE),
        ("renal_note_mg_per_kg", "350", "mg per kg", SourceKind.LABEL),
        ("pump_increment_ml_per_h", "0.1", "mL per h", SourceKind.SITE_POLICY),
        ("weight_change_percent", "10", "percent", SourceKind.SITE_POLICY),
        ("shift_last_day", "126", "days", SourceKind.SITE_POLICY),
    ],
)
def test_limits_have_their_value_unit_and_source(
    monograph: Monograph, code: str, value: str, unit: str, kind: SourceKind
) -> None:
    limit = monograph.limit(code)
    assert (limit.value, limit.unit, limit.source.kind) == (Decimal(value), unit, kind)


def test_the_product_is_the_vial_that_can_be_bought(monograph: Monograph) -> None:
    product = monograph.product
    assert (product.brand_name, product.concentration_mg_per_ml) == ("Cytogam", Decimal(50))
    assert [(vial.volume_ml, vial.content_mg, vial.ndc) for vial in product.vials] == [(50, 2500, "49591-532-51")]
    assert any("sucrose" in text for text in product.excipients)
    assert any("albumin" in text for text in product.excipients)


def test_there_are_reasons_of_every_kind_and_another_reason_needs_words(monograph: Monograph) -> None:
    for kind in ("omitted", "late", "override", "stopped", "not_given", "held"):
        found = {row.code: row for row in monograph.reasons if row.kind == kind}
        assert len(found) > 5, kind
        assert found["other"].needs_text, kind


def test_every_source_names_a_document_part_and_no_web_address(monograph: Monograph) -> None:
    found = list(sources(monograph))
    assert len(found) > 150
    assert [source for source in found if not source.ref.strip() or "http" in source.ref or "www" in source.ref] == []


def sources(value: object) -> list[Source]:
    """Every source in a value, however deep."""
    if isinstance(value, Source):
        return [value]
    if isinstance(value, tuple):
        return [source for item in value for source in sources(item)]
    names = getattr(value, "__dataclass_fields__", ())
    return [source for name in names for source in sources(getattr(value, name))]


def test_the_shipped_file_is_canonical_and_has_no_problem(monograph: Monograph) -> None:
    assert dump(monograph) == SHIPPED.read_text("utf-8")
    assert problems(monograph) == ()


@pytest.mark.parametrize(
    ("seriousness", "words"), [("common", "under 6% of infusions"), ("serious", "under 1%, post-marketing and case reports")]
)
def test_every_reaction_says_how_often_and_from_where(monograph: Monograph, seriousness: str, words: str) -> None:
    assert {row.frequency for row in monograph.reactions if row.seriousness == seriousness} == {words}


@pytest.mark.parametrize(
    ("term", "word"),
    [
        ("Arthralgia", "joint"), ("Dyspnea", "breath"), ("Epidermolysis", "blister"), ("Hemolysis", "red blood cells"),
        ("Hepatic insufficiency", "liver"), ("Hypoxemia", "oxygen"), ("Leukopenia", "white blood cells"), ("Oliguria", "urine"),
        ("Osmotic nephrosis", "kidney"), ("Pancytopenia", "every kind"), ("Positive direct Coombs test", "immune hemolysis"),
        ("Pulmonary edema", "fluid in the lungs"), ("Renal insufficiency", "kidney"), ("Renal tubular necrosis", "kidney"),
        ("Rigors", "chills"), ("Stevens-Johnson syndrome", "skin"), ("Thromboembolism", "clot"),
        ("Transfusion-related acute lung injury", "TRALI"),
    ],
)  # fmt: skip
def test_every_reaction_the_source_explains_is_explained(monograph: Monograph, term: str, word: str) -> None:
    (found,) = [row for row in monograph.reactions if row.term == term]
    assert word in found.explanation


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("cmvig_hypersensitivity", "CMV immune globulin"), ("ig_hypersensitivity", "other immune globulin"),
        ("component_hypersensitivity", "component"), ("iga_deficiency", "Selective IgA deficiency"),
        ("anaphylaxis", "hypersensitivity"), ("thrombosis", "Thrombotic"), ("older_than_65", "older than 65"),
        ("renal_impairment", "lowest practicable rate"), ("pregnancy", "category C: only if clearly needed"),
        ("lactation", "breast milk"), ("live_vaccines", "avoid them at the same time"),
    ],
)  # fmt: skip
def test_every_caution_says_what_the_source_says(monograph: Monograph, code: str, words: str) -> None:
    (found,) = [row for row in monograph.statements if row.code == code]
    assert words in found.sentence
