"""Load a monograph file as a draft, or the shipped one into an empty library."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from patients.audit import app_version
from patients.refusal import Refusal
from regimens.actions import library
from regimens.domain.library_file import parse
from regimens.domain.library_text import Unreadable, decoded, line_of
from regimens.domain.monograph import Monograph
from regimens.domain.reasons import Refused
from regimens.library import SHIPPED, SHIPPED_SHA256

REFUSED, UNREADABLE = 1, 2


class Command(BaseCommand):
    help = "Makes a draft of a monograph file. 0: made, or nothing to change; 1: refused, naming the key; 2: unreadable."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("file", metavar="FILE", nargs="?", type=Path)
        what.add_argument("--shipped", action="store_true", help="publish the shipped monograph where the library is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        path = SHIPPED if options["shipped"] else options["file"]
        value = read(path)
        try:
            self.stdout.write(_publish_shipped(value) if options["shipped"] else _load(value))
        except Refusal as refusal:
            raise CommandError(f"refused: {refusal.sentence} ({refusal.source})", returncode=REFUSED) from None


def read(path: Path) -> Monograph:
    """The monograph of a file; CommandError with the exit code of what is wrong with it."""
    try:
        text = decoded(path.read_bytes())
        return parse(text)
    except (OSError, Unreadable) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}", returncode=UNREADABLE) from None
    except Refused as refused:
        line = line_of(text, refused.field)
        where = f"{refused.field} (line {line})" if line else refused.field
        reason = f"value {refused.value}, limit {refused.limit}: {refused.sentence} ({refused.source})"
        raise CommandError(f"refused: {where}: {reason}", returncode=REFUSED) from None


def _publish_shipped(value: Monograph) -> str:
    monograph = library.publish_shipped(value=value, expected_checksum=SHIPPED_SHA256, release=app_version(), at=timezone.now())
    if monograph is None:
        return "unchanged: the library holds a monograph already"
    return f"published version {monograph.version}, shipped with release {app_version()}, checksum {monograph.checksum}"


def _load(value: Monograph) -> str:
    monograph, is_new = library.load_draft(value=value, by=None, at=timezone.now())
    if not is_new:
        return f"unchanged: {monograph} says the same, checksum {library.checksum(value)}"
    return f"made {monograph}, checksum {monograph.checksum}"
