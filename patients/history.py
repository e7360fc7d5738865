"""What happened to a chart, for people to read: each change with who, in which role, when, before, after and why.

Labels, units and words follow from the models, so that a new table tells its history without a line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, Model, OuterRef

from patients.images import Images, column_of, described, is_silent, model_of, name_of, value_of
from patients.models import Event, Patient, RowChange

# The one column that says what a new row is about. Where a row follows an earlier one of its series, that one is its "before".
HEADLINES = {
    "patients_patient": "ward",
    "patients_weightmeasurement": "weight_kg",
    "patients_precaution": "answer",
    "patients_transplant": "organs",
    "regimens_planneddose": "dose_mg",
    "regimens_administration": "started_at",
    "regimens_ratechange": "rate_ml_per_h",
    "regimens_vialuse": "given_ml",
    "regimens_misseddosedecision": "decision",
}
SERIES = {"patients_weightmeasurement": (), "patients_precaution": ("kind",)}
WORDS = {"INSERT": "recorded", "FOUND": "found", "DELETE": "deleted"}
NEW = ("INSERT", "FOUND")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a chart's history.

    ``about`` says which one: "Selective IgA deficiency", "2". ``before`` and ``after`` are values of the field's own kind (a
    Decimal, an aware instant, a date, a list, words), None where there is nothing; ``field`` is the column, whose name carries
    the unit (weight_kg). ``details`` are the other columns of a new row, as (label, column, value). A line without a field and
    without details is an act that changed no row, such as a print. ``who`` names the database's role where a row was changed
    outside the app.
    """

    at: datetime
    who: str
    role: str
    act: str
    what: str
    about: str
    field: str
    before: Any
    after: Any
    reason: str
    request_id: str
    details: tuple[tuple[str, str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Lines, newest first, and the instant before which the next page begins; None where there is no older line."""

    lines: list[HistoryEntry]
    older_than: datetime | None


def history_of(patient: Patient, *, with_reads: bool = False) -> list[HistoryEntry]:
    """The whole history of one chart, newest first. Events named read_… are left out unless asked for."""
    return history_page(patient, with_reads=with_reads, size=None).lines


def history_page(
    patient: Patient, *, with_reads: bool = False, before: datetime | None = None, size: int | None = 50
) -> HistoryPage:
    """At least ``size`` changes and acts of one chart older than ``before``, in at most five queries.

    Everything of one instant stays on one page, so that none is left out between two.
    """
    changes = RowChange.objects.filter(patient_id=patient.pk).select_related("event")
    acts = Event.objects.filter(~Exists(RowChange.objects.filter(event=OuterRef("pk"), patient_id=patient.pk)))
    acts = acts.filter(patient_id=patient.pk)
    if not with_reads:
        acts = acts.exclude(name__startswith="read_")
    if before is not None:
        changes, acts = changes.filter(at__lt=before), acts.filter(at__lt=before)
    some = None if size is None else size + 40
    rows: list[RowChange | Event] = [*changes.order_by("-id")[:some], *acts.order_by("-id")[:some]]
    rows.sort(key=lambda row: row.at, reverse=True)
    rest = [] if size is None else rows[size:]
    if size is not None:
        rows = rows[:size]
        while rest and rest[0].at == rows[-1].at:
            rows.append(rest.pop(0))
    told = [row for row in rows if isinstance(row, RowChange)]
    lines = list(_lines(rows, Images(told, zone_name=patient.centre.time_zone), _earlier(patient, told)))
    return HistoryPage(lines, rows[-1].at if rest else None)


def lines_of(changes: Iterable[RowChange], zone_name: str) -> list[HistoryEntry]:
    """Any changes in words, in their order; without the value before a new row of a series."""
    rows = list(changes)
    return list(_lines(rows, Images(rows, zone_name=zone_name), {}))


def _lines(rows: Iterable[RowChange | Event], images: Images, earlier: dict[int, Any]) -> Iterator[HistoryEntry]:
    for row in rows:
        if isinstance(row, Event):
            yield _line(row.at, row, "", what=row.name.replace("_", " "), about=row.facts.get("page", "").replace("-", " "))
        elif row.op == "UPDATE":
            yield from _update(row, images)
        else:
            yield _new_row(row, images, earlier)


def _update(change: RowChange, images: Images) -> Iterator[HistoryEntry]:
    model, image, old = model_of(change.tbl), change.new or {}, change.old or {}
    about = described(model, image, images)
    for column in sorted(image):
        was, now = old.get(column), image[column]
        if was != now and not is_silent(model, column):
            values = {"before": value_of(model, column, was, images), "after": value_of(model, column, now, images)}
            what = f"{name_of(change.tbl)}: {column_of(model, column)}"
            yield _line(change.at, change.event, change.db_role, what=what, about=about, field=column, **values)


def _new_row(change: RowChange, images: Images, earlier: dict[int, Any]) -> HistoryEntry:
    model, image = model_of(change.tbl), change.new or change.old or {}
    headline = HEADLINES.get(change.tbl, "")
    details = tuple(
        (column_of(model, column), column, value_of(model, column, image[column], images))
        for column in _in_order(model, image)
        if column != headline and image[column] not in (None, "", [], False) and not is_silent(model, column, is_new=True)
    )
    return _line(
        change.at,
        change.event,
        change.db_role,
        what=f"{name_of(change.tbl)} {WORDS[change.op]}",
        about=described(model, image, images),
        field=headline,
        before=value_of(model, headline, earlier.get(change.pk), images) if headline else None,
        after=value_of(model, headline, image.get(headline), images) if headline else None,
        details=details,
    )


def _in_order(model: type[Model] | None, image: dict[str, Any]) -> list[str]:
    """The image's columns in the model's order; PostgreSQL keeps them by length."""
    order = [field.column for field in model._meta.concrete_fields] if model else []
    return sorted(image, key=lambda column: order.index(column) if column in order else len(order))


def _earlier(patient: Patient, changes: Iterable[RowChange]) -> dict[int, Any]:
    """The value that each new row of a series followed, by the change's number. One query, none without such a row."""
    if not any(change.tbl in SERIES and change.op in NEW for change in changes):
        return {}
    latest: dict[tuple[Any, ...], Any] = {}
    found = {}
    rows = RowChange.objects.filter(op__in=NEW, patient_id=patient.pk, tbl__in=SERIES).order_by("id")
    for number, table, image in rows.values_list("pk", "tbl", "new"):
        values = image or {}
        series = (table, *(values.get(name) for name in SERIES[table]))
        found[number], latest[series] = latest.get(series), values.get(HEADLINES[table])
    return found


def _line(
    at: datetime,
    event: Event | None,
    db_role: str,
    *,
    what: str,
    about: str = "",
    field: str = "",
    before: Any = None,
    after: Any = None,
    details: tuple[tuple[str, str, Any], ...] = (),
) -> HistoryEntry:
    if event is None:
        return HistoryEntry(at, f"database role {db_role}", "", "", what, about, field, before, after, "", "", details)
    who, role = event.actor_name or "the installation", event.role
    return HistoryEntry(at, who, role, event.name, what, about, field, before, after, event.reason, event.request_id, details)
