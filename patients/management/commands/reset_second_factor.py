"""Reset a second factor from the server: for the first account, which no page can help after its phone is lost."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from patients import actions
from patients.models import User


class Command(BaseCommand):
    help = "Take away the authenticator app and recovery codes of one account and end its sessions. The next sign-in sets up another."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the account name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError("There is no account of this name.")
        had = actions.reset_second_factor(by=None, at=timezone.now(), user=user)
        self.stdout.write("Reset." if had else "There was no app; the sessions are ended.")
