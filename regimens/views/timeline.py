"""A course as a picture: what is planned above the line, what was given below it, on one scale of days.

Only places are computed here, and only with whole numbers: across in hundredths of a percent of the width, so that the picture fits
any screen with its letters at their own size; down in pixels. Whatever the picture says stands in the table beneath it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from regimens.domain.clock import day_start
from regimens.templatetags import display
from regimens.views.labels import LEFT, NARROW_PX, RIGHT, anchored, edges, lanes_of, percent, wide

DAY = timedelta(days=1)
NEAR = timedelta(days=28)  # as long as immune globulin is asked about before a course
LINE_PX = 15
GAP_PX = 6
STEPS_DAYS = (1, 2, 7, 14, 28, 56, 112, 224)
TICK_PX = 80  # between two dates on the scale


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; ``x`` and ``width`` in percent, ``y`` and ``height`` in pixels."""

    x: str
    y: int
    width: str
    height: int
    kind: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """An upright or level line."""

    x1: str
    y1: int
    x2: str
    y2: int
    kind: str


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text, after the shape of a status where it has one."""

    x: str
    y: int
    anchor: str
    text: str
    mark: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned dose: its name, amount and status (a key of ``display.STATUS``, and the word for it), and its window."""

    name: str
    amount: str
    status: str
    word: str
    opens_at: datetime
    target_at: datetime
    closes_at: datetime
    in_hours: bool = False
    booked_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened at an instant: lines of text, the first after the shape of its status."""

    at: datetime
    lines: tuple[str, ...]
    mark: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted; ``until`` None while it lasts."""

    since: datetime
    until: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Story:
    """What a picture tells."""

    planned: Sequence[Planned]
    given: Sequence[Happened] = ()
    events: Sequence[Happened] = ()
    weights: Sequence[Happened] = ()
    holds: Sequence[Span] = ()
    anchor_at: datetime | None = None


@dataclass(slots=True)
class Timeline:
    """The picture, ready to be drawn: shapes in the order in which they lie over each other."""

    title: str
    description: str
    height: int = 0
    bars: list[Bar] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scale:
    """Instants to places across."""

    starts_at: datetime
    ends_at: datetime

    def at(self, instant: datetime) -> int:
        """Hundredths of a percent, never outside the scale."""
        whole = self.ends_at - self.starts_at
        inside = min(max(instant, self.starts_at), self.ends_at) - self.starts_at
        return LEFT + inside * (RIGHT - LEFT) // whole

    def holds(self, instant: datetime) -> bool:
        """Whether an instant lies on the scale."""
        return self.starts_at <= instant <= self.ends_at


def draw(story: Story, *, now: datetime, zone: str) -> Timeline:
    """The picture of a course: in weeks from its transplant, or in days from its first dose where it counts from that."""
    scale = _scale(story, now)
    picture = Timeline("The course as a picture", _description(story, scale, now, zone))
    y = LINE_PX + 4  # the word "now" stands above everything
    y = _draw_planned(picture, scale, story.planned, y)
    axis_y = y
    y = _draw_axis(picture, scale, story, axis_y, zone)
    y = _draw_rows(picture, scale, "Given", story.given, y, says_what_is_off=True)
    y = _draw_hours(picture, scale, story.planned, y, zone)
    y = _draw_holds(picture, scale, story.holds, y, now, axis_y)
    y = _draw_rows(picture, scale, "Events", story.events, y)
    y = _draw_rows(picture, scale, "Weight", story.weights, y, drops=True)
    picture.height = y + 2
    _draw_now(picture, scale, now, zone)
    return picture


