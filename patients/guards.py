"""Which tables are guarded, and the statements that guard them: history, refusals and the app role's rights.

The lists follow from the models, so that a new table is guarded without anybody remembering to.
"""

from __future__ import annotations

import re
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
# What the app writes and deletes without a copy of each row: counters of tries, sessions, and second factors, which hold secrets
# and change at every sign-in. Setting one up, using a recovery code and resetting one are events.
PASSING_TABLES = (
    "patients_tries",
    "django_session",
    "otp_totp_totpdevice",
    "otp_static_staticdevice",
    "otp_static_statictoken",
)
HISTORY_TABLES = ("event", "row_change", "chain", "change")
HISTORY = "row_history"

# Columns that history must not hold, and columns whose change is no history.
SECRET_COLUMNS: dict[str, tuple[str, ...]] = {"patients_user": ("password",)}
IGNORED_COLUMNS: dict[str, tuple[str, ...]] = {"patients_user": ("last_login",), "regimens_notifierrun": ("ran_at",)}


def clinical_models() -> list[type[Model]]:
    """Every table of the two apps that Django manages, the tables between two models included and passing ones left out."""
    return [
        model
        for label in CLINICAL_APPS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.db_table not in PASSING_TABLES
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
    return [*monograph_rows(), *between, *RIGHTS_TABLES, *PASSING_TABLES]


def way_to_patient(model: type[Model]) -> list[ForeignKey]:
    """The shortest way from a row to its patient over foreign keys that are never empty; [] where there is none."""
    return _way(model, "patients.patient")


def written_tables() -> list[str]:
    """Tables into which the app's role writes."""
    return [*recorded_tables(), *PASSING_TABLES, "django_admin_log"]


def granted_rights() -> set[tuple[str, str]]:
    """Every right to write that the app's role has, as (table, right). It reads all of them, and history."""
    written = {(f"public.{table}", right) for table in written_tables() for right in ("INSERT", "UPDATE")}
    return written | {(f"public.{table}", "DELETE") for table in deletable_tables()}


def expected_triggers() -> set[tuple[str, str]]:
    """(table, trigger) of every guard, as they stand in an untampered database."""
    explicit = re.findall(r"^call audit\.guard(?:_\w+)?\(\s*'(\w+)',\s*'(\w+)'", (SQL / "guards.sql").read_text(), re.MULTILINE)
    made = {(f"public.{table}", name) for table, name in explicit}
    for model in clinical_models():
        made |= {(f"public.{model._meta.db_table}", name) for name in _table_guards(model)}
    made |= {(f"public.{table}", HISTORY) for table in recorded_tables()}
    made |= {(f"audit.{table}", "history_is_never_changed") for table in ("event", "row_change", "chain")}
    made |= {(f"audit.{table}", "history_is_never_emptied") for table in ("event", "row_change", "chain")}
    return made | {("audit.event", "entry_is_chained"), ("audit.row_change", "entry_is_chained")}


def statements(app_role: str) -> Iterator[sql.Composable]:
    """Everything that guards a migrated database, in order; each may be repeated. Run them as the owner, in one transaction."""
    yield sql.SQL((SQL / "audit.sql").read_text())
    yield sql.SQL((SQL / "guards.sql").read_text())
    for model in clinical_models():
        yield from _table_guards(model).values()
    for table in recorded_tables():
        yield from _history(table)
    yield from _rights(app_role)


def _table_guards(model: type[Model]) -> dict[str, sql.Composable]:
    """The guards that follow from a table's shape, by their names."""
    table = model._meta.db_table
    made: dict[str, sql.Composable] = {
        "tables_are_never_emptied": sql.SQL(
            "create or replace trigger tables_are_never_emptied before truncate on {table} for each statement"
            " execute function audit.refuse('tables_are_never_emptied');"
            "alter table {table} enable always trigger tables_are_never_emptied"
        ).format(table=_public(table))
    }
    conditions = {}
    if way := way_to_patient(model):
        conditions["row_stays_with_its_patient"] = ("update", _changes(way[0].column))
    if any(field.column == "centre_id" for field in model._meta.concrete_fields):
        conditions["row_stays_in_its_centre"] = ("update", _changes("centre_id"))
    if table not in deletable_tables():
        conditions["clinical_rows_are_never_deleted"] = ("delete", "true")
    for name, (moment, condition) in conditions.items():
        made[name] = sql.SQL("call audit.guard({}, {}, {}, {})").format(*map(sql.Literal, (table, name, moment, condition)))
    if path := monograph_rows().get(table):
        made["only_a_draft_is_edited"] = _trigger(
            table,
            "only_a_draft_is_edited",
            "before insert or update or delete",
            "keep_published",
            *_query(path, "state", lock=True),
        )
    return made


def _history(table: str) -> Iterator[sql.Composable]:
    model = next((model for model in clinical_models() if model._meta.db_table == table), None)
    if table == "patients_patient":
        column, query = "id", ""
    elif model and (way := way_to_patient(model)):
        column, query = _query(way[:-1], way[-1].column) if len(way) > 1 else (way[0].column, "")
    else:
        column, query = "", ""
    secret, ignored = _listed(table, SECRET_COLUMNS), _listed(table, IGNORED_COLUMNS)
    yield sql.SQL("call audit.adopt({}, {}::text[])").format(
        *map(sql.Literal, (table, _listed(table, SECRET_COLUMNS, IGNORED_COLUMNS)))
    )
    yield _trigger(table, HISTORY, "after insert or update or delete", "record", column, query, secret, ignored)


def _rights(app_role: str) -> Iterator[sql.Composable]:
    """What the app's role may do, from nothing."""
    role = sql.Identifier(app_role)
    yield sql.SQL("revoke create on schema public from public")
    yield sql.SQL("grant usage on schema public, audit to {}").format(role)
    yield sql.SQL("revoke all on all tables in schema public, audit from public, {}").format(role)
    yield sql.SQL("revoke all on all sequences in schema public, audit from public, {}").format(role)
    yield sql.SQL("revoke all on all routines in schema audit from public, {}").format(role)
    rights = [
        ("select, insert, update", [_public(table) for table in written_tables()]),
        ("delete", [_public(table) for table in deletable_tables()]),
        ("select", [_public(table) for table in READ_ONLY_TABLES] + [sql.Identifier("audit", t) for t in HISTORY_TABLES]),
    ]
    for right, tables in rights:
        yield sql.SQL("grant {} on {} to {}").format(sql.SQL(right), sql.SQL(", ").join(tables), role)
    yield sql.SQL("grant execute on function audit.act to {}").format(role)
    # The guards run as whoever writes; they only read and refuse.
    for name in ("refuse_unless", "are_two_people"):
        yield sql.SQL("grant execute on function {} to {}").format(sql.Identifier("audit", name), role)


def _trigger(table: str, name: str, moment: str, function: str, *arguments: str) -> sql.Composable:
    return sql.SQL(
        "create or replace trigger {name} {moment} on {table} for each row execute function {function}({arguments});"
        "alter table {table} enable always trigger {name}"
    ).format(
        name=sql.Identifier(name),
        moment=sql.SQL(moment),
        table=_public(table),
        function=sql.Identifier("audit", function),
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
    # Names of our own models alone; the value is a parameter.
    return way[0].column, f"select {last}.{wanted} from {text} where t0.id = $1::{kind}{locking}"  # noqa: S608


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


def _listed(table: str, *lists: dict[str, tuple[str, ...]]) -> str:
    """Column names of a table as the text of a PostgreSQL array."""
    return "{" + ",".join(name for columns in lists for name in columns.get(table, ())) + "}"


def _changes(column: str) -> str:
    return f"new.{column} is distinct from old.{column}"


def _public(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)
