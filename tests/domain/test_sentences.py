"""Every refusal and every working as people read it, word for word: golden/refusals.csv and golden/workings.csv.

A no-break space stands as ~ in the files. A sentence that changes is changed there as well, and read by whoever does it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from regimens.domain.reasons import Derivation, Refused
from tests.domain.sentences import REFUSALS, WORKINGS

GOLDEN = Path(__file__).parent / "golden"


def written(value: object) -> str:
    """A value as it stands in the golden file."""
    return str(value).replace("\u00a0", "~")


def lines(value: object) -> list[str]:
    """Every leaf of a result as one line, derivations step by step."""
    if isinstance(value, Derivation):
        return [written(f"{step.rule} | {step.sentence} | {step.source}") for step in value]
    if is_dataclass(value) and not isinstance(value, type):
        return [f"{name}: {line}" for name in value.__dataclass_fields__ for line in lines(getattr(value, name))]
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [f"{place}: {line}" for place, part in enumerate(value) for line in lines(part)]
    return [written(value)]


def refusal_row(name: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        REFUSALS[name]()
    refusal = caught.value
    return [
        written(word)
        for word in (name, refusal.code, refusal.sentence, refusal.source, refusal.field, refusal.value, refusal.limit)
    ]


def golden(name: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    with (GOLDEN / name).open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            found.setdefault(row[0], []).append(row)
    return found


REFUSAL_ROWS, WORKING_ROWS = golden("refusals.csv"), golden("workings.csv")


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_was_wrong_word_for_word(name: str) -> None:
    assert [refusal_row(name)] == REFUSAL_ROWS[name]


@pytest.mark.parametrize("name", WORKINGS)
def test_a_result_shows_its_working_word_for_word(name: str) -> None:
    assert [[name, line] for line in lines(WORKINGS[name]())] == WORKING_ROWS[name]


def test_the_golden_sentences_are_all_in_use() -> None:
    assert set(REFUSAL_ROWS) == {"case", *REFUSALS}
    assert set(WORKING_ROWS) == {"case", *WORKINGS}


def test_every_refusal_has_a_code_a_sentence_a_source_a_field_a_value_and_a_limit() -> None:
    for name, [row] in REFUSAL_ROWS.items():
        assert all(row), name
