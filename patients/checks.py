"""What the database must be like before the app serves a page: durable, in UTC, guarded, and not owned by the app."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from patients import guards

# What a power cut must not undo. A throw-away server of the tests (CMVIG_THROWAWAY=1) may do without.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
THROWAWAY = "CMVIG_THROWAWAY"

_FACTS = """
select name, coalesce(nullif(reset_val, ''), setting) from pg_settings
 where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'TimeZone')
union all
select 'superuser', case when rolsuper or rolbypassrls or rolcreaterole or rolreplication then 'on' else 'off' end
  from pg_roles where rolname = current_user
union all
select 'owner', case when count(*) > 0 then 'on' else 'off' end
  from pg_class where relnamespace in (select oid from pg_namespace where nspname in ('public', 'audit'))
   and pg_has_role(current_user, relowner, 'member')
"""

_TRIGGERS = """
select n.nspname || '.' || c.relname, t.tgname
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
 where n.nspname in ('public', 'audit') and t.tgenabled = 'A'
"""

# Rights the app's role must not have, whoever granted them.
_RIGHTS = """
select n.nspname || '.' || c.relname, p.privilege
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 cross join unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) as p (privilege)
 where c.relkind = 'r' and n.nspname in ('public', 'audit') and has_table_privilege(current_user, c.oid, p.privilege)
"""


def refuse_unsafe_database() -> None:
    """Raise ImproperlyConfigured with every reason not to serve; leaves no connection open. For the server, before it forks."""
    try:
        problems = unsafe()
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's own; every connection here is one
    if problems:
        raise ImproperlyConfigured("The app does not start on this database:\n- " + "\n- ".join(problems))


@register(Tags.database)
def database_is_safe(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The same for `manage.py check --database default`."""
    if not databases:
        return []
    return [Error(problem, id="patients.E001") for problem in unsafe()]


def unsafe() -> list[str]:
    """Everything that is wrong with the database the app's role sees, in sentences; empty when it is safe."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS)
        facts = dict(cursor.fetchall())
        cursor.execute(_TRIGGERS)
        triggers = set(cursor.fetchall())
        cursor.execute(_RIGHTS)
        rights = set(cursor.fetchall())
    problems = unsafe_server(facts, throwaway=os.environ.get(THROWAWAY) == "1") + unguarded(triggers)
    # An owner or superuser has every right: the list would only hide the cause.
    return problems if facts["superuser"] == "on" or facts["owner"] == "on" else problems + excessive(rights)


def unsafe_server(facts: Mapping[str, str], *, throwaway: bool = False) -> list[str]:
    """What the server's settings and the role's attributes do wrong."""
    problems = []
    if not throwaway:
        for name in DURABLE:
            # synchronous_commit has stricter words than "on"; the looser ones are off and local.
            if facts.get(name) not in ("on", "remote_apply", "remote_write"):
                hint = "see pg_checksums" if name == "data_checksums" else "set it to on in postgresql.conf"
                problems.append(f"{name} is {facts.get(name)}: acknowledged records could be lost or damaged unseen ({hint}).")
    if facts.get("TimeZone") not in ("UTC", "Etc/UTC"):
        problems.append(f"timezone is {facts.get('TimeZone')}: set it to UTC in postgresql.conf or with ALTER DATABASE.")
    if facts.get("superuser") != "off":
        problems.append("The app's role is a superuser or as powerful: use a plain role in DATABASE_URL.")
    if facts.get("owner") != "off":
        problems.append("The app's role is the owner of tables: migrate as another role (DATABASE_OWNER_URL).")
    return problems


def unguarded(triggers: set[tuple[str, str]]) -> list[str]:
    """Tables without one of their triggers, or with it switched off."""
    if not triggers:
        return ["No table is guarded: run manage.py guard_database."]
    missing: dict[str, list[str]] = {}
    for table, trigger in sorted(guards.expected_triggers() - triggers):
        missing.setdefault(table, []).append(trigger)
    return [f"{table} is not guarded by {', '.join(names)}: run manage.py guard_database." for table, names in missing.items()]


def excessive(rights: set[tuple[str, str]]) -> list[str]:
    """Rights that the app's role has and must not have."""
    surplus = sorted(rights - guards.granted_rights())
    return [f"The app's role may {right} in {table}: run manage.py guard_database." for table, right in surplus]
