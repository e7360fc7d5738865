"""The life of a monograph version: drafted, submitted, published by a second person, retired, and never changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction

from patients.models import Event, Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import library
from regimens.domain import monograph as domain
from regimens.domain.library_file import dump, parse
from regimens.library import SHIPPED, SHIPPED_SHA256
from regimens.models import Course, Monograph, PlannedDose, ProtocolDose, Section
from tests.factories import NOW, make_centre, make_member
from tests.regimens.courses import make_course, make_recipient, make_team

VALUE = parse(SHIPPED.read_text("utf-8"))


def cast() -> dict[str, Membership]:
    """The people of one centre who have to do with the monograph, and one who has not."""
    centre = make_centre()
    return {
        "editor": make_member(Role.MONOGRAPH_EDITOR, centre=centre),
        "second_editor": make_member(Role.MONOGRAPH_EDITOR, centre=centre),
        "pharmacist": make_member(Role.PHARMACIST, centre=centre),
        "nurse": make_member(Role.NURSE, centre=centre),
    }


def with_text(title: str) -> domain.Monograph:
    """The shipped monograph with other words and the same numbers."""
    first, *others = VALUE.sections
    return replace(VALUE, what_changed="Clearer words.", sections=(replace(first, title=title), *others))


def with_dose(mg_per_kg: int) -> domain.Monograph:
    """The shipped monograph with another dose in week 16 of the kidney protocol."""
    kidney, *others = VALUE.protocols
    *doses, last = kidney.doses
    kidney = replace(kidney, doses=(*doses, replace(last, mg_per_kg=Decimal(mg_per_kg))))
    return replace(VALUE, what_changed="Week 16.", protocols=(kidney, *others))


def submitted(value: domain.Monograph, by: Membership) -> Monograph:
    draft, is_new = library.load_draft(value=value, by=by, at=NOW)
    assert is_new
    return library.submit(monograph=draft, by=by, at=NOW)


def refused(code: str, action, **arguments) -> Refusal:
    """The action's refusal; and nothing was written, history included."""
    before = counts()
    with pytest.raises(Refusal) as caught, transaction.atomic():
        action(**arguments)
    assert caught.value.code == code
    assert caught.value.sentence
    assert counts() == before
    return caught.value


def counts() -> tuple[list[tuple[int, str]], int, int]:
    return list(Monograph.objects.order_by("pk").values_list("pk", "state")), Section.objects.count(), Event.objects.count()


@pytest.mark.django_db
def test_the_installation_publishes_the_shipped_file_by_itself_and_only_once():
    (first,) = Monograph.objects.all()
    assert (first.version, first.state, first.shipped_with) == (1, "published", "0.1.0")
    assert (first.drafted_by, first.published_by, first.checksum) == (None, None, SHIPPED_SHA256)
    assert first.to_domain() == VALUE
    again = library.publish_shipped(value=VALUE, expected_checksum=SHIPPED_SHA256, release="0.2.0", at=NOW)
    assert again is None
    assert list(Monograph.objects.all()) == [first]


def test_an_edited_shipped_file_is_not_published_unread():
    with pytest.raises(Refusal) as caught:
        library.check_is_of_this_release(with_dose(49), SHIPPED_SHA256)
    assert caught.value.code == "shipped_file_changed"
    assert library.check_is_of_this_release(VALUE, SHIPPED_SHA256) == SHIPPED_SHA256


@pytest.mark.django_db
def test_a_loaded_file_becomes_a_draft_that_says_the_same():
    draft, is_new = library.load_draft(value=with_dose(49), by=None, at=NOW)
    assert is_new
    assert (draft.state, draft.version, draft.based_on.version, draft.drafted_at) == ("draft", None, 1, NOW)
    assert Monograph.objects.get(pk=draft.pk).to_domain() == with_dose(49)
    assert dump(draft.to_domain()) == dump(with_dose(49))


@pytest.mark.django_db
def test_the_same_file_twice_changes_nothing():
    published = Monograph.objects.get()
    assert library.load_draft(value=VALUE, by=None, at=NOW) == (published, False)
    draft, _ = library.load_draft(value=with_dose(49), by=None, at=NOW)
    before = counts()
    assert library.load_draft(value=with_dose(49), by=None, at=NOW) == (draft, False)
    assert counts() == before


@pytest.mark.django_db
def test_an_edited_draft_is_no_longer_the_file_it_came_from():
    draft, _ = library.load_draft(value=with_dose(49), by=None, at=NOW)
    ProtocolDose.objects.filter(protocol__monograph=draft, protocol__code="kidney", code="W16").update(mg_per_kg=48)
    again, is_new = library.load_draft(value=with_dose(49), by=None, at=NOW)
    assert is_new
    assert again != draft


@pytest.mark.django_db
@pytest.mark.parametrize("mg_per_kg", [0, 151, 1500])
def test_an_unsafe_dose_gets_no_further_than_the_door(mg_per_kg):
    refusal = refused("above_limit" if mg_per_kg == 1500 else "above_cap" if mg_per_kg else "below_limit",
                      library.load_draft, value=with_dose(mg_per_kg), by=None, at=NOW)  # fmt: skip
    assert refusal.field == "protocol.kidney.dose[6].mg_per_kg"
    assert refusal.sentence.startswith("protocol.kidney.dose[6].mg_per_kg: ")


