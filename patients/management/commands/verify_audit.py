"""Verifies the history: every entry unchanged and in order, and the tables as history left them. Exit 0, 1 broken, 2 unreadable."""

from __future__ import annotations

import re
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from patients import chain

BROKEN, UNREADABLE = 1, 2


class Command(BaseCommand):
    help = "Verify the history; print its length and head, or the first place that does not hold."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head",
            default="",
            metavar="HASH",
            help="A head noted earlier and kept elsewhere; shows whether the end was cut off",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        head = options["head"].strip()
        if head and not re.fullmatch(r"[0-9a-fA-F]{64}", head):
            raise CommandError("--head is a hash of 64 hexadecimal digits, as this command prints it.", returncode=UNREADABLE)
        try:
            result = chain.verify(head=head)
        except (DatabaseError, ImproperlyConfigured) as error:
            # The class alone: the server's message may quote what it could not read.
            raise CommandError(f"The history cannot be read: {type(error).__name__}", returncode=UNREADABLE) from None
        self.stdout.write(str(result))
        if isinstance(result, chain.Broken):
            sys.exit(BROKEN)
