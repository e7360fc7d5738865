"""Every golden case of the core, file by file. A case is a row that a pharmacist can check by hand."""

from __future__ import annotations

import csv
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from regimens.domain import infusion, intervals, running, screening
from regimens.domain.changes import latest_day_keeping_next, window_timing
from regimens.domain.clock import local_instant
from regimens.domain.dosing import DoseAmount, calculate_dose, dose_for, needs_recalculation
from regimens.domain.exposure import GivenDose, rolling
from regimens.domain.infusion import plan_infusion
from regimens.domain.reasons import Refused
from regimens.domain.rounding import VialRounding
from regimens.domain.schedule import CourseAnchor, FirstDoseAnchor, TransplantAnchor, Window, plan_windows
from regimens.domain.status import DoseFacts, status
from regimens.library import FOLDER
from tests.domain.factory import KIDNEY, MONOGRAPH

GOLDEN = Path(__file__).parent / "golden"
PROTOCOLS = {"kidney": "kidney", "hsct_pneumonitis": "hsct_pneumonitis"}
Row = dict[str, str]


def cases(name: str) -> list[object]:
    """The rows of a golden file, each named by its case."""
    folder = FOLDER if (FOLDER / name).exists() else GOLDEN  # some are shipped, for whoever drafts a monograph
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return [pytest.param(row, id=row["case_id"]) for row in csv.DictReader(file)]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def decimal(text: str) -> Decimal:
    return Decimal(text)


def numbers(text: str) -> list[Decimal]:
    return [Decimal(word) for word in text.split("|")] if text else []


def at_cap(mg_per_kg: str, weight_kg: str) -> DoseAmount:
    return calculate_dose(
        mg_per_kg=decimal(mg_per_kg), weight_kg=decimal(weight_kg), cap_mg_per_kg=Decimal(500), monograph=MONOGRAPH
    )


@pytest.mark.parametrize("case", cases("dose_cases.csv"))
def test_a_dose_case_comes_out_to_the_last_digit(case: Row) -> None:
    protocol = MONOGRAPH.protocol(PROTOCOLS.get(case["organ"], "other_organ"))
    row = protocol.dose(case["visit"])
    dose = dose_for(protocol=protocol, row=row, weight_kg=decimal(case["weight_kg"]), monograph=MONOGRAPH)
    plan = plan_infusion(
        dose=dose,
        table=MONOGRAPH.rate_table(case["rate_table"]),
        monograph=MONOGRAPH,
        pump_increment_ml_per_h=decimal(case["pump_increment_ml_per_h"]),
    )
    assert row.mg_per_kg == decimal(case["mg_per_kg"])
    assert dose.dose_mg == decimal(case["dose_mg"])
    assert dose.volume_ml == decimal(case["volume_ml"])
    assert dose.vials == int(case["vials_50ml"])
    assert dose.waste_ml == decimal(case["waste_ml"])
    assert list(plan.exact_rates_ml_per_h) == numbers(case["rates_ml_per_h"])
    assert plan.total_minutes == decimal(case["total_minutes"])
    assert list(plan.pump_rates_ml_per_h) == numbers(case["pump_rates_ml_per_h"])
    assert plan.pump_total_minutes_rounded_up == int(case["pump_total_minutes_rounded_up"])


@pytest.mark.parametrize("case", cases("schedule_cases.csv"))
def test_a_schedule_case_gives_its_dates_and_its_close(case: Row) -> None:
    wall = datetime.fromisoformat(case["transplant_at"])
    at = local_instant(wall.date(), time(wall.hour, wall.minute), case["timezone"])
    windows = plan_windows(KIDNEY, TransplantAnchor(at, case["timezone"]), centre_zone=case["timezone"])
    assert windows[0].closes_at == instant(case["initial_closes_at"])
    assert {window.code: window.target_on.isoformat() for window in windows} == {w.code: case[w.code] for w in windows}


@pytest.mark.parametrize("case", cases("amount_cases.csv"))
def test_an_amount_case_comes_out_or_is_refused(case: Row) -> None:
    def amount() -> DoseAmount:
        return calculate_dose(
            mg_per_kg=decimal(case["mg_per_kg"]),
            weight_kg=decimal(case["weight_kg"]),
            cap_mg_per_kg=decimal(case["cap_mg_per_kg"]),
            monograph=MONOGRAPH,
            rounding=VialRounding(decimal(case["rounding_percent"])) if case["rounding_percent"] else None,
            age_years=int(case["age_years"]) if case["age_years"] else None,
        )

    if case["refused"]:
        with pytest.raises(Refused) as refusal:
            amount()
        assert (refusal.value.code, refusal.value.field, refusal.value.limit) == (case["refused"], case["field"], case["limit"])
        assert refusal.value.source
        return
    dose = amount()
    for name in ("dose_mg", "volume_ml", "draw_ml", "vials", "whole_vials", "last_vial_ml", "waste_ml"):
        assert getattr(dose, name) == decimal(case[name]), name


