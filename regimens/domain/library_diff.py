"""What differs between two versions of the monograph, row by row, for the person who decides about publishing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from enum import Enum
from typing import Any

from .monograph import Monograph, Source
from .reasons import source_text
from .units import number

# What names a row among its neighbours, in the order to look.
NAMES = ("code", "term", "question")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs. ``before`` is "" for a row that is new, ``after`` for one that is gone."""

    where: str
    before: str
    after: str


Pieces = tuple[tuple[str, bool], ...]  # text, and whether it is one that differs


def side_by_side(difference: Difference) -> tuple[Pieces, Pieces]:
    """Both values in pieces, the words that differ marked; a value that stands alone is marked whole."""
    old, new = (re.findall(r"\s+|\S+", text) for text in (difference.before, difference.after))
    before: list[tuple[str, bool]] = []
    after: list[tuple[str, bool]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        before += [("".join(old[a:b]), kind != "equal")] if b > a else []
        after += [("".join(new[c:d]), kind != "equal")] if d > c else []
    return tuple(before), tuple(after)


def differences(before: Monograph, after: Monograph) -> list[Difference]:
    """Every value that differs, in the order of the document; empty when both say the same."""
    return list(_differ("", before, after))


def _differ(where: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, tuple) and isinstance(after, tuple) and any(map(is_dataclass, before + after)):
        old, new = _named(before), _named(after)
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _differ(_join(where, name), old.get(name), new.get(name))
    elif is_dataclass(before) and type(before) is type(after) and not isinstance(before, Source):
        for field in fields(before):
            yield from _differ(_join(where, field.name), getattr(before, field.name), getattr(after, field.name))
    else:
        yield Difference(where, _words(before), _words(after))


def _named(rows: tuple[Any, ...]) -> dict[str, Any]:
    """Rows by their own name; by their place where they have none, such as rate steps."""
    named = {}
    for place, row in enumerate(rows, start=1):
        own = next((getattr(row, name) for name in NAMES if hasattr(row, name)), str(place))
        named[f"{row.kind} {own}" if hasattr(row, "kind") else own] = row
    return named


def _join(where: str, name: str) -> str:
    return f"{where} › {name.replace('_', ' ')}" if where else name.replace("_", " ")


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal() | int():
            return number(value)
        case Source():
            return source_text(value)
        case Enum():
            return str(value.value).replace("_", " ")
        case tuple():
            return ", ".join(map(_words, value))
        case str():
            return value
    return "; ".join(f"{field.name.replace('_', ' ')} {_words(getattr(value, field.name))}" for field in fields(value))
