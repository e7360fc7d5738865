"""Which tables are guarded, and the statements that guard them: history, refusals and the app role's rights.

The lists follow from the models, so that a new table is guarded without anybody remembering to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.db.models import ForeignKey, Model
from psycopg import sql

SQL = Path(__file__).parent / "sql"
CLINICAL_APPS = ("patients", "regimens")

# Rights in the admin site. They change who can do what, so they have a history too.
RIGHTS_TABLES = ("auth_group", "auth_group_permissions")
READ_ONLY_TABLES = ("auth_permission", "django_content_type", "django_migrations")
HISTORY_TABLES = ("event", "row_change", "chain", "change")

# Columns that history must not hold, and columns whose change is no history.
SECRET_COLUMNS = {"patients_user": ("password",)}
IGNORED_COLUMNS = {"patients_user": ("last_login",)}


def clinical_models() -> list[type[Model]]:
    """Every table of the two apps that Django manages, the tables between two models included."""
    return [
        model
        for label in CLINICAL_APPS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def recorded_tables() -> list[str]:
    """Tables whose every change is copied into history."""
    return [model._meta.db_table for model in clinical_models()] + list(RIGHTS_TABLES)


def monograph_rows() -> dict[str, list[ForeignKey]]:
    """Tables that are part of a monograph version, each with its way to it. The app may delete these rows, in drafts."""
    found = {}
    for model in clinical_models():
        way = _way(model, "regimens.monograph")
        if way and not way_to_patient(model):
            found[model._meta.db_table] = way
    return found


def deletable_tables() -> list[str]:
    """Tables in which the app's role may delete: parts of drafts, rights of accounts in the admin site, sessions."""
    between = [model._meta.db_table for model in clinical_models() if model._meta.auto_created]
    return [*monograph_rows(), *between, *RIGHTS_TABLES, "django_session"]


def way_to_patient(model: type[Model]) -> list[ForeignKey]:
    """The shortest way from a row to its patient over foreign keys that are never empty; [] where there is none."""
    return _way(model, "patients.patient")


def statements(app_role: str) -> Iterator[sql.Composable]:
    """Everything that guards a migrated database, in order; each may be repeated. Run them as the owner, in one transaction."""
    yield sql.SQL((SQL / "audit.sql").read_text())
    yield sql.SQL((SQL / "guards.sql").read_text())
    for model in clinical_models():
        yield from _table_guards(model)
    for table in recorded_tables():
        yield from _history(table)
    yield from _rights(app_role)


def _table_guards(model: type[Model]) -> Iterator[sql.Composable]:
    table = model._meta.db_table
    way = way_to_patient(model)
    columns = {field.column for field in model._meta.concrete_fields}
    if way:
        yield _guard(table, "row_stays_with_its_patient", "update", _changes(way[0].column))
    if "centre_id" in columns:
        yield _guard(table, "row_stays_in_its_centre", "update", _changes("centre_id"))
    if table in monograph_rows():
        yield _trigger(table, "published_monograph_keeps_its_rows", "before insert or update or delete", "audit.keep_published",
                       *_query(monograph_rows()[table], "state", lock=True))  # fmt: skip
    elif table not in deletable_tables():
        yield _guard(table, "clinical_rows_are_never_deleted", "delete", "true")
    yield sql.SQL(
        "create or replace trigger tables_are_never_emptied before truncate on {table} for each statement"
        " execute function audit.refuse('tables_are_never_emptied');"
        "alter table {table} enable always trigger tables_are_never_emptied"
    ).format(table=_public(table))


def _history(table: str) -> Iterator[sql.Composable]:
    model = next((model for model in clinical_models() if model._meta.db_table == table), None)
    if table == "patients_patient":
        column, query = "id", ""
    elif model and (way := way_to_patient(model)):
        column, query = _query(way, "id") if len(way) > 1 else (way[0].column, "")
    else:
        column, query = "", ""
    listed = [
        "{" + ",".join(columns.get(table, ())) + "}" for columns in (SECRET_COLUMNS, IGNORED_COLUMNS)
    ]
    # Named so that it fires after every other trigger of its kind.
    yield _trigger(table, "zz_row_history", "after insert or update or delete", "audit.record", column, query, *listed)


