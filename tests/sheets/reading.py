"""Reading a finished sheet back, as far as possible from the way it was made: PDF text by page, QR from pixels."""

from __future__ import annotations

import io
import re

import zxingcpp
from PIL import Image
from pypdf import PdfReader

UNITS = r"(?:mg|mL|kg|g|h|min|units|micrograms)\b"
# safety.md is our own reference; these are the slips that safe-prescribing bodies name.
SLIPS = {
    "trailing zero": re.compile(rf"\d\.\d*0(?!\d)\s?{UNITS}"),
    "no leading zero": re.compile(r"(?<!\d)\.\d"),
    "no thousands comma": re.compile(r"\d{4,}(?=\s?(?:mg|mL)\b)"),
    "no space before unit": re.compile(r"\d(?:mg|mL|kg|g)\b"),
    "line broken before unit": re.compile(rf"\d[ \t]*\n\s*{UNITS}"),
    "unsafe abbreviation": re.compile(r"\b(?:U|IU|cc|QD|QOD|µg|D/C)\b"),
    "slash date": re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}"),
    "slash in a unit": re.compile(r"\b(?:mg|mL|kg|g)/(?:kg|h|mL|min)"),
    "half-day clock": re.compile(r"\b(?:AM|PM)\b"),
}


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, with every kind of space as a plain one."""
    return [re.sub(r"[^\S\n]", " ", page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages]


def run_together(text: str) -> str:
    """Text without spaces and invisible characters, to compare what may wrap anywhere."""
    return re.sub(r"[\s\u200b\u2060\u2068\u2069]", "", text)


def slips_in(text: str) -> list[str]:
    """Each slip with its words; empty when the text is clean."""
    return [f"{name}: {found.group()!r}" for name, pattern in SLIPS.items() for found in pattern.finditer(text)]


def qr_codes_in(png: bytes) -> list[str]:
    """What an independent decoder reads from a page."""
    return [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))]
