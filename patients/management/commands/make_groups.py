"""The groups of the admin site, with their permissions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from patients.actions import ensure_groups


class Command(BaseCommand):
    help = "Make the groups of the admin site and give them their permissions. May be run again."

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_groups()
