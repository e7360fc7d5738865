"""Why: the refusal with its limit and source, and the working that every result carries.

A derivation is kept as rule numbers, sentence patterns and exact values, and only becomes words when someone asks for it:
computing a whole
course must not pay for sentences nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from .monograph import Source, SourceKind
from .units import day_text, instant_text, number, with_unit

KIND_WORDS = {
    SourceKind.MONOGRAPH: "Monograph",
    SourceKind.LABEL: "Label",
    SourceKind.EU_LABEL: "EU label",
    SourceKind.GUIDELINE: "Guideline",
    SourceKind.LITERATURE: "Literature",
    SourceKind.SITE_POLICY: "Site policy",
    SourceKind.DESIGN: "Design choice",
}
SITE_POLICY = Source(SourceKind.SITE_POLICY, "")
ARITHMETIC = "Arithmetic"


def source_text(source: Source | str) -> str:
    """A source in words: "Label, Dosage and administration"; a plain string is already one."""
    if isinstance(source, str):
        return source
    word = KIND_WORDS[source.kind]
    if not source.ref or source.ref.lower().startswith(word.lower()):
        return source.ref or word
    return f"{word}, {source.ref}"


class Refused(Exception):
    """The rules do not allow this: a code for programs, a sentence for people, and what was wrong with which field by whose
    limit.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        source: Source | str = "",
        field: str = "",
        value: object = "",
        limit: object = "",
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.source = source_text(source)
        self.field = field
        self.value = _word(value)
        self.limit = _word(limit)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of working: the rule's number, what it gave here, and where the rule stands."""

    rule: str
    sentence: str
    source: str


# A step not yet put into words: rule, pattern, its values, its source.
Part = Step | tuple[str, str, tuple[object, ...], Source | str]


class Derivation:
    """The working of a result, in order. Two derivations are equal when they say the same.

    Made from its parts, or (``Derivation.later``) from a function and its values that give the parts when someone asks.
    """

    __slots__ = ("_make", "_values")
    _make: Callable[..., tuple[Part, ...]]
    _values: tuple[object, ...]

    def __init__(self, parts: tuple[Part, ...] = (), make: Callable[..., tuple[Part, ...]] | None = None) -> None:
        self._make, self._values = make or _themselves, parts

    @classmethod
    def later(cls, make: Callable[..., tuple[Part, ...]], *values: object) -> Derivation:
        """A derivation whose parts are ``make(*values)``, computed only when read."""
        return cls(values, make)  # type: ignore[arg-type]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Rule, pattern, values and source of each step."""
        return self._make(*self._values)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The working in words."""
        return tuple(part if isinstance(part, Step) else _spoken(*part) for part in self.parts)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rule numbers alone, in order."""
        return tuple(part.rule if isinstance(part, Step) else part[0] for part in self.parts)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.parts)

    def __add__(self, other: Derivation) -> Derivation:
        return Derivation(self.parts + other.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivation) and self.steps == other.steps

    def __hash__(self) -> int:
        return hash(self.rules)

    def __repr__(self) -> str:
        return f"Derivation({', '.join(self.rules)})"

    def to_json(self) -> list[dict[str, str]]:
        """Plain structure for storing or sending: a list of {rule, sentence, source}."""
        return [{"rule": step.rule, "sentence": step.sentence, "source": step.source} for step in self.steps]

    @classmethod
    def from_json(cls, rows: Iterable[Mapping[str, str]]) -> Derivation:
        """The working back from ``to_json``; KeyError when a part is missing."""
        return cls(tuple(Step(row["rule"], row["sentence"], row["source"]) for row in rows))


def _themselves(*parts: Part) -> tuple[Part, ...]:
    return parts


def _spoken(rule: str, pattern: str, values: tuple[object, ...], source: Source | str) -> Step:
    return Step(rule, pattern.format(*map(_word, values)), source_text(source))


def _word(value: object) -> str:
    """A value as it stands in a sentence: (number, unit), (number, unit, places) and (instant, zone name) are pairs and
    triples.
    """
    if isinstance(value, tuple):
        if isinstance(value[0], datetime):
            return instant_text(value[0], value[1])
        return with_unit(*value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal | int):
        return number(value)
    if isinstance(value, datetime):
        return instant_text(value, "UTC")
    if isinstance(value, date):
        return day_text(value)
    return str(value)