@pytest.mark.django_db
def test_an_unsafe_dose_typed_into_a_draft_is_refused_at_submission_and_publication():
    people = cast()
    draft = library.draft_from_published(by=people["editor"], at=NOW)
    Monograph.objects.filter(pk=draft.pk).update(what_changed="Dose.")
    row = ProtocolDose.objects.filter(protocol__monograph=draft, protocol__code="kidney", code="W16")
    row.update(mg_per_kg=151)
    refused("above_cap", library.submit, monograph=draft, by=people["editor"], at=NOW)
    with pytest.raises(DatabaseError, match="dose_is_from_1_to_500_mg_per_kg"), transaction.atomic():
        row.update(mg_per_kg=1500)


@pytest.mark.django_db
def test_publishing_retires_the_version_before_in_one_step():
    people = cast()
    draft = submitted(with_dose(49), people["editor"])
    published = library.publish(monograph=draft, by=people["pharmacist"], at=NOW)
    assert (published.version, published.state, published.published_by, published.published_at) == (
        2, "published", people["pharmacist"], NOW,
    )  # fmt: skip
    assert published.checksum == library.checksum(with_dose(49))
    first = Monograph.objects.get(version=1)
    assert (first.state, first.retired_at) == ("retired", NOW)
    assert library.published() == published
    event = Event.objects.get(name="publish_monograph", actor_id__isnull=False)
    assert (event.facts["version"], event.facts["checksum"]) == (2, published.checksum)


@pytest.mark.django_db
def test_the_editor_does_not_publish_not_even_in_another_role():
    people = cast()
    draft = submitted(with_dose(49), people["editor"])
    refused("publisher_is_not_the_editor", library.publish, monograph=draft, by=people["editor"], at=NOW)
    as_pharmacist = make_member(Role.PHARMACIST, user=people["editor"].user)
    refused("publisher_is_not_the_editor", library.publish, monograph=draft, by=as_pharmacist, at=NOW)


@pytest.mark.django_db
def test_who_submits_a_loaded_file_does_not_publish_it():
    people = cast()
    draft, _ = library.load_draft(value=with_dose(49), by=None, at=NOW)
    library.submit(monograph=draft, by=people["editor"], at=NOW)
    refused("publisher_is_not_the_editor", library.publish, monograph=draft, by=people["editor"], at=NOW)
    library.publish(monograph=draft, by=people["pharmacist"], at=NOW)


@pytest.mark.django_db
def test_a_changed_number_needs_a_pharmacist_and_changed_words_do_not():
    people = cast()
    numbers = submitted(with_dose(49), people["editor"])
    refused("pharmacist_needed", library.publish, monograph=numbers, by=people["second_editor"], at=NOW)
    words = submitted(with_text("What it is for"), people["editor"])
    assert library.publish(monograph=words, by=people["second_editor"], at=NOW).version == 2


@pytest.mark.parametrize("part", ["product", "protocols", "rate_tables", "limits"])
def test_doses_rates_caps_limits_windows_and_product_count_as_numbers(part):
    changed = getattr(VALUE, part)
    other = replace(changed, brand_name="Other") if part == "product" else changed[1:]
    assert library.numbers_changed(VALUE, replace(VALUE, **{part: other}))
    assert not library.numbers_changed(VALUE, with_text("Other words"))
    assert library.numbers_changed(None, VALUE)


@pytest.mark.django_db
def test_a_draft_of_an_older_version_does_not_undo_the_newer_one():
    people = cast()
    late = submitted(with_dose(48), people["editor"])
    library.publish(monograph=submitted(with_dose(49), people["editor"]), by=people["pharmacist"], at=NOW)
    refused("outdated_draft", library.publish, monograph=late, by=people["pharmacist"], at=NOW)


@pytest.mark.django_db
def test_a_draft_needs_a_change_and_words_about_it():
    people = cast()
    draft = library.draft_from_published(by=people["editor"], at=NOW)
    assert draft.what_changed == ""
    refused("what_changed_missing", library.submit, monograph=draft, by=people["editor"], at=NOW)
    Monograph.objects.filter(pk=draft.pk).update(what_changed="Nothing at all.")
    refused("nothing_changed", library.submit, monograph=draft, by=people["editor"], at=NOW)


@pytest.mark.django_db
def test_other_roles_do_not_touch_the_monograph():
    people = cast()
    for name in ("nurse", "pharmacist"):
        refused("role", library.load_draft, value=with_dose(49), by=people[name], at=NOW)
        refused("role", library.draft_from_published, by=people[name], at=NOW)
    draft, _ = library.load_draft(value=with_dose(49), by=None, at=NOW)
    refused("role", library.submit, monograph=draft, by=people["nurse"], at=NOW)
    refused("role", library.discard, monograph=draft, by=people["nurse"], at=NOW, reason="x")
    library.submit(monograph=draft, by=people["editor"], at=NOW)
    refused("role", library.publish, monograph=draft, by=people["nurse"], at=NOW)
    refused("role", library.send_back, monograph=draft, by=people["nurse"], at=NOW, reason="x")