def _scale(story: Story, now: datetime) -> Scale:
    """From a little before the first thing to a little after the last; now is on it while the course lasts. What was given long
    before the plan or long after it would press the plan into a corner: it is left off, and said.
    """
    begins = [dose.opens_at for dose in story.planned]
    ends = [dose.closes_at for dose in story.planned]
    if story.anchor_at is not None:
        begins.append(story.anchor_at)
    near = [thing.at for thing in story.given if min(begins) - NEAR <= thing.at <= max(ends) + NEAR]
    begins, ends = begins + near, ends + near
    starts_at, ends_at = min(begins), max(ends)
    margin = max((ends_at - starts_at) // 40, DAY // 2)
    if starts_at - 7 * margin < now < starts_at:
        starts_at = now
    if ends_at < now < ends_at + 7 * margin:
        ends_at = now
    return Scale(starts_at - margin, ends_at + margin)


def _description(story: Story, scale: Scale, now: datetime, zone: str) -> str:
    """All that is drawn, row by row, in words."""

    def day(at: datetime) -> str:
        return display.format_day(at.astimezone(ZoneInfo(zone)).date())

    def told(things: Iterable[Happened]) -> list[str]:
        return [f"{', '.join(thing.lines)}{'' if day(thing.at) in thing.lines else ', ' + day(thing.at)}" for thing in things]

    rows = {
        "Planned": [
            f"{dose.name}, {dose.amount}: {dose.word}"
            + (f", booked {display.format_instant(dose.booked_for, zone)}" if dose.booked_for else "")
            for dose in story.planned
        ],
        "Given": told(thing for thing in story.given if scale.holds(thing.at)) + _off(story.given, scale),
        "In hours": [
            f"{dose.name} until {display.format_instant(dose.closes_at, zone)}" for dose in story.planned if dose.in_hours
        ],
        "On hold": [
            f"{hold.text}, from {day(hold.since)}{f' to {day(hold.until)}' if hold.until else ''}" for hold in story.holds
        ],
        "Events": told(thing for thing in story.events if scale.holds(thing.at)),
        "Weight": told(thing for thing in story.weights if scale.holds(thing.at)),
        "Now": [display.format_instant(now, zone)] if scale.holds(now) else [],
    }
    said = " ".join(f"{name}: {'; '.join(lines)}." for name, lines in rows.items() if lines)
    return f"{said} The table below says the same of the doses, with dates and times."


def _off(things: Iterable[Happened], scale: Scale) -> list[str]:
    """How many things lie outside the picture: "2 earlier", "1 later"."""
    earlier = sum(thing.at < scale.starts_at for thing in things)
    later = sum(thing.at > scale.ends_at for thing in things)
    return ([f"{earlier} earlier"] if earlier else []) + ([f"{later} later"] if later else [])


def _row_name(picture: Timeline, name: str, y: int) -> None:
    picture.words.append(Words("0%", y, "start", name, kind="row-name"))


# Planned, above the line -----------------------------------------------------------------------------------------------------


def _draw_planned(picture: Timeline, scale: Scale, planned: Sequence[Planned], y: int) -> int:
    blocks = []
    for dose in planned:
        look = display.STATUS[dose.status]
        blocks.append((scale.at(dose.target_at), (dose.name, dose.amount, f"{look.mark} {dose.word}")))
    lanes = lanes_of(blocks)
    deepest = max(lanes, default=0)
    line_y = y + (deepest + 1) * 3 * LINE_PX + deepest * GAP_PX + 6
    _row_name(picture, "Planned", y + LINE_PX)
    for dose, (place, lines), lane in zip(planned, blocks, lanes, strict=True):
        look = display.STATUS[dose.status]
        # Lane 0 lies nearest to the line.
        top = y + (deepest - lane) * (3 * LINE_PX + GAP_PX)
        x, anchor = anchored(place, lines)
        picture.words.append(Words(x, top + LINE_PX - 3, anchor, dose.name, kind="strong"))
        picture.words.append(Words(x, top + 2 * LINE_PX - 3, anchor, dose.amount))
        picture.words.append(Words(x, top + 3 * LINE_PX - 3, anchor, dose.word, look.mark, look.tone))
        if lane:
            picture.strokes.append(Stroke(percent(place), top + 3 * LINE_PX, percent(place), line_y, "lead"))
        left, right = scale.at(dose.opens_at), max(scale.at(dose.closes_at), scale.at(dose.opens_at) + 20)
        kind = f"window window-{'hours' if dose.in_hours else 'days'} tone-{look.tone}"
        picture.bars.append(Bar(percent(left), line_y, percent(right - left), 8, kind))
        picture.strokes.append(Stroke(percent(place), line_y - 2, percent(place), line_y + 10, "target"))
        if dose.booked_for is not None and scale.holds(dose.booked_for):
            picture.words.append(Words(percent(scale.at(dose.booked_for)), line_y + 8, "middle", "▾", kind="booked"))
    return line_y + 12


def _draw_axis(picture: Timeline, scale: Scale, story: Story, y: int, zone: str) -> int:
    picture.strokes.append(Stroke(percent(LEFT), y, percent(RIGHT), y, "axis"))
    first_at = story.anchor_at or story.planned[0].target_at
    first_on = first_at.astimezone(ZoneInfo(zone)).date()
    days = (scale.ends_at - scale.starts_at) // DAY + 1
    width_px = NARROW_PX * (RIGHT - LEFT) // 10000
    step = next((step for step in STEPS_DAYS if step * width_px >= TICK_PX * days), STEPS_DAYS[-1])
    in_days = story.anchor_at is None or step < 7
    first = 0 if story.anchor_at is not None else 1  # the first dose is day 1, the transplant day 0
    _row_name(picture, "Day" if in_days else "Week", y + LINE_PX)
    number = written_to = 0
    while True:
        on = first_on + timedelta(days=number)
        at = day_start(on, ZoneInfo(zone))
        if at > scale.ends_at:
            break
        place = max(scale.at(at), LEFT)
        counted = str(number + first if in_days else number // 7)
        begins, until, anchor = edges(place, (display.format_day(on),))
        number += step
        if begins < written_to:
            continue
        written_to = until + wide(" ")
        picture.strokes.append(Stroke(percent(place), y, percent(place), y + 4, "axis"))
        picture.words.append(Words(percent(place), y + LINE_PX, anchor, counted, kind="soft"))
        picture.words.append(Words(percent(place), y + 2 * LINE_PX - 2, anchor, display.format_day(on), kind="soft"))
    return y + 2 * LINE_PX + GAP_PX


# What happened, below it -----------------------------------------------------------------------------------------------------


def _draw_rows(
    picture: Timeline,
    scale: Scale,
    name: str,
    things: Sequence[Happened],
    y: int,
    *,
    drops: bool = False,
    says_what_is_off: bool = False,
) -> int:
    """Each thing under its instant, in as many lanes as the labels need. ``drops``: what does not fit beside a newer one is left
    out. ``says_what_is_off``: how many lie outside the picture stands beneath the row's name.
    """
    shown = sorted((thing for thing in things if scale.holds(thing.at)), key=lambda thing: thing.at)
    off = _off(things, scale) if says_what_is_off else []
    for number, text in enumerate(off, start=2):
        picture.words.append(Words("0%", y + number * LINE_PX, "start", text, kind="soft"))
    if not shown:
        if off:
            _row_name(picture, name, y + LINE_PX)
        return y + (len(off) + 1) * LINE_PX + GAP_PX if off else y
    if drops:
        shown = _fitting(shown, scale)
    blocks = [(scale.at(thing.at), (f"{thing.mark} {thing.lines[0]}".strip(), *thing.lines[1:])) for thing in shown]
    lanes = lanes_of(blocks)
    deep = max(len(thing.lines) for thing in shown) * LINE_PX
    _row_name(picture, name, y + LINE_PX)
    for thing, (place, lines), lane in zip(shown, blocks, lanes, strict=True):
        top = y + lane * (deep + GAP_PX)
        x, anchor = anchored(place, lines)
        picture.strokes.append(Stroke(percent(place), y - GAP_PX + 1, percent(place), top + 2, "lead"))
        picture.words.append(Words(x, top + LINE_PX, anchor, thing.lines[0], thing.mark, thing.tone))
        for number, line in enumerate(thing.lines[1:], start=2):
            picture.words.append(Words(x, top + number * LINE_PX, anchor, line, kind="soft"))
    return y + max((max(lanes) + 1) * (deep + GAP_PX), (len(off) + 1) * LINE_PX) + GAP_PX


def _fitting(things: Sequence[Happened], scale: Scale) -> list[Happened]:
    """As many as stand in one lane, the newest first asked."""
    kept: list[Happened] = []
    for thing in reversed(things):
        blocks = [(scale.at(other.at), other.lines) for other in sorted([*kept, thing], key=lambda other: other.at)]
        if max(lanes_of(blocks)) == 0:
            kept.append(thing)
    return sorted(kept, key=lambda thing: thing.at)


def _draw_hours(picture: Timeline, scale: Scale, planned: Sequence[Planned], y: int, zone: str) -> int:
    """The window that is counted in hours, with its end."""
    for dose in planned:
        if not dose.in_hours:
            continue
        left, right = scale.at(dose.opens_at), scale.at(dose.closes_at)
        hours = (dose.closes_at - dose.opens_at) // timedelta(hours=1)
        _row_name(picture, f"{hours}{display.NBSP}h", y + LINE_PX - 3)
        picture.bars.append(Bar(percent(left), y + 3, percent(max(right - left, 20)), 9, "hours"))
        _beside(picture, left, right, y + LINE_PX - 3, f"until {display.format_instant(dose.closes_at, zone)}")
        y += LINE_PX + GAP_PX
    return y


def _draw_holds(picture: Timeline, scale: Scale, holds: Sequence[Span], y: int, now: datetime, axis_y: int) -> int:
    """Each hold as a bar of its own, and shaded over the doses it stopped."""
    for hold in holds:
        until = hold.until or max(now, hold.since)
        if until < scale.starts_at or hold.since > scale.ends_at:
            continue
        left, right = scale.at(hold.since), scale.at(until)
        width = percent(max(right - left, 20))
        _row_name(picture, "On hold", y + LINE_PX - 3)
        picture.bars.insert(0, Bar(percent(left), LINE_PX + 4, width, axis_y - LINE_PX - 4, "held"))
        picture.bars.append(Bar(percent(left), y + 3, width, 9, "hold"))
        _beside(picture, left, right, y + LINE_PX - 3, hold.text)
        y += LINE_PX + GAP_PX
    return y


def _beside(picture: Timeline, left: int, right: int, y: int, text: str) -> None:
    """Words behind a bar, before it, or upon it: where there is room."""
    room = wide(text) + 80
    if right + room <= 10000:
        x, anchor = right + 80, "start"
    elif left - room >= LEFT:
        x, anchor = left - 80, "end"
    else:
        x, anchor = left + 80, "start"
    picture.words.append(Words(percent(x), y, anchor, text, kind="soft"))


def _draw_now(picture: Timeline, scale: Scale, now: datetime, zone: str) -> None:
    """What is past is shaded; a line stands where now is, if the course is not over."""
    place = scale.at(now)
    if place > LEFT:
        picture.bars.insert(0, Bar(percent(LEFT), LINE_PX + 2, percent(place - LEFT), picture.height - LINE_PX - 2, "past"))
    if scale.holds(now):
        text = f"now {display.format_instant(now, zone)}"
        x, anchor = anchored(place, (text,))
        picture.strokes.append(Stroke(percent(place), LINE_PX + 2, percent(place), picture.height, "now"))
        picture.words.append(Words(x, LINE_PX - 3, anchor, text, kind="strong"))
