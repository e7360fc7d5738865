"""A row's image in words: what its table and columns are called, what its values mean, and whom and what it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, JSONField, Model, Q

from patients import rules, when
from patients.guards import way_to_patient
from patients.models import Membership, Patient, RowChange

# Columns that say nothing to a reader: keys, counters, and what stands in the event already.
SILENT = {
    "id",
    "version",
    "name_key",
    "recorded_at",
    "registered_at",
    "built_at",
    "token",
    "content_hash",
    "working",
    "effects",
}
# Of a new row: who wrote it and when, which its event says.
WRITTEN = re.compile(r"^(recorded|registered|built|entered|written|printed|opened|held|kept|released|claimed)_(by_id|at)$")
# The columns that tell one row from another of its table, in the order in which they do.
WHICH = (
    "kind",
    "term",
    "moment",
    "protocol_code",
    "product",
    "number",
    "code",
    "on",
    "started_at",
    "weight_kg",
    "dose_mg",
    "name",
)
ENOUGH = ("kind", "number")  # tell it among all rows of a patient
UNITS = (
    ("_mg_per_kg_per_h", "mg per kg per h"), ("_ml_per_h", "mL per h"), ("_mg_per_kg", "mg per kg"), ("_mg_per_ml", "mg per mL"),
    ("_per_min", "per min"), ("_mmhg", "mmHg"), ("_percent", "percent"), ("_kg", "kg"), ("_mg", "mg"), ("_ml", "mL"), ("_c", "°C"),
    ("_days", "days"),
)  # fmt: skip
UNIT_ALONE = {"mg_per_kg": "mg per kg"}
SNAKE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")


class Images:
    """What a page of changes refers to: people by name, other rows by what they are. Two queries, none for nothing."""

    def __init__(self, changes: Iterable[RowChange], *, zone_name: str) -> None:
        self.zone_name = zone_name
        wanted: dict[type[Model], set[str]] = {}
        for change in changes:
            for column, value in {**(change.old or {}), **(change.new or {})}.items():
                field = field_of(model_of(change.tbl), column)
                if isinstance(field, ForeignKey) and value is not None:
                    was = (change.old or {}).get(column)
                    wanted.setdefault(field.related_model, set()).update(str(key) for key in (value, was) if key is not None)
        self.people = _people(wanted.pop(Membership, set()))
        wanted.pop(Patient, None)
        self.rows = _rows(wanted)

    def name(self, model: type[Model], key: Any) -> str:
        """A person's name, or "planned dose 3"; "" for a row that only its key tells from others."""
        if model is Membership:
            return self.people.get(str(key), "")
        image = self.rows.get((model._meta.db_table, str(key)))
        which = described(model, image, self, deep=False) if image else ""
        return f"{model._meta.verbose_name} {which}" if which else ""


def model_of(table: str) -> type[Model] | None:
    """The model of a table, or None for one that is no longer there."""
    return _models().get(table)


def name_of(table: str) -> str:
    """What one row of a table is called: "Weight measurement"."""
    model = model_of(table)
    return str(model._meta.verbose_name).capitalize() if model else table


def field_of(model: type[Model] | None, column: str) -> Field | None:
    """The field of a column, or None for one of an older shape of the table."""
    return next((field for field in model._meta.concrete_fields if field.column == column), None) if model else None


def column_of(model: type[Model] | None, column: str) -> str:
    """What a column is called, without its unit: "dose" for dose_mg."""
    field = field_of(model, column)
    if field is None:
        return column.replace("_", " ")
    name = str(field.verbose_name)
    for suffix, _ in UNITS:
        if field.name.endswith(suffix) and name == field.name.replace("_", " "):
            return name.removesuffix(suffix.replace("_", " "))
    return "dose" if column in UNIT_ALONE else name.replace("cmv igg", "CMV IgG")


