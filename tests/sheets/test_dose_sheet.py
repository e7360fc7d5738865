"""The dose sheet, read back from the finished PDF."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader

from regimens.sheets.data import DoseSheet, VialPlan
from regimens.sheets.typeset import Size, Typesetter
from tests.sheets.factories import CHECK_URL, GENERIC_NAME, a_banner, a_draft, a_sheet
from tests.sheets.reading import pages_of, qr_codes_in, run_together, slips_in

SIZES: tuple[Size, ...] = ("a4", "letter")
OFF_LABEL = "Pneumonitis after stem-cell transplant, ganciclovir given as well. Prescriber L. Moreno, 21-Nov-2026 08:40."


def a_long_sheet() -> DoseSheet:
    """As much as a sheet can hold: 24 vials, many allergies, an alert, an off-label reason."""
    vials = VialPlan(
        count=24, size_ml=Decimal(50), content_mg=Decimal(2500), whole=24, last_use_ml=Decimal(0), last_discard_ml=Decimal(0)
    )
    banner = a_banner(
        allergies=tuple(f"medicine number {n} – rash" for n in range(1, 13)), name_alert="OKONKWO, Adanna is on the list"
    )
    return a_sheet(
        banner=banner,
        vials=vials,
        volume_ml=Decimal(1200),
        dose_mg=Decimal(60000),
        off_label=OFF_LABEL,
        check_weight_and_code=True,
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sheet", [a_sheet(), a_draft(), a_long_sheet()], ids=["signed", "draft", "long"])
def test_every_page_says_who_what_and_which_page(typesetter: Typesetter, sheet: DoseSheet, size: Size) -> None:
    pages = pages_of(typesetter.pdf(sheet, size))
    assert len(pages) >= 2
    for number, page in enumerate(pages, start=1):
        for words in (
            "OKONKWO, Adaeze (Ms)",
            "Born 14-Jul-1979 (47y)",
            "MRN 0042 7719",
            "Weight 70 kg",
            "Known allergies",
            GENERIC_NAME,
            "Dose 1 of 7",
            f"Page {number} of {len(pages)}",
        ):
            assert words in page, f"page {number} lacks {words}"


@pytest.mark.parametrize("size", SIZES)
def test_an_ordinary_sheet_is_two_pages_with_the_dose_the_signature_and_every_step_on_the_first(
    typesetter: Typesetter, size: Size
) -> None:
    pages = pages_of(typesetter.pdf(a_sheet(), size))
    assert len(pages) == 2
    for words in (
        "DOSE 10,500 mg",
        "210 mL",
        "70 kg × 150 mg per kg = 10,500 mg",
        "10,500 mg ÷ 50 mg per mL = 210 mL",
        "Vials needed 5 (2.5 g in 50 mL)",
        "VTBI 210 mL. Vials 1–4 whole; from vial 5 use 10 mL, discard 40 mL.",
        "21 mL per h",
        "42 mL per h",
        "75 mL per h",
        "10.5 mL",
        "178.5 mL",
        "to the end, 2 h 23 min",
        "minute 60",
        "Pump time 3 h 23 min",
        "Never above 75 mL per h",
        "Prime with drug, then flush",
        "Begin within 6 h and finish within 12 h of entering the first vial",
        "Verified by R. Patel, Pharmacist, 21-Nov-2026 09:12 EST",
        "The signature means verified against the order",
        "Code 7F3A-91C2",
        "Plan version 2, monograph version 3",
        "Valid until 23-Nov-2026 18:10 or until the plan changes",
        "Replaces copy 1 of 21-Nov-2026 08:58 (plan version 1) – destroy it.",
    ):
        assert words in pages[0], words


def test_the_second_page_is_for_recording_and_ends_with_the_missed_dose_advice(typesetter: Typesetter) -> None:
    page = pages_of(typesetter.pdf(a_sheet()))[1]
    for moment in a_sheet().vitals:
        assert moment.label in page
    for words in (
        "at 105 mL, minute 119",
        "Lot",
        "Expiry",
        "mL used",
        "Entered at",
        "Volume given",
        "Given by",
        "Checked by",
        "Reaction",
        "If a dose is missed",
        "555 0134 2200",
        "24-hour clock, New York time",
        "Label, Dosage and administration",
    ):
        assert words in page, words


def test_a_draft_is_marked_on_every_page_and_has_nothing_to_sign_or_scan(typesetter: Typesetter) -> None:
    sheet = a_draft()
    pages = pages_of(typesetter.pdf(sheet))
    for page in pages:
        assert page.count("DRAFT – not for administration") == 2  # the bar under the banner, and across the page
        for words in ("Verified by", "The signature means", "Given by", "Checked by", sheet.code):
            assert words not in page, words
    assert [qr_codes_in(page) for page in typesetter.png(sheet, ppi=150)] == [[]] * len(pages)


def test_a_verified_sheet_is_nowhere_called_a_draft(typesetter: Typesetter) -> None:
    assert "draft" not in "".join(pages_of(typesetter.pdf(a_sheet()))).lower()


@pytest.mark.parametrize("size", SIZES)
def test_the_qr_code_reads_back_from_the_page(typesetter: Typesetter, size: Size) -> None:
    assert qr_codes_in(typesetter.png(a_sheet(), size, ppi=150)[0]) == [CHECK_URL]


@pytest.mark.parametrize("sheet", [a_sheet(), a_draft(), a_long_sheet()], ids=["signed", "draft", "long"])
def test_no_number_or_unit_is_written_in_a_way_that_can_be_misread(typesetter: Typesetter, sheet: DoseSheet) -> None:
    for size in SIZES:
        assert slips_in("\n".join(pages_of(typesetter.pdf(sheet, size)))) == []


@pytest.mark.parametrize(
    "slip", ["5.0 mg", "dose .5 mL", "10500 mg", "210mL", "10,500\nmg", "150 mg/kg", "5 IU", "11/22/2026", "2 PM"]
)
def test_the_reader_of_slips_sees_each_of_them(slip: str) -> None:
    assert slips_in(slip)


def test_the_dose_stands_in_at_least_18_points(typesetter: Typesetter) -> None:
    sizes: dict[str, float] = {}

    def note(text: str, _cm: Any, tm: list[float], _font: Any, size: float) -> None:
        sizes[text.replace("\u00a0", " ").strip()] = abs(size * tm[3])

    PdfReader(io.BytesIO(typesetter.pdf(a_sheet()))).pages[0].extract_text(visitor_text=note)
    assert max(size for text, size in sizes.items() if "10,500 mg" in text) >= 18


def test_an_off_label_dose_says_so_on_every_page_with_its_reason(typesetter: Typesetter) -> None:
    pages = pages_of(typesetter.pdf(a_sheet(off_label=OFF_LABEL)))
    assert all("OFF-LABEL" in page for page in pages)
    assert run_together(OFF_LABEL) in run_together(pages[0])
    assert not any("OFF-LABEL" in page for page in pages_of(typesetter.pdf(a_sheet())))


def test_a_dose_on_another_day_says_who_decided_so(typesetter: Typesetter) -> None:
    decided = (
        "Give late: decided 23-Nov-2026 10:04 by Kemi Adeyemi, pharmacist (Collaborative protocol: Missed doses, 14-Nov-2026)."
    )
    assert run_together(decided) in run_together(pages_of(typesetter.pdf(a_sheet(decided=decided)))[0])
    assert "Give late" not in pages_of(typesetter.pdf(a_sheet()))[0]


def test_a_sheet_printed_ahead_asks_to_check_weight_and_code(typesetter: Typesetter) -> None:
    assert "weight unchanged, today" in pages_of(typesetter.pdf(a_sheet(check_weight_and_code=True)))[0]
    assert "weight unchanged, today" not in pages_of(typesetter.pdf(a_sheet()))[0]


def test_each_vial_has_its_own_line(typesetter: Typesetter) -> None:
    last_pages = "\n".join(pages_of(typesetter.pdf(a_long_sheet())))
    assert all(f"\n{vial}" in last_pages for vial in range(1, 25))


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_black_white_or_gray(typesetter: Typesetter, size: Size) -> None:
    for page in typesetter.png(a_draft(off_label=OFF_LABEL), size):
        picture = Image.open(io.BytesIO(page)).convert("RGB")
        assert all(red == green == blue for _, (red, green, blue) in picture.getcolors(maxcolors=1 << 24) or ())


@pytest.mark.parametrize(("size", "points"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_the_paper_is_the_one_asked_for(typesetter: Typesetter, size: Size, points: tuple[int, int]) -> None:
    box = PdfReader(io.BytesIO(typesetter.pdf(a_sheet(), size))).pages[0].mediabox
    assert (round(box.width), round(box.height)) == points


def test_a_pdf_holds_its_fonts_and_no_name_in_its_properties(typesetter: Typesetter) -> None:
    reader = PdfReader(io.BytesIO(typesetter.pdf(a_sheet())))
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
    assert "Okonkwo".lower() not in str(reader.metadata).lower()


def test_a_sheet_meets_the_standard_for_accessible_pdf(typesetter: Typesetter) -> None:
    assert typesetter.pdf(a_sheet(), standards=("ua-1",)).startswith(b"%PDF")


def test_the_same_sheet_is_the_same_file(typesetter: Typesetter) -> None:
    assert typesetter.pdf(a_sheet()) == typesetter.pdf(a_sheet())
