"""How fast a whole course is computed, against the same decimal arithmetic written bare: ``python -m tests.bench.domain
[rounds]``.

Both sides run interleaved in this process; the ratio is the median of the rounds. CPU time only.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from regimens.domain.course import CourseRow, plan_course
from regimens.domain.schedule import TransplantAnchor
from tests.domain.factory import KIDNEY, MONOGRAPH

ZONE = "America/New_York"
COURSES = 200
SIXTY, ZERO, TWO = Decimal(60), Decimal(0), Decimal(2)
AMOUNTS = tuple(row.mg_per_kg for row in KIDNEY.doses)
TABLES = {table.code: tuple((step.mg_per_kg_per_h, step.minutes) for step in table.steps) for table in MONOGRAPH.rate_tables}
WEIGHTS = tuple(Decimal(30 + count).scaleb(0) + Decimal(count % 10) / 10 for count in range(COURSES))
ANCHORS = tuple(
    TransplantAnchor(datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=count, minutes=37 * count), ZONE)
    for count in range(COURSES)
)


def bare(weight_kg: Decimal) -> list[tuple[Decimal, ...]]:
    """The numbers of one course and nothing else: no checks, objects, dates or working."""
    cap, fifty, increment, vial = Decimal(75), Decimal(50), Decimal("0.1"), Decimal(50)
    numbers = []
    for place, mg_per_kg in enumerate(AMOUNTS):
        dose_mg = mg_per_kg * weight_kg
        volume_ml = dose_mg / fifty
        draw_ml = volume_ml // increment * increment
        whole = draw_ml // vial
        last_ml = draw_ml - whole * vial
        vials = whole + 1 if last_ml else whole
        waste_ml = vials * vial - draw_ml
        left = exact_left = volume_ml * SIXTY
        half = left / TWO
        total = exact_total = midway = ZERO
        steps = TABLES["subsequent" if place else "initial"]
        for mg_per_kg_per_h, minutes in steps:
            rate = mg_per_kg_per_h * weight_kg / fifty
            if rate > cap:
                rate = cap
            pump = rate // increment * increment
            effective = pump * fifty / weight_kg
            exact_run = exact_left if minutes is None else min(exact_left, rate * minutes)
            exact_total += exact_run / rate
            exact_left -= exact_run
            run = left if minutes is None else min(left, pump * minutes)
            lasts = run / pump
            if left > half >= left - run:
                midway = total + (left - half) / pump
            total += lasts
            left -= run
            numbers.append((rate, pump, effective, lasts, run / SIXTY))
        numbers.append((dose_mg, volume_ml, draw_ml, vials, last_ml, waste_ml, total, exact_total, midway, half / SIXTY))
    return numbers


def course(place: int) -> tuple[CourseRow, ...]:
    """One whole course: windows, doses, rates and their working."""
    return plan_course(protocol=KIDNEY, anchor=ANCHORS[place], centre_zone=ZONE, weight_kg=WEIGHTS[place], monograph=MONOGRAPH)


def spoken(place: int) -> int:
    """One whole course with every sentence of its working written out."""
    return sum(
        len(row.window.working.steps) + len(row.dose.working.steps) + len(row.infusion.working.steps) for row in course(place)
    )


def microseconds(work: Callable[[int], object]) -> float:
    """CPU time of one course, over all of them."""
    begin = time.process_time()
    for place in range(COURSES):
        work(place)
    return (time.process_time() - begin) * 1e6 / COURSES


def main(rounds: int = 15) -> None:
    """Print the medians."""
    microseconds(course), microseconds(spoken)
    rows = [
        (microseconds(lambda place: bare(WEIGHTS[place])), microseconds(course), microseconds(spoken)) for _ in range(rounds)
    ]
    floor, whole, words = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(row[1] / row[0] for row in rows)
    print(f"bare decimal arithmetic {floor:.0f} µs a course")
    print(f"whole course {whole:.0f} µs, {1e6 / whole:.0f} a second, ratio {ratio:.2f}")
    print(f"with all working in words {words:.0f} µs, {1e6 / words:.0f} a second")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
