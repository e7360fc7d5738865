"""Rates: steps, limits, ceilings, working; and an infusion under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from regimens.domain.dosing import DoseAmount, calculate_dose
from regimens.domain.infusion import InfusionPlan, plan_infusion, which_table
from regimens.domain.monograph import RateStep
from regimens.domain.reasons import Refused
from regimens.domain.running import Replan, Segment, clock, minute_of, replan, vial_clock, vial_turns
from tests.domain.factory import INITIAL, MONOGRAPH, SUBSEQUENT, monograph

D = Decimal
START = datetime(2026, 11, 1, 4, tzinfo=UTC)  # midnight in New York, two hours before the clocks go back


def amount(mg_per_kg: str = "150", weight_kg: str = "70") -> DoseAmount:
    return calculate_dose(mg_per_kg=D(mg_per_kg), weight_kg=D(weight_kg), cap_mg_per_kg=D(500), monograph=MONOGRAPH)


def plan(mg_per_kg: str = "150", weight_kg: str = "70", **options: Decimal) -> InfusionPlan:
    return plan_infusion(dose=amount(mg_per_kg, weight_kg), table=INITIAL, monograph=MONOGRAPH, **options)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_working_of_a_plan_can_be_followed_by_hand() -> None:
    told = [(step.rule, plain(step.sentence), step.source) for step in plan("150", "82.5").working]
    label = "Label, Dosage and administration"
    assert told == [
        ("R-RATE-8", "step 1: 15 mg per kg per h × 82.5 kg ÷ 50 mg per mL = 24.75 mL per h", label),
        ("R-RATE-11", "step 1 set to 24.7 mL per h, down to a multiple of 0.1 mL per h", label),
        ("R-RATE-8", "step 2: 30 mg per kg per h × 82.5 kg ÷ 50 mg per mL = 49.5 mL per h", label),
        ("R-RATE-8", "step 3: 60 mg per kg per h × 82.5 kg ÷ 50 mg per mL = 99 mL per h", label),
        ("R-RATE-9", "step 3 held at 75 mL per h", label),
        ("R-RATE-13", "247.5 mL at the pump's rates take 229 min; to finish within 12 h of entering the vial", label),
        ("R-RATE-14", "half of the volume, 123.75 mL, is in after 130 min", "Arithmetic"),
    ]


def test_a_ceiling_and_a_coarse_pump_are_told() -> None:
    rules = plan("150", "12", ceiling_mg_per_kg_per_h=D(30), pump_increment_ml_per_h=D(1)).working
    assert rules.rules == (
        "R-RATE-8",
        "R-RATE-11",
        "R-RATE-12",
        "R-RATE-8",
        "R-RATE-11",
        "R-RATE-8",
        "R-RATE-10",
        "R-RATE-11",
        "R-RATE-13",
        "R-RATE-14",
    )
    told = [plain(step.sentence) for step in rules]
    assert told[2] == "step 1 is more than 10 percent under plan"
    assert told[6] == "step 3 lowered to the ordered ceiling: 7.2 mL per h"
    assert rules.steps[6].source == "Order"


def test_every_step_says_when_it_starts_how_long_it_lasts_and_what_it_gives() -> None:
    first, second, third = plan().steps
    assert (first.number, first.mg_per_kg_per_h, first.starts_at_min, first.minutes, first.volume_ml) == (
        1,
        15,
        0,
        30,
        D("10.5"),
    )
    assert (second.number, second.starts_at_min, second.minutes, second.volume_ml) == (2, 30, 30, 21)
    assert (third.number, third.starts_at_min, third.minutes, third.volume_ml) == (3, 60, D("142.8"), D("178.5"))
    assert [step.is_capped for step in (first, second, third)] == [False, False, True]
    assert [step.is_under_ceiling for step in (first, second, third)] == [False, False, False]
    assert (first.effective_mg_per_kg_per_h, second.effective_mg_per_kg_per_h) == (15, 30)
    assert third.effective_mg_per_kg_per_h.quantize(D("0.01")) == D("53.57")


def test_a_plan_shows_what_the_sheet_needs() -> None:
    got = plan()
    assert (got.table_code, got.volume_ml, got.vtbi_ml, got.midway_volume_ml, got.midway_minute) == (
        "initial",
        210,
        210,
        105,
        119,
    )
    assert got.pump_rates_ml_per_h == (21, 42, 75)
    assert got.flush_rate_ml_per_h == 75
    assert not got.is_syringe
    assert got.vial_line.startswith("Vials 1–4 whole; from vial 5 use 10")
    assert got.begin_within == timedelta(hours=6)
    assert got.must_finish_after_entry == timedelta(hours=12)
    assert got.latest_start_after_entry == timedelta(hours=6)
    assert got.warnings == ()


def test_a_small_volume_goes_by_syringe() -> None:
    assert plan("50", "49.9").is_syringe
    assert not plan("50", "50").is_syringe


def test_a_coarse_pump_warns_by_step() -> None:
    coarse = plan("150", "12", pump_increment_ml_per_h=D(1))
    assert [plain(text) for text in coarse.warnings] == ["Step 1 runs at 3 mL per h, more than 10 percent under plan."]
    assert (
        plan("150", "50", pump_increment_ml_per_h=D("13.5")).warnings == ()
    )  # 27 and 54 of 30 and 60: exactly 10 percent is no more


def test_a_step_floored_to_nothing_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        plan("150", "3.2", pump_increment_ml_per_h=D(1))
    assert plain(refusal.value.sentence) == "Pump increment too coarse: step 1 is 0.96 mL per h and would be set to 0."
    with pytest.raises(Refused, match=r"step 1 is 0\.98\u00a0mL per h"):  # 0.981, as it stands in a sentence
        plan("150", "3.27", pump_increment_ml_per_h=D(1))
    assert (refusal.value.code, refusal.value.field, refusal.value.value, refusal.value.limit) == (
        "pump_too_coarse",
        "pump_increment_ml_per_h",
        "1",
        "0.96",
    )
    assert refusal.value.source == "Label, Dosage and administration"


def test_a_site_may_shorten_the_vial_clock_and_the_latest_start_follows() -> None:
    short = plan(begin_within_h=D(4), finish_within_h=D(5))
    assert short.begin_within == timedelta(hours=4)
    assert short.latest_start_after_entry == timedelta(minutes=97)  # 300 − 203
    assert not short.exceeds_finish_limit
    assert plan(finish_within_h=D(3)).exceeds_finish_limit
    assert plan(finish_within_h=D(3)).latest_start_after_entry is None
    for option in ("begin_within_h", "finish_within_h"):
        with pytest.raises(Refused) as refusal:
            plan(**{option: D(13)})
        assert (refusal.value.code, refusal.value.field) == ("only_shorter", option)


@pytest.mark.parametrize("option", ["pump_increment_ml_per_h", "ceiling_mg_per_kg_per_h", "begin_within_h", "finish_within_h"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN"])
def test_bad_options_are_refused_by_name(option: str, value: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(**{option: D(value)})
    assert refusal.value.field == option


def test_a_ceiling_at_or_above_the_table_changes_nothing() -> None:
    assert plan(ceiling_mg_per_kg_per_h=D(60)).steps == plan().steps
    assert not any(step.is_under_ceiling for step in plan(ceiling_mg_per_kg_per_h=D(60)).steps)


def test_a_limit_of_the_monograph_is_read_not_known() -> None:
    slow = plan_infusion(dose=amount(), table=INITIAL, monograph=monograph(max_rate_ml_per_h="40", pump_increment_ml_per_h="1"))
    assert slow.pump_rates_ml_per_h == (21, 40, 40)
    assert [step.is_capped for step in slow.steps] == [False, True, True]


def test_a_step_with_odd_minutes_loses_nothing() -> None:
    odd = replace(INITIAL, steps=(RateStep(D(15), D(20)), RateStep(D(60), None)))
    got = plan_infusion(dose=amount(), table=odd, monograph=MONOGRAPH)
    assert got.steps[0].volume_ml == 7
    assert sum(step.volume_ml for step in got.steps) == 210
    assert got.pump_total_minutes == D("182.4")


def test_half_of_the_volume_can_fall_on_the_end_of_a_step() -> None:
    even = replace(INITIAL, steps=(RateStep(D(30), D(60)), RateStep(D(15), None)))
    got = plan_infusion(dose=amount("60", "50"), table=even, monograph=MONOGRAPH)
    assert got.midway_minute == 60
    assert got.midway_volume_ml == 30


def test_the_exact_run_may_end_a_step_before_the_pump_does() -> None:
    got = plan("7.5", "70.1", pump_increment_ml_per_h=D(1))
    assert len(got.exact_rates_ml_per_h) == 1
    assert got.pump_rates_ml_per_h == (21, 42)
    assert got.total_minutes < got.pump_total_minutes


def test_which_table_refuses_what_it_cannot_know() -> None:
    with pytest.raises(Refused) as refusal:
        which_table(is_first_ever=False, starts_at=START, zone_name="UTC", monograph=MONOGRAPH)
    assert (refusal.value.code, refusal.value.field) == ("last_dose_missing", "last_dose_started_at")
    with pytest.raises(Refused) as refusal:
        which_table(is_first_ever=True, starts_at=START, zone_name="UTC", monograph=MONOGRAPH, last_reaction="bad")
    assert (refusal.value.code, refusal.value.value) == ("unknown_reaction_grade", "bad")


def test_which_table_tells_every_reason() -> None:
    choice = which_table(
        is_first_ever=False,
        last_dose_started_at=START - timedelta(days=57),
        starts_at=START,
        zone_name="UTC",
        monograph=MONOGRAPH,
        last_reaction="mild",
        product_changed=True,
        is_remainder=True,
        lot_changed=True,
    )
    assert choice.reasons == ("long_gap", "reaction", "product_changed", "remainder", "lot_changed")
    assert choice.working.rules == ("R-RATE-2", "R-RATE-3", "R-RATE-4", "R-RATE-5", "R-RATE-6")
    assert plain(choice.working.steps[0].sentence) == "57 days since the last dose, more than 56 days"
    first = which_table(is_first_ever=True, starts_at=START, zone_name="UTC", monograph=MONOGRAPH)
    assert first.working.rules == ("R-RATE-1",)
    later = which_table(is_first_ever=False, last_dose_started_at=START, starts_at=START, zone_name="UTC", monograph=MONOGRAPH)
    assert (later.code, later.reasons, later.working.rules) == ("subsequent", (), ("R-RATE-7",))


def test_clock_times_are_elapsed_across_a_change_of_the_clocks() -> None:
    got = clock(plan(), START)
    assert got.starts_at == START
    assert [row.starts_at - START for row in got.steps] == [timedelta(0), timedelta(minutes=30), timedelta(minutes=60)]
    assert [row.ends_at - START for row in got.steps] == [
        timedelta(minutes=30),
        timedelta(minutes=60),
        timedelta(minutes=202, seconds=48),
    ]
    assert [row.step.number for row in got.steps] == [1, 2, 3]
    assert got.midway_at == START + timedelta(minutes=119)
    assert got.ends_at == START + timedelta(minutes=203)
    with pytest.raises(Refused) as refusal:
        clock(plan(), START.replace(tzinfo=None))
    assert refusal.value.field == "started_at"


def test_the_vial_clock_tells_begin_start_and_finish() -> None:
    got = vial_clock(plan("150", "144.8"), START)
    assert got.entered_at == START
    assert got.begin_by == START + timedelta(hours=6)
    assert got.finish_by == START + timedelta(hours=12)
    assert got.start_by == START + timedelta(minutes=359)
    assert got.working.rules == ("R-VIAL-1", "R-VIAL-2")
    assert plain(got.working.steps[1].sentence) == "the infusion takes 361 min: start by 01-Nov-2026 09:59 (UTC)"
    over = vial_clock(plan("400", "110"), START)
    assert over.start_by is None
    assert "enter vials in stages" in over.working.steps[1].sentence
    with pytest.raises(Refused) as refusal:
        vial_clock(plan(), START.replace(tzinfo=None))
    assert refusal.value.field == "entered_at"


def test_vials_one_after_the_other_cover_the_whole_infusion() -> None:
    dose = amount()
    turns = vial_turns(plan(), dose)
    assert [turn.number for turn in turns] == [1, 2, 3, 4, 5]
    assert [(turn.use_ml, turn.discard_ml) for turn in turns] == [(50, 0)] * 4 + [(10, 40)]
    assert (turns[0].from_minute, turns[0].to_minute) == (0, D("74.8"))
    assert all(a.to_minute == b.from_minute for a, b in pairwise(turns))
    assert turns[-1].to_minute == plan().pump_total_minutes


def test_the_minute_of_a_volume_is_found_in_its_step() -> None:
    got = plan()
    assert minute_of(got, D(0)) == 0
    assert minute_of(got, D("10.5")) == 30
    assert minute_of(got, D("10.6")) > 30
    assert minute_of(got, D(105)) == D("118.8")
    assert minute_of(got, D(210)) == D("202.8")
    with pytest.raises(Refused) as refusal:
        minute_of(got, D("210.1"))
    assert (refusal.value.code, refusal.value.limit) == ("more_than_planned", "210")
    with pytest.raises(Refused) as refusal:
        minute_of(got, D("NaN"))
    assert refusal.value.field == "volume_ml"


def interrupted(*run: tuple[str, str], rate: str = "42", volume_in: str | None = None, entry: str | None = None) -> Replan:
    return replan(
        plan=plan_infusion(dose=amount(), table=SUBSEQUENT, monograph=MONOGRAPH),
        run=[Segment(D(a), D(b)) for a, b in run],
        resume_rate_ml_per_h=D(rate),
        monograph=MONOGRAPH,
        volume_in_ml=None if volume_in is None else D(volume_in),
        minutes_since_entry_at_start=None if entry is None else D(entry),
    )


def test_the_pumps_own_reading_wins_over_the_reckoned_volume() -> None:
    got = interrupted(("21", "15"), ("0", "5"), volume_in="6")
    assert (got.volume_in_ml, got.volume_left_ml, got.minutes_so_far) == (6, 204, 20)
    assert got.working.rules == ("R-RUN-1", "R-RUN-2")
    told = [plain(step.sentence) for step in got.working]
    assert told == ["6 mL in, 204 mL left after 20 min", "204 mL at 42 mL per h take 291.4 min"]
    assert got.resume_rate_ml_per_h == 42


def test_midway_is_recomputed_after_a_pause_and_gone_once_past() -> None:
    assert interrupted(("75", "80"), ("0", "10"), rate="75").midway_minute == 94
    assert interrupted(("75", "84"), rate="75").midway_minute is None
    assert interrupted(("75", "83.9"), rate="75").midway_minute == 84


def test_nothing_left_is_refused() -> None:
    for volume in ("210", "211", "-1"):
        with pytest.raises(Refused) as refusal:
            interrupted(volume_in=volume)
        assert (refusal.value.code, refusal.value.value, refusal.value.limit) == ("nothing_left", volume, "210")


def test_the_last_drop_is_still_left() -> None:
    last = interrupted(volume_in="209.99", rate="30")
    assert (last.volume_left_ml, last.minutes_left) == (D("0.01"), D("0.02"))
    hurried = interrupted(("0", "719.2"), volume_in="209.5", rate="30", entry="0")
    assert (hurried.finishes_in_time, hurried.slowest_rate_ml_per_h) == (False, D("37.5"))


def test_the_slowest_rate_that_keeps_the_vial_clock_is_told() -> None:
    late = interrupted(("0", "600"), rate="75", entry="0")
    assert (late.finishes_in_time, late.slowest_rate_ml_per_h) == (False, None)
    told = plain(late.working.steps[2].sentence)
    assert told == "within 720 min of entering the vial: no; slowest rate none"
    fine = interrupted(("0", "500"), rate="75", entry="0")
    assert (fine.finishes_in_time, fine.slowest_rate_ml_per_h) == (True, D("57.3"))
    assert plain(fine.working.steps[2].sentence).endswith("yes; slowest rate 57.3 mL per h")
    exact = interrupted(("0", "552"), rate="75", entry="0")
    assert (exact.finishes_in_time, exact.slowest_rate_ml_per_h) == (True, 75)
    gone = interrupted(("0", "720"), rate="75", entry="0")
    assert (gone.finishes_in_time, gone.slowest_rate_ml_per_h) == (False, None)
    with pytest.raises(Refused) as refusal:
        interrupted(entry="NaN")
    assert refusal.value.field == "minutes_since_entry_at_start"


def test_a_sites_own_limit_counts_in_whole_minutes() -> None:
    shortened = plan(finish_within_h=D("11.99"))  # 719.4 minutes
    got = replan(
        plan=shortened,
        run=[Segment(D(0), D(10))],
        resume_rate_ml_per_h=D(75),
        monograph=MONOGRAPH,
        minutes_since_entry_at_start=D(0),
    )
    assert plain(got.working.steps[2].sentence) == "within 719 min of entering the vial: yes; slowest rate 17.8 mL per h"


@pytest.mark.parametrize(
    ("rate", "code"), [("75.1", "rate_over_limit"), ("0", "not_positive"), ("-1", "not_positive"), ("NaN", "not_a_decimal")]
)
def test_a_resumed_rate_has_its_limits(rate: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        interrupted(("21", "15"), rate=rate)
    assert (refusal.value.code, refusal.value.field) == (code, "resume_rate_ml_per_h")
    assert interrupted(("21", "15"), rate="75")


@pytest.mark.parametrize(
    ("segment", "field"),
    [(("-1", "5"), "run"), (("5", "-1"), "run"), (("NaN", "1"), "run.rate_ml_per_h"), (("1", "NaN"), "run.minutes")],
)
def test_a_stretch_has_a_rate_and_a_time(segment: tuple[str, str], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        interrupted(segment)
    assert refusal.value.field == field
    if field == "run":
        assert refusal.value.value == "-1"


def test_a_reading_that_is_no_number_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        interrupted(volume_in="NaN")
    assert refusal.value.field == "volume_in_ml"


def test_a_table_that_ends_before_the_volume_is_in_is_refused() -> None:
    closed = replace(INITIAL, steps=INITIAL.steps[:2])
    with pytest.raises(Refused) as refusal:
        plan_infusion(dose=amount(), table=closed, monograph=MONOGRAPH)
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("table_has_no_end", "table", "initial")
    assert len(plan_infusion(dose=amount("20"), table=closed, monograph=MONOGRAPH).steps) == 2
