"""Check worked cases of doses and schedules against the monograph: a hospital's own validation."""

from __future__ import annotations

import hashlib
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from patients.audit import app_version
from regimens.domain.case_file import read_cases
from regimens.domain.case_report import Report, as_page, as_text
from regimens.domain.cases import check, tally
from regimens.domain.library_file import dump, parse
from regimens.domain.library_text import Unreadable, decoded
from regimens.domain.monograph import Monograph
from regimens.library import SHIPPED
from regimens.models import library

PASSED, FAILED, UNREADABLE = 0, 1, 2


class Command(BaseCommand):
    help = "Checks a CSV of worked cases against the published monograph. 0: all passed, 1: some failed, 2: unreadable."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--library", action="store_true", help="use the shipped monograph, with no database")
        parser.add_argument("--report", metavar="DIR", type=Path, help="write a validation report into this folder")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        name, monograph = (
            ("shipped with release " + app_version(), parse(SHIPPED.read_text("utf-8"))) if options["library"] else _published()
        )
        try:
            raw = path.read_bytes()
            file = read_cases(decoded(raw), monograph)
        except (OSError, Unreadable) as error:
            raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}", returncode=UNREADABLE) from None
        if file.ignored:
            self.stderr.write(f"not compared: {', '.join(file.ignored)}")
        results = check(file, monograph)
        for result in results:
            self.stdout.write(str(result))
        if empty := [result.case.case_id for result in results if not (result.comparisons or result.refusal)]:
            self.stderr.write(f"nothing was compared in: {', '.join(empty)}")
        if options["report"]:
            checksum = hashlib.sha256(dump(monograph).encode()).hexdigest()
            report = Report(
                datetime.now(UTC), app_version(), name, checksum, path.name, hashlib.sha256(raw).hexdigest(), file, results
            )
            for written in _write(report, options["report"]):
                self.stderr.write(f"report: {written}")
        self.stdout.write(tally(results))
        if not all(result.passed for result in results):
            sys.exit(FAILED)


def _published() -> tuple[str, Monograph]:
    """The published monograph and its name; without one there is nothing to check against."""
    try:
        published = library.Monograph.objects.filter(state=library.Monograph.State.PUBLISHED).first()
    except (DatabaseError, ImproperlyConfigured) as error:
        raise CommandError(f"The database cannot be read: {error}", returncode=UNREADABLE) from None
    if published is None:
        raise CommandError("No monograph is published; --library checks against the shipped file.", returncode=UNREADABLE)
    return f"version {published.version}", published.to_domain()


def _write(report: Report, folder: Path) -> list[Path]:
    """The report as text and as a page; nothing that is there is overwritten."""
    stem = f"validation-{Path(report.file_name).stem}-{report.made_at:%Y%m%dT%H%M%SZ}"
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in ((".txt", as_text(report)), (".html", as_page(report))):
            with (folder / f"{stem}{suffix}").open("x", encoding="utf-8") as file:
                file.write(content)
            written.append(folder / f"{stem}{suffix}")
    except OSError as error:
        raise CommandError(f"The report cannot be written: {error}", returncode=UNREADABLE) from None
    return written
