"""Draws the sample pages of the documentation: python -m tests.sheets.samples docs/images"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from regimens.sheets.data import DoseSheet
from regimens.sheets.typeset import Size, Typesetter
from tests.sheets.factories import a_draft, a_sheet

SAMPLES: tuple[tuple[str, DoseSheet, Size], ...] = (
    ("dose-sheet-a4", a_sheet(), "a4"),
    ("dose-sheet-letter", a_sheet(), "letter"),
    ("dose-sheet-draft-a4", a_draft(), "a4"),
)
PPI = 80


def draw(folder: Path) -> list[Path]:
    """One gray picture a page, named after the sheet, the paper and the page."""
    drawn = []
    with Typesetter() as typesetter:
        for name, sheet, size in SAMPLES:
            for number, page in enumerate(typesetter.png(sheet, size, ppi=PPI), start=1):
                path = folder / f"{name}-{number}.png"
                Image.open(io.BytesIO(page)).convert("L").save(path, optimize=True)
                drawn.append(path)
    return drawn


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
