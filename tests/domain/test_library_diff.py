"""What differs between two versions of a monograph: every value, by the name of its row, before and after."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from regimens.domain.library_diff import Difference, differences, side_by_side
from regimens.domain.library_file import parse
from regimens.domain.monograph import Intent, Monograph, Question, Source, SourceKind
from regimens.domain.reasons import source_text
from regimens.library import SHIPPED

OLD = parse(SHIPPED.read_text("utf-8"))
KIDNEY = OLD.protocol("kidney")
POLICY = Source(SourceKind.SITE_POLICY, "Doses")


def kidney(**changes: object) -> Monograph:
    """The shipped monograph with another kidney protocol."""
    changed = replace(KIDNEY, **changes)  # type: ignore[arg-type]
    return replace(OLD, protocols=tuple(changed if row.code == "kidney" else row for row in OLD.protocols))


def week_4(**changes: object) -> Monograph:
    """The shipped monograph with another row for week 4 of the kidney protocol."""
    rows = (replace(row, **changes) if row.code == "W4" else row for row in KIDNEY.doses)  # type: ignore[arg-type]
    return kidney(doses=tuple(rows))


def told(after: Monograph) -> list[tuple[str, str, str]]:
    return [(found.where, found.before, found.after) for found in differences(OLD, after)]


def test_two_versions_that_say_the_same_have_no_difference() -> None:
    assert differences(OLD, parse(SHIPPED.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("after", "where", "old", "new"),
    [
        (replace(OLD, title="CMV"), "title", OLD.title, "CMV"),
        (week_4(mg_per_kg=Decimal("1100.50")), "protocols › kidney › doses › W4 › mg per kg", "100", "1,100.5"),
        (week_4(optional=True), "protocols › kidney › doses › W4 › optional", "no", "yes"),
        (week_4(latest_late_day=None), "protocols › kidney › doses › W4 › latest late day", "38", ""),
        (kidney(intent=Intent.TREATMENT), "protocols › kidney › intent", "prophylaxis", "treatment"),
        (kidney(organs=("kidney", "pancreas")), "protocols › kidney › organs", "kidney", "kidney, pancreas"),
        (kidney(organs=()), "protocols › kidney › organs", "kidney", ""),
        (kidney(cap_source=POLICY), "protocols › kidney › cap source", source_text(KIDNEY.cap_source), "Site policy, Doses"),
    ],
)
def test_one_value_that_differs_is_told_with_its_place(after: Monograph, where: str, old: str, new: str) -> None:
    assert told(after) == [(where, old, new)]


def test_a_rate_step_goes_by_its_place_in_the_table() -> None:
    first, *others = OLD.rate_tables
    slower = tuple(replace(step, mg_per_kg_per_h=step.mg_per_kg_per_h / 2) for step in first.steps)
    assert told(replace(OLD, rate_tables=(replace(first, steps=slower), *others))) == [
        (f"rate tables › {first.code} › steps › {place} › mg per kg per h", before, after)
        for place, before, after in (("1", "15", "7.5"), ("2", "30", "15"), ("3", "60", "30"))
    ]


def test_a_statement_goes_by_its_kind_and_code_and_a_reaction_by_its_term() -> None:
    statement, *statements = OLD.statements
    reaction, *reactions = OLD.reactions
    after = replace(
        OLD,
        statements=(replace(statement, sentence="New words."), *statements),
        reactions=(replace(reaction, explanation="New words."), *reactions),
    )
    assert [(where, new) for where, _, new in told(after)] == [
        (f"reactions › {reaction.term} › explanation", "New words."),
        (f"statements › {statement.kind.replace('_', ' ')} {statement.code.replace('_', ' ')} › sentence", "New words."),
    ]


def test_a_new_row_comes_after_the_kept_ones_and_a_row_that_is_gone_is_told_in_full() -> None:
    question = Question("Why?", "Because.", POLICY)
    [added] = differences(OLD, replace(OLD, questions=(question, *OLD.questions)))
    assert added == Difference("questions › Why?", "", "question Why?; answer Because.; source Site policy, Doses")
    gone = differences(replace(OLD, questions=(question,)), replace(OLD, questions=()))
    assert gone == [replace(added, before=added.after, after="")]


def test_differences_stand_in_the_order_of_the_document() -> None:
    both = week_4(mg_per_kg=Decimal(90), closes_days_after=2)
    after = replace(both, title="CMV", reasons=())
    places = [where.split(" › ")[0] for where, _, _ in told(after)]
    assert places == ["title", "protocols", "protocols", *["reasons"] * len(OLD.reasons)]


def test_a_whole_new_protocol_is_one_line_with_everything_in_it() -> None:
    short = replace(KIDNEY, code="kidney_short", doses=KIDNEY.doses[:1])
    [added] = differences(OLD, replace(OLD, protocols=(*OLD.protocols, short)))
    assert (added.where, added.before) == ("protocols › kidney short", "")
    for words in ("code kidney_short", "anchor transplant", "off label no", "cap mg per kg 150", "mg per kg 150", "repeats no"):
        assert words in added.after


def test_the_words_that_differ_are_marked_on_both_sides() -> None:
    before, after = side_by_side(Difference("text", "Keep at 2 to 8 °C.", "Keep cold at 2 to 25 °C."))
    assert before == (("Keep", False), (" at 2 to ", False), ("8", True), (" °C.", False))
    assert after == (("Keep", False), (" cold", True), (" at 2 to ", False), ("25", True), (" °C.", False))


def test_a_value_that_stands_alone_is_marked_whole() -> None:
    assert side_by_side(Difference("text", "", "New words")) == ((), (("New words", True),))
    assert side_by_side(Difference("text", "Old", "")) == ((("Old", True),), ())
