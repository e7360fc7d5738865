"""Laws that hold for any patient: scaling, order, caps, sums, windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from regimens.domain.changes import shift_window, window_timing
from regimens.domain.dosing import calculate_dose, dose_for
from regimens.domain.infusion import plan_infusion
from regimens.domain.intervals import Timing
from regimens.domain.reasons import Refused
from regimens.domain.rounding import VialRounding
from regimens.domain.running import Segment, minute_of, replan, vial_turns
from regimens.domain.schedule import TransplantAnchor, plan_windows
from regimens.domain.status import DoseFacts, Status, status
from regimens.domain.units import number
from tests.domain.factory import INITIAL, KIDNEY, MONOGRAPH, OTHER, SUBSEQUENT
from tests.support import count

settings.register_profile("core", max_examples=count(100, 1000), deadline=None, derandomize=True)
settings.load_profile("core")

D = Decimal
weights = st.one_of(st.decimals("2", "9.99", places=2), st.decimals("10", "300", places=1))
amounts = st.integers(1, 400).map(Decimal)
zones = st.sampled_from(
    ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "Pacific/Chatham")
)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))  # noqa: DTZ001
tables = st.sampled_from((INITIAL, SUBSEQUENT))
increments = st.sampled_from((D("0.01"), D("0.1"), D("0.5")))


@given(amounts, weights)
def test_the_dose_is_the_product_and_the_draw_never_more(mg_per_kg: Decimal, weight_kg: Decimal) -> None:
    got = calculate_dose(mg_per_kg=mg_per_kg, weight_kg=weight_kg, cap_mg_per_kg=D(400), monograph=MONOGRAPH)
    assert Fraction(got.dose_mg) == Fraction(mg_per_kg) * Fraction(weight_kg)
    assert got.draw_ml <= got.volume_ml <= got.dose_mg / 50
    assert got.volume_ml - got.draw_ml < (D("0.01") if weight_kg < 10 else D("0.1"))
    assert got.vials * got.vial_ml == got.draw_ml + got.waste_ml
    assert got.whole_vials * got.vial_ml + got.last_vial_ml == got.draw_ml
    assert 0 <= got.waste_ml < got.vial_ml


@given(amounts, st.integers(1, 20), st.decimals("2", "15", places=1))
def test_scaling_the_weight_scales_the_dose(mg_per_kg: Decimal, factor: int, weight_kg: Decimal) -> None:
    def mg(kg: Decimal) -> Decimal:
        return calculate_dose(mg_per_kg=mg_per_kg, weight_kg=kg, cap_mg_per_kg=D(400), monograph=MONOGRAPH).dose_mg

    assert mg(weight_kg * factor) == mg(weight_kg) * factor


@given(weights, weights)
def test_more_weight_is_never_less_drug_and_kidney_never_more_than_the_other_organs(one: Decimal, two: Decimal) -> None:
    low, high = sorted((one, two))
    for row, other in zip(KIDNEY.doses, OTHER.doses, strict=True):
        light = dose_for(protocol=KIDNEY, row=row, weight_kg=low, monograph=MONOGRAPH)
        heavy = dose_for(protocol=KIDNEY, row=row, weight_kg=high, monograph=MONOGRAPH)
        assert light.dose_mg <= heavy.dose_mg
        assert light.vials <= heavy.vials
        assert light.dose_mg <= dose_for(protocol=OTHER, row=other, weight_kg=low, monograph=MONOGRAPH).dose_mg


@given(st.integers(1, 500).map(Decimal), st.integers(1, 500).map(Decimal), weights, st.integers(1, 100).map(Decimal))
def test_nothing_passes_the_cap_not_even_by_rounding(
    mg_per_kg: Decimal, cap: Decimal, weight_kg: Decimal, percent: Decimal
) -> None:
    try:
        got = calculate_dose(
            mg_per_kg=mg_per_kg,
            weight_kg=weight_kg,
            cap_mg_per_kg=cap,
            monograph=MONOGRAPH,
            rounding=VialRounding(percent),
            age_years=40,
        )
    except Refused as refusal:
        assert refusal.code == "over_cap"
        assert mg_per_kg > cap
        return
    assert got.dose_mg <= cap * weight_kg
    assert abs(got.variance_percent) <= percent
    if got.is_rounded_to_vials:
        assert got.waste_ml == 0


@given(amounts, weights, tables, increments, st.one_of(st.none(), st.integers(1, 70).map(Decimal)))
def test_the_steps_add_up_and_never_pass_table_limit_or_ceiling(
    mg_per_kg: Decimal, weight_kg: Decimal, table: object, increment: Decimal, ceiling: Decimal | None
) -> None:
    amount = calculate_dose(mg_per_kg=mg_per_kg, weight_kg=weight_kg, cap_mg_per_kg=D(400), monograph=MONOGRAPH)
    try:
        plan = plan_infusion(
            dose=amount,
            table=table,
            monograph=MONOGRAPH,
            pump_increment_ml_per_h=increment,
            ceiling_mg_per_kg_per_h=ceiling,  # type: ignore[arg-type]
        )
    except Refused as refusal:
        assert refusal.code == "pump_too_coarse"
        return
    tiny = D("1e-18")
    assert abs(sum(step.volume_ml for step in plan.steps) - amount.volume_ml) < tiny
    assert abs(sum(step.minutes for step in plan.steps) - plan.pump_total_minutes) < tiny
    assert 0 <= plan.pump_total_minutes_rounded_up - plan.pump_total_minutes < 1
    assert plan.total_minutes <= plan.pump_total_minutes
    for step in plan.steps:
        assert step.minutes > 0
        assert step.pump_rate_ml_per_h <= step.exact_rate_ml_per_h <= 75
        assert step.exact_rate_ml_per_h - step.pump_rate_ml_per_h < increment
        assert step.effective_mg_per_kg_per_h <= min(step.mg_per_kg_per_h, ceiling or step.mg_per_kg_per_h) + tiny
    assert abs(minute_of(plan, amount.volume_ml / 2) - plan.midway_minute) <= 1
    turns = vial_turns(plan, amount)
    assert sum(turn.use_ml for turn in turns) == amount.draw_ml
    assert all(turn.from_minute < turn.to_minute for turn in turns)


@given(weights, st.integers(0, 200), st.integers(1, 75))
def test_a_run_and_what_is_left_of_it_are_the_dose(weight_kg: Decimal, minutes: int, rate: int) -> None:
    amount = calculate_dose(mg_per_kg=D(150), weight_kg=weight_kg, cap_mg_per_kg=D(400), monograph=MONOGRAPH)
    plan = plan_infusion(dose=amount, table=INITIAL, monograph=MONOGRAPH)
    try:
        got = replan(plan=plan, run=[Segment(D(rate), D(minutes))], resume_rate_ml_per_h=D(rate), monograph=MONOGRAPH)
    except Refused as refusal:
        assert refusal.code == "nothing_left"
        assert D(rate) * minutes / 60 >= amount.volume_ml
        return
    assert abs(got.volume_in_ml + got.volume_left_ml - amount.volume_ml) < D("1e-18")
    assert abs(got.elapsed_total_minutes - amount.volume_ml * 60 / rate) < D("1e-18")


@given(instants, zones, zones)
def test_windows_are_in_order_and_whole_days(at: datetime, anchor_zone: str, centre_zone: str) -> None:
    windows = plan_windows(KIDNEY, TransplantAnchor(at, anchor_zone), centre_zone=centre_zone)
    assert windows[0].closes_at - at == timedelta(hours=72)
    for before, after in pairwise(windows[1:]):
        assert before.closes_at <= after.opens_at
        assert before.target_on < after.target_on
    for window in windows[1:]:
        assert window.opens_at < window.target_at < window.overdue_at < window.closes_at
        assert (window.target_on - window.opens_on).days == window.row.opens_days_before
        assert (window.last_on - window.target_on).days == window.row.closes_days_after
        assert shift_window(shift_window(window, 5), -5).closes_at == window.closes_at


@given(instants, zones, st.integers(-40_000, 220_000))
def test_status_and_timing_agree_about_every_minute(at: datetime, zone: str, minutes: int) -> None:
    moment = at + timedelta(minutes=minutes)
    for window in plan_windows(KIDNEY, TransplantAnchor(at, zone), centre_zone=zone):
        now = status(DoseFacts(window.opens_at, window.overdue_at, window.closes_at), moment)
        when = window_timing(window, moment)
        assert (when == Timing.OUTSIDE) is (now in (Status.UPCOMING, Status.MISSED))
        assert (when == Timing.LATE) is (now == Status.OVERDUE)
        assert (when in (Timing.EARLY, Timing.ON_TIME)) is (now == Status.DUE)


@given(st.decimals("-1000000", "1000000", places=4))
def test_a_written_number_reads_back_as_itself_without_trailing_zeros(value: Decimal) -> None:
    text = number(value)
    assert Decimal(text.replace(",", "")) == value
    assert not (("." in text) and text.endswith(("0", ".")))
