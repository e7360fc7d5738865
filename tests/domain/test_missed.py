"""What may be decided about a dose: dates, gaps, mg, reasons; every decision, never a recommendation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from regimens.domain.changes import latest_day_keeping_next, pushed_opening
from regimens.domain.exposure import GivenDose
from regimens.domain.missed import Case, Decision, Option, options, other_protocols
from regimens.domain.reasons import Refused
from regimens.domain.schedule import FirstDoseAnchor, TransplantAnchor, plan_windows
from tests.domain.factory import HEART_8_WEEK, KIDNEY, MONOGRAPH, PNEUMONITIS

ZONE = "America/New_York"
DAY_0 = date(2026, 1, 1)
WINDOWS = plan_windows(KIDNEY, TransplantAnchor(datetime(2026, 1, 1, 17, tzinfo=UTC), ZONE), centre_zone=ZONE)
KG = Decimal(70)


def day(number: int, hour: int = 15) -> datetime:
    """An instant on a day after the transplant, at 10:00 in New York."""
    return datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=number)


def given(code: str, number: int, mg: int = 7000) -> GivenDose:
    return GivenDose(code, day(number), Decimal(mg), KG)


def case(code: str = "W2", *records: GivenDose, **facts: object) -> Case:
    base = Case(code, KIDNEY, DAY_0, WINDOWS, records or (given("W0", 1, 10500),), Decimal(7000), KG)
    return replace(base, **facts)  # type: ignore[arg-type]


def listed(about: Case, at: datetime, give_at: datetime | None = None) -> dict[Decision, Option]:
    return {option.decision: option for option in options(about, at=at, monograph=MONOGRAPH, give_at=give_at)}


def late(about: Case, at: datetime, give_at: datetime | None = None) -> Option:
    return listed(about, at, give_at)[Decision.GIVE_LATE]


def shift(about: Case, at: datetime, give_at: datetime | None = None) -> Option:
    return listed(about, at, give_at)[Decision.GIVE_LATE_AND_SHIFT]


def plain(sentences: tuple[str, ...]) -> list[str]:
    return [text.replace("\u00a0", " ") for text in sentences]


def test_all_nine_decisions_are_listed_in_a_fixed_order_each_with_its_rule() -> None:
    got = options(case(), at=day(20), monograph=MONOGRAPH)
    assert [option.decision for option in got] == list(Decision)
    assert [option.working.rules[0] for option in got] == [
        "R-MISS-1",
        "R-MISS-3",
        "R-MISS-4",
        "R-MISS-5",
        "R-MISS-6",
        "R-MISS-7",
        "R-MISS-8",
        "R-MISS-9",
        "R-MISS-10",
    ]
    assert [option.decision for option in got if option.is_available] == ["give_late", "omit", "change_dose", "hold", "stop"]
    assert not any(option.needs_signature for option in got)


def test_giving_late_moves_no_target_and_tells_its_gaps_and_its_load() -> None:
    option = late(case(), day(20))
    assert option.give_at == day(20)
    assert (option.dose_mg, option.mg_per_kg) == (7000, 100)
    assert (option.days_since_last, option.days_to_next, option.next_code) == (19, 8, "W4")
    assert option.latest_on == DAY_0 + timedelta(days=24)
    assert option.new_targets == ()
    assert option.next_opens_at == day(27)  # seven days after the late start: later than its own opening on day 25
    assert (option.mg_per_kg_in_7_days, option.mg_per_kg_in_28_days) == (100, 250)
    assert plain(option.reasons_for) == ["The dose is given, 7,000 mg; no later target moves."]
    assert plain(option.reasons_against) == ["W4 opens later, 28-Jan-2026 10:00 (America/New_York)."]
    assert option.working.rules == ("R-MISS-1", "R-MISS-2")
    assert plain(tuple(step.sentence for step in option.working)) == [
        "W2 from 21-Jan-2026 10:00 (America/New_York), not before the interval to the last dose has passed",
        "the next dose opens no sooner than 168 h after the late start",
    ]


def test_a_late_dose_keeps_the_mg_per_kg_of_its_own_row() -> None:
    about = case("W8", given("W6", 42))
    assert about.window.mg_per_kg == 100
    option = late(about, day(63))  # seven days late, three weeks before a row of 50
    assert (option.dose_mg, option.mg_per_kg, option.next_code) == (7000, 100, "W12")


def test_a_late_start_waits_for_the_interval_and_for_its_own_window() -> None:
    after_late_first = case("W2", given("W0", 10, 10500))
    assert late(after_late_first, day(12)).give_at == day(17)
    assert late(case(), day(5)).give_at == WINDOWS[1].opens_at
    assert late(case("W0", given("X", -40), ordered_mg=Decimal(10500)), day(5)).give_at == day(5)


def test_the_next_dose_keeps_its_window_when_the_late_one_is_early_enough() -> None:
    option = late(case(), day(18, 3))
    assert option.next_opens_at == WINDOWS[2].opens_at
    assert "W4 keeps its window." in option.reasons_for
    assert option.reasons_against == ()


def test_the_last_day_that_leaves_the_next_a_day_is_the_sites_last_day() -> None:
    fits = late(case(), day(20), day(24))
    assert not fits.needs_signature
    assert fits.next_opens_at == day(31) < WINDOWS[2].closes_at
    beyond = late(case(), day(20), day(25))
    assert beyond.needs_signature
    assert plain(beyond.reasons_against) == [
        "After the site's last day for it, 25-Jan-2026.",
        "Leaves W4 no time inside its window.",
    ]
    assert beyond.is_available


def test_an_interval_cut_short_needs_a_signature() -> None:
    about = case("W2", given("W0", 10, 10500))
    option = late(about, day(12), day(16))
    assert option.needs_signature
    assert plain(option.reasons_against)[0] == "Less than 168 h after the start of the last dose."
    assert not late(about, day(12), day(17)).needs_signature


def test_the_initial_dose_after_72_hours_is_outside_the_labels_window() -> None:
    about = replace(case("W0", ordered_mg=Decimal(10500)), given=())
    option = late(about, day(4))
    assert option.needs_signature
    assert "Outside the label's window for the initial dose." in option.reasons_against
    assert (option.days_since_last, option.days_to_next) == (None, 10)
    assert not late(about, day(2)).needs_signature
    assert late(about, day(0), WINDOWS[0].closes_at).needs_signature


def test_giving_late_is_gone_once_a_later_dose_has_started() -> None:
    about = case("W2", given("W0", 1, 10500), given("W4", 28))
    for option in (late(about, day(29)), shift(replace(about, allows_shift=True), day(29))):
        assert not option.is_available
        assert "W4 has been started since." in option.reasons_against
    assert late(about, day(29)).next_code == "W6"


def test_a_dose_of_another_course_does_not_count_as_later() -> None:
    assert late(case("W2", given("elsewhere", 2)), day(20)).is_available


def test_a_long_gap_means_the_initial_table() -> None:
    about = case("W12", given("W4", 28), ordered_mg=Decimal(3500), settled_codes=frozenset({"W6", "W8"}))
    assert late(about, day(84)).reasons_against == ()
    assert plain(late(about, day(85)).reasons_against) == ["More than 56 days since the last dose: initial rate table."]


def test_the_last_dose_has_no_next() -> None:
    about = case("W16", given("W12", 84, 3500), ordered_mg=Decimal(3500))
    option = late(about, day(121))
    assert (option.next_code, option.next_opens_at, option.days_to_next) == ("", None, None)
    assert option.latest_on == DAY_0 + timedelta(days=126)
    assert option.working.steps[1].sentence == "the next dose opens no sooner than - after the late start"
    assert late(about, day(121), day(127)).needs_signature


def test_a_protocol_without_a_site_limit_has_no_last_day() -> None:
    windows = plan_windows(PNEUMONITIS, FirstDoseAnchor(DAY_0, ZONE), centre_zone=ZONE)
    about = Case("D7", PNEUMONITIS, DAY_0, windows, (GivenDose("D2", day(1), Decimal(28000), KG),), Decimal(28000), KG)
    option = late(about, day(9))
    assert option.latest_on is None
    assert not option.needs_signature
    assert not listed(about, day(9))[Decision.CHANGE_PROTOCOL].is_available
    assert listed(about, day(9))[Decision.CHANGE_PROTOCOL].working.steps[0].sentence.endswith(": none")


def test_what_is_left_of_a_stopped_dose_is_exact_and_keeps_no_interval() -> None:
    about = case(given_mg=Decimal(3400))
    got = listed(about, day(14))
    rest = got[Decision.GIVE_REMAINDER]
    assert (rest.is_available, rest.dose_mg, rest.give_at) == (True, 3600, day(14))
    assert plain((rest.working.steps[0].sentence,)) == ["7,000 mg ordered − 3,400 mg given = 3,600 mg"]
    assert rest.reasons_against == ("New vials, a new vial clock and the initial rate table.",)
    assert rest.next_opens_at == WINDOWS[2].opens_at
    later = listed(about, day(20))[Decision.GIVE_REMAINDER]
    assert later.next_opens_at == day(27)  # the rest counts from its own start
    assert plain(later.reasons_against)[1] == "W4 opens later, 28-Jan-2026 10:00 (America/New_York)."
    part = got[Decision.ACCEPT_PARTIAL]
    assert part.is_available
    assert plain(part.reasons_against) == ["3,600 mg are not given, and are not added to another dose."]
    for blocked in (Decision.GIVE_LATE, Decision.OMIT, Decision.CHANGE_DOSE):
        assert not got[blocked].is_available
        assert "The dose was begun: decide about the rest of it." in got[blocked].reasons_against
    assert plain((got[Decision.STOP].working.steps[0].sentence,)) == [
        "the course ends; 400 mg per kg of the protocol are not given"
    ]


def test_nothing_is_left_of_a_dose_given_in_full() -> None:
    for amount in ("7000", "7100"):
        got = listed(case(given_mg=Decimal(amount)), day(14))
        assert got[Decision.GIVE_REMAINDER].reasons_against == ("Nothing is left of the ordered dose.",)
        assert plain(got[Decision.ACCEPT_PARTIAL].reasons_against)[0].startswith("0 mg are not given")
    assert listed(case(), day(14))[Decision.GIVE_REMAINDER].reasons_against == ("The dose was not begun.",)
    assert listed(case(), day(14))[Decision.ACCEPT_PARTIAL].reasons_against == ("The dose was not begun.",)


def test_omitting_adds_nothing_elsewhere_and_tells_the_gap() -> None:
    option = listed(case(), day(20))[Decision.OMIT]
    assert plain(option.reasons_against) == [
        "7,000 mg are not given, and are not added to another dose.",
        "27 days between the last dose and W4.",
    ]
    assert (option.dose_mg, option.give_at, option.mg_per_kg_in_28_days) == (None, None, 150)
    assert option.working.steps[0].sentence == "W2 is not given; no other dose changes"
    long_gap = case("W12", given("W6", 50), ordered_mg=Decimal(3500), settled_codes=frozenset({"W8"}))
    assert (
        plain(listed(long_gap, day(92))[Decision.OMIT].reasons_against)[1]
        == "62 days between the last dose and W16: initial rate table."
    )
    exactly = case("W12", given("W8", 56), ordered_mg=Decimal(3500))
    assert plain(listed(exactly, day(92))[Decision.OMIT].reasons_against)[1] == "56 days between the last dose and W16."
    assert len(listed(replace(case(), given=()), day(20))[Decision.OMIT].reasons_against) == 1
    assert len(listed(case("W16", given("W12", 84)), day(121))[Decision.OMIT].reasons_against) == 1


def test_a_remainder_is_gone_once_a_later_dose_has_started() -> None:
    about = case("W2", given("W0", 1, 10500), given("W2", 14, 3400), given("W4", 28), given_mg=Decimal(3400))
    rest = listed(about, day(29))[Decision.GIVE_REMAINDER]
    assert not rest.is_available
    assert rest.reasons_against[0] == "W4 has been started since."


def test_while_the_course_is_on_hold_nothing_is_given_and_it_is_not_held_twice() -> None:
    late_ones = listed(case(is_on_hold=True, allows_shift=True), day(20))
    for decision in (Decision.GIVE_LATE, Decision.GIVE_LATE_AND_SHIFT, Decision.CHANGE_DOSE):
        assert late_ones[decision].reasons_against[0] == "The course is on hold: resume it first."
        assert not late_ones[decision].is_available
    assert late_ones[Decision.HOLD].reasons_against[0] == "The course is on hold already."
    assert late_ones[Decision.OMIT].is_available and late_ones[Decision.STOP].is_available
    rest = listed(case(is_on_hold=True, given_mg=Decimal(3400)), day(14))
    assert not rest[Decision.GIVE_REMAINDER].is_available
    assert rest[Decision.ACCEPT_PARTIAL].is_available


def test_a_changed_dose_keeps_the_limits_of_a_late_one_and_shows_its_load() -> None:
    def changed(about: Case, mg_per_kg: str) -> Option:
        found = options(about, at=day(20), monograph=MONOGRAPH, mg_per_kg=Decimal(mg_per_kg))
        return next(option for option in found if option.decision is Decision.CHANGE_DOSE)

    half = changed(case(), "50")
    assert (half.dose_mg, half.mg_per_kg, half.mg_per_kg_in_7_days, half.mg_per_kg_in_28_days) == (3500, 50, 50, 200)
    assert (half.latest_on, half.next_opens_at) == (DAY_0 + timedelta(days=24), day(27))
    assert changed(case(), "150").dose_mg == 10500
    with pytest.raises(Refused) as refusal:
        changed(case(), "150.01")
    assert (refusal.value.code, refusal.value.field) == ("over_cap", "mg_per_kg")
    begun = case("W2", given("W0", 1, 10500), given("W4", 28))
    assert not listed(begun, day(29))[Decision.CHANGE_DOSE].is_available
    assert listed(case(), day(20), day(25))[Decision.CHANGE_DOSE].needs_signature


def test_a_combined_graft_may_change_to_the_table_of_its_other_organ() -> None:
    assert not listed(case(), day(20))[Decision.CHANGE_PROTOCOL].is_available
    about = case(organs=frozenset({"kidney", "heart"}))
    assert listed(about, day(20))[Decision.CHANGE_PROTOCOL].is_available
    assert "kidney" not in {row.code for row in other_protocols(about, MONOGRAPH)}


def test_the_other_decisions_tell_what_they_cost() -> None:
    got = listed(case(), day(20))
    assert plain(got[Decision.CHANGE_DOSE].reasons_against) == [
        "Needs a new order and a new verification.",
        "Not above 150 mg per kg in one infusion.",
        "W4 opens later, 28-Jan-2026 10:00 (America/New_York).",
    ]
    assert got[Decision.CHANGE_DOSE].give_at == day(20)
    assert got[Decision.CHANGE_DOSE].dose_mg is None
    assert got[Decision.HOLD].reasons_against[0] == "This dose still waits for its decision."
    assert "each one that does must be decided" in got[Decision.HOLD].reasons_against[1]
    assert plain(got[Decision.STOP].reasons_against) == ["500 mg per kg of the protocol are not given."]
    assert all(option.reasons_for or not option.is_available for option in got.values())


def test_another_protocol_must_be_for_the_same_graft_and_anchor() -> None:
    windows = plan_windows(HEART_8_WEEK, TransplantAnchor(datetime(2026, 1, 1, 17, tzinfo=UTC), ZONE), centre_zone=ZONE)
    about = Case("W4", HEART_8_WEEK, DAY_0, windows, (), Decimal(7000), KG)
    assert (
        listed(about, day(33))[Decision.CHANGE_PROTOCOL].working.steps[0].sentence
        == "another protocol of the monograph: other organ"
    )
    assert listed(about, day(33))[Decision.CHANGE_PROTOCOL].is_available


def test_several_other_protocols_are_named_one_by_one() -> None:
    third = replace(KIDNEY, code="third", title="third", organs=("kidney",))
    fourth = replace(KIDNEY, code="fourth", title="fourth", organs=("kidney", "liver"))
    more = replace(MONOGRAPH, protocols=(*MONOGRAPH.protocols, third, fourth))
    [option] = [row for row in options(case(), at=day(20), monograph=more) if row.decision == Decision.CHANGE_PROTOCOL]
    assert option.working.steps[0].sentence == "another protocol of the monograph: third, fourth"


def test_the_rolling_load_is_taken_at_the_start_considered() -> None:
    option = late(case("W4", given("W0", 1, 10500), given("W2", 14)), day(34), day(36))
    assert (option.mg_per_kg_in_7_days, option.mg_per_kg_in_28_days) == (100, 200)
    assert (option.days_since_last, option.days_to_next) == (22, 6)


def test_a_dose_leaves_the_28_days_by_the_start_considered_not_by_the_hour_of_asking() -> None:
    option = late(case("W4", given("W0", 1, 10500), given("W2", 14)), day(28), day(30))
    assert option.mg_per_kg_in_28_days == 200


def test_a_late_start_just_seven_days_before_the_next_window_shuts_leaves_it_nothing() -> None:
    shuts = WINDOWS[2].closes_at - timedelta(days=7)
    assert "Leaves W4 no time inside its window." in late(case(), day(20), shuts).reasons_against
    assert "Leaves W4 no time inside its window." not in late(case(), day(20), shuts - timedelta(minutes=1)).reasons_against


def test_a_dose_that_was_begun_has_not_been_overtaken_by_itself() -> None:
    about = case("W2", given("W0", 1, 10500), given("W2", 14, 3000), given_mg=Decimal(3000))
    assert not any("started since" in text for text in late(about, day(15)).reasons_against)


def test_a_start_in_the_past_is_refused_as_a_plan() -> None:
    with pytest.raises(Refused) as refusal:
        options(case(), at=day(20), monograph=MONOGRAPH, give_at=day(19))
    assert (refusal.value.code, refusal.value.field) == ("start_in_the_past", "give_at")
    assert late(case(), day(20), day(20)).give_at == day(20)


def test_unknown_doses_and_naive_instants_are_refused() -> None:
    with pytest.raises(Refused) as refusal:
        options(case("W3"), at=day(20), monograph=MONOGRAPH)
    assert (refusal.value.code, refusal.value.value) == ("unknown_dose", "W3")
    for field, kwargs in (("at", {"at": datetime(2026, 1, 1)}), ("give_at", {"at": day(20), "give_at": datetime(2026, 1, 1)})):  # noqa: DTZ001
        with pytest.raises(Refused) as refusal:
            options(case(), monograph=MONOGRAPH, **kwargs)  # type: ignore[arg-type]
        assert refusal.value.field == field


def test_a_settled_dose_is_no_longer_next() -> None:
    option = late(case(settled_codes=frozenset({"W4"})), day(20))
    assert option.next_code == "W6"
    assert pushed_opening(WINDOWS[3], day(20)) == WINDOWS[3].opens_at
    assert latest_day_keeping_next(WINDOWS[3]) == DAY_0 + timedelta(days=38)
    assert latest_day_keeping_next(replace(WINDOWS[3], min_interval_hours=25)) == DAY_0 + timedelta(
        days=43
    )  # part of a day is a day


def test_the_dose_itself_is_not_its_own_last_dose() -> None:
    about = case("W2", given("W0", 1, 10500), given("W2", 14, 3000), given_mg=Decimal(3000))
    assert listed(about, day(14, 20))[Decision.GIVE_REMAINDER].days_since_last == 13
