"""Write the dose sheets that are due next as PDFs into a directory: for the morning's round, and against the day without a server."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from patients.models import Centre, Membership
from patients.roles import may
from regimens.actions import planning, sheets
from regimens.models import PlannedDose
from regimens.sheets import typeset
from regimens.sheets.data import DoseSheet

PROGRESS_EVERY = 25


class Command(BaseCommand):
    help = "Writes one PDF per dose due next, by closing time, under its opaque code. Every copy is registered; nothing is overwritten."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go; made if it is absent")
        parser.add_argument("--centre", help="name of the centre (default: the person's own with --by, else all)")
        parser.add_argument("--from", dest="from_on", type=_day, metavar="DAY", help="first target day, such as 2026-11-22")
        parser.add_argument(
            "--to", dest="to_on", type=_day, metavar="DAY", help="last target day (default without --limit: 7 days ahead)"
        )
        parser.add_argument("--size", choices=list(typeset.PAPER), default="a4")
        parser.add_argument(
            "--by", metavar="USER", help="account in whose name the copies are printed (default: an unattended run)"
        )
        parser.add_argument("--limit", type=_count, metavar="N", help="at most so many doses")
        parser.add_argument("--drafts", action="store_true", help="unverified doses as well, marked DRAFT")

    def handle(self, *args: Any, **options: Any) -> None:
        by = _member(options["by"], options["centre"]) if options["by"] else None
        doses = sheets.due_next(
            at=timezone.now(),
            centres=[by.centre] if by else _centres(options["centre"]),
            from_on=options["from_on"],
            to_on=options["to_on"],
            limit=options["limit"],
            drafts=options["drafts"],
        )
        _make_directory(options["out"])
        run = _Run(self, options["out"], options["size"], by, len(doses))
        run.write(doses)
        self.stdout.write(f"{run.written} sheets")
        if run.failed:
            raise CommandError(f"{run.failed} sheets could not be made; their names are above.")


class _Run:
    """One batch: what is written and what failed is counted here."""

    def __init__(self, command: BaseCommand, out: Path, size: typeset.Size, by: Membership | None, total: int) -> None:
        self.command, self.out, self.size, self.by, self.total = command, out, size, by, total
        self.seen = self.written = self.failed = 0
        self._file = Path()

    def write(self, doses: Iterable[PlannedDose]) -> None:
        """Every dose, in order. A sheet that cannot be set is named and left out; the others follow in a new process."""
        waiting = iter(doses)
        while True:
            try:
                for pdf in typeset.dose_sheets(self._sheets(waiting), self.size):
                    self._keep(pdf)
            except typeset.NotTypeset as error:
                self.failed += 1
                self._say(f"{self._file.name}: {error}")
            else:
                return

    def _sheets(self, doses: Iterator[PlannedDose]) -> Iterator[DoseSheet]:
        """Register each copy just before it is made: a copy that was registered and never came out recalls nothing wrongly."""
        for dose in doses:
            self.seen += 1
            self._file = self.out / f"{planning.sheet_code(dose)}.pdf"
            if self._file.exists():
                self._say(f"{self._file.name} is there already and stays as it is.")
                continue
            copy = sheets.register_copy(dose=dose, size=self.size, by=self.by, at=timezone.now())
            yield sheets.dose_sheet(dose=dose, copy=copy, check_url=settings.SITE_URL + reverse("dose", args=[dose.pk]))

    def _keep(self, pdf: bytes) -> None:
        """The whole file under its name or none, readable by its owner alone, and never over another one."""
        unfinished = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pdf)
            os.link(unfinished, self._file)
        except FileExistsError:
            self.failed += 1
            self._say(f"{self._file.name} appeared meanwhile and stays as it is.")
            return
        except OSError as error:
            raise CommandError(f"{self._file}: {error.strerror}. {self.written} sheets were written before it.") from None
        finally:
            unfinished.unlink(missing_ok=True)
        self.written += 1
        self.command.stdout.write(self._file.name)
        if self.seen % PROGRESS_EVERY == 0:
            self._say(f"{self.seen} of {self.total}")

    def _say(self, sentence: str) -> None:
        self.command.stderr.write(sentence)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day such as 2026-11-22") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _centres(name: str | None) -> list[Centre]:
    found = list(Centre.objects.filter(name=name) if name else Centre.objects.all())
    if name and not found:
        raise CommandError(f"There is no centre called {name}.")
    return found


def _member(username: str, centre: str | None) -> Membership:
    """The person's role in the one centre that is meant. A role that may not print is refused here, before anything is made."""
    found = Membership.objects.filter(user__username=username, user__is_active=True, ended_at=None).select_related(
        "user", "centre"
    )
    if centre:
        found = found.filter(centre__name=centre)
    roles = list(found)
    if not roles:
        raise CommandError(f"{username} has no role{f' in {centre}' if centre else ''}.")
    if len(roles) > 1:
        raise CommandError(f"{username} has a role in several centres: name one with --centre.")
    if not may(roles[0], "print_sheet"):
        raise CommandError(f"Printing dose sheets is not part of the role {roles[0].get_role_display()}.")
    return roles[0]


def _make_directory(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out}: {error.strerror}.") from None
