"""A dose, a date and a status are written in one way, whatever the locale."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.template import engines

from regimens.domain.status import Status
from regimens.templatetags import display

NEW_YORK = "America/New_York"


def plain(text: str) -> str:
    """With the no-break spaces made visible as "~"."""
    return text.replace("\u00a0", "~")


def rendered(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (Decimal("10500.00"), "mg", "10,500~mg"),
        (Decimal("999"), "mg", "999~mg"),
        (Decimal("1000"), "mg", "1,000~mg"),
        (Decimal("70.50"), "kg", "70.5~kg"),
        (Decimal("0.5"), "mL", "0.5~mL"),
        (Decimal("1.0"), "mL", "1~mL"),
        (Decimal("1E+4"), "mg", "10,000~mg"),
        (Decimal("150"), "mg/kg", "150~mg~per~kg"),
        (Decimal("60"), "mg per kg per h", "60~mg~per~kg~per~h"),
        (42, "mL/h", "42~mL~per~h"),
        (Decimal("0"), "mL", "0~mL"),
        (None, "mg", "Not recorded"),
    ],
)
def test_an_amount_is_written_without_trailing_zeros_with_commas_and_does_not_part_from_its_unit(value, unit, text):
    assert plain(display.format_unit(value, unit)) == text
    assert plain(rendered("{{ value|unit:unit }}", value=value, unit=unit)) == text


@pytest.mark.parametrize("value", [70.5, "10500", True, [70]])
def test_a_number_that_is_not_exact_is_refused(value):
    with pytest.raises(TypeError):
        display.format_number(value)


def test_a_number_in_a_template_is_the_same_in_every_locale(settings):
    settings.USE_I18N = True
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    assert (
        plain(rendered("{{ mg|unit:'mg' }} {{ kg|number }}", mg=Decimal("10500.50"), kg=Decimal("70.50"))) == "10,500.5~mg 70.5"
    )
    assert rendered("{{ on|day }}", on=date(2026, 5, 3)) == "03-May-2026"


def test_a_day_is_two_digits_a_month_in_letters_and_four_digits():
    assert display.format_day(date(2026, 11, 22)) == "22-Nov-2026"
    assert display.format_day(date(2026, 5, 3)) == "03-May-2026"
    assert plain(display.format_weekday_day(date(2026, 11, 22))) == "Sun~22-Nov-2026"
    assert display.format_day(None) == display.format_weekday_day(None) == "Not recorded"


def test_an_instant_has_no_day_until_its_zone_is_said():
    with pytest.raises(TypeError):
        display.format_day(datetime(2026, 11, 22, tzinfo=UTC))
    with pytest.raises(ValueError, match="without a zone"):
        display.format_instant(datetime(2026, 11, 22), NEW_YORK)  # noqa: DTZ001 - a naive instant is what is refused here


def test_a_window_is_written_with_both_its_days():
    assert display.format_span(date(2026, 12, 1), date(2026, 12, 7)) == "01-Dec-2026 to 07-Dec-2026"
    assert rendered("{% span on on %}", on=date(2026, 12, 2)) == "02-Dec-2026"


def test_an_instant_is_shown_on_the_clock_of_the_centre():
    at = datetime(2026, 11, 22, 4, 5, tzinfo=UTC)
    assert plain(display.format_instant(at, NEW_YORK)) == "21-Nov-2026~23:05"
    assert plain(display.format_instant(at, ZoneInfo("Asia/Kolkata"))) == "22-Nov-2026~09:35"
    assert plain(display.format_instant(at, NEW_YORK, name_zone=True)) == "21-Nov-2026~23:05~EST"
    assert plain(
        rendered("{{ at|instant:zone }} {% instant at zone name_zone=True %} {{ at|clock:zone }}", at=at, zone=NEW_YORK)
    ) == ("21-Nov-2026~23:05 21-Nov-2026~23:05~EST 23:05")
    assert display.format_clock(None, NEW_YORK) == display.format_instant(None, NEW_YORK) == "Not recorded"


@pytest.mark.parametrize(
    ("utc", "clock"),
    [
        (datetime(2026, 11, 1, 4, 59, tzinfo=UTC), "00:59"),
        (datetime(2026, 11, 1, 5, 0, tzinfo=UTC), "01:00~EDT"),
        (datetime(2026, 11, 1, 5, 59, tzinfo=UTC), "01:59~EDT"),
        (datetime(2026, 11, 1, 6, 0, tzinfo=UTC), "01:00~EST"),
        (datetime(2026, 11, 1, 6, 59, tzinfo=UTC), "01:59~EST"),
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), "02:00"),
        (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), "01:59"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "03:00"),
    ],
)
def test_the_hour_that_comes_twice_names_its_zone_and_no_other_does(utc, clock):
    assert plain(display.format_clock(utc, NEW_YORK)) == clock
    assert plain(display.format_instant(utc, NEW_YORK, name_zone=True)).count("E") == 1


def test_a_zone_is_named_as_people_say_it_or_by_its_distance_from_utc():
    at = datetime(2026, 7, 1, tzinfo=UTC)
    assert display.format_zone_city(NEW_YORK) == "New York"
    assert display.format_zone(at, NEW_YORK) == "EDT"
    assert display.format_zone(at, "Asia/Kathmandu") == "UTC+05:45"
    assert display.format_zone(at, "America/Sao_Paulo") == "UTC-03:00"


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (Decimal("202.8"), "3~h 23~min"),
        (Decimal("203"), "3~h 23~min"),
        (60, "1~h"),
        (59, "59~min"),
        (0, "0~min"),
        (timedelta(hours=9, minutes=14), "9~h 14~min"),
        (timedelta(days=3), "72~h"),
        (None, "Not recorded"),
    ],
)
def test_elapsed_time_is_whole_hours_and_minutes_never_printed_too_short(elapsed, text):
    assert plain(display.format_minutes(elapsed)) == text


@pytest.mark.parametrize(
    ("born", "on", "text"),
    [
        (date(1979, 7, 14), date(2026, 7, 13), "46y"),
        (date(1979, 7, 14), date(2026, 7, 14), "47y"),
        (date(2008, 11, 23), date(2026, 11, 22), "17y~11m"),
        (date(2008, 11, 22), date(2026, 11, 22), "18y"),
        (date(2022, 8, 1), date(2026, 11, 22), "4y~3m"),
        (date(2022, 11, 22), date(2026, 11, 22), "4y"),
        (date(2024, 11, 23), date(2026, 11, 22), "23m"),
        (date(2025, 11, 22), date(2026, 11, 22), "12m"),
        (date(2025, 11, 23), date(2026, 11, 22), "52w"),
        (date(2026, 10, 25), date(2026, 11, 22), "4w"),
        (date(2026, 10, 26), date(2026, 11, 22), "27d"),
        (date(2026, 11, 22), date(2026, 11, 22), "0d"),
        (date(2008, 2, 29), date(2026, 2, 28), "17y~11m"),
        (date(2008, 2, 29), date(2026, 3, 1), "18y"),
    ],
)
def test_an_age_turns_on_the_birthday_and_small_children_are_told_apart(born, on, text):
    assert plain(display.format_age(born, on)) == text
    assert plain(rendered("{{ born|age:on }}", born=born, on=on)) == text


def test_nobody_has_an_age_before_birth():
    with pytest.raises(ValueError, match="before birth"):
        display.format_age(date(2026, 11, 23), date(2026, 11, 22))


def test_a_name_is_family_in_capitals_then_given_then_title():
    assert display.format_name("Okonkwo", "Adaeze", "Ms") == "OKONKWO, Adaeze (Ms)"
    assert display.format_name("Sukarno") == "SUKARNO"
    assert display.format_name("nguyễn", "Thị Lan") == "NGUYỄN, Thị Lan"


def test_a_record_number_is_grouped_only_when_it_is_plain_digits():
    assert plain(display.format_mrn("00427719")) == "0042~7719"
    assert plain(display.format_mrn("9434765919")) == "9434~7659~19"
    assert display.format_mrn("MRN-0042") == "MRN-0042"
    assert display.format_mrn("12345") == "12345"
    assert display.format_mrn("٠٠٤٢٧٧١٩") == "٠٠٤٢٧٧١٩"


def test_the_weight_is_echoed_in_pounds():
    assert plain(display.format_pounds(Decimal("70"))) == "about 154~lb"
    assert display.format_pounds(None) == ""


def test_every_status_of_a_dose_has_a_shape_and_a_word():
    assert {str(status) for status in Status} <= set(display.STATUS)
    for look in display.STATUS.values():
        assert len(look.mark) == 1
        assert look.word


def test_two_statuses_that_look_the_same_do_not_read_the_same():
    doses = {status: display.STATUS[status] for status in map(str, Status)}
    assert len({look.word for look in doses.values()}) == len(doses)


def test_red_is_for_hard_stops_only():
    assert {status for status, look in display.STATUS.items() if look.tone == "hard"} == {"off_label", "stop"}


def test_a_status_is_read_as_its_word_and_its_shape_is_not_read_aloud():
    html = rendered("{% status_tag status %}", status=Status.MISSED)
    assert html == '<span class="tag tag-missed"><span class="mark" aria-hidden="true">■</span> Missed</span>'
    assert "&lt;b&gt;" in display.format_status("missed", "<b>")


def test_an_unknown_status_is_an_error_and_never_a_blank():
    with pytest.raises(KeyError):
        display.format_status("late-ish")


def patient(**changed: object) -> SimpleNamespace:
    facts = {
        "pk": "6f0c",
        "family_name": "Okonkwo",
        "given_name": "Adaeze",
        "title": "Ms",
        "birth_on": date(1979, 7, 14),
        "mrn": "00427719",
        "ward": "7 West",
        "allergy_state": "known",
        "allergies": "immune globulin: rigors 2019",
        "closed_at": None,
        "closed_reason": "",
        "get_sex_display": lambda: "Female",
        "get_allergy_state_display": lambda: "Known allergies",
        "get_closed_reason_display": lambda: "",
    }
    return SimpleNamespace(**facts | changed)


def banner(someone: SimpleNamespace, **extra: object) -> str:
    context = {"patient": someone, "today": date(2026, 11, 22), "zone": NEW_YORK, "weight": None, "alert": "", **extra}
    html = rendered("{% patient_banner patient today=today zone=zone weight=weight name_alert=alert %}", **context)
    return plain(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("\u00a0", "~"))))


def test_the_banner_says_who_this_is():
    weight = SimpleNamespace(weight_kg=Decimal("70.00"), measured_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC))
    text = banner(patient(), weight=weight, alert="another OKONKWO is in care here")
    for part in (
        "OKONKWO, Adaeze (Ms)",
        "Born 14-Jul-1979 ( 47y)",
        "Sex Female",
        "MRN 0042~7719",
        "Wt 70~kg 21-Nov-2026",
        "Known allergies: immune globulin: rigors 2019",
        "Name alert: another OKONKWO is in care here",
    ):
        assert part.replace("( ", "(") in text.replace("( ", "("), part


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("none_known", "No known allergies"),
        ("not_recorded", "Allergies not recorded"),
        ("unavailable", "Allergies unavailable"),
    ],
)
def test_the_banner_always_says_one_of_four_allergy_states(state, words):
    assert words in banner(patient(allergy_state=state, allergies="", get_allergy_state_display=lambda: words))


def test_without_a_weight_the_banner_says_so():
    assert "Wt Not recorded" in banner(patient())


def test_the_banner_of_someone_who_died_says_when_and_at_what_age():
    text = banner(
        patient(
            closed_at=datetime(2026, 7, 14, 3, 0, tzinfo=UTC), closed_reason="died", get_closed_reason_display=lambda: "Died"
        )
    )
    assert "Died 13-Jul-2026" in text
    assert "age at death 46y" in text


def test_a_name_cannot_bring_mark_up_into_the_banner():
    context = {"p": patient(family_name="<script>", allergies='"><img>'), "today": date(2026, 11, 22)}
    html = rendered("{% patient_banner p today=today %}", **context)
    assert "<script" not in html.lower()
    assert "<img" not in html
