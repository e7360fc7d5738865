"""Sheets to test with: a neutral cast, invented, with figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from regimens.sheets.data import (
    AllergyState,
    Banner,
    Copy,
    DoseSheet,
    RateStep,
    Verification,
    VialClock,
    VialPlan,
    VitalsMoment,
)

GENERIC_NAME = "cytomegalovirus immune globulin intravenous (human)"
CHECK_URL = "https://cmvig.example.org/check/8f0c2e9a-4a1d-4f6a-9a44-1f2d3c4b5a69"


def a_banner(**changes: Any) -> Banner:
    """A 70 kg adult with one known allergy."""
    banner = Banner(
        family_name="Okonkwo",
        given_name="Adaeze",
        title="Ms",
        born="14-Jul-1979",
        age="47y",
        sex="Female",
        record_number="0042 7719",
        ward="6 West",
        weight_kg=Decimal(70),
        weight_how="bed scale",
        weight_when="21-Nov-2026 06:20",
        allergy_state=AllergyState.KNOWN,
        allergies=("penicillin – rash 2011",),
    )
    return replace(banner, **changes)


def a_sheet(**changes: Any) -> DoseSheet:
    """The first dose of a kidney course at 70 kg: 10,500 mg, 210 mL, 5 vials, 21, 42 and 75 mL per h."""
    sheet = DoseSheet(
        banner=a_banner(),
        dose_number=1,
        dose_count=7,
        visit="Within 72 h of transplant",
        due="due by Mon 23-Nov-2026 18:10",
        course="Kidney, prophylaxis; transplanted 20-Nov-2026 18:10",
        plan_version="2",
        monograph_version="3",
        code="7F3A-91C2",
        check_url=CHECK_URL,
        valid_until="23-Nov-2026 18:10",
        generic_name=GENERIC_NAME,
        brand_name="CytoGam",
        concentration_mg_per_ml=Decimal(50),
        dose_mg=Decimal("10500.00"),
        mg_per_kg=Decimal("150.0"),
        volume_ml=Decimal("210.00"),
        vials=VialPlan(
            count=5,
            size_ml=Decimal(50),
            content_mg=Decimal(2500),
            whole=4,
            last_use_ml=Decimal(10),
            last_discard_ml=Decimal(40),
        ),
        handling=(
            "Do not shake. Do not dilute before infusion. Use only if colorless and clear.",
            "Own line with an in-line filter (15 micron); nothing else in the line.",
        ),
        vial_clock=VialClock(
            begin_within_minutes=Decimal(360), finish_within_minutes=Decimal(720), latest_start_minutes=Decimal(360)
        ),
        rate_table="initial infusion",
        rate_table_reason="First dose of this product.",
        rate_ceiling="Never above 75\u00a0mL per h",
        steps=(
            RateStep(Decimal("21.0"), Decimal(30), Decimal("10.5"), "15\u00a0mg per kg per h"),
            RateStep(Decimal("42.0"), Decimal(30), Decimal("21.0"), "30\u00a0mg per kg per h"),
            RateStep(
                Decimal("75.0"), Decimal("142.8"), Decimal("178.50"), "limit 75\u00a0mL per h; 53.57\u00a0mg per kg per h"
            ),
        ),
        total_minutes=Decimal("202.8"),
        flush="Prime with drug, then flush the volume of the set at the last rate.",
        vitals=(
            VitalsMoment("Before start", "minute 0"),
            VitalsMoment("Before step 2", "minute 30"),
            VitalsMoment("Before step 3", "minute 60"),
            VitalsMoment("Mid-way", "at 105\u00a0mL, minute 119"),
            VitalsMoment("After the infusion", "minute 203"),
            VitalsMoment("Observation", "60 min after the end"),
        ),
        observation="Observe for 60\u00a0min after the first infusion, 20\u00a0min after later ones (site policy).",
        precautions=(
            "Renal risk: none recorded. Contains sucrose: watch urine output and creatinine.",
            "No live vaccine without the transplant team's decision.",
        ),
        orders=(
            "Acetaminophen 650\u00a0mg by mouth 30\u00a0min before.",
            "Epinephrine 0.3\u00a0mg in the thigh muscle for anaphylaxis: stop the infusion first.",
        ),
        missed_advice="Do not double the next dose. Call the transplant pharmacist for the next step.",
        centre="Riverside Transplant Center",
        centre_phone="555 0134 2200",
        copy=Copy(
            number=2,
            printed_by="K. Adeyemi",
            printed_at="21-Nov-2026 09:20 EST",
            replaces=("copy 1 of 21-Nov-2026 08:58 (plan version 1)",),
        ),
        zone="New York time (EST)",
        sources=("Label, Dosage and administration, rev. 2018", "monograph version 3", "observation: site policy"),
        verification=Verification(
            name="R. Patel", role="Pharmacist", at="21-Nov-2026 09:12 EST", meaning="verified against the order"
        ),
    )
    return replace(sheet, **changes)


def a_draft(**changes: Any) -> DoseSheet:
    """The same sheet before anyone has verified it."""
    return a_sheet(verification=None, **changes)
