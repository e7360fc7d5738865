"""The picture of a course: everything in its place, no two labels touch, and all of it in words as well."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.template.loader import render_to_string

from regimens.domain.status import Status
from regimens.templatetags import display
from regimens.views import labels, timeline
from regimens.views.timeline import Happened, Planned, Span, Story, Timeline, Words, draw

ZONE = "America/New_York"
START = datetime(2026, 11, 20, 23, 10, tzinfo=UTC)  # 18:10 in New York
DAY = timedelta(days=1)
KIDNEY = (0, 14, 28, 42, 56, 84, 112)
PNEUMONITIS = (0, 1, 6, 13, 20, 24, 28)


def planned(days: tuple[int, ...] = KIDNEY, statuses: str = "upcoming", grace: int = 3, hours: bool = True) -> list[Planned]:
    return [
        Planned(
            name=f"Dose {number}",
            amount="10,500 mg",
            status=statuses,
            word=display.STATUS[statuses].word,
            opens_at=START + (day - (grace if day else 0)) * DAY,
            target_at=START + day * DAY,
            closes_at=START + (day + (grace if day else 3)) * DAY,
            in_hours=hours and not day,
        )
        for number, day in enumerate(days, start=1)
    ]


def place(percent: str) -> Decimal:
    return Decimal(percent.removesuffix("%"))


def boxes(picture: Timeline, width_px: int) -> list[tuple[Decimal, Decimal, int, str]]:
    """Left, right, baseline and words of every label on a picture so many pixels wide."""
    found = []
    for words in picture.words:
        text = f"{words.mark} {words.text}".strip()
        wide = Decimal(len(text) * labels.LETTER_PX)
        at = place(words.x) * width_px / 100
        left = {"start": at, "middle": at - wide / 2, "end": at - wide}[words.anchor]
        found.append((left, left + wide, words.y, text))
    return found


def touching(picture: Timeline, width_px: int) -> list[tuple[str, str]]:
    """Labels of one line that lie over each other."""
    found = boxes(picture, width_px)
    return [
        (one[3], other[3])
        for i, one in enumerate(found)
        for other in found[i + 1 :]
        if abs(one[2] - other[2]) < 10 and one[0] < other[1] and other[0] < one[1]
    ]


@pytest.mark.parametrize("width_px", [labels.NARROW_PX, 1300])
@pytest.mark.parametrize("status", ["upcoming", "given", "passed_on_hold", "disputed"])
@pytest.mark.parametrize("days", [KIDNEY, PNEUMONITIS, (0,)])
def test_no_two_labels_touch_at_768_nor_at_1366_pixels(days: tuple[int, ...], status: str, width_px: int) -> None:
    given = [Happened(START + day * DAY, ("Given", "210 mL", "21-Nov-2026"), "●", "good") for day in days]
    weights = [Happened(START + day * DAY, ("70.5 kg",)) for day in range(0, 60, 2)]
    story = Story(planned(days, status), given=given, weights=weights, anchor_at=START)
    for now in (START - DAY, START + DAY, START + 200 * DAY):
        picture = draw(story, now=now, zone=ZONE)
        assert touching(picture, width_px) == []
        for left, right, _, text in boxes(picture, width_px):
            assert left >= 0 and right <= width_px, text


def test_a_place_is_as_far_along_as_its_instant() -> None:
    picture = draw(Story(planned(), anchor_at=START), now=START - 30 * DAY, zone=ZONE)
    windows = [bar for bar in picture.bars if bar.kind.startswith("window")]
    assert len(windows) == 7
    targets = [place(line.x1) for line in picture.strokes if line.kind == "target"]
    steps = [
        (after - before) / Decimal(days)
        for before, after, days in zip(targets, targets[1:], (14, 14, 14, 14, 28, 28), strict=False)
    ]
    assert max(steps) - min(steps) < Decimal("0.01")  # percent of the width per day
    assert place(windows[0].width) / steps[0] == pytest.approx(3, abs=0.05)  # 72 hours
    assert place(windows[1].width) / steps[0] == pytest.approx(6, abs=0.05)


def test_places_are_computed_without_floats() -> None:
    assert labels.percent(1234) == "12.34%"
    assert labels.percent(5) == "0.05%"
    for module in (timeline, labels):
        code = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(code) if isinstance(node, ast.Div)]
        assert not [node for node in ast.walk(code) if isinstance(node, ast.Constant) and isinstance(node.value, float)]


def words_of(picture: Timeline) -> dict[str, Words]:
    return {words.text: words for words in picture.words}


def test_status_is_a_shape_and_a_word_and_never_color_alone() -> None:
    for status in Status:
        look = display.STATUS[status]
        picture = draw(Story(planned((0, 30), status), anchor_at=START), now=START, zone=ZONE)
        shown = [words for words in picture.words if words.text == look.word]
        assert len(shown) == 2 and all(words.mark == look.mark for words in shown), status


def test_now_stands_where_it_is_and_is_left_out_when_the_course_is_over() -> None:
    story = Story(planned(), anchor_at=START)
    at = draw(story, now=START + 56 * DAY, zone=ZONE)
    line = next(line for line in at.strokes if line.kind == "now")
    targets = [line.x1 for line in at.strokes if line.kind == "target"]
    assert line.x1 == targets[4]
    assert [bar.kind for bar in at.bars].count("past") == 1
    assert "now 15-Jan-2027 18:10".replace(" ", "") in "".join(words_of(at)).replace(" ", "").replace(display.NBSP, "")
    assert not any(line.kind == "now" for line in draw(story, now=START + 300 * DAY, zone=ZONE).strokes)
    assert any(line.kind == "now" for line in draw(story, now=START - 2 * DAY, zone=ZONE).strokes)


def test_holds_are_shaded_and_named_and_an_open_one_reaches_to_now() -> None:
    now = START + 30 * DAY
    holds = [Span(START + 10 * DAY, START + 15 * DAY, "Sepsis"), Span(START + 25 * DAY, None, "Supply, not resumed")]
    picture = draw(Story(planned(), holds=holds, anchor_at=START), now=now, zone=ZONE)
    bars = [bar for bar in picture.bars if bar.kind == "hold"]
    assert len([bar for bar in picture.bars if bar.kind == "held"]) == len(bars) == 2
    line = next(line for line in picture.strokes if line.kind == "now")
    assert place(bars[1].x) + place(bars[1].width) == place(line.x1)
    assert {"Sepsis", "Supply, not resumed"} <= set(words_of(picture))


def test_72_hours_a_booking_reactions_weights_and_doses_elsewhere_are_drawn() -> None:
    doses = planned()
    doses[1] = Planned(
        "Dose 2",
        "7,000 mg",
        "due",
        "Due",
        doses[1].opens_at,
        doses[1].target_at,
        doses[1].closes_at,
        booked_for=doses[1].target_at,
    )
    story = Story(
        doses,
        given=[Happened(START - 2 * DAY, ("Elsewhere", "5,000 mg"), "◈", "good")],
        events=[Happened(START + 15 * DAY, ("Flushing",), "▲", "warn")],
        weights=[Happened(START, ("70 kg",)), Happened(START - 400 * DAY, ("95 kg",))],
        anchor_at=START,
    )
    picture = draw(story, now=START + 3 * DAY, zone=ZONE)
    said = words_of(picture)
    assert {"Elsewhere", "5,000 mg", "Flushing", "70 kg", "▾", "Given", "Events", "Weight"} <= set(said)
    assert "95 kg" not in said  # long before the course: it stands in the table of weights
    assert any(text.startswith("until 23-Nov-2026") for text in said)
    assert "72" + display.NBSP + "h" in said
    assert [bar.kind for bar in picture.bars].count("hours") == 1


def test_weights_that_do_not_fit_give_way_to_newer_ones() -> None:
    weights = [Happened(START + hours * timedelta(hours=1), (f"7{hours} kg",)) for hours in range(5)]
    picture = draw(Story(planned(), weights=weights, anchor_at=START), now=START + 3 * DAY, zone=ZONE)
    assert [words.text for words in picture.words if words.text.endswith(" kg")] == ["74 kg"]


def test_a_course_counted_from_its_first_dose_begins_with_day_1() -> None:
    picture = draw(Story(planned(PNEUMONITIS, hours=False)), now=START, zone=ZONE)
    said = [words.text for words in picture.words]
    assert said[said.index("Day") + 1] == "1"
    weeks = [words.text for words in draw(Story(planned(), anchor_at=START), now=START, zone=ZONE).words]
    assert weeks[weeks.index("Week") + 1] == "0"


def test_the_drawing_is_an_image_with_a_name_and_what_it_shows_in_words() -> None:
    picture = draw(Story(planned(statuses="given"), anchor_at=START), now=START, zone=ZONE)
    html = render_to_string("regimens/_timeline.html", {"picture": picture, "key": 1})
    assert 'role="img" aria-labelledby="picture-1 picture-1-says"' in html
    assert "Dose 1, 10,500 mg: Given" in html and "The table below says the same" in html
    assert "style=" not in html and "viewBox" not in html
    assert html.count("<text") == len(picture.words)


def test_what_was_given_long_before_is_counted_and_does_not_press_the_plan_into_a_corner() -> None:
    long_ago = Happened(START - 700 * DAY, ("Elsewhere", "7,000 mg"))
    near = Happened(START - 20 * DAY, ("Elsewhere", "5,000 mg"))
    alone = draw(Story(planned(), anchor_at=START), now=START, zone=ZONE)
    beside = draw(Story(planned(), given=[long_ago], anchor_at=START), now=START, zone=ZONE)
    assert [bar.x for bar in beside.bars] == [bar.x for bar in alone.bars]
    said = [words.text for words in beside.words]
    assert said.count("1 earlier") == 1 and "7,000 mg" not in said
    assert "Given: 1 earlier." in beside.description
    both = draw(Story(planned(), given=[long_ago, near], anchor_at=START), now=START, zone=ZONE)
    assert "5,000 mg" in [words.text for words in both.words]
    assert "Given: Elsewhere, 5,000 mg, 31-Oct-2026; 1 earlier." in both.description
    assert not touching(both, labels.NARROW_PX)


def test_the_description_tells_every_row_of_the_picture() -> None:
    story = Story(
        planned(),
        given=[Happened(START + DAY, ("Given", "210 mL"))],
        events=[Happened(START + DAY, ("Headache",))],
        weights=[Happened(START, ("70 kg",))],
        holds=[Span(START + 20 * DAY, None, "Sepsis, not resumed")],
        anchor_at=START,
    )
    said = draw(story, now=START + 30 * DAY, zone=ZONE).description
    for row in ("Given: Given, 210 mL, 21-Nov-2026.", "In hours: Dose 1 until", "On hold: Sepsis, not resumed, from 10-Dec-2026.",
                "Events: Headache, 21-Nov-2026.", "Weight: 70 kg, 20-Nov-2026.", "Now: 20-Dec-2026"):  # fmt: skip
        assert row in said, row
