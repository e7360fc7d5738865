"""What happened to a chart, for people to read: each change with who, in which role, when, before, after and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model

from patients.models import Event, Membership, Patient, RowChange

# The one column that says what a new row is about. Where a row follows an earlier one of its series, that one is its "before".
HEADLINES = {
    "patients_patient": "ward",
    "patients_weightmeasurement": "weight_kg",
    "patients_precaution": "answer",
    "patients_transplant": "organs",
    "regimens_course": "choice_reason",
    "regimens_order": "indication",
    "regimens_planneddose": "dose_mg",
    "regimens_sheetcopy": "code",
    "regimens_administration": "started_at",
    "regimens_ratechange": "rate_ml_per_h",
    "regimens_vitalsigns": "moment",
    "regimens_reaction": "term",
    "regimens_vialuse": "given_ml",
    "regimens_misseddosedecision": "decision",
}
SERIES = {"patients_weightmeasurement": (), "patients_precaution": ("kind",)}

# Columns that say nothing to a reader: keys, counters, and what stands in the event already.
SILENT = {"id", "version", "name_key", "recorded_at", "registered_at", "built_at"}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a chart's history.

    ``before`` and ``after`` are values of the field's own kind (a Decimal, an aware instant, a date, a list, words), None where
    there is nothing; ``field`` is the column, whose name carries the unit (weight_kg). A line without a field is an act that
    changed no row, such as a print. ``who`` names the database's role where a row was changed outside the app.
    """

    at: datetime
    who: str
    role: str
    act: str
    what: str
    field: str
    before: Any
    after: Any
    reason: str
    request_id: str


def history_of(patient: Patient, *, with_reads: bool = False) -> list[HistoryEntry]:
    """The history of one chart, newest first, in three queries. Events named read_… are left out unless asked for."""
    changes = list(RowChange.objects.filter(patient_id=patient.pk).select_related("event").order_by("id"))
    told = [change.event_id for change in changes if change.event_id]
    acts = Event.objects.filter(patient_id=patient.pk).exclude(pk__in=told).order_by("id")
    if not with_reads:
        acts = acts.exclude(name__startswith="read_")
    people = _people(changes)
    lines = [(change.at, line) for change, line in _lines(changes, people)]
    lines += [(act.at, _line(act.at, act, "", what=act.name.replace("_", " "))) for act in acts]
    return [line for _, line in sorted(lines, key=lambda pair: pair[0], reverse=True)]


def _lines(changes: Iterable[RowChange], people: dict[int, str]) -> Iterator[tuple[RowChange, HistoryEntry]]:
    latest: dict[tuple[Any, ...], Any] = {}
    for change in changes:
        model = _models().get(change.tbl)
        image = change.new or change.old or {}
        if change.op == "UPDATE":
            for column in sorted(image):
                was, now = (change.old or {}).get(column), image[column]
                if was != now and column not in SILENT:
                    label = _label(model, column)
                    values = {"before": _value(model, column, was, people), "after": _value(model, column, now, people)}
                    yield change, _line(change.at, change.event, change.db_role, what=label, field=column, **values)
            continue
        column = HEADLINES.get(change.tbl, "")
        value = _value(model, column, image.get(column), people) if column else None
        before = None
        if change.tbl in SERIES:
            series = (change.tbl, *(image.get(name) for name in SERIES[change.tbl]))
            before, latest[series] = latest.get(series), value
        name = str(model._meta.verbose_name) if model else change.tbl
        word = {"INSERT": "recorded", "FOUND": "found", "DELETE": "deleted"}[change.op]
        yield (
            change,
            _line(
                change.at,
                change.event,
                change.db_role,
                what=f"{name.capitalize()} {word}",
                field=column,
                before=before,
                after=value,
            ),
        )


def _line(
    at: datetime, event: Event | None, db_role: str, *, what: str, field: str = "", before: Any = None, after: Any = None
) -> HistoryEntry:
    if event is None:
        return HistoryEntry(at, f"database role {db_role}", "", "", what, field, before, after, "", "")
    who = event.actor_name or "the installation"
    return HistoryEntry(at, who, event.role, event.name, what, field, before, after, event.reason, event.request_id)


@cache
def _models() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


def _field(model: type[Model] | None, column: str) -> Field | None:
    return next((field for field in model._meta.concrete_fields if field.column == column), None) if model else None


def _label(model: type[Model] | None, column: str) -> str:
    field = _field(model, column)
    name = str(field.verbose_name) if field else column.replace("_", " ")
    return f"{str(model._meta.verbose_name).capitalize()}: {name}" if model else name


def _value(model: type[Model] | None, column: str, value: Any, people: dict[int, str]) -> Any:
    """A value of a row's image as its field's own kind: a choice as its words, a person by name."""
    field = _field(model, column)
    if value in (None, "") or field is None:
        return value or None
    if isinstance(field, ForeignKey):
        return people.get(value, str(value)) if field.related_model is Membership else str(value)
    if choices := dict(field.flatchoices):
        return choices.get(value, value)
    try:
        return field.to_python(value)
    except ValidationError:
        return value  # written under an older shape of the table


def _people(changes: Iterable[RowChange]) -> dict[int, str]:
    """Printed names of the memberships that the changes mention, in one query."""
    ids = set()
    for change in changes:
        model = _models().get(change.tbl)
        for image in (change.old, change.new):
            for field in model._meta.concrete_fields if model else ():
                if image and isinstance(field, ForeignKey) and field.related_model is Membership:
                    ids.add(image.get(field.column))
    rows = Membership.objects.filter(pk__in=ids - {None}).select_related("user")
    return {membership.pk: membership.user.printed_name for membership in rows}
