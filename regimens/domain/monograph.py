"""The monograph as plain values: what the rules compute from, whether it came from the shipped file or from the database.

Every value carries its source. Nothing here is an expression: a monograph is numbers, days and sentences, never a formula (hazard H19).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

Row = TypeVar("Row", "Protocol", "RateTable", "Limit")


class SourceKind(StrEnum):
    """Who says so. Site policy and design choices are shown as such, never as the label's word."""

    MONOGRAPH = "source_monograph"
    LABEL = "us_label"
    EU_LABEL = "eu_smpc"
    GUIDELINE = "guideline"
    LITERATURE = "literature"
    SITE_POLICY = "site_policy"
    DESIGN = "design"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value was read: the kind of document and its section."""

    kind: SourceKind
    ref: str


class DoseUnit(StrEnum):
    """In what a product's label gives its doses. Rules reckon in mg: mL per kg times the concentration, never units of activity."""

    MG = "mg"
    ML = "mL"


class Anchor(StrEnum):
    """What day the doses are counted from."""

    TRANSPLANT = "transplant"  # day 0 is the transplant date
    FIRST_DOSE = "first_dose"  # day 1 is the date of the first dose


class Intent(StrEnum):
    """What the protocol is for."""

    PROPHYLAXIS = "prophylaxis"
    TREATMENT = "treatment"


@dataclass(frozen=True, slots=True)
class ProtocolDose:
    """One row of a protocol's dose table.

    ``offset_days`` counts from the anchor's day (transplant: day 0; first dose: day 1 has offset 0). A window in hours
    (``closes_after_hours``) runs from the anchor's instant as elapsed time; the others run in whole calendar days.
    """

    code: str  # W0, W2 … or D1, D2 …
    title: str
    offset_days: int
    mg_per_kg: Decimal
    opens_days_before: int
    closes_days_after: int
    closes_after_hours: int | None
    min_interval_hours: int  # start to start, from the previous given dose; 0 for the first row
    latest_late_day: int | None  # site limit for giving it late, day after the anchor (day 0 or day 1)
    optional: bool
    alternative_of: str  # code of the row this one may stand in for, or ""
    repeats: bool  # dates are chosen by the pharmacist, with a review date
    source: Source
    window_source: Source
    ml_per_kg: Decimal | None = None  # as the label gives it, where its doses are in mL; mg_per_kg follows from it


@dataclass(frozen=True, slots=True)
class Protocol:
    """An indication's dose table, who it is for and its cap per infusion."""

    code: str
    title: str
    indication: str
    anchor: Anchor
    intent: Intent
    off_label: bool
    organs: tuple[str, ...]  # kidney, liver, lung, pancreas, heart, intestine, hsct
    population: str  # any, paediatric
    cap_mg_per_kg: Decimal
    cap_source: Source
    source: Source
    enabled: bool
    doses: tuple[ProtocolDose, ...]
    cap_ml_per_kg: Decimal | None = None  # the same for the cap

    def dose(self, code: str) -> ProtocolDose:
        """The row with this code; KeyError when the protocol has none."""
        for row in self.doses:
            if row.code == code:
                return row
        raise KeyError(code)


@dataclass(frozen=True, slots=True)
class RateStep:
    """One step of a rate table; ``minutes`` is None for the last, which runs to the end."""

    mg_per_kg_per_h: Decimal
    minutes: Decimal | None
    ml_per_kg_per_h: Decimal | None = None  # the same for a rate


@dataclass(frozen=True, slots=True)
class RateTable:
    """Initial or subsequent infusion rates."""

    code: str  # initial, subsequent
    title: str
    steps: tuple[RateStep, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Limit:
    """One named number of the drug or of site policy, with its unit and source."""

    code: str
    title: str
    value: Decimal
    unit: str
    source: Source


@dataclass(frozen=True, slots=True)
class VialSize:
    """A vial that can be bought."""

    volume_ml: Decimal
    content_mg: Decimal
    ndc: str
    gtin: str


@dataclass(frozen=True, slots=True)
class Product:
    """The drug as it is supplied."""

    code: str
    generic_name: str
    brand_name: str
    manufacturer: str
    concentration_mg_per_ml: Decimal
    vials: tuple[VialSize, ...]
    excipients: tuple[str, ...]
    storage: str
    filter: str
    appearance: str
    source: Source
    doses_in: DoseUnit = DoseUnit.MG
    activity_per_ml: Decimal | None = None  # shown, and never converted into mg
    activity_unit: str = ""

    @property
    def is_in_ml(self) -> bool:
        """Whether the label's doses are in mL per kg."""
        return self.doses_in is DoseUnit.ML

    def mg_of(self, volume_ml: Decimal) -> Decimal:
        """mg in so many mL at the nominal concentration; the same for mL per kg, and per hour."""
        return volume_ml * self.concentration_mg_per_ml


@dataclass(frozen=True, slots=True)
class Section:
    """One titled passage of text, in light mark-up (paragraphs and "- " lists only)."""

    code: str
    title: str
    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Question:
    """A question people ask, and the monograph's answer."""

    question: str
    answer: str
    source: Source


@dataclass(frozen=True, slots=True)
class ReactionTerm:
    """A reaction by the name it is charted under."""

    term: str
    explanation: str
    seriousness: str  # common, serious
    frequency: str  # as its source lists it
    source: Source


@dataclass(frozen=True, slots=True)
class Statement:
    """A contraindication, increased risk, caution or interaction: a code that rules refer to, and its sentence."""

    kind: str  # contraindication, increased_risk, caution, interaction
    code: str
    sentence: str
    source: Source


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """A reason that people choose from a list; ``needs_text`` asks for words as well."""

    kind: str  # omitted, late, override, stopped, not_given, held
    code: str
    sentence: str
    needs_text: bool


@dataclass(frozen=True, slots=True)
class Monograph:
    """One version of the drug's reference text, protocols, rate tables and limits."""

    title: str
    what_changed: str
    product: Product
    protocols: tuple[Protocol, ...]
    rate_tables: tuple[RateTable, ...]
    limits: tuple[Limit, ...]
    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    reactions: tuple[ReactionTerm, ...]
    statements: tuple[Statement, ...]
    reasons: tuple[ReasonCode, ...]

    def protocol(self, code: str) -> Protocol:
        """The protocol with this code; KeyError when there is none."""
        return _by_code(self.protocols, code)

    def listed(self, kind: str) -> tuple[ReasonCode, ...]:
        """The reasons of one list, in its order."""
        return tuple(row for row in self.reasons if row.kind == kind)

    def rate_table(self, code: str) -> RateTable:
        """The rate table "initial" or "subsequent"; KeyError for another word."""
        return _by_code(self.rate_tables, code)

    def limit(self, code: str) -> Limit:
        """The named limit with its unit and source; KeyError when the monograph has none of that name."""
        return _by_code(self.limits, code)


def _by_code(rows: tuple[Row, ...], code: str) -> Row:
    for row in rows:
        if row.code == code:
            return row
    raise KeyError(code)
