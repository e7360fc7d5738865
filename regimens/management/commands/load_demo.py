"""Make the demonstration centre: its staff with one generated password, and at least 40 patients at every stage of a course."""

from __future__ import annotations

import json
import os
import secrets
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from patients import actions
from patients.models import Centre
from regimens.demo.cast import CENTRE, PATIENTS, STAFF
from regimens.demo.story import Story


class Command(BaseCommand):
    help = "Makes the demonstration centre, once. Its accounts are written to var/demo-accounts.json, readable by you alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing where any centre exists")
        parser.add_argument("--now", help="the instant the story is told for, ISO 8601 (default: now)")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if Centre.objects.exists():
            if options["if_empty"]:
                return
            raise CommandError("This database has a centre already: the demonstration is only for an empty one.")
        now = datetime.fromisoformat(options["now"]) if options["now"] else timezone.now()
        password = f"demo-{secrets.token_urlsafe(9)}"
        centre = actions.create_centre(by=None, at=now, is_demonstration=True, second_factor_required=False, **CENTRE)
        staff = {}
        for username, given, family, role in STAFF:
            user = actions.create_account(by=None, at=now, username=username, given=given, family=family, password=password)
            staff[username] = actions.add_membership(by=None, at=now, user=user, centre=centre, role=role)
        story = Story(staff, now)
        for person in PATIENTS:
            story.tell(person)
        accounts = [{"username": u, "role": r.value, "centre": centre.name, "password": password} for u, _, _, r in STAFF]
        _write_private(settings.VAR_DIR / "demo-accounts.json", json.dumps(accounts, indent=2) + "\n")
        self.stdout.write(f"{len(PATIENTS)} patients in {centre.name}")


def _write_private(path: Path, text: str) -> None:
    """A file for its owner's eyes alone, from the first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
