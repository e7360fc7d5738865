"""Labels of a picture that do not touch each other on the narrowest screen. Places are hundredths of a percent of the width."""

from __future__ import annotations

from collections.abc import Sequence

LEFT, RIGHT = 1050, 9950  # the names of the rows stand left of the scale
NARROW_PX = 690  # the narrowest width at which no two labels touch: a screen of 768 without its margins
LETTER_PX = 7  # the widest a letter or digit of the labels is on average


def percent(place: int) -> str:
    """1234 is "12.34%"."""
    return f"{place // 100}.{place % 100:02d}%"


def wide(text: str) -> int:
    """A label's width on the narrowest screen, in hundredths of a percent of it."""
    return len(text) * LETTER_PX * 10000 // NARROW_PX


def edges(place: int, lines: Sequence[str]) -> tuple[int, int, str]:
    """Where a block of lines begins and ends, and its anchor: centered, unless it would leave the scale."""
    width = max(wide(line) for line in lines)
    if place - width // 2 < LEFT:
        return place, place + width, "start"
    if place + width // 2 > 10000:
        return place - width, place, "end"
    return place - width // 2, place + width // 2, "middle"


def anchored(place: int, lines: Sequence[str]) -> tuple[str, str]:
    """The place of a block as SVG writes it, and its anchor."""
    return percent(place), edges(place, lines)[2]


def lanes_of(blocks: Sequence[tuple[int, Sequence[str]]]) -> list[int]:
    """For each block the first lane in which it touches none of those before it."""
    ends: list[int] = []
    lanes = []
    gap = wide(" ")
    for place, lines in blocks:
        begins, until, _ = edges(place, lines)
        lane = next((number for number, end in enumerate(ends) if end + gap <= begins), len(ends))
        if lane == len(ends):
            ends.append(until)
        else:
            ends[lane] = until
        lanes.append(lane)
    return lanes
