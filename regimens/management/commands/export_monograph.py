"""Write a version of the monograph to standard output, as the file that load_monograph reads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from regimens.domain.library_file import dump
from regimens.models.library import Monograph


class Command(BaseCommand):
    help = "Prints the published monograph, or another version of it, as UTF-8 TOML."
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django gives every command a --version of its own; here it means the monograph's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--version", metavar="N", type=int, dest="number", help="a version, instead of the published one")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["number"]
        wanted = {"state": Monograph.State.PUBLISHED} if number is None else {"version": number}
        monograph = Monograph.objects.filter(**wanted).first()
        if monograph is None:
            raise CommandError("No monograph is published." if number is None else f"There is no version {number}.")
        if hasattr(self.stdout, "reconfigure"):
            self.stdout.reconfigure(encoding="utf-8", newline="\n")
        self.stdout.write(dump(monograph.to_domain()), ending="")
