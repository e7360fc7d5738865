"""What the prescriber ordered beside what was built, line by line: the first thing a second pharmacist compares (W2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from regimens.actions import orders
from regimens.models import Course, Order, PlannedDose, WeightBasis
from regimens.templatetags import display


@dataclass(frozen=True, slots=True)
class Compared:
    """One line: what was ordered, what was built, and whether they differ; ``comparable`` where the two can be set side by side."""

    label: str
    ordered: str
    built: str
    differs: bool = False
    comparable: bool = True


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order beside its course. ``signed`` says who signed, or since when the signature is missing."""

    order: Order
    lines: tuple[Compared, ...]
    said: str
    signed: str
    is_unsigned: bool
    is_late: bool

    @property
    def differs(self) -> bool:
        """Whether any line does."""
        return any(line.differs for line in self.lines)


def ordered_rows(order: Order) -> list[tuple[str, str]]:
    """What was ordered, row by row: the row's code and "100 mg per kg"."""
    return [(code, display.format_unit(Decimal(mg), "mg per kg")) for code, mg in order.ordered_rows]


def beside(order: Order, course: Course, doses: Sequence[PlannedDose], *, zone: str, now: datetime) -> Ordered:
    """An order beside what was built from it; ``doses`` are the live ones."""
    value = course.monograph.to_domain()
    titles = {row.code: row.title.partition(",")[0] for row in value.protocol(course.protocol.code).doses}
    wanted = {code: Decimal(mg) for code, mg in order.ordered_rows}
    built: dict[str, set[Decimal]] = {}
    for dose in doses:
        built.setdefault(dose.protocol_dose.code, set()).add(dose.mg_per_kg)
    ordered_title = next((p.title for p in value.protocols if p.code == order.protocol_code), order.protocol_code)
    lines = [Compared("Protocol", ordered_title, course.protocol.title, order.protocol_code != course.protocol.code)]
    lines += [
        Compared(
            titles.get(code, code),
            display.format_unit(wanted[code], "mg per kg") if code in wanted else "Not ordered",
            ", ".join(display.format_unit(mg, "mg per kg") for mg in sorted(amounts)),
            amounts != {wanted.get(code)},
        )
        for code, amounts in built.items()
    ]
    lines += _conditions(order, doses)
    until = orders.cosign_by(order, value)
    said = f"{order.prescriber.user.printed_name}, {display.format_instant(order.ordered_at, zone)}, {_lower(order.get_mode_display())}"
    if order.signed_at:
        signed = f"Signed {display.format_instant(order.signed_at, zone)}"
    else:
        age = display.format_elapsed(order.entered_at, now)
        limit = (
            f"the limit was {display.format_instant(until, zone)}"
            if now > until
            else f"due by {display.format_instant(until, zone)}"
        )
        signed = f"Not signed by the prescriber: entered {age} ago by {order.entered_by.user.printed_name}, {limit}"
    return Ordered(order, tuple(lines), said, signed, not order.signed_at, not order.signed_at and now > until)


def _conditions(order: Order, doses: Sequence[PlannedDose]) -> list[Compared]:
    """Weight, ceiling and rounding as ordered, beside those of the doses that are still to be given, else of all."""
    rows = [dose for dose in doses if not dose.settled_at] or list(doses)
    weights = {dose.weight_kg for dose in rows}
    ceilings = {dose.ceiling_mg_per_kg_per_h for dose in rows}
    is_rounded = any(dose.rounded_from_mg is not None for dose in rows)
    lines = [
        Compared(
            "Weight",
            WeightBasis(order.weight_basis).label,
            ", ".join(display.format_unit(kg, "kg") for kg in sorted(weights)),
            comparable=False,
        )
    ]
    if order.ceiling_mg_per_kg_per_h is not None or ceilings != {None}:
        lines.append(
            Compared(
                "Rate ceiling",
                _ceiling(order.ceiling_mg_per_kg_per_h),
                ", ".join(_ceiling(value) for value in ceilings),
                ceilings != {order.ceiling_mg_per_kg_per_h},
            )
        )
    if order.allows_vial_rounding or is_rounded:
        lines.append(
            Compared(
                "Whole vials",
                "May be rounded" if order.allows_vial_rounding else "Not to be rounded",
                "Rounded" if is_rounded else "Exact",
                is_rounded and not order.allows_vial_rounding,
            )
        )
    return lines


def _ceiling(value: Decimal | None) -> str:
    return "None" if value is None else display.format_unit(value, "mg per kg per h")


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
