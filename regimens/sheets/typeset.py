"""From a sheet's data to PDF pages, in a process that ends when the work is done.

A sheet's texts travel as JSON strings: nothing in a name can be mark-up.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import segno

from regimens.domain.units import number

from .data import DoseSheet
from .fonts import ISOLATE, FontFile, fonts_for, missing_glyphs, printable

Size = Literal["a4", "letter"]
PAPER = {"a4": "a4", "letter": "us-letter"}
HERE = Path(__file__).resolve().parent
DOSE_SHEET = "dose_sheet.typ"
SECONDS_PER_SHEET = 60
SCREEN_PPI = 110
QR_ERROR_LEVEL = "m"  # a creased or stained sheet still reads
QR_MASK = 2  # any of the eight is valid; trying all of them takes five times as long


class NotTypeset(Exception):
    """No sheet came out; the words say why and hold nothing of the patient."""


class Typesetter:
    """One typesetting process, for as many sheets as wanted: ``with Typesetter() as typesetter: typesetter.pdf(sheet)``."""

    def __enter__(self) -> Self:
        # By its path and isolated (-I): neither the folder nor the environment it is started from matters.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(HERE / "engine.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._links = tempfile.TemporaryDirectory(prefix="cmvig-fonts-")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._links.cleanup()

    def pdf(self, sheet: DoseSheet, size: Size = "a4", *, standards: tuple[str, ...] = ()) -> bytes:
        """The sheet as a PDF. ``standards`` asks for conformance such as "ua-1". NotTypeset when it fails or takes too long."""
        return self._files(sheet, size, "pdf", standards=standards)[0]

    def png(self, sheet: DoseSheet, size: Size = "a4", *, ppi: int = SCREEN_PPI) -> list[bytes]:
        """The sheet's pages as pictures."""
        return self._files(sheet, size, "png", ppi=ppi)

    def _files(
        self, sheet: DoseSheet, size: Size, form: str, *, ppi: int = SCREEN_PPI, standards: tuple[str, ...] = ()
    ) -> list[bytes]:
        content, used = content_of(sheet, size)
        request = {
            "root": str(HERE),
            "template": str(HERE / DOSE_SHEET),
            "font_folders": [str(self._folder(font)) for font in used],
            "format": form,
            "ppi": ppi,
            "standards": list(standards),
            "sheet": content,
        }
        too_late = threading.Timer(SECONDS_PER_SHEET, self._process.kill)
        too_late.start()
        try:
            return self._ask(json.dumps(request).encode())
        finally:
            too_late.cancel()

    def _folder(self, font: FontFile) -> Path:
        """A folder with this font alone: typst takes up whole folders, and a system's may hold the same family twice."""
        folder = Path(self._links.name) / font.path.stem
        if not folder.exists():
            folder.mkdir()
            (folder / font.path.name).symlink_to(font.path)
        return folder

    def _ask(self, request: bytes) -> list[bytes]:
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise NotTypeset("the typesetting process has no pipes")
        try:
            requests.write(request + b"\n")
            requests.flush()
        except BrokenPipeError:
            raise NotTypeset("the typesetting process has ended") from None
        line = answers.readline()
        if not line:
            raise NotTypeset(f"the typesetting process ended, or took more than {SECONDS_PER_SHEET} s")
        head = json.loads(line)
        if head["error"]:
            raise NotTypeset(head["error"])
        files = [answers.read(length) for length in head["lengths"]]
        if [len(file) for file in files] != head["lengths"]:
            raise NotTypeset("the typesetting process ended in the middle of a sheet")
        return files


def dose_sheet_pdf(sheet: DoseSheet, size: Size = "a4") -> bytes:
    """One dose sheet as a PDF, on "a4" or "letter". NotTypeset when it cannot be made."""
    with Typesetter() as typesetter:
        return typesetter.pdf(sheet, size)


def dose_sheet_pages(sheet: DoseSheet, size: Size = "a4", ppi: int = SCREEN_PPI) -> list[bytes]:
    """One dose sheet as PNG pages."""
    with Typesetter() as typesetter:
        return typesetter.png(sheet, size, ppi=ppi)


def dose_sheets(batch: Iterable[DoseSheet], size: Size = "a4") -> Iterator[bytes]:
    """A PDF for each sheet, in order, made by one process as they are asked for. Never two patients in one file (H21)."""
    with Typesetter() as typesetter:
        for sheet in batch:
            yield typesetter.pdf(sheet, size)


def unprintable(sheet: DoseSheet) -> str:
    """The characters of the sheet that no font here has, for a warning on screen; "" when all can be printed."""
    return missing_glyphs("".join(texts_of(plain(sheet))))


def content_of(sheet: DoseSheet, size: Size) -> tuple[dict[str, Any], tuple[FontFile, ...]]:
    """What the template gets (texts ready for paper, the paper, font families in order, the QR as SVG), and its fonts."""
    if size not in PAPER:
        raise ValueError(f'a sheet is printed on {" or ".join(PAPER)}, not on "{size}"')
    content = plain(sheet)
    url = content.pop("check_url")
    unknown = missing_glyphs("".join(texts_of(content)))
    content = on_paper(content)
    texts = list(texts_of(content))
    used = fonts_for(texts)
    content |= {
        "paper": PAPER[size],
        "unknown": unknown != "",
        "right_to_left": any(ISOLATE in text for text in texts),
        "families": [font.family for font in used],
        "qr": "" if sheet.is_draft or not url else qr_svg(url),
    }
    return content, used


def qr_svg(url: str) -> str:
    """A QR code as SVG, with its quiet zone."""
    picture = io.BytesIO()
    segno.make_qr(url, error=QR_ERROR_LEVEL, boost_error=False, mask=QR_MASK).save(picture, kind="svg", scale=4, light="white")
    return picture.getvalue().decode()


def plain(value: object) -> Any:
    """A sheet as dictionaries, lists and strings: the fields and the properties of each part."""
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)] + [
            name for name, made in vars(type(value)).items() if isinstance(made, property)
        ]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return number(value) if isinstance(value, Decimal) else value


def texts_of(value: Any) -> Iterator[str]:
    """Every string in the structure."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_of(part)


def on_paper(value: Any) -> Any:
    """The structure with every string as it can be printed."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: on_paper(part) for name, part in value.items()}
    return [on_paper(part) for part in value] if isinstance(value, list) else value
