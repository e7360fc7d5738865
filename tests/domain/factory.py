"""Plain monograph values for the tests of the core, written out by hand so that they do not depend on the shipped file."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from regimens.domain.monograph import (
    Anchor,
    Intent,
    Limit,
    Monograph,
    Product,
    Protocol,
    ProtocolDose,
    RateStep,
    RateTable,
    Source,
    SourceKind,
    Statement,
    VialSize,
)

LABEL = Source(SourceKind.LABEL, "Dosage and administration")
TABLE = Source(SourceKind.MONOGRAPH, "Dosage")
POLICY = Source(SourceKind.SITE_POLICY, "Dose windows")

LIMITS = {
    "max_rate_ml_per_h": ("75", "mL per h"),
    "begin_within_h": ("6", "h"),
    "finish_within_h": ("12", "h"),
    "initial_table_after_days": ("56", "days"),
    "weight_min_kg": ("2", "kg"),
    "weight_max_kg": ("300", "kg"),
    "weight_change_percent": ("10", "percent"),
    "weight_two_decimals_below_kg": ("10", "kg"),
    "pump_increment_ml_per_h": ("0.1", "mL per h"),
    "draw_increment_ml": ("0.1", "mL"),
    "draw_increment_small_ml": ("0.01", "mL"),
    "vaccine_label_months": ("3", "months"),
    "vaccine_acip_months": ("6", "months"),
    "vaccine_high_dose_months": ("8", "months"),
    "vaccine_high_dose_mg_per_kg": ("400", "mg per kg"),
    "older_than_years": ("65", "years"),
    "shift_limit_days": ("14", "days"),
    "shift_last_day": ("126", "days"),
    "pump_under_plan_warn_percent": ("10", "percent"),
    "syringe_below_ml": ("50", "mL"),
    "dose_min_mg_per_kg": ("1", "mg per kg"),
    "dose_max_mg_per_kg": ("500", "mg per kg"),
    "sucrose_mg_per_ml": ("50", "mg per mL"),
    "label_max_mg_per_kg": ("150", "mg per kg"),
    "creatinine_max_age_h": ("24", "h"),
    "result_max_age_days": ("7", "days"),
    "exchange_before_h": ("24", "h"),
    "exchange_after_days": ("7", "days"),
    "release_within_h": ("48", "h"),
}


def dose_row(code: str, offset_days: int, mg_per_kg: str, **fields: object) -> ProtocolDose:
    """One protocol row; windows of ± 3 days and an interval of 7 days unless told otherwise."""
    base = ProtocolDose(
        code=code,
        title=f"Dose {code}",
        offset_days=offset_days,
        mg_per_kg=Decimal(mg_per_kg),
        opens_days_before=3,
        closes_days_after=3,
        closes_after_hours=None,
        min_interval_hours=168,
        latest_late_day=None,
        optional=False,
        alternative_of="",
        repeats=False,
        source=TABLE,
        window_source=POLICY,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def prophylaxis(code: str, organs: tuple[str, ...], mg_per_kg: tuple[str, ...]) -> Protocol:
    """A seven-dose prophylaxis protocol of the label."""
    first = dose_row(
        "W0",
        0,
        mg_per_kg[0],
        opens_days_before=0,
        closes_days_after=3,
        closes_after_hours=72,
        min_interval_hours=0,
        latest_late_day=10,
    )
    late_days = {2: 24, 4: 38, 6: 52, 8: 70, 12: 98, 16: 126}
    rows = [first]
    for week, amount in zip(late_days, mg_per_kg[1:], strict=True):
        edge = 7 if week > 8 else 3
        rows.append(
            dose_row(
                f"W{week}", week * 7, amount, opens_days_before=edge, closes_days_after=edge, latest_late_day=late_days[week]
            )
        )
    return protocol(code, organs, tuple(rows))


def protocol(code: str, organs: tuple[str, ...], rows: tuple[ProtocolDose, ...], **fields: object) -> Protocol:
    """A protocol with the label's cap unless told otherwise."""
    base = Protocol(
        code=code,
        title=code.replace("_", " "),
        indication="prophylaxis of CMV disease",
        anchor=Anchor.TRANSPLANT,
        intent=Intent.PROPHYLAXIS,
        off_label=False,
        organs=organs,
        population="any",
        cap_mg_per_kg=Decimal(150),
        cap_source=LABEL,
        source=TABLE,
        enabled=True,
        doses=rows,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


KIDNEY = prophylaxis("kidney", ("kidney",), ("150", "100", "100", "100", "100", "50", "50"))
OTHER = prophylaxis("other_organ", ("liver", "lung", "pancreas", "heart"), ("150", "150", "150", "150", "150", "100", "100"))
HEART_8_WEEK = protocol(
    "heart_paediatric_8_week",
    ("heart",),
    (
        dose_row("W0", 0, "150", opens_days_before=0, closes_days_after=3, closes_after_hours=72, min_interval_hours=0),
        dose_row("W4", 28, "100"),
        dose_row("W8", 56, "100"),
    ),
    population="paediatric",
)
PNEUMONITIS = protocol(
    "hsct_pneumonitis",
    ("hsct",),
    (
        dose_row("D1", 0, "400", opens_days_before=0, closes_days_after=0, min_interval_hours=0),
        dose_row("D2", 1, "400", opens_days_before=0, closes_days_after=0, min_interval_hours=18),
        dose_row("D7", 6, "400", opens_days_before=1, closes_days_after=1, min_interval_hours=96),
        dose_row("D14", 13, "200", opens_days_before=1, closes_days_after=1, min_interval_hours=120),
        dose_row("D21", 20, "200", opens_days_before=1, closes_days_after=1, min_interval_hours=120, optional=True),
        dose_row(
            "D21_ALT",
            20,
            "150",
            opens_days_before=0,
            closes_days_after=0,
            min_interval_hours=72,
            optional=True,
            alternative_of="D21",
            repeats=True,
        ),
    ),
    anchor=Anchor.FIRST_DOSE,
    intent=Intent.TREATMENT,
    off_label=True,
    cap_mg_per_kg=Decimal(400),
)
PRODUCT = Product(
    code="cytogam",
    generic_name="cytomegalovirus immune globulin",
    brand_name="CytoGam",
    manufacturer="Kamada",
    concentration_mg_per_ml=Decimal(50),
    vials=(VialSize(Decimal(50), Decimal(2500), "", ""),),
    excipients=("sucrose", "albumin"),
    storage="2 to 8 °C",
    filter="in-line",
    appearance="colorless, translucent",
    source=Source(SourceKind.LABEL, "Description"),
)
INITIAL = RateTable(
    "initial",
    "Initial dose",
    (RateStep(Decimal(15), Decimal(30)), RateStep(Decimal(30), Decimal(30)), RateStep(Decimal(60), None)),
    LABEL,
)
SUBSEQUENT = RateTable(
    "subsequent",
    "Subsequent doses",
    (RateStep(Decimal(15), Decimal(15)), RateStep(Decimal(30), Decimal(15)), RateStep(Decimal(60), None)),
    LABEL,
)
STATEMENTS = (
    Statement("contraindication", "cmvig_hypersensitivity", "Hypersensitivity to CMV immune globulin.", TABLE),
    Statement("contraindication", "iga_deficiency", "Selective IgA deficiency.", TABLE),
    Statement("caution", "renal_impairment", "Renal impairment: as slow as practicable.", TABLE),
)


def monograph(**limits: str) -> Monograph:
    """The monograph of the tests; a keyword replaces a limit's value."""
    rows = tuple(
        Limit(code, code, Decimal(limits.get(code, value)), unit, POLICY if "weight" in code else LABEL)
        for code, (value, unit) in LIMITS.items()
    )
    return Monograph(
        title="CMV-IGIV",
        what_changed="",
        product=PRODUCT,
        protocols=(KIDNEY, OTHER, HEART_8_WEEK, PNEUMONITIS),
        rate_tables=(INITIAL, SUBSEQUENT),
        limits=rows,
        sections=(),
        questions=(),
        reactions=(),
        statements=STATEMENTS,
        reasons=(),
    )


MONOGRAPH = monograph()
