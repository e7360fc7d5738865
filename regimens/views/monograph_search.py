"""Finding a word in the monograph: every clause with the place it stands at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from regimens.domain.monograph import Monograph
from regimens.templatetags import display

AROUND = 90  # characters shown on either side of what was found
MOST = 40


class Clause(NamedTuple):
    """A passage, row or number: where it stands on the page, what it is, what it says."""

    anchor: str
    title: str
    text: str


def find(value: Monograph, typed: str) -> list[Clause]:
    """The clauses that have every typed word, in the order of the page, each cut down to what surrounds the first word."""
    words = typed.casefold().split()
    if not words:
        return []
    found = []
    for clause in clauses(value):
        folded = f"{clause.title} {clause.text}".casefold()
        if all(word in folded for word in words):
            found.append(clause._replace(text=_around(clause.text, words)))
    return found[:MOST]


def _around(text: str, words: list[str]) -> str:
    """What surrounds the first word that stands in the text, its line ends read as spaces."""
    line = " ".join(text.split())
    places = [place for word in words if (place := line.casefold().find(word)) >= 0]
    begin = max(0, min(places, default=0) - AROUND)
    end = begin + 2 * AROUND
    return f"{'… ' if begin else ''}{line[begin:end]}{' …' if end < len(line) else ''}"


def clauses(value: Monograph) -> Iterator[Clause]:
    """Everything the page shows, in its order."""
    for section in value.sections:
        yield Clause(section.code, section.title, section.text)
    product = value.product
    words = (
        product.generic_name,
        product.manufacturer,
        *product.excipients,
        product.appearance,
        product.filter,
        product.storage,
    )
    yield Clause("product", f"Product: {product.brand_name}", ". ".join(words))
    for protocol in value.protocols:
        cap = display.format_unit(protocol.cap_mg_per_kg, "mg per kg")
        yield Clause(f"protocol-{protocol.code}", protocol.title, f"{protocol.indication}. Cap {cap} per infusion")
        for row in protocol.doses:
            amount = display.format_unit(row.mg_per_kg, "mg per kg")
            yield Clause(f"protocol-{protocol.code}-{row.code}", f"{protocol.title}, {row.title}", amount)
    for table in value.rate_tables:
        rates = ", ".join(display.format_unit(step.mg_per_kg_per_h, "mg per kg per h") for step in table.steps)
        yield Clause(f"rates-{table.code}", table.title, rates)
    for limit in value.limits:
        yield Clause(f"limit-{limit.code}", limit.title, display.format_unit(limit.value, limit.unit))
    for number, term in enumerate(value.reactions, start=1):
        yield Clause(f"reaction-{number}", f"Reaction: {term.term}", f"{term.explanation} {term.frequency}".strip())
    for statement in value.statements:
        title = statement.kind.replace("_", " ").capitalize()
        yield Clause(f"statement-{statement.kind}-{statement.code}", title, statement.sentence)
    for number, question in enumerate(value.questions, start=1):
        yield Clause(f"question-{number}", question.question, question.answer)