def is_silent(model: type[Model] | None, column: str, *, is_new: bool = False) -> bool:
    """Whether a column says nothing to a reader. The patient's own key is the chart's, and is not said again."""
    field = field_of(model, column)
    if isinstance(field, ForeignKey) and field.related_model is Patient:
        return True
    return column in SILENT or (is_new and WRITTEN.match(column) is not None)


def described(model: type[Model] | None, image: dict[str, Any], images: Images, *, deep: bool = True) -> str:
    """Which row of its table this is: "Selective IgA deficiency", "2", "before the start, administration 22-Nov-2026 10:00"."""
    column = next((name for name in WHICH if image.get(name) not in (None, "") and field_of(model, name)), "")
    words = [shown(value_of(model, column, image[column], images), column, images.zone_name)] if column else []
    if column in ENOUGH:
        return words[0]
    for field in model._meta.concrete_fields if model and deep else ():
        key = image.get(str(field.column))
        if isinstance(field, ForeignKey) and not field.null and key and _is_of_a_patient(field.related_model):
            words.append(images.name(field.related_model, key))
    return ", ".join(filter(None, dict.fromkeys(words)))


def value_of(model: type[Model] | None, column: str, value: Any, images: Images) -> Any:
    """A value of a row's image as its field's own kind: a choice as its words, a person by name, another row by what it is."""
    field = field_of(model, column)
    if value in (None, "") or field is None:
        return value or None
    if isinstance(field, ForeignKey):
        return images.name(field.related_model, value) or None
    if words := _words_of(model, field):
        return [words.get(part, part) for part in value] if isinstance(value, list) else words.get(value, value)
    if column.endswith("zone_name"):
        return str(value).rsplit("/", 1)[-1].replace("_", " ")
    if isinstance(value, str) and field.get_internal_type() == "CharField" and SNAKE.fullmatch(value):
        return value.replace("_", " ")
    if isinstance(field, JSONField):
        return [str(part).replace("_", " ") for part in value if isinstance(part, str)] if isinstance(value, list) else None
    try:
        return field.to_python(value)
    except ValidationError:
        return value  # written under an older shape of the table


def shown(value: Any, column: str, zone_name: str) -> str:
    """A value of history as the rest of the product writes its kind: instants in the zone, numbers with their unit."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, Decimal | int):
        unit = UNIT_ALONE.get(column) or next((unit for suffix, unit in UNITS if column.endswith(suffix)), "")
        return f"{rules.number_text(Decimal(value))} {unit}".strip()
    if isinstance(value, datetime):
        return when.instant_text(value, zone_name)
    if isinstance(value, date):
        return when.day_text(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return str(value)


def _words_of(model: type[Model] | None, field: Field) -> dict[Any, Any]:
    """The words of a closed list: the field's choices, those of its parts, or the model's own list of them."""
    if choices := dict(field.flatchoices):
        return choices
    if isinstance(field, ArrayField) and (choices := dict(field.base_field.flatchoices)):
        return choices
    for name in (field.name.upper(), f"{field.name.upper()}S"):
        if isinstance(words := getattr(model, name, None), dict):
            return words
    return {}


@cache
def _models() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


@cache
def _is_of_a_patient(model: type[Model]) -> bool:
    return bool(way_to_patient(model))


def _people(keys: set[str]) -> dict[str, str]:
    if not keys:
        return {}
    rows = Membership.objects.filter(pk__in=keys).select_related("user")
    return {str(membership.pk): membership.user.printed_name for membership in rows}


def _rows(wanted: dict[type[Model], set[str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The newest image of every row that is referred to, out of the history itself."""
    tables = Q()
    for model, keys in wanted.items():
        tables |= Q(tbl=model._meta.db_table, row_pk__in=keys)
    if not tables:
        return {}
    rows = RowChange.objects.filter(tables).order_by("tbl", "row_pk", "-id").distinct("tbl", "row_pk")
    return {(table, key): new or old or {} for table, key, new, old in rows.values_list("tbl", "row_pk", "new", "old")}
