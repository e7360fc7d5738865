"""Several queries read in one statement: a page about one patient needs two dozen tables, and may ask the database twelve times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import JSONField, Model, QuerySet

from patients.models import Membership


def read_together(queries: Mapping[str, QuerySet[Any]]) -> dict[str, list[Any]]:
    """The rows of each query, in its own order, by its name: one statement whatever their number.

    Rows come as instances of the query's model with their columns and annotations, nothing else: no ``select_related``.
    """
    columns: list[str] = []
    params: list[Any] = []
    models: dict[str, type[Model]] = {}
    for name, query in queries.items():
        models[name] = query.model
        try:
            sql, values = query.query.sql_with_params()
        except EmptyResultSet:
            continue
        columns.append(f"(SELECT json_agg(part)::text FROM ({sql}) part) AS {connection.ops.quote_name(name)}")  # noqa: S608
        params += values
    found: dict[str, list[Any]] = {name: [] for name in queries}
    if not columns:
        return found
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)}", params)
        row = cursor.fetchone()
        names = [column.name for column in cursor.description]
    for name, text in zip(names, row, strict=True):
        # Numbers stay exact: no float is made on the way.
        found[name] = [_instance(models[name], part) for part in json.loads(text or "[]", parse_float=Decimal)]
    return found


def _instance(model: type[Model], values: dict[str, Any]) -> Model:
    """The model's instance from a row as JSON; what is no column of it becomes an attribute, as an annotation does."""
    fields = {field.column: field for field in model._meta.concrete_fields}
    named = {
        fields[column].attname: value if isinstance(fields[column], JSONField) else fields[column].to_python(value)
        for column, value in values.items()
        if column in fields
    }
    instance = model(**named)
    instance._state.adding, instance._state.db = False, connection.alias
    for column, value in values.items():
        if column not in fields:
            setattr(instance, column, value)
    return instance


def attach_people(rows: Iterable[Model]) -> None:
    """Give every row the people it names (memberships with their user), read in one statement."""
    wanted = [
        (row, field.name, pk)
        for row in rows
        for field in row._meta.concrete_fields
        if field.related_model is Membership and (pk := getattr(row, field.attname))
    ]
    people = Membership.objects.select_related("user").in_bulk({pk for _, _, pk in wanted}) if wanted else {}
    for row, name, pk in wanted:
        setattr(row, name, people[pk])
