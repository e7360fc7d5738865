"""The monograph as a text file: TOML in, values out, and back to the same bytes. docs/monograph-format.md tells the format.

Strict on purpose: an unknown key, a missing source or a number out of its range refuses the whole file, by key path. Text in,
text out: reading and writing files is the caller's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from . import library_checks as checks
from .library_text import Unreadable, write
from .monograph import (
    Anchor,
    DoseUnit,
    Intent,
    Limit,
    Monograph,
    Product,
    Protocol,
    ProtocolDose,
    Question,
    RateStep,
    RateTable,
    ReactionTerm,
    ReasonCode,
    Section,
    Source,
    SourceKind,
    Statement,
    VialSize,
)
from .reasons import Refused
from .units import decimals

FORMAT = "Monograph file format"
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
SHORT, LINE, LONG = 80, 200, 300  # how many characters fit where
REQUIRED: Any = object()
Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


def parse(text: str) -> Monograph:
    """The monograph of a file's text.

    Raises :class:`Unreadable` when the text is not TOML, and :class:`Refused` with the key path (``field``), value, limit and
    reason when it is TOML but not a monograph that anyone may plan from.
    """
    monograph = _monograph(_Table(_toml(text), ""))
    for problem in checks.problems(monograph):
        raise problem
    return monograph


def dump(monograph: Monograph) -> str:
    """The canonical file of a monograph: ``parse(dump(m)) == m``, and dumping that again gives the same bytes."""
    return write(monograph)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(str(error)) from None
    except RecursionError:
        raise Unreadable("nested too deeply") from None


class _Table:
    """One table of the file. Every key is taken by name; what nobody took is unknown, and refused."""

    def __init__(self, data: dict[str, Any], path: str) -> None:
        self._data = data
        self._path = path
        self._taken: set[str] = set()

    def path(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _take(self, key: str, kinds: tuple[type, ...], word: str, default: Any) -> Any:
        self._taken.add(key)
        if key not in self._data:
            if default is REQUIRED:
                raise self._refusal(
                    "missing_source" if key.endswith("source") else "missing", key, f"{key} is missing.", "none", word
                )
            return default
        value = self._data[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self._refusal("wrong_type", key, f"{key} must be {word}.", _shown(value), word)
        return value

    def _refusal(self, code: str, key: str, sentence: str, value: object, limit: object) -> Refused:
        return Refused(code, sentence, source=FORMAT, field=self.path(key), value=value, limit=limit)

    def text(self, key: str, most: int | None = LINE, default: Any = REQUIRED, may_be_empty: bool = False) -> str:
        value: str = self._take(key, (str,), "text", default)
        if not value.strip() and not may_be_empty and default is REQUIRED:
            raise self._refusal("empty", key, f"{key} is empty.", "empty", "text")
        if most is not None and len(value) > most:
            raise self._refusal("too_long", key, f"{key} has {len(value)} characters, at most {most} fit.", len(value), most)
        if "\x00" in value:
            raise self._refusal("not_text", key, f"{key} contains a null character.", "null character", "text")
        return value

    def code(self, key: str, most: int = 40) -> str:
        value = self.text(key, most)
        if not CODE.fullmatch(value):
            raise self._refusal(
                "not_a_code", key, f"{key} is letters, digits, - and _, beginning with a letter.", value, "a code"
            )
        return value

    def word(self, key: str, words: Iterable[str], default: Any = REQUIRED) -> str:
        value = self.text(key, None, default)
        if value not in (known := tuple(words)):
            raise self._refusal("unknown_word", key, f"{key} is one of: {', '.join(known)}.", value, ", ".join(known))
        return value

    def member(self, key: str, kind: type[Word]) -> Word:
        return kind(self.word(key, [item.value for item in kind]))

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        return bool(self._take(key, (bool,), "true or false", default))

    def number(self, key: str, places: int, whole_digits: int, default: Any = REQUIRED) -> Any:
        """A finite decimal that the database can keep as it stands."""
        taken = self._take(key, (Decimal, int), "a number", default)
        if taken is None:
            return None
        value = Decimal(taken)
        if not value.is_finite():
            raise self._refusal("not_a_number", key, f"{key} must be a number.", str(value), "a number")
        if decimals(value) > places:
            raise self._refusal(
                "too_many_decimals", key, f"{key} has more than {places} decimals.", str(value), f"{places} decimals"
            )
        if abs(value) >= 10**whole_digits:
            raise self._refusal("above_limit", key, f"{key} is beyond anything this drug needs.", str(value), 10**whole_digits)
        return value

    def whole(self, key: str, default: Any = REQUIRED) -> Any:
        value = self._take(key, (int,), "a whole number", default)
        if value is not None and not 0 <= value < 10_000:
            raise self._refusal(
                "below_limit" if value < 0 else "above_limit", key, f"{key} is from 0 to 9,999.", value, "0 to 9,999"
            )
        return value

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        values = self._take(key, (list,), "a list of texts", REQUIRED)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self._refusal("wrong_type", key, f"{key} must be a list of texts.", _shown(values), "a list of texts")
        for value in values:
            if len(value) > most:
                raise self._refusal("too_long", key, f"{key}: at most {most} characters fit.", value, most)
        return tuple(values)

    def source(self, key: str = "source") -> Source:
        table = self.table(key)
        return table.done(Source(kind=table.member("kind", SourceKind), ref=table.text("ref")))

    def table(self, key: str) -> _Table:
        return _Table(self._take(key, (dict,), "a table", REQUIRED), self.path(key))

    def named(self, key: str, build: Callable[[_Table, str], Value]) -> tuple[Value, ...]:
        """The tables ``[key.code]``, in the order of the file."""
        outer = self.table(key)
        for code in outer._data:
            if not CODE.fullmatch(code) or len(code) > 40:
                raise outer._refusal(
                    "not_a_code", code, "A code is letters, digits, - and _, beginning with a letter.", code, "a code"
                )
        return outer.done(tuple(build(outer.table(code), code) for code in outer._data))

    def rows(self, key: str, build: Callable[[_Table], Value]) -> tuple[Value, ...]:
        """The tables ``[[key]]``, counted from 0."""
        rows = self._take(key, (list,), f"rows of [[{self.path(key)}]]", REQUIRED)
        if not all(isinstance(row, dict) for row in rows):
            raise self._refusal("wrong_type", key, f"{key} must be rows of [[{self.path(key)}]].", _shown(rows), "rows")
        return tuple(build(_Table(row, f"{self.path(key)}[{index}]")) for index, row in enumerate(rows))

    def done(self, value: Value) -> Value:
        """The finished value, unless the table holds a key that nobody asked for."""
        for key in self._data:
            if key not in self._taken:
                known = ", ".join(sorted(self._taken))
                raise self._refusal("unknown_key", key, f"The format has no key {key!r} here.", _shown(self._data[key]), known)
        return value


def _shown(value: object) -> str:
    """A value as a message can hold it."""
    shown = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)
    return shown if len(shown) <= LINE else f"{shown[:LINE]} …"


def _monograph(file: _Table) -> Monograph:
    product = _product(file.table("product"))
    return file.done(
        Monograph(
            title=file.text("title"),
            what_changed=file.text("what_changed", None, may_be_empty=True),
            product=product,
            protocols=file.named("protocol", partial(_protocol, product=product)),
            rate_tables=file.named("rate_table", partial(_rate_table, product=product)),
            limits=file.named("limit", _limit),
            sections=file.named("section", _section),
            questions=file.rows("question", _question),
            reactions=file.rows("reaction", _reaction),
            statements=file.rows("statement", _statement),
            reasons=file.rows("reason", _reason),
        )
    )


def _product(table: _Table) -> Product:
    return table.done(
        Product(
            code=table.code("code"),
            generic_name=table.text("generic_name", 120),
            brand_name=table.text("brand_name", 60),
            manufacturer=table.text("manufacturer", SHORT),
            concentration_mg_per_ml=table.number("concentration_mg_per_ml", 2, 5),
            vials=table.rows("vial", _vial),
            excipients=table.texts("excipients", SHORT),
            storage=table.text("storage", None),
            filter=table.text("filter", None),
            appearance=table.text("appearance", None),
            source=table.source(),
            doses_in=DoseUnit(table.word("doses_in", list(DoseUnit), DoseUnit.MG)),
            activity_per_ml=table.number("activity_per_ml", 2, 6, None),
            activity_unit=table.text("activity_unit", SHORT, default=""),
        )
    )


def _per_kg(table: _Table, product: Product, name: str) -> tuple[Any, Any]:
    """An amount per kg in mg, and in mL where the product's doses are in mL: then mg follow from it, and stand in no file."""
    if not product.is_in_ml:
        return table.number(name.format("mg"), 2, 4), None
    key = name.format("ml")
    ml = table.number(key, 3, 3)
    mg = product.mg_of(ml)
    if decimals(mg) > 2:
        raise table._refusal(
            "too_many_decimals", key, f"{key} at this concentration has more than 2 decimals in mg.", str(mg), "2 decimals"
        )
    return mg, ml


