"""Guards a migrated database: history by trigger, refusals, and the rights of the role the app runs as. May be repeated."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from psycopg.conninfo import conninfo_to_dict

from patients import guards
from patients.owner import as_owner


class Command(BaseCommand):
    help = "Install history, refusals and the app role's rights, as the owner (DATABASE_OWNER_URL). May be repeated."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        app_role = str(conninfo_to_dict(settings.DATABASE_URL).get("user") or "")
        with as_owner(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select current_user")
            if cursor.fetchone() == (app_role,):
                raise CommandError(
                    f"The app's role {app_role} must not own the tables: set DATABASE_OWNER_URL to another role, and migrate as it."
                )
            if missing := set(guards.written_tables()) - set(connection.introspection.table_names(cursor)):
                raise CommandError(f"Run manage.py migrate first: there is no table {', '.join(sorted(missing))}.")
            for statement in guards.statements(app_role):
                cursor.execute(statement)
        self.stdout.write(f"Guarded {len(guards.recorded_tables())} tables; the app runs as {app_role}.")
