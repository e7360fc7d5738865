"""What a monograph must hold before anyone may plan from it: the same questions for a file, a draft and a publication.

Bounds here are guards against slips of the hand (hazard H10), not clinical advice: a site may shorten a limit of the label,
never stretch it. :func:`problems` finds everything wrong with a monograph, each by its key path, value, limit and reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from .library_text import plain
from .monograph import Anchor, Limit, Monograph, Product, Protocol, ProtocolDose, RateTable, Source
from .reasons import Refused
from .units import number, with_unit

GUARD = "Guards of the monograph"
ORGANS = ("kidney", "liver", "lung", "pancreas", "heart", "intestine", "hsct")
POPULATIONS = ("any", "paediatric")
STATEMENT_KINDS = ("contraindication", "increased_risk", "caution", "interaction")
REASON_KINDS = ("omitted", "late", "override", "stopped", "not_given", "held")
SERIOUSNESS = ("common", "serious")
RATE_TABLES = ("initial", "subsequent")
# The rules ask about these by code before a course is planned; a monograph without one would let it pass unasked.
CONTRAINDICATIONS = ("cmvig_hypersensitivity", "ig_hypersensitivity", "component_hypersensitivity", "iga_deficiency")
DOSE_MIN_MG_PER_KG, DOSE_MAX_MG_PER_KG = Decimal(1), Decimal(500)
WINDOW_MAX_DAYS = 14
COURSE_MAX_DAYS = 366
HOURS_PER_DAY = 24


class Bound(NamedTuple):
    """The unit of a named limit, and the range inside which an editor may set it."""

    unit: str
    low: Decimal
    high: Decimal


def _bound(unit: str, low: str, high: str) -> Bound:
    return Bound(unit, Decimal(low), Decimal(high))


# Every limit that the rules refer to by code. A monograph has each of them, and no other.
LIMITS: dict[str, Bound] = {
    "max_rate_ml_per_h": _bound("mL per h", "1", "75"),
    "max_rate_mg_per_kg_per_h": _bound("mg per kg per h", "1", "60"),
    "label_max_mg_per_kg": _bound("mg per kg", "1", "500"),
    "sucrose_mg_per_ml": _bound("mg per mL", "0", "200"),
    "begin_within_h": _bound("h", "1", "6"),
    "finish_within_h": _bound("h", "1", "12"),
    "initial_table_after_days": _bound("days", "7", "56"),
    "dose_min_mg_per_kg": _bound("mg per kg", "1", "500"),
    "dose_max_mg_per_kg": _bound("mg per kg", "1", "500"),
    "weight_min_kg": _bound("kg", "0.3", "20"),
    "weight_max_kg": _bound("kg", "50", "400"),
    "weight_change_percent": _bound("percent", "1", "10"),
    "weight_stale_days_first": _bound("days", "1", "28"),
    "weight_stale_days_later": _bound("days", "1", "56"),
    "weight_two_decimals_below_kg": _bound("kg", "0", "20"),
    "pump_increment_ml_per_h": _bound("mL per h", "0.01", "5"),
    "pump_under_plan_warn_percent": _bound("percent", "1", "50"),
    "draw_increment_ml": _bound("mL", "0.01", "1"),
    "draw_increment_small_ml": _bound("mL", "0.01", "0.1"),
    "syringe_below_ml": _bound("mL", "0", "100"),
    "volume_over_ordered_ml": _bound("mL", "0", "10"),
    "renal_note_mg_per_kg": _bound("mg per kg", "1", "2000"),
    "creatinine_max_age_h": _bound("h", "1", "72"),
    "result_max_age_days": _bound("days", "1", "28"),
    "observation_min": _bound("min", "0", "240"),
    "observation_first_min": _bound("min", "0", "480"),
    "late_reaction_days": _bound("days", "1", "365"),
    "older_than_years": _bound("years", "18", "100"),
    "vaccine_label_months": _bound("months", "3", "24"),
    "vaccine_acip_months": _bound("months", "6", "24"),
    "vaccine_high_dose_months": _bound("months", "8", "24"),
    "vaccine_high_dose_mg_per_kg": _bound("mg per kg", "1", "400"),
    "prior_cmvig_days": _bound("days", "1", "60"),
    "prior_immune_globulin_days": _bound("days", "1", "180"),
    "exchange_before_h": _bound("h", "1", "168"),
    "exchange_after_days": _bound("days", "1", "28"),
    "shift_limit_days": _bound("days", "0", "28"),
    "shift_last_day": _bound("days", "1", "366"),
    "release_within_h": _bound("h", "1", "72"),
    "cosign_within_h": _bound("h", "1", "72"),
    "booking_warn_days": _bound("days", "0", "28"),
    "authorization_warn_days": _bound("days", "0", "56"),
}


def problems(monograph: Monograph, *, in_use: bool = False) -> tuple[Refused, ...]:
    """Everything that makes this monograph unfit to plan from, in the order of the file; empty when there is nothing.

    A version that comes into use has a protocol that is enabled as well; a file or a draft may have none.
    """
    limits = {row.code: row.value for row in monograph.limits}
    return (
        *product_problems(monograph.product),
        *(found for protocol in monograph.protocols for found in protocol_problems(protocol, limits)),
        *_protocol_set(monograph, in_use),
        *_units(monograph),
        *(found for table in monograph.rate_tables for found in rate_table_problems(table, limits)),
        *_missing("rate_table", RATE_TABLES, [table.code for table in monograph.rate_tables]),
        *(found for limit in monograph.limits for found in limit_problems(limit)),
        *_missing("limit", tuple(LIMITS), [limit.code for limit in monograph.limits]),
        *_pairs(limits),
        *_lists(monograph),
    )


def _refused(code: str, field: str, sentence: str, value: object, limit: object, source: Source | str = GUARD) -> Refused:
    # Plain digits, as in the file: the sentence has them as people read them.
    exact = [plain(word) if isinstance(word, Decimal) else word for word in (value, limit)]
    return Refused(code, sentence, source=source, field=field, value=str(exact[0]), limit=str(exact[1]))


def _outside(
    field: str, value: Decimal, low: Decimal, high: Decimal, unit: str, source: Source | str = GUARD
) -> Iterator[Refused]:
    if value < low:
        yield _refused("below_limit", field, f"{with_unit(value, unit)} is below {with_unit(low, unit)}.", value, low, source)
    if value > high:
        yield _refused("above_limit", field, f"{with_unit(value, unit)} is above {with_unit(high, unit)}.", value, high, source)


def product_problems(product: Product) -> Iterator[Refused]:
    """What is wrong with the product and its vials."""
    yield from _outside(
        "product.concentration_mg_per_ml", product.concentration_mg_per_ml, Decimal(1), Decimal(200), "mg per mL"
    )
    if not product.vials:
        yield _refused("missing", "product.vial", "The product has no vial size.", "none", "at least one")
    for index, vial in enumerate(product.vials):
        path = f"product.vial[{index}]"
        yield from _outside(f"{path}.volume_ml", vial.volume_ml, Decimal(1), Decimal(1000), "mL")
        content_mg = vial.volume_ml * product.concentration_mg_per_ml
        if vial.content_mg != content_mg:
            volume, content = with_unit(vial.volume_ml, "mL"), with_unit(vial.content_mg, "mg")
            sentence = f"{volume} at this concentration hold {with_unit(content_mg, 'mg')}, not {content}."
            yield _refused("content_does_not_fit", f"{path}.content_mg", sentence, vial.content_mg, content_mg)


def protocol_problems(protocol: Protocol, limits: dict[str, Decimal]) -> Iterator[Refused]:
    """What is wrong with one protocol and its doses, by the limits of its version."""
    path = f"protocol.{protocol.code}"
    yield from _outside(f"{path}.cap_mg_per_kg", protocol.cap_mg_per_kg, DOSE_MIN_MG_PER_KG, DOSE_MAX_MG_PER_KG, "mg per kg")
    label_max = limits.get("label_max_mg_per_kg", DOSE_MAX_MG_PER_KG)
    if not protocol.off_label and label_max < protocol.cap_mg_per_kg <= DOSE_MAX_MG_PER_KG:
        cap, label = with_unit(protocol.cap_mg_per_kg, "mg per kg"), with_unit(label_max, "mg per kg")
        sentence = f"{cap} is above the label's {label} per infusion; such a protocol is off-label."
        yield _refused("above_label", f"{path}.cap_mg_per_kg", sentence, protocol.cap_mg_per_kg, label_max)
    if not protocol.organs:
        yield _refused("missing", f"{path}.organs", "The protocol names no organ.", "none", "at least one")
    for organ in protocol.organs:
        if organ not in ORGANS:
            yield _refused(
                "unknown_word", f"{path}.organs", f"{organ!r} is not an organ of the list.", organ, ", ".join(ORGANS)
            )
    if protocol.population not in POPULATIONS:
        yield _refused(
            "unknown_word",
            f"{path}.population",
            f"{protocol.population!r} is not a population.",
            protocol.population,
            ", ".join(POPULATIONS),
        )
    if not protocol.doses:
        yield _refused("missing", f"{path}.dose", "The protocol has no dose.", "none", "at least one")
    codes = [row.code for row in protocol.doses]
    for index, row in enumerate(protocol.doses):
        yield from _dose(protocol, row, f"{path}.dose[{index}]", codes, limits)
        if row.code in codes[:index]:
            yield _refused(
                "twice", f"{path}.dose[{index}].code", f"{row.code} stands twice in this protocol.", row.code, "once"
            )
    yield from _neighbors(protocol)


def _dose(protocol: Protocol, row: ProtocolDose, path: str, codes: list[str], limits: dict[str, Decimal]) -> Iterator[Refused]:
    low = max(limits.get("dose_min_mg_per_kg", DOSE_MIN_MG_PER_KG), DOSE_MIN_MG_PER_KG)
    high = min(limits.get("dose_max_mg_per_kg", DOSE_MAX_MG_PER_KG), DOSE_MAX_MG_PER_KG)
    outside = tuple(_outside(f"{path}.mg_per_kg", row.mg_per_kg, low, high, "mg per kg"))
    yield from outside
    if not outside and row.mg_per_kg > protocol.cap_mg_per_kg:
        dose, cap = with_unit(row.mg_per_kg, "mg per kg"), with_unit(protocol.cap_mg_per_kg, "mg per kg")
        sentence = f"{row.code}: {dose} is above this protocol's cap of {cap} per infusion."
        yield _refused("above_cap", f"{path}.mg_per_kg", sentence, row.mg_per_kg, protocol.cap_mg_per_kg, protocol.cap_source)
    for name, days, most in (
        ("offset_days", row.offset_days, COURSE_MAX_DAYS),
        ("opens_days_before", row.opens_days_before, WINDOW_MAX_DAYS),
        ("closes_days_after", row.closes_days_after, WINDOW_MAX_DAYS),
    ):
        yield from _outside(f"{path}.{name}", Decimal(days), Decimal(0), Decimal(most), "days")
    yield from _outside(
        f"{path}.min_interval_hours", Decimal(row.min_interval_hours), Decimal(0), Decimal(28 * HOURS_PER_DAY), "h"
    )
    if row.closes_after_hours is not None:
        yield from _outside(f"{path}.closes_after_hours", Decimal(row.closes_after_hours), Decimal(1), Decimal(72), "h")
        if row.offset_days or row.opens_days_before or row.closes_days_after or protocol.anchor is not Anchor.TRANSPLANT:
            sentence = f"{row.code}: a window in hours runs from the transplant itself, with no days before, after or off it."
            yield _refused("two_windows", f"{path}.closes_after_hours", sentence, row.closes_after_hours, "no window in days")
    elif row.opens_days_before > row.offset_days:
        yield _refused(
            "window_before_anchor",
            f"{path}.opens_days_before",
            f"{row.code}: the window would open before the anchor.",
            row.opens_days_before,
            row.offset_days,
        )
    if row.latest_late_day is not None and row.latest_late_day < _closes_day(row):
        sentence = f"{row.code}: day {row.latest_late_day} lies before the window closes on day {_closes_day(row)}."
        yield _refused("late_day_in_window", f"{path}.latest_late_day", sentence, row.latest_late_day, _closes_day(row))
    if row.alternative_of and (row.alternative_of == row.code or row.alternative_of not in codes):
        yield _refused(
            "unknown_word",
            f"{path}.alternative_of",
            f"{row.code}: there is no other row {row.alternative_of!r} here.",
            row.alternative_of,
            ", ".join(codes),
        )
    if (row.repeats or row.alternative_of) and not row.optional:
        yield _refused(
            "not_optional",
            f"{path}.optional",
            f"{row.code}: a row that repeats or stands in for another is optional.",
            "false",
            "true",
        )


def _neighbors(protocol: Protocol) -> Iterator[Refused]:
    """Each fixed row against the next: in order, windows apart, late limits and intervals that leave the next one possible."""
    fixed = [(index, row) for index, row in enumerate(protocol.doses) if not (row.repeats or row.alternative_of)]
    for (_, row), (index, following) in pairwise(fixed):
        path = f"protocol.{protocol.code}.dose[{index}]"
        names = f"{following.code} after {row.code}"
        if following.offset_days <= row.offset_days:
            yield _refused(
                "order",
                f"{path}.offset_days",
                f"{names}: day {following.offset_days} does not come after day {row.offset_days}.",
                following.offset_days,
                row.offset_days + 1,
            )
            continue
        opens_day = following.offset_days - following.opens_days_before
        if opens_day <= _closes_day(row):
            sentence = f"{names}: the window opens on day {opens_day}, while {row.code} is open to day {_closes_day(row)}."
            yield _refused(
                "windows_overlap",
                f"{path}.opens_days_before",
                sentence,
                following.opens_days_before,
                following.offset_days - _closes_day(row) - 1,
                following.window_source,
            )
        spacing_h = (following.offset_days - row.offset_days) * HOURS_PER_DAY
        if following.min_interval_hours > spacing_h:
            sentence = f"{names}: {following.min_interval_hours} h at least, but the targets lie {spacing_h} h apart."
            yield _refused("interval_too_long", f"{path}.min_interval_hours", sentence, following.min_interval_hours, spacing_h)
        if row.latest_late_day is not None and row.latest_late_day >= following.offset_days:
            late = f"protocol.{protocol.code}.dose[{protocol.doses.index(row)}].latest_late_day"
            target = f"the target of {following.code}, day {following.offset_days}"
            sentence = f"{row.code}: day {row.latest_late_day} is not before {target}."
            yield _refused("late_day_too_late", late, sentence, row.latest_late_day, following.offset_days - 1)


def _closes_day(row: ProtocolDose) -> int:
    """The last day of the window, counted from the anchor's day."""
    if row.closes_after_hours is not None:
        return -(-row.closes_after_hours // HOURS_PER_DAY)
    return row.offset_days + row.closes_days_after


def _protocol_set(monograph: Monograph, in_use: bool) -> Iterator[Refused]:
    if not monograph.protocols or (in_use and not any(protocol.enabled for protocol in monograph.protocols)):
        yield _refused("missing", "protocol", "No protocol is enabled.", "none", "at least one")
    yield from _unique("protocol", "code", [protocol.code for protocol in monograph.protocols])


def _units(monograph: Monograph) -> Iterator[Refused]:
    """Where the label's doses are in mL every amount is, and its mg follow from the concentration; elsewhere none is."""
    product = monograph.product
    amounts = [
        *((f"protocol.{p.code}.cap_{{}}_per_kg", p.cap_mg_per_kg, p.cap_ml_per_kg) for p in monograph.protocols),
        *(
            (f"protocol.{p.code}.dose[{index}].{{}}_per_kg", row.mg_per_kg, row.ml_per_kg)
            for p in monograph.protocols
            for index, row in enumerate(p.doses)
        ),
        *(
            (f"rate_table.{table.code}.step[{index}].{{}}_per_kg_per_h", step.mg_per_kg_per_h, step.ml_per_kg_per_h)
            for table in monograph.rate_tables
            for index, step in enumerate(table.steps)
        ),
    ]
    for path, mg, ml in amounts:
        field = path.format("ml")
        if not product.is_in_ml and ml is not None:
            yield _refused("wrong_unit", field, "This product's doses are in mg, not in mL.", ml, "none", product.source)
        elif product.is_in_ml and ml is None:
            yield _refused("missing", field, "This product's doses are in mL: the amount in mL is missing.", "none", "mL")
        elif ml is not None and product.mg_of(ml) != mg:
            given, derived = with_unit(mg, "mg"), with_unit(product.mg_of(ml), "mg")
            sentence = f"{with_unit(ml, 'mL')} hold {derived} at this concentration, not {given}."
            yield _refused("mg_not_derived", field, sentence, mg, product.mg_of(ml), product.source)


def rate_table_problems(table: RateTable, limits: dict[str, Decimal]) -> Iterator[Refused]:
    """What is wrong with one rate table and its steps, by the limits of its version."""
    path = f"rate_table.{table.code}"
    if table.code not in RATE_TABLES:
        yield _refused("unknown_key", path, f"No rule uses a rate table {table.code!r}.", table.code, ", ".join(RATE_TABLES))
    if not table.steps:
        yield _refused("missing", f"{path}.step", "The rate table has no step.", "none", "at least one")
    most = limits.get("max_rate_mg_per_kg_per_h", LIMITS["max_rate_mg_per_kg_per_h"].high)
    before = Decimal(0)
    for index, step in enumerate(table.steps):
        rate = f"{path}.step[{index}].mg_per_kg_per_h"
        yield from _outside(rate, step.mg_per_kg_per_h, Decimal("0.1"), most, "mg per kg per h", table.source)
        if step.mg_per_kg_per_h < before:
            sentence = f"Step {index + 1} falls from {number(before)} to {with_unit(step.mg_per_kg_per_h, 'mg per kg per h')}."
            yield _refused("rate_falls", rate, sentence, step.mg_per_kg_per_h, before)
        before = step.mg_per_kg_per_h
        minutes = f"{path}.step[{index}].minutes"
        is_last = index == len(table.steps) - 1
        if is_last and step.minutes is not None:
            yield _refused("last_step_ends", minutes, "The last step runs to the end and has no minutes.", step.minutes, "none")
        if not is_last and step.minutes is None:
            yield _refused("missing", minutes, f"Step {index + 1} of {len(table.steps)} needs its minutes.", "none", "minutes")
        if step.minutes is not None:
            yield from _outside(minutes, step.minutes, Decimal(1), Decimal(720), "min")


def limit_problems(limit: Limit) -> Iterator[Refused]:
    """What is wrong with one limit: unknown, in another unit, out of its range."""
    path = f"limit.{limit.code}"
    bound = LIMITS.get(limit.code)
    if bound is None:
        yield _refused("unknown_key", path, f"No rule uses a limit {limit.code!r}.", limit.code, "a limit of the format")
        return
    if limit.unit != bound.unit:
        yield _refused("wrong_unit", f"{path}.unit", f"The rules read this limit in {bound.unit}.", limit.unit, bound.unit)
    yield from _outside(f"{path}.value", limit.value, bound.low, bound.high, bound.unit, limit.source)


def _pairs(limits: dict[str, Decimal]) -> Iterator[Refused]:
    """Limits that belong together, the smaller first."""
    for small, large in (
        ("begin_within_h", "finish_within_h"),
        ("dose_min_mg_per_kg", "dose_max_mg_per_kg"),
        ("weight_min_kg", "weight_max_kg"),
        ("draw_increment_small_ml", "draw_increment_ml"),
        ("vaccine_label_months", "vaccine_acip_months"),
        ("vaccine_acip_months", "vaccine_high_dose_months"),
    ):
        if small in limits and large in limits and limits[small] > limits[large]:
            yield _refused(
                "order",
                f"limit.{small}.value",
                f"{number(limits[small])} is above {large}, {number(limits[large])}.",
                limits[small],
                limits[large],
            )


def _lists(monograph: Monograph) -> Iterator[Refused]:
    present = [row.code for row in monograph.statements if row.kind == "contraindication"]
    yield from _missing("statement.contraindication", CONTRAINDICATIONS, present)
    yield from _missing("reason", REASON_KINDS, [row.kind for row in monograph.reasons])
    yield from _unique("section", "code", [row.code for row in monograph.sections])
    yield from _unique("rate_table", "code", [row.code for row in monograph.rate_tables])
    yield from _unique("limit", "code", [row.code for row in monograph.limits])
    yield from _unique("reaction", "term", [row.term for row in monograph.reactions])
    yield from _unique("statement", "code", [f"{row.kind} {row.code}" for row in monograph.statements])
    yield from _unique("reason", "code", [f"{row.kind} {row.code}" for row in monograph.reasons])


def _missing(path: str, wanted: tuple[str, ...], present: list[str]) -> Iterator[Refused]:
    for code in wanted:
        if code not in present:
            yield _refused("missing", f"{path}.{code}", f"{code} is missing, and the rules refer to it.", "none", "required")


def _unique(path: str, key: str, codes: list[str]) -> Iterator[Refused]:
    for index, code in enumerate(codes):
        if code in codes[:index]:
            yield _refused("twice", f"{path}[{index}].{key}", f"{code} stands twice.", code, "once")