def _vial(table: _Table) -> VialSize:
    return table.done(
        VialSize(
            volume_ml=table.number("volume_ml", 1, 5),
            content_mg=table.number("content_mg", 1, 7),
            ndc=table.text("ndc", 20, default=""),
            gtin=table.text("gtin", 14, default=""),
        )
    )


def _protocol(table: _Table, code: str, product: Product) -> Protocol:
    cap_mg_per_kg, cap_ml_per_kg = _per_kg(table, product, "cap_{}_per_kg")
    return table.done(
        Protocol(
            code=code,
            title=table.text("title", 120),
            indication=table.text("indication", LONG),
            anchor=table.member("anchor", Anchor),
            intent=table.member("intent", Intent),
            off_label=table.flag("off_label"),
            organs=table.texts("organs", 12),
            population=table.word("population", checks.POPULATIONS),
            cap_mg_per_kg=cap_mg_per_kg,
            cap_ml_per_kg=cap_ml_per_kg,
            cap_source=table.source("cap_source"),
            source=table.source(),
            enabled=table.flag("enabled"),
            doses=table.rows("dose", partial(_dose, product=product)),
        )
    )


def _dose(table: _Table, product: Product) -> ProtocolDose:
    mg_per_kg, ml_per_kg = _per_kg(table, product, "{}_per_kg")
    return table.done(
        ProtocolDose(
            code=table.code("code", 12),
            title=table.text("title", SHORT),
            offset_days=table.whole("offset_days"),
            mg_per_kg=mg_per_kg,
            ml_per_kg=ml_per_kg,
            opens_days_before=table.whole("opens_days_before"),
            closes_days_after=table.whole("closes_days_after"),
            closes_after_hours=table.whole("closes_after_hours", None),
            min_interval_hours=table.whole("min_interval_hours"),
            latest_late_day=table.whole("latest_late_day", None),
            optional=table.flag("optional", False),
            alternative_of=table.text("alternative_of", 12, default=""),
            repeats=table.flag("repeats", False),
            source=table.source(),
            window_source=table.source("window_source"),
        )
    )


