"""How a monograph is written as text: canonical TOML, and where in a text a key path stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from .monograph import Monograph, Product, Protocol, ProtocolDose, RateTable, Source

HEADER = """\
# A CMV-IGIV monograph: protocols, rates, limits and reference text, each value with its source.
# Format: docs/monograph-format.md. Doses are in {} per kg of body weight.
"""
_HEADING = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


class Unreadable(ValueError):
    """The text is not what its format says; the message names line and column."""


def write(monograph: Monograph) -> str:
    """Canonical TOML, in the order of the values; keys that hold their default are left out."""
    lines = [
        HEADER.rstrip("\n").format(monograph.product.doses_in),
        "",
        *_pairs(title=monograph.title, what_changed=monograph.what_changed),
        *_product(monograph.product),
    ]
    for protocol in monograph.protocols:
        lines += _protocol(protocol)
    for table in monograph.rate_tables:
        lines += _rate_table(table)
    for limit in monograph.limits:
        lines += [
            "",
            f"[limit.{limit.code}]",
            *_pairs(title=limit.title, value=limit.value, unit=limit.unit, source=limit.source),
        ]
    for section in monograph.sections:
        lines += [
            "",
            f"[section.{section.code}]",
            *_pairs(title=section.title),
            f"text = {_passage(section.text)}",
            *_pairs(source=section.source),
        ]
    for row in monograph.questions:
        lines += ["", "[[question]]", *_pairs(question=row.question, answer=row.answer, source=row.source)]
    for term in monograph.reactions:
        pairs = _pairs(
            term=term.term,
            explanation=term.explanation or None,
            seriousness=term.seriousness,
            frequency=term.frequency,
            source=term.source,
        )
        lines += ["", "[[reaction]]", *pairs]
    for statement in monograph.statements:
        lines += [
            "",
            "[[statement]]",
            *_pairs(kind=statement.kind, code=statement.code, sentence=statement.sentence, source=statement.source),
        ]
    for reason in monograph.reasons:
        pairs = _pairs(kind=reason.kind, code=reason.code, sentence=reason.sentence, needs_text=reason.needs_text or None)
        lines += ["", "[[reason]]", *pairs]
    # A list without rows still has to be said: a reader asks for every one.
    for name, rows in (
        ("protocol", monograph.protocols),
        ("rate_table", monograph.rate_tables),
        ("limit", monograph.limits),
        ("section", monograph.sections),
    ):
        lines += [] if rows else ["", f"[{name}]"]
    empty = [f"{name} = []" for name in ("question", "reaction", "statement", "reason") if not getattr(monograph, f"{name}s")]
    return "\n".join([*lines[:4], *empty, *lines[4:]]) + "\n"


def _product(product: Product) -> Iterator[str]:
    yield from ("", "[product]")
    yield from _pairs(
        code=product.code,
        generic_name=product.generic_name,
        brand_name=product.brand_name,
        manufacturer=product.manufacturer,
        concentration_mg_per_ml=product.concentration_mg_per_ml,
        excipients=product.excipients,
        storage=product.storage,
        filter=product.filter,
        appearance=product.appearance,
        source=product.source,
        doses_in=product.doses_in if product.is_in_ml else None,
        activity_per_ml=product.activity_per_ml,
        activity_unit=product.activity_unit or None,
    )
    if not product.vials:
        yield "vial = []"
    for vial in product.vials:
        yield from ("", "[[product.vial]]")
        yield from _pairs(volume_ml=vial.volume_ml, content_mg=vial.content_mg, ndc=vial.ndc or None, gtin=vial.gtin or None)


def _protocol(protocol: Protocol) -> Iterator[str]:
    yield from ("", f"[protocol.{protocol.code}]")
    yield from _pairs(
        title=protocol.title,
        indication=protocol.indication,
        anchor=protocol.anchor,
        intent=protocol.intent,
        off_label=protocol.off_label,
        organs=protocol.organs,
        population=protocol.population,
        **_per_kg("cap_{}_per_kg", protocol.cap_mg_per_kg, protocol.cap_ml_per_kg),
        cap_source=protocol.cap_source,
        source=protocol.source,
        enabled=protocol.enabled,
    )
    if not protocol.doses:
        yield "dose = []"
    for row in protocol.doses:
        yield from ("", f"[[protocol.{protocol.code}.dose]]")
        yield from _dose(row)


def _dose(row: ProtocolDose) -> Iterator[str]:
    return _pairs(
        code=row.code,
        title=row.title,
        offset_days=row.offset_days,
        **_per_kg("{}_per_kg", row.mg_per_kg, row.ml_per_kg),
        opens_days_before=row.opens_days_before,
        closes_days_after=row.closes_days_after,
        closes_after_hours=row.closes_after_hours,
        min_interval_hours=row.min_interval_hours,
        latest_late_day=row.latest_late_day,
        optional=row.optional or None,
        alternative_of=row.alternative_of or None,
        repeats=row.repeats or None,
        source=row.source,
        window_source=row.window_source,
    )


def _rate_table(table: RateTable) -> Iterator[str]:
    yield from ("", f"[rate_table.{table.code}]")
    yield from _pairs(title=table.title, source=table.source)
    if not table.steps:
        yield "step = []"
    for step in table.steps:
        yield from ("", f"[[rate_table.{table.code}.step]]")
        rate = _per_kg("{}_per_kg_per_h", step.mg_per_kg_per_h, step.ml_per_kg_per_h)
        yield from _pairs(**rate, minutes=step.minutes)


def _per_kg(name: str, mg: Decimal, ml: Decimal | None) -> dict[str, Decimal]:
    """An amount under the key of the unit its label gives it in."""
    return {name.format("mg"): mg} if ml is None else {name.format("ml"): ml}


def _pairs(**values: object) -> Iterator[str]:
    """Lines ``key = value``; None leaves the key out."""
    return (f"{key} = {_value(value)}" for key, value in values.items() if value is not None)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Source):
        return f"{{ kind = {_quoted(value.kind)}, ref = {_quoted(value.ref)} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)


def plain(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros: 150, 0.1."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _passage(text: str) -> str:
    """A passage over several lines, so that a paragraph is a line of the file."""
    body = "".join("\n" if character == "\n" else _escaped(character) for character in text)
    return f'"""\n{body}"""'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\u{ord(character):04X}" if ord(character) < 0x20 or ord(character) == 0x7F else character


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, on which a key path such as ``protocol.kidney.dose[2].mg_per_kg`` stands in a file's text.

    Where the key itself is missing this is the heading it belongs under; None when not even that is there.
    """
    table, best, deepest = "", None, -1
    counts: dict[str, int] = {}
    in_passage = False
    for number, line in enumerate(text.splitlines(), start=1):
        was_in_passage, in_passage = in_passage, in_passage ^ (line.count('"""') % 2 == 1)
        if was_in_passage:
            continue
        if heading := _HEADING.match(line):
            table = _table_path(heading[2], heading[1] == "[[", counts)
            here = table
        elif key := _KEY.match(line):
            here = f"{table}.{key[1]}" if table else key[1]
        else:
            continue
        if (path == here or path.startswith((f"{here}.", f"{here}["))) and len(here) > deepest:
            best, deepest = number, len(here)
    return best


def _table_path(name: str, is_row: bool, counts: dict[str, int]) -> str:
    """The path of a heading, with the index of its row: the third [[protocol.kidney.dose]] is ``protocol.kidney.dose[2]``."""
    if not is_row:
        return name
    index = counts.get(name, 0)
    counts[name] = index + 1
    return f"{name}[{index}]"


def decoded(raw: bytes) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; raises :class:`Unreadable` naming line and column."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise Unreadable(f"line {line}, column {column}: the text is not UTF-8") from None
