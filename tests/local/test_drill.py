"""The drill itself: a short one through the real command, and whether its count sees what a crash could leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cmvig_site.local import drill_count
from cmvig_site.local.drill_clients import VIALS, VITALS, Acknowledged
from cmvig_site.local.drill_count import Figures
from cmvig_site.local.project import ROOT
from regimens.actions.disputes import enter_in_error
from regimens.actions.parts import VialFacts
from regimens.models import Administration, PlannedDose
from tests.regimens.ward import LOT_EXPIRES, TRANSPLANTED, Ward, dose, give, make_course, make_ward, vitals
from tests.support import count

KILLS, DB_KILLS, LOGS = count(4, 20), count(2, 4), count(12, 100)
FIRST = TRANSPLANTED + timedelta(hours=20)


@pytest.fixture
def place() -> Iterator[Path]:
    """Near the root, for a socket's short path, and passable: root's server steps down to an account that must reach its data."""
    with tempfile.TemporaryDirectory(prefix="cmvig-test-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_a_short_drill_loses_halves_and_doubles_nothing_and_leaves_nothing_behind(place: Path):
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("CMVIG_", "DATABASE_"))}
    environment = {**theirs, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)}
    asked = ["--kills", str(KILLS), "--db-kills", str(DB_KILLS), "--logs", str(LOGS)]
    command = [sys.executable, "-m", "cmvig_site.local", "drill", "crash", *asked]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    figures = f"kills={KILLS} db_kills={DB_KILLS} acknowledged={LOGS} present={LOGS} half=0 duplicates=0"
    assert answer.stdout.splitlines()[-1] == figures, answer.stdout + answer.stderr
    assert answer.returncode == 0
    assert not list(place.iterdir())


def record(ward: Ward, planned: PlannedDose, *, vials: int = VIALS, rows: int = VITALS) -> Acknowledged:
    """As a nurse of the drill records it, and is told so."""
    given_ml = planned.draw_ml / vials
    made = give(
        ward,
        planned,
        at=FIRST,
        vials=[VialFacts(f"DRILL{number}", LOT_EXPIRES, given_ml) for number in range(vials)],
        vitals=[vitals(FIRST + timedelta(minutes=number), "other") for number in range(rows)],
    )
    return Acknowledged(made.token, planned.pk, made.pk)


def test_the_count_finds_what_is_missing_half_there_and_twice_there(committed_db):
    ward = make_ward()
    doses = [dose(make_course(ward)) for _ in range(5)]

    def counted(*told: Acknowledged) -> Figures:
        return drill_count.count(committed_db.owner_url, told)

    whole = record(ward, doses[0])
    assert counted(whole) == Figures(present=1, half=0, duplicates=0)
    lost = Acknowledged(uuid.uuid4(), doses[1].pk, uuid.uuid4())
    another_form = Acknowledged(uuid.uuid4(), doses[0].pk, whole.record)
    assert counted(whole, whole, lost, another_form).present == 1
    record(ward, doses[1], rows=VITALS - 1)
    assert counted().half == 1
    record(ward, doses[2], vials=VIALS + 1)
    assert counted().half == 2
    PlannedDose.objects.filter(pk=doses[3].pk).update(settled_as="recorded", settled_at=FIRST)
    assert counted().half == 3
    first = record(ward, doses[4])
    assert counted(whole, first) == Figures(present=2, half=3, duplicates=0)
    enter_in_error(
        record=Administration.objects.get(pk=first.record),
        reason="Recorded for another patient",
        by=ward.nurse,
        at=FIRST + timedelta(hours=5),
    )
    give(ward, doses[4], at=FIRST, reason="Recorded again, as it was given", volume_ml=Decimal(210))
    assert counted().duplicates == 1