def _rate_table(table: _Table, code: str, product: Product) -> RateTable:
    step = partial(_step, product=product)
    return table.done(
        RateTable(code=code, title=table.text("title", SHORT), steps=table.rows("step", step), source=table.source())
    )


def _step(table: _Table, product: Product) -> RateStep:
    mg_per_kg_per_h, ml_per_kg_per_h = _per_kg(table, product, "{}_per_kg_per_h")
    return table.done(RateStep(mg_per_kg_per_h, table.number("minutes", 1, 5, None), ml_per_kg_per_h))


def _limit(table: _Table, code: str) -> Limit:
    return table.done(
        Limit(
            code=code,
            title=table.text("title", 160),
            value=table.number("value", 3, 6),
            unit=table.text("unit", 20),
            source=table.source(),
        )
    )


def _section(table: _Table, code: str) -> Section:
    return table.done(Section(code=code, title=table.text("title", 120), text=table.text("text", None), source=table.source()))


def _question(table: _Table) -> Question:
    return table.done(Question(question=table.text("question"), answer=table.text("answer", None), source=table.source()))


def _reaction(table: _Table) -> ReactionTerm:
    return table.done(
        ReactionTerm(
            term=table.text("term", SHORT),
            explanation=table.text("explanation", 160, default=""),
            seriousness=table.word("seriousness", checks.SERIOUSNESS),
            frequency=table.text("frequency", 120),
            source=table.source(),
        )
    )


def _statement(table: _Table) -> Statement:
    return table.done(
        Statement(
            kind=table.word("kind", checks.STATEMENT_KINDS),
            code=table.code("code"),
            sentence=table.text("sentence", None),
            source=table.source(),
        )
    )


def _reason(table: _Table) -> ReasonCode:
    return table.done(
        ReasonCode(
            kind=table.word("kind", checks.REASON_KINDS),
            code=table.code("code"),
            sentence=table.text("sentence", 160),
            needs_text=table.flag("needs_text", False),
        )
    )
