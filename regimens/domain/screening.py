"""What must stop a course before it is planned, what must be shown, and what the serology and the vaccines mean for it.

A stop is for planning and starting only: what was really given is always recorded. Facts that do not change are shown once per
course.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from . import guards
from .monograph import Intent, Monograph, Source, SourceKind, Statement
from .reasons import SITE_POLICY, Derivation, Part, Refused, Step, source_text
from .units import add_months, age_on, day_text, with_unit

IGG_WORDS = ("positive", "negative", "indeterminate", "unknown", "not_done")
PREGNANCY_WORDS = ("not_applicable", "negative", "pregnant", "declined", "not_recorded")
AST = Source(SourceKind.GUIDELINE, "AST 2019, donor and recipient serology")
CELLS = "hsct"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: "stop" (a prescriber's signed release only), "caution" (shown once per course and on change), "note"
    (passive).
    """

    level: str
    code: str
    sentence: str
    source: str
    rule: str


@dataclass(frozen=True, slots=True)
class Screening:
    """All findings for one patient and graft."""

    findings: tuple[Finding, ...]
    working: Derivation

    @property
    def stops(self) -> tuple[Finding, ...]:
        """What stops planning and starting."""
        return tuple(finding for finding in self.findings if finding.level == "stop")

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """What is shown once, before the order."""
        return tuple(finding for finding in self.findings if finding.level == "caution")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is shown in passing."""
        return tuple(finding for finding in self.findings if finding.level == "note")


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """The D/R pair and what it means for CMV disease: highest, intermediate, low or not_known."""

    code: str
    pair: str
    sentence: str
    working: Derivation


def risk_group(*, donor_igg: str, recipient_igg: str, organs: Collection[str]) -> RiskGroup:
    """The risk group of donor and recipient CMV IgG. Indeterminate counts as what gives the highest risk; for stem cells the
    recipient's own CMV counts most.

    Refused: a word that is not an IgG result.
    """
    for field, word in (("donor_igg", donor_igg), ("recipient_igg", recipient_igg)):
        if word not in IGG_WORDS:
            raise Refused(
                "unknown_igg",
                f"{word!r} is not a CMV IgG result.",
                source="Serology rules",
                field=field,
                value=word,
                limit=", ".join(IGG_WORDS),
            )
    signs = {"positive": "+", "negative": "−", "indeterminate": "±", "unknown": "?", "not_done": "?"}
    pair = f"D{signs[donor_igg]}/R{signs[recipient_igg]}"
    cells = CELLS in organs
    donor = "positive" if donor_igg == "indeterminate" else donor_igg
    recipient = ("positive" if cells else "negative") if recipient_igg == "indeterminate" else recipient_igg
    parts: list[Part] = []
    if "indeterminate" in (donor_igg, recipient_igg):
        parts.append(("R-SCR-6", "indeterminate counts as the highest risk", (), AST))
    if recipient == "positive":
        code = "highest" if cells else "intermediate"
    elif recipient != "negative" or donor not in ("positive", "negative"):
        code = "not_known"
    elif donor == "negative":
        code = "low"
    else:
        code = "intermediate" if cells else "highest"
    sentence = {
        "highest": "highest risk of CMV disease",
        "intermediate": "intermediate risk of CMV disease",
        "low": "low risk: CMV-specific prophylaxis often not given; confirm indication",
        "not_known": "risk not known: a CMV IgG result is missing",
    }[code]
    parts.append(("R-SCR-5", "{}: {}", (pair, sentence), AST))
    return RiskGroup(code, pair, sentence, Derivation(tuple(parts)))


def screen(
    *,
    monograph: Monograph,
    precautions: Collection[str],
    organs: Collection[str],
    donor_igg: str,
    recipient_igg: str,
    has_antiviral: bool,
    born_on: date,
    on: date,
    pregnancy: str = "not_recorded",
    renal_risks: Collection[str] = (),
) -> Screening:
    """Everything to stop at or to show before a course is built. ``precautions`` are codes of the monograph's statements; renal
    risks are shown as one line.

    Refused: a precaution the monograph has no statement for (it would be passed over in silence), an unknown IgG or pregnancy
    word.
    """
    if pregnancy not in PREGNANCY_WORDS:
        raise Refused(
            "unknown_pregnancy",
            f"{pregnancy!r} is not a pregnancy status.",
            source="Screening rules",
            field="pregnancy",
            value=pregnancy,
            limit=", ".join(PREGNANCY_WORDS),
        )
    statements = {statement.code: statement for statement in monograph.statements}
    found: list[Finding] = []
    for code in sorted(precautions):
        if code not in statements:
            raise Refused(
                "unknown_precaution",
                f"The monograph says nothing of {code!r}.",
                source="Screening rules",
                field="precautions",
                value=code,
                limit=", ".join(sorted(statements)),
            )
        found.append(_from_statement(statements[code]))
    age = age_on(guards.day(born_on, "born_on"), guards.day(on, "on"))
    older = monograph.limit("older_than_years")
    if age > older.value:
        found.append(
            Finding(
                "caution",
                "older",
                f"Over {with_unit(older.value, 'years')}: a risk factor for the kidney; the infusion as slow as practicable.",
                source_text(older.source),
                "R-SCR-3",
            )
        )
    if age < 18:
        found.append(
            Finding(
                "caution",
                "paediatric",
                "Under 18 years: not established in the label; doses follow the monograph or a site protocol.",
                "Label, Pediatric use",
                "R-SCR-4",
            )
        )
    if renal_risks:
        found.append(
            Finding(
                "caution",
                "renal_risk",
                f"Risk factors for the kidney: {', '.join(sorted(renal_risks))}. Hydrate first; as slow as practicable.",
                "Label, Warnings",
                "R-SCR-12",
            )
        )
    if pregnancy == "pregnant":
        found.append(
            Finding(
                "caution", "pregnant", "Pregnant: give only if clearly needed.", "Monograph, Pregnancy and lactation", "R-SCR-8"
            )
        )
    group = risk_group(donor_igg=donor_igg, recipient_igg=recipient_igg, organs=organs)
    if group.code == "low":
        found.append(Finding("caution", "low_risk", f"{group.pair}: {group.sentence}.", source_text(AST), "R-SCR-5"))
    if group.code == "highest" and not has_antiviral and any(organ not in ("kidney", CELLS) for organ in organs):
        found.append(
            Finding(
                "caution",
                "no_antiviral",
                f"{group.pair} and a graft other than kidney: the label adds ganciclovir; no antiviral is recorded.",
                "Label, Indications",
                "R-SCR-7",
            )
        )
    parts = tuple(Step(finding.rule, finding.sentence, finding.source) for finding in found)
    return Screening(tuple(found), Derivation(parts) + group.working)


def _from_statement(statement: Statement) -> Finding:
    if statement.kind == "contraindication":
        return Finding("stop", statement.code, statement.sentence, source_text(statement.source), "R-SCR-1")
    return Finding("caution", statement.code, statement.sentence, source_text(statement.source), "R-SCR-2")


@dataclass(frozen=True, slots=True)
class VaccineInterference:
    """Until when antibody given may blunt a live vaccine, counted from the last dose given. Never a clearance."""

    label_until_on: date
    guideline_until_on: date
    sentence: str
    working: Derivation


def vaccine_interference(*, last_given_on: date, highest_mg_per_kg: Decimal, monograph: Monograph) -> VaccineInterference:
    """The dates until which measles, mumps, rubella and varicella vaccines may be blunted: the label's months, and the
    guideline's (longer after a high dose).
    """
    guards.day(last_given_on, "last_given_on")
    label = monograph.limit("vaccine_label_months")
    high = monograph.limit("vaccine_high_dose_mg_per_kg")
    is_high = guards.positive(highest_mg_per_kg, "highest_mg_per_kg", "mg per kg") >= high.value
    guideline = monograph.limit("vaccine_high_dose_months" if is_high else "vaccine_acip_months")
    label_on = add_months(last_given_on, int(label.value))
    guideline_on = add_months(last_given_on, int(guideline.value))
    sentence = (
        "Antibody may blunt measles, mumps, rubella and varicella vaccines "
        f"until at least {day_text(label_on)} (label) and {day_text(guideline_on)} (ACIP). "
        "This is not a clearance: live vaccines need the transplant team's decision."
    )
    parts: tuple[Part, ...] = (
        ("R-SCR-9", "{} after the last dose on {}: {}", ((label.value, "months"), last_given_on, label_on), label.source),
        (
            "R-SCR-10",
            "{} after the last dose (highest {}): {}",
            ((guideline.value, "months"), (highest_mg_per_kg, "mg per kg"), guideline_on),
            guideline.source,
        ),
    )
    return VaccineInterference(label_on, guideline_on, sentence, Derivation(parts))


def is_antibody_passive(*, sampled_on: date, first_dose_on: date | None) -> bool:
    """True when a CMV IgG sample may show antibody that was infused: taken on or after the day of the first dose (R-SCR-11)."""
    sampled = guards.day(sampled_on, "sampled_on")
    return first_dose_on is not None and sampled >= guards.day(first_dose_on, "first_dose_on")


def asks_antiviral(*, organs: Collection[str], donor_igg: str, recipient_igg: str, intent: Intent) -> bool:
    """Whether somebody must say which antiviral goes with the drug before it is ordered (R-SCR-13): the label pairs it with one
    for the highest risk and a graft other than kidney, and the pneumonitis course is given together with one.
    """
    if intent is Intent.TREATMENT:
        return True
    group = risk_group(donor_igg=donor_igg, recipient_igg=recipient_igg, organs=organs)
    return group.code == "highest" and any(organ not in ("kidney", CELLS) for organ in organs)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The protocol proposed for a graft and why. The prescriber chooses, the pharmacist verifies; a combined graft has no
    default until chosen.
    """

    protocol_code: str
    reason: str
    needs_confirmation: bool
    alternatives: tuple[str, ...]
    working: Derivation