def _rights(app_role: str) -> Iterator[sql.Composable]:
    """What the app's role may do, from nothing."""
    role = sql.Identifier(app_role)
    yield sql.SQL("revoke create on schema public from public")
    yield sql.SQL("grant usage on schema public, audit to {}").format(role)
    yield sql.SQL("revoke all on all tables in schema public, audit from public, {}").format(role)
    yield sql.SQL("revoke all on all sequences in schema public, audit from public, {}").format(role)
    yield sql.SQL("revoke all on all routines in schema audit from public, {}").format(role)
    written = [*recorded_tables(), "django_session", "django_admin_log"]
    rights = [
        ("select, insert, update", [_public(table) for table in written]),
        ("delete", [_public(table) for table in deletable_tables()]),
        ("select", [_public(table) for table in READ_ONLY_TABLES] + [sql.Identifier("audit", t) for t in HISTORY_TABLES]),
    ]
    for right, tables in rights:
        yield sql.SQL("grant {} on {} to {}").format(sql.SQL(right), sql.SQL(", ").join(tables), role)
    yield sql.SQL("grant execute on function audit.act to {}").format(role)
    # The guards run as whoever writes; they only read and refuse.
    for name in ("refuse_unless", "are_two_people"):
        yield sql.SQL("grant execute on function {} to {}").format(sql.Identifier("audit", name), role)


def _guard(table: str, name: str, moment: str, condition: str) -> sql.Composable:
    return sql.SQL("call audit.guard({}, {}, {}, {})").format(*map(sql.Literal, (table, name, moment, condition)))


def _trigger(table: str, name: str, moment: str, function: str, *arguments: str) -> sql.Composable:
    return sql.SQL(
        "create or replace trigger {name} {moment} on {table} for each row execute function {function}({arguments});"
        "alter table {table} enable always trigger {name}"
    ).format(
        name=sql.Identifier(name),
        moment=sql.SQL(moment),
        table=_public(table),
        function=sql.SQL(function),
        arguments=sql.SQL(", ").join(map(sql.Literal, arguments)),
    )


def _query(way: list[ForeignKey], wanted: str, *, lock: bool = False) -> tuple[str, str]:
    """The row's own column, and the query from that column's value (as text) to a column of the way's last table."""
    first = way[0].related_model._meta
    text = f"public.{first.db_table} t0"
    for number, key in enumerate(way[1:], start=1):
        text += f" join public.{key.related_model._meta.db_table} t{number} on t{number}.id = t{number - 1}.{key.column}"
    last = f"t{len(way) - 1}"
    kind = "uuid" if first.pk.get_internal_type() == "UUIDField" else "bigint"
    locking = f" for share of {last}" if lock else ""
    return way[0].column, f"select {last}.{wanted} from {text} where t0.id = $1::{kind}{locking}"


def _way(model: type[Model], goal: str) -> list[ForeignKey]:
    """Breadth first, so the shortest; among equals, the first in the model's order."""
    queue: list[tuple[type[Model], list[ForeignKey]]] = [(model, [])]
    seen = {model}
    while queue:
        here, way = queue.pop(0)
        for field in here._meta.concrete_fields:
            if not isinstance(field, ForeignKey) or field.null or field.related_model in seen:
                continue
            if field.related_model._meta.label_lower == goal:
                return [*way, field]
            if field.related_model._meta.label_lower != "patients.membership":  # who wrote a row is not whose row it is
                seen.add(field.related_model)
                queue.append((field.related_model, [*way, field]))
    return []


def _changes(column: str) -> str:
    return f"new.{column} is distinct from old.{column}"


def _public(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)
