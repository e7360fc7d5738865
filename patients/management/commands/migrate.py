"""Django's migrate, as the owner of the tables: the role the app runs as never owns one."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from patients.owner import as_owner


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner(options["database"]):
            super().handle(*args, **options)

    def check(self, *args: Any, **kwargs: Any) -> None:
        # A database being made does not have its guards yet.
        super().check(*args, **kwargs | {"databases": []})
