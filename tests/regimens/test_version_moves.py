"""Moving what is left of a course to the published monograph: dose by dose, signed, never touching what was given."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patients import actions
from patients.models import Event
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import charting, courses, library, orders, planning, version_moves
from regimens.domain import monograph as domain
from regimens.domain.library_file import parse
from regimens.library import SHIPPED
from regimens.models import Course, Monograph, PlannedDose
from tests.factories import NOW, PASSWORD, make_member
from tests.regimens import ward as wards
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, order_of, verify
from tests.regimens.ward import TRANSPLANTED, give, make_ward, start

pytestmark = pytest.mark.django_db
VALUE = parse(SHIPPED.read_text("utf-8"))
HOUR = timedelta(hours=1)


def with_kidney(code: str = "W16", row: dict[str, Any] | None = None, **protocol: Any) -> domain.Monograph:
    """The shipped monograph with another row, or other facts, of the kidney protocol."""
    kidney, *others = VALUE.protocols
    doses = tuple(replace(dose, **row) if row and dose.code == code else dose for dose in kidney.doses)
    return replace(VALUE, what_changed="Changed.", protocols=(replace(kidney, **{"doses": doses} | protocol), *others))


WIDER = with_kidney(row={"closes_days_after": 10, "latest_late_day": 126})
SIXTY = with_kidney(row={"mg_per_kg": Decimal(60)})


def publish(value: domain.Monograph, at=NOW) -> Monograph:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    draft, _ = library.load_draft(value=value, by=editor, at=at)
    library.submit(monograph=draft, by=editor, at=at)
    return library.publish(monograph=draft, by=make_member(), at=at)


def chart(course: Course) -> charting.Chart:
    return charting.read_dose(course.doses.earliest("number"))


def draft(course: Course, at=NOW) -> version_moves.VersionMove:
    return version_moves.draft_move(chart(course), at=at)


def move(team, course: Course, at=NOW, **changes: Any) -> Course:
    seen = draft(course, at)
    given = {"shown": seen.fingerprint, "seen": [line.dose.number for line in seen.changed], "by": team} | changes
    return version_moves.move_course(course=course, at=at, **given)


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def order_again(team: Team, course: Course, **facts: Any) -> None:
    orders.place_order(
        transplant=course.transplant,
        protocol_code="kidney",
        order=order_of(team, is_signed=True, **facts),
        by=team.prescriber,
        at=NOW,
    )


def test_every_dose_left_is_a_new_unsigned_revision_by_the_published_version() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    old = doses_of(course)
    published = publish(WIDER)
    moved = move(team.builder, course)
    new = doses_of(moved)
    assert (moved.monograph, moved.protocol.monograph, moved.revision) == (published, published, 2)
    assert all(dose.verified_at is None and dose.built_by == team.builder for dose in new)
    assert [dose.replaces_id for dose in new] == [dose.pk for dose in old]
    assert {dose.protocol_dose.protocol_id for dose in new} == {moved.protocol_id}
    assert [dose.dose_mg for dose in new] == [dose.dose_mg for dose in old]
    assert [(n.closes_at - o.closes_at).days for n, o in zip(new, old, strict=True)] == [0, 0, 0, 0, 0, 0, 3]
    event = Event.objects.get(name="move_course")
    assert (event.facts["before"], event.facts["after"], event.facts["doses"]) == (1, 2, [1, 2, 3, 4, 5, 6, 7])


def test_publishing_alone_changes_no_byte_of_a_plan() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    before = list(PlannedDose.objects.order_by("pk").values()), list(Course.objects.values())
    publish(WIDER)
    assert (list(PlannedDose.objects.order_by("pk").values()), list(Course.objects.values())) == before
    for dose in doses_of(course):
        assert planning.content_hash(dose) == dose.content_hash


def test_what_was_given_stays_with_its_row_its_version_and_its_rates() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    given = give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    slow = tuple(replace(row, value=Decimal(40)) if row.code == "max_rate_ml_per_h" else row for row in VALUE.limits)
    before = list(PlannedDose.objects.filter(number=1).values())
    publish(replace(VALUE, what_changed="Slower.", limits=slow), at=TRANSPLANTED)
    move(ward.pharmacist, course, at=TRANSPLANTED + 30 * HOUR)
    assert list(PlannedDose.objects.filter(number=1).values()) == before
    first, second = wards.dose(course, 1), wards.dose(course, 2)
    assert (first.pk, first.monograph.version, second.monograph.version) == (given.dose_id, 1, 2)
    assert max(planning.infusion_plan_of(first).pump_rates_ml_per_h) == 75
    assert max(planning.infusion_plan_of(second).pump_rates_ml_per_h) == 40
    assert planning.content_hash(second) != planning.content_hash(first)


def test_other_mg_per_kg_need_the_prescribers_order_and_the_course_takes_it_over() -> None:
    team = make_team()
    course = make_course(team)
    publish(SIXTY)
    with refused("order_needed") as caught:
        draft(course)
    assert "60\u00a0mg per kg instead of the 50\u00a0mg per kg" in caught.value.sentence
    order_again(team, course, ceiling_mg_per_kg_per_h=Decimal(30))
    moved = move(team.builder, course)
    assert [dose.dose_mg for dose in doses_of(moved)][-1] == 4200
    assert {dose.ceiling_mg_per_kg_per_h for dose in doses_of(moved)} == {30}
    live = moved.orders.get(superseded_at=None)
    assert dict(live.ordered_rows)["W16"] == "60"
    assert moved.orders.exclude(superseded_at=None).count() == 1


def test_an_order_for_the_version_before_is_not_taken_for_the_new_one() -> None:
    team = make_team()
    course = make_course(team)
    order_again(team, course)
    publish(SIXTY)
    with refused("order_differs"):
        draft(course)


def test_an_amount_that_a_prescriber_changed_stays_and_needs_no_order() -> None:
    team = make_team()
    course = make_course(team)
    PlannedDose.objects.filter(course=course, number=7).update(mg_per_kg=75, dose_mg=5250, volume_ml=105, draw_ml=105)
    publish(SIXTY)
    move(team.builder, course)
    assert doses_of(course)[-1].dose_mg == 5250


def test_what_is_left_of_a_stopped_dose_keeps_amount_and_window() -> None:
    team = make_team()
    course = make_course(team)
    PlannedDose.objects.filter(course=course, number=7).update(
        is_remainder=True, dose_mg=1234, volume_ml="24.68", draw_ml="24.6"
    )
    publish(WIDER)
    old = doses_of(course)[-1]
    move(team.builder, course)
    new = doses_of(course)[-1]
    assert (new.dose_mg, new.closes_at, new.revision, new.is_remainder) == (1234, old.closes_at, 2, True)


def test_a_day_that_people_chose_inside_the_window_stays() -> None:
    team = make_team()
    course = make_course(team)
    row = doses_of(course)[-1]
    target = row.target_on + timedelta(days=2)
    PlannedDose.objects.filter(pk=row.pk).update(target_on=target, overdue_at=row.overdue_at + timedelta(days=2))
    publish(WIDER)
    move(team.builder, course)
    assert doses_of(course)[-1].target_on == target


def test_a_booking_outside_the_new_window_is_dropped_and_said() -> None:
    team = make_team()
    course = make_course(team)
    row = doses_of(course)[-1]
    PlannedDose.objects.filter(pk=row.pk).update(booked_for=row.closes_at - HOUR, booked_place="Infusion clinic")
    publish(with_kidney(row={"closes_days_after": 2}))
    move(team.builder, course)
    assert doses_of(course)[-1].booked_for is None
    assert Event.objects.get(name="move_course").facts["bookings_dropped"] == [7]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (with_kidney(enabled=False), "protocol_gone"),
        (with_kidney(doses=VALUE.protocol("kidney").doses[:-1]), "other_rows"),
        (
            replace(VALUE, what_changed="Other product.", product=replace(VALUE.product, code="other", brand_name="Other")),
            "other_product",
        ),
    ],
)
def test_what_cannot_be_moved_is_refused_in_words(value: domain.Monograph, code: str) -> None:
    team = make_team()
    course = make_course(team)
    publish(value)
    with refused(code):
        draft(course)


def test_a_version_with_one_more_dose_is_another_course() -> None:
    team = make_team()
    course = make_course(team)
    last = VALUE.protocol("kidney").doses[-1]
    more = replace(last, code="W20", title="Week 20", offset_days=140, latest_late_day=150)
    publish(with_kidney(doses=(*VALUE.protocol("kidney").doses, more)))
    with refused("other_rows") as caught:
        draft(course)
    assert "W20" in caught.value.sentence


def test_nothing_moves_that_is_on_the_published_version_or_while_an_infusion_runs() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    with refused("same_version"):
        draft(course)
    publish(WIDER, at=TRANSPLANTED)
    start(ward, wards.dose(course, 1), at=TRANSPLANTED + HOUR)
    with refused("infusion_running"):
        draft(course, at=TRANSPLANTED + 2 * HOUR)


def test_nothing_moves_of_a_course_that_is_finished_or_stopped() -> None:
    team = make_team()
    other = make_course(team)
    other.doses.update(settled_at=NOW, settled_as="omitted")
    with refused("nothing_left"):
        draft(other)
    courses.stop_course(course=other, reason_code="graft_loss", reason="", by=team.prescriber, at=NOW)
    with refused("course_stopped"):
        draft(other)


def test_a_corrected_transplant_time_is_taken_over_first() -> None:
    team = make_team()
    course = make_course(team)
    publish(WIDER)
    graft = course.transplant
    actions.correct_transplant(
        transplant=graft, version=graft.version, reason="Read from the operation note", by=team.builder, at=NOW,
        reperfusion_at=graft.reperfusion_at - HOUR,
    )  # fmt: skip
    with refused("anchor_changed"):
        draft(course)


def test_only_a_pharmacist_moves_and_only_what_was_seen_dose_by_dose() -> None:
    team = make_team()
    course = make_course(team)
    publish(WIDER)
    for person in (team.prescriber, team.nurse):
        with refused("role"):
            move(person, course)
    with refused("dose_not_seen") as caught:
        move(team.builder, course, seen=[1, 2, 3, 4, 5, 7])
    assert caught.value.field == "dose_6"
    shown = draft(course).fingerprint
    publish(with_kidney(row={"closes_days_after": 9, "latest_late_day": 126}))
    with refused("stale"):
        move(team.builder, course, shown=shown)
    course.refresh_from_db()
    assert (course.revision, course.monograph.version) == (1, 1)


# The pages ----------------------------------------------------------------------------------------------------------------------


def client_of(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def test_the_review_list_names_the_courses_on_older_versions_and_what_would_change() -> None:
    team = make_team()
    course = make_course(team)
    make_course(make_team())
    client = client_of(team.builder)
    address = reverse("monograph-review")
    assert "Every running course is on the published version." in client.get(address).content.decode()
    publish(WIDER)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address).content.decode()
    assert len(queries) <= 12
    assert page.count("OKONKWO, Adaeze") == 2 and "1 window" in page  # the row's link, and the words of its act
    assert reverse("course-version", args=[course.pk]) in page
    move(team.builder, course)
    assert "Every running course is on the published version." in client.get(address).content.decode()


def test_a_pharmacist_compares_ticks_every_dose_and_signs() -> None:
    team = make_team()
    course = verify(team, make_course(team))
    publish(WIDER)
    client, address = client_of(team.builder), reverse("course-version", args=[course.pk])
    client.get(address)  # the session's first page marks it as seen, and the version is read once per process
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address).content.decode()
    assert len(queries) <= 12
    assert "<del>" in page and "<ins>" in page and "Compared: the same" in page
    seen = draft(course)
    ticks = {f"dose_{line.dose.number}": "on" for line in seen.changed}
    typed = {"shown": seen.fingerprint, "password": PASSWORD}
    answer = client.post(address, typed | ticks | {"dose_3": ""})
    assert answer.status_code == 422 and "Compare dose 3 and tick it." in answer.content.decode()
    answer = client.post(address, typed | ticks | {"password": "wrong"})
    assert answer.status_code == 422 and "not your password" in answer.content.decode()
    answer = client.post(address, typed | ticks | {"shown": "0" * 64})
    assert answer.status_code == 422 and "changed after you opened the page" in answer.content.decode()
    course.refresh_from_db()
    assert course.revision == 1
    assert client.post(address, typed | ticks).headers["Location"] == reverse("chart", args=[course.patient_id])
    course.refresh_from_db()
    assert (course.revision, course.monograph.version) == (2, 2)
    chart_page = client.get(reverse("chart", args=[course.patient_id])).content.decode()
    assert "/monograph/2/#protocol-kidney-W16" in chart_page


def test_the_chart_links_a_given_dose_to_the_version_it_was_made_by() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    publish(WIDER, at=TRANSPLANTED)
    move(ward.pharmacist, course, at=TRANSPLANTED + 30 * HOUR)
    page = client_of(ward.nurse).get(reverse("chart", args=[course.patient_id])).content.decode()
    assert "/monograph/1/#protocol-kidney-W0" in page and "/monograph/2/#protocol-kidney-W2" in page


def test_a_move_that_is_refused_says_why_and_offers_nothing_to_sign() -> None:
    team = make_team()
    course = make_course(team, make_recipient(team))
    page = client_of(team.builder).get(reverse("course-version", args=[course.pk])).content.decode()
    assert "is on version 1, the published one, already" in page and "Sign and move" not in page