@pytest.mark.django_db
def test_each_step_is_taken_once_and_in_order():
    people = cast()
    draft, _ = library.load_draft(value=with_dose(49), by=people["editor"], at=NOW)
    refused("wrong_state", library.publish, monograph=draft, by=people["pharmacist"], at=NOW)
    refused("wrong_state", library.send_back, monograph=draft, by=people["pharmacist"], at=NOW, reason="x")
    library.submit(monograph=draft, by=people["editor"], at=NOW)
    refused("wrong_state", library.submit, monograph=draft, by=people["editor"], at=NOW)
    refused("wrong_state", library.discard, monograph=draft, by=people["editor"], at=NOW, reason="x")
    library.publish(monograph=draft, by=people["pharmacist"], at=NOW)
    refused("wrong_state", library.publish, monograph=draft, by=people["pharmacist"], at=NOW)


@pytest.mark.django_db
def test_a_submitted_draft_goes_back_with_a_reason_and_a_discarded_one_stays_readable():
    people = cast()
    draft = submitted(with_dose(49), people["editor"])
    refused("reason_missing", library.send_back, monograph=draft, by=people["pharmacist"], at=NOW, reason=" ")
    draft = library.send_back(monograph=draft, by=people["pharmacist"], at=NOW, reason="Why 49?")
    assert (draft.state, draft.submitted_by, draft.submitted_at) == ("draft", None, None)
    assert Event.objects.get(name="send_back_monograph").reason == "Why 49?"
    refused("reason_missing", library.discard, monograph=draft, by=people["editor"], at=NOW, reason="")
    draft = library.discard(monograph=draft, by=people["editor"], at=NOW, reason="Not needed")
    assert Monograph.objects.get(pk=draft.pk).to_domain() == with_dose(49)


@pytest.mark.django_db
def test_without_a_published_version_there_is_nothing_to_draft_from():
    people = cast()
    Monograph.objects.update(state="retired", retired_at=NOW)
    refused("no_monograph", library.draft_from_published, by=people["editor"], at=NOW)


@pytest.mark.django_db
def test_the_next_version_number_is_never_a_used_one():
    people = cast()
    Monograph.objects.update(state="retired", retired_at=NOW)
    draft, _ = library.load_draft(value=with_dose(49), by=people["editor"], at=NOW)
    library.submit(monograph=draft, by=people["editor"], at=NOW)
    assert library.publish(monograph=draft, by=people["pharmacist"], at=NOW).version == 2


def at_once(count: int, act) -> list[object]:
    """What ``act`` gave in so many threads at once: a result, or the code of its refusal."""

    def attempt(number: int) -> object:
        close_old_connections()
        try:
            return act(number)
        except Refusal as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(attempt, range(count)))


def test_two_publications_at_once_leave_one_published_version(committed_db):
    people = cast()
    drafts = [submitted(with_dose(mg_per_kg), people["editor"]) for mg_per_kg in (46, 47, 48, 49)]
    results = at_once(4, lambda number: library.publish(monograph=drafts[number], by=people["pharmacist"], at=NOW).version)
    assert sorted(map(str, results)) == ["2", "outdated_draft", "outdated_draft", "outdated_draft"]
    assert Monograph.objects.filter(state="published").count() == 1


def test_the_same_file_loaded_at_once_makes_one_draft(committed_db):
    results = at_once(4, lambda number: library.load_draft(value=with_dose(49), by=None, at=NOW)[1])
    assert sorted(results) == [False, False, False, True]
    assert Monograph.objects.filter(state="draft").count() == 1


def test_publishing_during_twenty_builds_leaves_every_course_with_exactly_one_version(committed_db):
    """One thread publishes 49 instead of 50 mg per kg in week 16 while twenty others build (D6 of the safety tests)."""
    people, team = cast(), make_team()
    recipients = [make_recipient(team) for _ in range(20)]
    draft = submitted(with_dose(49), people["editor"])

    def act(number: int) -> object:
        if number == 10:
            return library.publish(monograph=draft, by=people["pharmacist"], at=NOW).version
        return make_course(team, recipients[number - (number > 10)]).monograph.version

    results = at_once(21, act)
    assert set(results) <= {1, 2}, results
    rows = PlannedDose.objects.select_related("course__monograph", "course__protocol", "protocol_dose__protocol")
    assert Course.objects.count() == 20 and len(rows) == 140
    for row in rows:
        version = row.course.monograph
        assert row.course.protocol.monograph_id == row.protocol_dose.protocol.monograph_id == version.pk
        assert row.mg_per_kg == version.to_domain().protocol("kidney").dose(row.protocol_dose.code).mg_per_kg
    assert sorted(results) == sorted([2, *Course.objects.values_list("monograph__version", flat=True)])
