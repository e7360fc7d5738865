"""The process that typesets: batches, failures, and what it keeps away from the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from regimens.sheets.fonts import UnreadableFont, fonts_for, read_font
from regimens.sheets.typeset import (
    NotTypeset,
    Typesetter,
    content_of,
    dose_sheet_pages,
    dose_sheet_pdf,
    dose_sheets,
    texts_of,
)
from tests.sheets.factories import a_banner, a_sheet
from tests.sheets.reading import pages_of


def test_a_batch_gives_each_patient_a_file_that_names_nobody_else() -> None:
    names = [f"Patient{letter}" for letter in "ABCDEF"]
    batch = [a_sheet(banner=a_banner(family_name=name, record_number=f"00{place}")) for place, name in enumerate(names)]
    for place, pdf in enumerate(dose_sheets(iter(batch), size="letter")):
        pages = pages_of(pdf)
        for page in pages:
            assert [name for name in names if name.upper() in page] == [names[place]]


def test_a_batch_gives_the_same_file_as_one_sheet_alone() -> None:
    sheets = [a_sheet(dose_number=1), a_sheet(dose_number=2)]
    assert list(dose_sheets(sheets)) == [dose_sheet_pdf(sheet) for sheet in sheets]


def test_a_batch_is_made_as_it_is_asked_for() -> None:
    asked: list[int] = []

    def sheets():  # type: ignore[no-untyped-def]
        for number in range(1, 100):
            asked.append(number)
            yield a_sheet(dose_number=number)

    made = dose_sheets(sheets())
    assert next(made).startswith(b"%PDF")
    made.close()
    assert asked == [1]


def test_the_process_ends_with_the_work() -> None:
    with Typesetter() as typesetter:
        typesetter.pdf(a_sheet())
        process = typesetter._process
        links = Path(typesetter._links.name)
        assert process.poll() is None
    assert process.poll() is not None
    assert not links.exists()


def test_a_process_that_died_is_reported_and_no_file_comes_out() -> None:
    with Typesetter() as typesetter:
        typesetter._process.kill()
        typesetter._process.wait()
        with pytest.raises(NotTypeset, match="process"):
            typesetter.pdf(a_sheet())


def test_a_fault_in_the_template_is_reported_without_the_patient_and_the_next_sheet_is_made() -> None:
    with Typesetter() as typesetter:
        with pytest.raises(NotTypeset) as caught:
            request = {"font_folders": [], "root": "/", "template": "/nowhere.typ", "format": "pdf", "ppi": 72}
            typesetter._ask(json.dumps(request | {"standards": [], "sheet": {"name": "OKONKWO"}}).encode())
        assert "OKONKWO" not in str(caught.value)
        assert typesetter.pdf(a_sheet()).startswith(b"%PDF")


def test_another_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="a4 or letter"):
        dose_sheet_pdf(a_sheet(), size="a5")  # type: ignore[arg-type]


def test_pages_can_be_had_as_pictures() -> None:
    pages = dose_sheet_pages(a_sheet())
    assert len(pages) == 2
    assert all(page.startswith(b"\x89PNG") for page in pages)


def test_the_template_gets_strings_and_never_the_address_of_the_check_page() -> None:
    content, _ = content_of(a_sheet(), "a4")
    assert content["dose"] == "10,500\u00a0mg"
    assert not any("cmvig.example.org" in text for name, value in content.items() if name != "qr" for text in texts_of(value))
    assert not any(isinstance(value, float | Decimal) for value in content.values())


def test_sheets_need_neither_django_nor_the_typesetter_in_the_process_that_asks() -> None:
    code = "import sys, regimens.sheets.typeset as t; print(sorted({'django', 'typst'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"\x00\x01\x00\x00\x00\x09")
    with pytest.raises(UnreadableFont):
        read_font(broken)


def test_the_same_fonts_come_first_whatever_the_machine_has() -> None:
    assert [font.family for font in fonts_for("Nguyễn")] == ["Noto Sans", "Noto Sans Arabic", "Assistant"]