def propose_protocol(*, organs: Collection[str], age: int, monograph: Monograph) -> Proposal:
    """Any organ that is not kidney takes the other organs' table; stem cells the off-label pneumonitis course;
    needs_confirmation where the label has no row.

    Refused: no organ, stem cells together with an organ, an organ no enabled protocol knows.
    """
    if not organs:
        raise Refused(
            "no_organ",
            "Enter the organs of the graft.",
            source="Screening rules",
            field="organs",
            value="none",
            limit="at least one organ",
        )
    solid = sorted(set(organs) - {CELLS})
    if solid and CELLS in organs:
        raise Refused(
            "cells_with_organ",
            "Stem cells and an organ are two transplants: enter each.",
            source="Screening rules",
            field="organs",
            value=", ".join(sorted(organs)),
            limit="one kind",
        )
    enabled = [protocol for protocol in monograph.protocols if protocol.enabled]
    known = {organ for protocol in enabled for organ in protocol.organs} | {"intestine"}
    for organ in sorted(organs):
        if organ not in known:
            raise Refused(
                "unknown_organ",
                f"No protocol is for {organ!r}.",
                source="Screening rules",
                field="organs",
                value=organ,
                limit=", ".join(sorted(known)),
            )
    if not solid:
        code, rule, reason, confirm = (
            "hsct_pneumonitis",
            "R-PROT-4",
            "stem cells: only the off-label course for severe CMV pneumonitis; a typed reason and a prescriber's signature",
            True,
        )
    elif solid == ["kidney"]:
        code, rule, reason, confirm = "kidney", "R-PROT-1", "kidney alone", False
    elif "intestine" in solid:
        code, rule, reason, confirm = (
            "other_organ",
            "R-PROT-3",
            "intestine lies outside the label: off-label, the table of the other organs, prescriber to confirm",
            True,
        )
    elif len(solid) > 1:
        code, rule, reason, confirm = (
            "other_organ",
            "R-PROT-2",
            f"combined graft ({', '.join(solid)}): no row in the label; not kidney alone, so the other organs' table; confirm",
            True,
        )
    else:
        code, rule, reason, confirm = "other_organ", "R-PROT-1", f"{solid[0]} alone", False
    others = tuple(
        protocol.code
        for protocol in enabled
        if protocol.code != code and set(organs) & set(protocol.organs) and (protocol.population == "any" or age < 18)
    )
    source = monograph.protocol(code).source if rule == "R-PROT-1" else SITE_POLICY
    return Proposal(code, reason, confirm, others, Derivation(((rule, "{}", (reason,), source),)))