@pytest.mark.parametrize("case", cases("rate_cases.csv"))
def test_a_rate_case_comes_out_or_is_refused(case: Row) -> None:
    def plan() -> infusion.InfusionPlan:
        return plan_infusion(
            dose=at_cap(case["mg_per_kg"], case["weight_kg"]),
            table=MONOGRAPH.rate_table(case["rate_table"]),
            monograph=MONOGRAPH,
            pump_increment_ml_per_h=decimal(case["pump_increment_ml_per_h"]),
            ceiling_mg_per_kg_per_h=decimal(case["ceiling_mg_per_kg_per_h"]) if case["ceiling_mg_per_kg_per_h"] else None,
        )

    if case["refused"]:
        with pytest.raises(Refused) as refusal:
            plan()
        assert refusal.value.code == case["refused"]
        return
    got = plan()
    assert list(got.exact_rates_ml_per_h) == numbers(case["exact_rates"])
    assert list(got.pump_rates_ml_per_h) == numbers(case["pump_rates"])
    assert "|".join(str(step.number) for step in got.steps if step.is_capped) == case["capped_steps"]
    assert got.total_minutes == decimal(case["total_minutes"])
    assert got.pump_total_minutes_rounded_up == int(case["pump_total_minutes_rounded_up"])
    latest = got.latest_start_after_entry
    assert ("" if latest is None else str(int(latest.total_seconds()) // 60)) == case["latest_start_min"]
    assert got.exceeds_finish_limit is (not case["latest_start_min"])
    assert got.midway_volume_ml == decimal(case["midway_ml"])
    assert got.midway_minute == int(case["midway_minute"])
    assert "|".join(text.split()[1] for text in got.warnings) == case["warned_steps"]


@pytest.mark.parametrize("case", cases("table_cases.csv"))
def test_a_table_case_takes_its_rate_table_for_its_reasons(case: Row) -> None:
    choice = infusion.which_table(
        is_first_ever=case["is_first_ever"] == "yes",
        last_dose_started_at=instant(case["last_dose_started_at"]) if case["last_dose_started_at"] else None,
        starts_at=instant(case["starts_at"]),
        zone_name=case["zone"],
        monograph=MONOGRAPH,
        last_reaction=case["last_reaction"],
        product_changed=case["product_changed"] == "yes",
        is_remainder=case["is_remainder"] == "yes",
        lot_changed=case["lot_changed"] == "yes",
    )
    assert (choice.code, "|".join(choice.reasons)) == (case["table"], case["reasons"])
    assert len(choice.working) == max(1, len(choice.reasons))


@pytest.mark.parametrize("case", cases("window_cases.csv"))
def test_a_window_case_opens_and_closes_to_the_minute(case: Row) -> None:
    protocol = MONOGRAPH.protocol(case["protocol"])
    anchor: CourseAnchor
    if "T" in case["anchor"]:
        anchor = TransplantAnchor(instant(case["anchor"]), case["anchor_zone"])
    else:
        anchor = FirstDoseAnchor(date.fromisoformat(case["anchor"]), case["anchor_zone"])
    chosen = ("D21",) if case["code"] == "D21" else ()
    windows = plan_windows(protocol, anchor, centre_zone=case["centre_zone"], chosen_optional=chosen)
    window = next(window for window in windows if window.code == case["code"])
    assert window.target_on == date.fromisoformat(case["target_on"])
    for name in ("opens_at", "overdue_at", "closes_at"):
        assert getattr(window, name) == instant(case[name]), name


@pytest.mark.parametrize("case", cases("interval_cases.csv"))
def test_an_interval_case_is_kept_or_short(case: Row) -> None:
    got = intervals.check_interval(
        starts_at=instant(case["starts_at"]),
        previous_started_at=instant(case["previous_started_at"]) if case["previous_started_at"] else None,
        min_interval_hours=int(case["min_interval_hours"]),
        is_remainder=case["is_remainder"] == "yes",
    )
    assert got.is_kept is (case["is_kept"] == "yes")
    assert got.earliest_at == (instant(case["earliest_at"]) if case["earliest_at"] else None)
    assert got.short_by.total_seconds() == int(case["short_minutes"]) * 60
    assert len(got.working) == 1


@pytest.mark.parametrize("case", cases("late_cases.csv"))
def test_a_late_case_leaves_the_next_dose_its_window(case: Row) -> None:
    anchor = TransplantAnchor(instant("2026-01-01T12:00Z"), "America/New_York")
    windows: dict[str, Window] = {w.code: w for w in plan_windows(KIDNEY, anchor, centre_zone="America/New_York")}
    assert KIDNEY.dose(case["code"]).latest_late_day == int(case["site_latest_day"])
    if case["next_code"]:
        last = latest_day_keeping_next(windows[case["next_code"]])
        assert (last - anchor.day).days == int(case["latest_day_keeping_next"])


@pytest.mark.parametrize("case", cases("run_cases.csv"))
def test_an_interrupted_infusion_goes_on_from_where_it_stands(case: Row) -> None:
    dose = at_cap(case["mg_per_kg"], case["weight_kg"])
    plan = plan_infusion(dose=dose, table=MONOGRAPH.rate_table(case["rate_table"]), monograph=MONOGRAPH)
    run = [running.Segment(*map(Decimal, part.split("x"))) for part in case["run"].split("|")]
    got = running.replan(
        plan=plan,
        run=run,
        resume_rate_ml_per_h=decimal(case["resume_rate_ml_per_h"]),
        monograph=MONOGRAPH,
        minutes_since_entry_at_start=decimal(case["since_entry_min"]) if case["since_entry_min"] else None,
    )
    thousandth = Decimal("0.001")
    assert got.volume_in_ml == decimal(case["volume_in_ml"])
    assert got.volume_left_ml == decimal(case["volume_left_ml"])
    assert got.minutes_left.quantize(thousandth) == decimal(case["minutes_left"])
    assert got.elapsed_total_minutes.quantize(thousandth) == decimal(case["elapsed_total_minutes"])
    assert got.midway_minute == (int(case["midway_minute"]) if case["midway_minute"] else None)
    assert got.finishes_in_time == {"yes": True, "no": False, "": None}[case["finishes_in_time"]]
    assert got.slowest_rate_ml_per_h == (decimal(case["slowest_rate_ml_per_h"]) if case["slowest_rate_ml_per_h"] else None)


@pytest.mark.parametrize("case", cases("vaccine_cases.csv"))
def test_a_vaccine_case_gives_both_dates(case: Row) -> None:
    got = screening.vaccine_interference(
        last_given_on=date.fromisoformat(case["last_given_on"]),
        highest_mg_per_kg=decimal(case["highest_mg_per_kg"]),
        monograph=MONOGRAPH,
    )
    assert got.label_until_on == date.fromisoformat(case["label_until_on"])
    assert got.guideline_until_on == date.fromisoformat(case["guideline_until_on"])


@pytest.mark.parametrize("case", cases("risk_cases.csv"))
def test_a_risk_case_falls_into_its_group(case: Row) -> None:
    got = screening.risk_group(donor_igg=case["donor"], recipient_igg=case["recipient"], organs={case["organs"]})
    assert (got.pair, got.code) == (case["pair"], case["group"])
    assert got.working.steps[-1].sentence == f"{got.pair}: {got.sentence}"


@pytest.mark.parametrize("case", cases("proposal_cases.csv"))
def test_a_graft_is_proposed_its_protocol_with_a_reason(case: Row) -> None:
    got = screening.propose_protocol(organs=set(case["organs"].split("|")), age=int(case["age"]), monograph=MONOGRAPH)
    assert got.protocol_code == case["protocol"]
    assert got.needs_confirmation is (case["needs_confirmation"] == "yes")
    assert got.working.rules == (case["rule"],)
    assert "|".join(got.alternatives) == case["alternatives"]


@pytest.mark.parametrize("case", cases("exposure_cases.csv"))
def test_the_rolling_load_counts_what_started_in_its_days(case: Row) -> None:
    given = []
    for part in filter(None, case["given"].split("|")):
        at, amount = part.split("=")
        mg, kg = amount.split("@")
        given.append(GivenDose("D", instant(at), Decimal(mg), Decimal(kg)))
    got = rolling(
        given,
        at=instant(case["at"]),
        days=int(case["days"]),
        concentration_mg_per_ml=Decimal(50),
        sucrose_mg_per_ml=Decimal(50),
    )
    assert (got.mg_per_kg, got.ml_per_kg, got.doses) == (
        decimal(case["mg_per_kg"]),
        decimal(case["ml_per_kg"]),
        int(case["doses"]),
    )
    assert got.sucrose_mg_per_kg == decimal(case["sucrose_mg_per_kg"])


@pytest.mark.parametrize("case", cases("status_cases.csv"))
def test_a_status_case_reads_as_it_should(case: Row) -> None:
    facts: dict[str, object] = {}
    for part in filter(None, case["facts"].split("|")):
        name, _, value = part.partition("=")
        facts[name] = instant(value) if value else True
    edges = {name: instant(case[name]) for name in ("opens_at", "overdue_at", "closes_at")}
    assert status(DoseFacts(**edges, **facts), instant(case["at"])) == case["status"]  # type: ignore[arg-type]


@pytest.mark.parametrize("case", cases("timing_cases.csv"))
def test_a_start_is_early_on_time_late_or_outside(case: Row) -> None:
    anchor = TransplantAnchor(instant("2026-01-01T12:00Z"), "America/New_York")
    windows = plan_windows(MONOGRAPH.protocol(case["protocol"]), anchor, centre_zone="America/New_York")
    window = next(window for window in windows if window.code == case["code"])
    assert window_timing(window, instant(case["started_at"])) == case["timing"]


@pytest.mark.parametrize("case", cases("weight_change_cases.csv"))
def test_a_change_of_weight_asks_from_the_limit_on(case: Row) -> None:
    got = needs_recalculation(
        planned_weight_kg=decimal(case["planned_kg"]),
        latest_weight_kg=decimal(case["latest_kg"]),
        percent=MONOGRAPH.limit("weight_change_percent"),
    )
    assert got is (case["asks"] == "yes")
