"""Names of every kind come out on paper as they are."""

from __future__ import annotations

import unicodedata

import pytest

from regimens.sheets.fonts import missing_glyphs, printable
from regimens.sheets.typeset import Typesetter, unprintable
from tests.sheets.factories import a_banner, a_sheet
from tests.sheets.reading import pages_of, run_together

NAMES = [
    ("Nguyễn", "Thị Lan"),
    ("O’Brien", "Siobhán"),
    ("O'Brien", "Mary-Jo"),
    ("Müller-Lüdenscheidt", "Jörg"),
    ("Strauß", "Björn"),
    ("Łukasiewicz", "Zbigniew"),
    ("Dvořáková", "Eliška"),
    ("Þórðardóttir", "Sæunn"),
    ("Şahin", "İpek"),
    ("Sukarno", ""),
    ("I", "O"),
    ("Щербакова", "Юлия"),
    ("Їжакевич", "Ґалаґан"),
    ("Παπαδοπούλου", "Ελένη"),
    ("Ọlátúnjí", "Adébáyọ̀"),
    ("Null", "Test"),
    ("Vàng", "Đặng Hữu Phước"),
    ("Ndiaye", "N’Goné"),
    ("Wolfeschlegelsteinhausenbergerdorff" * 3, "Hubert Blaine"),
    ("van der Berg", "Jan 3"),
]
RIGHT_TO_LEFT = [("عبد الرحمن", "محمد"), ("כהן", "שרה")]
MARK_UP = [
    "#pagebreak()",
    "*bold* _it_",
    "$x^2$",
    "\\ #sys",
    "<b>&amp;</b>",
    "[x](y) @ref",
    "`raw`",
    '"quoted" {{ 7*7 }}',
    "= Heading",
    "// comment",
]
NOT_A_CHARACTER = "\u0378"  # assigned to no character, so no font has it


def test_a_sheet_prints_each_name_letter_by_letter(typesetter: Typesetter) -> None:
    assert len(NAMES) == 20
    for family_name, given_name in NAMES:
        banner = a_banner(family_name=family_name, given_name=given_name, title="")
        assert missing_glyphs(banner.name) == ""
        # The accessibility standard refuses a file with a character that no font could show.
        for page in pages_of(typesetter.pdf(a_sheet(banner=banner), standards=("ua-1",))):
            assert run_together(unicodedata.normalize("NFC", banner.name)) in run_together(
                unicodedata.normalize("NFC", page)
            ), family_name


@pytest.mark.parametrize(("family_name", "given_name"), RIGHT_TO_LEFT)
def test_arabic_and_hebrew_names_have_every_glyph(typesetter: Typesetter, family_name: str, given_name: str) -> None:
    banner = a_banner(family_name=family_name, given_name=given_name)
    assert missing_glyphs(banner.name) == ""
    page = pages_of(typesetter.pdf(a_sheet(banner=banner), standards=("ua-1",)))[0]
    letters = set(unicodedata.normalize("NFKC", page))
    assert set(run_together(family_name + given_name)) <= letters


@pytest.mark.parametrize("name", MARK_UP)
def test_mark_up_in_a_name_is_only_letters(typesetter: Typesetter, name: str) -> None:
    sheet = a_sheet(banner=a_banner(given_name=name, title=""), orders=(name,))
    pages = pages_of(typesetter.pdf(sheet))
    assert len(pages) == 2
    assert run_together(name) in run_together(pages[0])
    assert pages[0].count("Page 1 of 2") == 1


def test_a_character_without_a_glyph_is_named_on_paper_and_to_the_screen(typesetter: Typesetter) -> None:
    sheet = a_sheet(banner=a_banner(given_name=f"Ad{NOT_A_CHARACTER}aeze"))
    assert missing_glyphs(f"a{NOT_A_CHARACTER}b{NOT_A_CHARACTER}") == NOT_A_CHARACTER
    assert unprintable(sheet) == NOT_A_CHARACTER
    page = pages_of(typesetter.pdf(sheet, standards=("ua-1",)))[0]
    assert "Ad[U+0378]aeze" in page
    assert "Characters in brackets could not be printed. Compare MRN and birth date." in page
    assert "could not be printed" not in pages_of(typesetter.pdf(a_sheet()))[0]


def test_a_chinese_name_is_printed_by_a_font_of_the_system_or_named(typesetter: Typesetter) -> None:
    page = pages_of(typesetter.pdf(a_sheet(banner=a_banner(family_name="李", given_name="娜")), standards=("ua-1",)))[0]
    for letter in "李娜":
        assert (f"[U+{ord(letter):04X}]" if missing_glyphs(letter) else letter) in page


def test_a_name_cannot_turn_the_line_around_it() -> None:
    assert printable("Ann\u202eevil\u0000") == "Annevil"
    assert printable("Zoe\u0308") == "Zoë"
