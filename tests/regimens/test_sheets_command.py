"""`manage sheets`: which doses, in which order, under which names; what is registered; what is never done."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from patients.roles import Role
from regimens.actions import courses, planning
from regimens.models import SheetCopy
from tests import factories
from tests.regimens.ward import Ward, dose, make_course, make_ward
from tests.sheets.reading import pages_of, slips_in

pytestmark = pytest.mark.django_db
NOW = timezone.now()  # the command reads the clock, so the patients live by it
DAY = timedelta(days=1)


def run(out: Path, *arguments: str) -> tuple[list[str], str]:
    said, warned = StringIO(), StringIO()
    call_command("sheets", "--out", str(out), *arguments, stdout=said, stderr=warned)
    return said.getvalue().splitlines(), warned.getvalue()


def name_of(planned) -> str:
    return f"{planning.sheet_code(planned)}.pdf"


def test_the_verified_doses_due_next_are_written_by_closing_time_and_registered(tmp_path: Path):
    ward = make_ward()
    later, sooner = make_course(ward, at=NOW - DAY), make_course(ward, at=NOW - 2 * DAY)
    lines, _ = run(tmp_path, "--by", ward.nurse.user.username, "--limit", "2")
    assert lines == [name_of(dose(sooner)), name_of(dose(later)), "2 sheets"]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(lines[:2])
    copies = SheetCopy.objects.order_by("printed_at")
    assert [(copy.dose, copy.copy_number, copy.size, copy.is_draft, copy.printed_by) for copy in copies] == [
        (dose(sooner), 1, "a4", False, ward.nurse),
        (dose(later), 1, "a4", False, ward.nurse),
    ]


def test_a_sheet_holds_its_patient_alone_and_stdout_holds_none(tmp_path: Path):
    ward = make_ward()
    people = {"Okonkwo": "00427719", "Lindqvist": "00438801"}
    planned = {}
    for given, (family, mrn) in zip(("Adaeze", "Per"), people.items(), strict=True):
        names = {"family_name": family, "given_name": given, "birth_on": date(1960 + len(given), 3, 1)}
        patient = factories.make_patient(by=ward.pharmacist, mrn=mrn, at=NOW - DAY, **names)
        planned[family] = dose(make_course(ward, patient=patient, at=NOW - DAY))
    lines, warned = run(tmp_path, "--limit", "2", "--size", "letter")
    for family, mrn in people.items():
        text = " ".join(pages_of((tmp_path / name_of(planned[family])).read_bytes()))
        [other] = set(people) - {family}
        assert family.upper() in text and other.upper() not in text
        assert "printed" in text and "an unattended run" in text and "New York time" in text
        assert "America/New_York" not in text
        assert "first infusion" in text
        assert not slips_in(text)
        assert family.upper() not in "".join(lines).upper() + warned.upper() and mrn not in "".join(lines) + warned
    assert set(SheetCopy.objects.values_list("size", "printed_by")) == {("letter", None)}


def test_a_file_that_is_there_stays_and_its_dose_is_not_registered_again(tmp_path: Path):
    ward = make_ward()
    course = make_course(ward, at=NOW - DAY)
    kept = tmp_path / name_of(dose(course))
    kept.write_bytes(b"another's")
    lines, warned = run(tmp_path, "--limit", "1")
    assert lines == ["0 sheets"] and f"{kept.name} is there already" in warned
    assert kept.read_bytes() == b"another's" and not SheetCopy.objects.exists()


def test_without_drafts_nothing_unverified_and_with_drafts_marked(tmp_path: Path):
    ward = make_ward()
    unsigned = make_course(ward, verified=False, at=NOW - DAY)
    assert run(tmp_path, "--limit", "3")[0] == ["0 sheets"]
    lines, _ = run(tmp_path, "--limit", "1", "--drafts")
    assert lines == [name_of(dose(unsigned)), "1 sheets"]
    assert "DRAFT" in " ".join(pages_of((tmp_path / lines[0]).read_bytes()))
    assert SheetCopy.objects.get().is_draft


def test_nothing_of_a_closed_chart_a_stopped_course_a_missed_or_a_later_dose(tmp_path: Path):
    ward = make_ward()
    make_course(ward, at=NOW - 5 * DAY)  # dose 1 is missed, dose 2 opens within the week
    closed, stopped = make_course(ward, at=NOW - DAY), make_course(ward, at=NOW - DAY)
    factories.actions.close_patient(patient=closed.patient, closed_reason="died", by=ward.prescriber, at=NOW)
    courses.stop_course(course=stopped, reason_code="died", reason="Died at home", by=ward.prescriber, at=NOW)
    lines, _ = run(tmp_path)
    assert lines[-1] == f"{len(lines) - 1} sheets"
    assert [copy.dose.number for copy in SheetCopy.objects.select_related("dose")] == [2]


def test_days_and_centre_narrow_the_batch(tmp_path: Path):
    here, elsewhere = make_ward(), make_ward()
    course = make_course(here, at=NOW - DAY)
    make_course(elsewhere, at=NOW - DAY)
    second = dose(course, 2).target_on.isoformat()
    lines, _ = run(tmp_path, "--centre", here.centre.name, "--from", second, "--to", second)
    assert lines == [name_of(dose(course, 2)), "1 sheets"]
    assert run(tmp_path, "--by", here.pharmacist.user.username, "--to", second)[0] == [name_of(dose(course)), "1 sheets"]


def refusal(out: Path, *arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(out, *arguments)
    assert not SheetCopy.objects.exists()
    return str(caught.value)


def test_a_role_that_may_not_print_and_names_nobody_has_are_refused(tmp_path: Path):
    ward: Ward = make_ward()
    make_course(ward, at=NOW - DAY)
    clerk = factories.make_member(Role.COORDINATOR, centre=ward.centre)
    assert "not part of the role" in refusal(tmp_path, "--by", clerk.user.username)
    assert "nobody-here has no role" in refusal(tmp_path, "--by", "nobody-here")
    assert "no centre called Nowhere" in refusal(tmp_path, "--centre", "Nowhere")
    assert "is not a day" in refusal(tmp_path, "--from", "tomorrow")
    assert "is not a number from 1" in refusal(tmp_path, "--limit", "0")


def test_the_print_is_in_the_patients_history(tmp_path: Path):
    ward = make_ward()
    course = make_course(ward, at=NOW - DAY)
    run(tmp_path, "--limit", "1", "--by", ward.nurse.user.username)
    with connection.cursor() as cursor:
        cursor.execute("select patient_id, actor_id, facts->>'dose' from audit.event where name = 'print_sheet'")
        assert cursor.fetchall() == [(course.patient_id, ward.nurse.user_id, str(dose(course).pk))]
