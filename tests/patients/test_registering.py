"""Registering, correcting, closing and finding alike patients, through the actions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import Http404

from patients import actions, facts
from patients.actions.common import plain_refusals
from patients.models import Event, Patient
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import NOW, make_centre, make_member, make_patient

pytestmark = pytest.mark.django_db


def register(by, **values):
    base = {"mrn": "00427719", "family_name": "Okonkwo", "given_name": "Adaeze", "birth_on": date(1979, 7, 14), "sex": "female"}
    return actions.register_patient(by=by, at=NOW, **(base | values))


def refused(code, function, *args, **values):
    before = list(Patient.objects.order_by("pk").values())
    with pytest.raises(Refusal) as refusal:
        function(*args, **values)
    assert refusal.value.code == code
    assert list(Patient.objects.order_by("pk").values()) == before
    return refusal.value


def test_a_patient_belongs_to_the_centre_of_who_registers():
    by = make_member(Role.COORDINATOR)
    patient = register(by, mrn="0042 7719", family_name="  Ọkọnkwọ ", ward="7 West")
    assert (patient.centre, patient.mrn, patient.family_name, patient.ward) == (by.centre, "00427719", "Ọkọnkwọ", "7 West")
    assert (patient.registered_by, patient.registered_at, patient.version) == (by, NOW, 1)
    assert patient.name_key == "okonkwo,adaeze"
    assert Event.objects.get(name="register_patient").patient_id == patient.pk


@pytest.mark.parametrize("role", [Role.NURSE, Role.TECHNICIAN, Role.AUDITOR, Role.ADMINISTRATOR, Role.MONOGRAPH_EDITOR])
def test_other_roles_register_nobody(role):
    refused("role", register, make_member(role))


def test_an_ended_role_registers_nobody():
    by = make_member()
    by = actions.end_membership(by=None, at=NOW, membership=by)
    refused("role", register, by)


def test_the_database_itself_holds_a_record_number_once():
    by = make_member()
    first = register(by)
    twin = Patient(
        centre=by.centre,
        mrn=first.mrn,
        family_name="X",
        name_key="x",
        birth_on=first.birth_on,
        sex="male",
        registered_by=by,
        registered_at=NOW,
    )
    with pytest.raises(Refusal, match="record_number_is_unique_in_its_centre"), plain_refusals():
        twin.save(force_insert=True)


def test_a_record_number_is_taken_once_in_a_centre_however_it_is_typed():
    by = make_member()
    register(by)
    refusal = refused("mrn_taken", register, by, mrn="0042 7719", family_name="Brandt", birth_on=date(1954, 9, 30))
    assert refusal.field == "mrn"
    assert refusal.sentence == "Record number 00427719 is already used by another patient of this centre."
    assert "Okonkwo" not in refusal.sentence


def test_a_form_sent_five_times_is_one_patient():
    by = make_member()
    assert len({register(by).pk for _ in range(5)}) == 1
    refused("mrn_taken", register, make_member(centre=by.centre))
    refused("mrn_taken", register, by, ward="ICU 2")


def test_two_centres_may_use_the_same_record_number():
    register(make_member())
    assert register(make_member()).mrn == "00427719"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"family_name": ""}, "name_needed"),
        ({"family_name": "Oko\u202enkwo"}, "hidden_character"),
        ({"ward": "7\u200bWest"}, "hidden_character"),
        ({"birth_on": date(2026, 11, 23)}, "birth_future"),
        ({"birth_on": date(1900, 1, 1)}, "birth_too_old"),
        ({"sex": "f"}, "unknown_value"),
        ({"allergy_state": "none"}, "unknown_value"),
        ({"allergy_state": "known"}, "allergies_needed"),
        ({"allergies": "penicillin"}, "allergies_without_state"),
        ({"mrn": ""}, "mrn_needed"),
        ({"title": "T" * 21}, "too_long"),
    ],
)
def test_a_registration_that_cannot_be_true_is_refused(values, code):
    refused(code, register, make_member(), **values)


def test_a_birth_is_judged_by_the_centres_own_day():
    by = make_member(centre=make_centre(time_zone="America/Los_Angeles"))
    at = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # still 22-Nov in Los Angeles
    base = {"by": by, "at": at, "mrn": "1", "family_name": "Silva", "sex": "male"}
    with pytest.raises(Refusal, match="birth_future"):
        actions.register_patient(**base, birth_on=date(2026, 11, 23))
    assert actions.register_patient(**base, birth_on=date(2026, 11, 22))


def test_a_likely_duplicate_is_asked_about_and_never_merged():
    by = make_member()
    register(by)
    refused("possible_duplicate", register, by, mrn="77", family_name="Okonkwa", given_name="Ada")
    other = register(by, mrn="77", family_name="Okonkwa", given_name="Ada", is_another_person=True)
    assert Patient.objects.filter(centre=by.centre).count() == 2
    assert other.family_name == "Okonkwa"


def test_a_twin_name_with_another_birth_date_is_no_duplicate():
    by = make_member()
    register(by)
    assert register(by, mrn="77", birth_on=date(1980, 7, 14))


def test_forty_look_alike_pairs_are_all_seen_and_an_unlike_one_is_not():
    by = make_member()
    pairs = [
        ("Meyer", "Meier"),
        ("Stephens", "Stevens"),
        ("Smith", "Smyth"),
        ("Hansen", "Hanson"),
        ("Garcia", "Gracia"),
        ("Brown", "Braun"),
        ("Cruz", "Kruz"),
        ("Tran", "Trang"),
        ("Lee", "Li"),
        ("Kim", "Kin"),
        ("Silva", "Selva"),
        ("Halloran", "Haloran"),
        ("Ashcraft", "Ashcroft"),
        ("Okonkwo", "Ukonkwo"),
        ("Nguyễn", "Nguyen"),
        ("李", "李"),
        ("Иванов", "Иванова"),
        ("محمد", "محمود"),
        ("Johnson", "Jonson"),
        ("Petersen", "Pedersen"),
        ("Clark", "Clerk"),
        ("Reid", "Reed"),
        ("Müller", "Mueller"),
        ("Strauß", "Strauss"),
        ("O'Brien", "OBryan"),
        ("Schmidt", "Schmitt"),
        ("Fischer", "Fisher"),
        ("Kelly", "Kelley"),
        ("Wood", "Woods"),
        ("Perez", "Peres"),
        ("Wang", "Wong"),
        ("Zhang", "Zheng"),
        ("Patel", "Patil"),
        ("Singh", "Sing"),
        ("Ali", "Aly"),
    ]
    made = []
    for number, (one, other) in enumerate(pairs):
        born = date(1950, 1, 1) + timedelta(days=2 * number)
        first = register(by, mrn=f"A{number * 1117:07d}", family_name=one, birth_on=born)
        second = register(by, mrn=f"B{number * 2239 + 50_000_00:07d}", family_name=other, birth_on=born + timedelta(days=1))
        made.append((first, second))
    for number in range(5):  # nothing alike but a record number one slip apart, or a birth date
        first = register(by, mrn=f"C{number}000000", family_name="Abernathy", birth_on=date(1990, 1, 1 + number))
        second = register(by, mrn=f"C{number}00000{number + 1}", family_name="Quispe", birth_on=date(1991, 1, 1 + number))
        made.append((first, second))
    assert len(made) == 40
    for first, second in made:
        assert second.pk in {alike.patient_id for alike in facts.look_alikes_of(first, limit=200)}, (
            first.name_key,
            second.name_key,
        )
        assert first.pk in {alike.patient_id for alike in facts.look_alikes_of(second, limit=200)}, (
            first.name_key,
            second.name_key,
        )
    lone = register(by, mrn="ZZ-1", family_name="Vukotić", birth_on=date(2001, 2, 3))
    assert facts.look_alikes_of(lone) == []


def test_same_birth_date_alone_is_an_alert_within_one_centre_only():
    by = make_member()
    patient = register(by)
    twin = register(by, mrn="XY-1", family_name="Brandt", given_name="Otto")
    register(make_member(), mrn="00427718")
    assert [alike.patient_id for alike in facts.look_alikes_of(patient)] == [twin.pk]


def test_the_closest_look_alike_comes_first():
    by = make_member()
    patient = register(by)
    register(by, mrn="XY-1", family_name="Brandt")
    nearest = register(by, mrn="XY-2", family_name="Okonkwo", given_name="Adanna", is_another_person=True)
    assert facts.look_alikes_of(patient)[0].patient_id == nearest.pk


def test_a_closed_patient_alarms_nobody():
    by = make_member()
    patient = register(by)
    twin = register(by, mrn="XY-1", family_name="Brandt")
    actions.close_patient(by=by, at=NOW, patient=twin, closed_reason="transferred")
    assert facts.look_alikes_of(patient) == []


def test_look_alikes_take_one_statement(django_assert_num_queries):
    patient = make_patient()
    with django_assert_num_queries(1):
        facts.look_alikes_of(patient)


def test_a_correction_changes_what_is_named_and_counts_the_version():
    by = make_member()
    patient = register(by)
    corrected = actions.correct_patient(by=by, at=NOW, patient=patient, version=1, ward="ICU 2")
    assert (corrected.ward, corrected.version, corrected.family_name) == ("ICU 2", 2, "Okonkwo")
    event = Event.objects.get(name="correct_patient")
    assert event.facts["changed"] == ["ward"]


def test_a_correction_of_identity_needs_its_reason_and_moves_the_search_key():
    by = make_member()
    patient = register(by)
    assert (
        refused("reason_needed", actions.correct_patient, by=by, at=NOW, patient=patient, version=1, family_name="Brandt").field
        == "reason"
    )
    corrected = actions.correct_patient(
        by=by, at=NOW, patient=patient, version=1, family_name="Brandt", reason="Typed from the wrong form"
    )
    assert corrected.name_key == "brandt,adaeze"
    assert Event.objects.get(name="correct_patient").reason == "Typed from the wrong form"


def test_nothing_changed_is_no_event():
    by = make_member()
    patient = register(by)
    assert actions.correct_patient(by=by, at=NOW, patient=patient, version=1, ward="").version == 1
    assert not Event.objects.filter(name="correct_patient").exists()


def test_a_stale_correction_is_refused():
    by = make_member()
    patient = register(by)
    actions.correct_patient(by=by, at=NOW, patient=patient, version=1, ward="ICU 2")
    refused("stale", actions.correct_patient, by=by, at=NOW, patient=patient, version=1, ward="7 West")


def test_a_correction_may_not_take_anothers_record_number():
    by = make_member()
    register(by, mrn="1")
    patient = register(by, mrn="2", family_name="Brandt")
    refused("mrn_taken", actions.correct_patient, by=by, at=NOW, patient=patient, version=1, mrn="1", reason="typing error")


def test_a_patient_of_another_centre_is_not_found():
    patient = make_patient()
    stranger = make_member()
    for act in (
        lambda: actions.correct_patient(by=stranger, at=NOW, patient=patient, version=1, ward="x"),
        lambda: actions.close_patient(by=stranger, at=NOW, patient=patient, closed_reason="died"),
    ):
        with pytest.raises(Http404):
            act()
    patient.refresh_from_db()
    assert (patient.ward, patient.closed_at) == ("", None)


def test_a_died_patient_is_closed_and_may_be_reopened_with_a_reason():
    by = make_member()
    patient = register(by)
    closed = actions.close_patient(by=by, at=NOW, patient=patient, closed_reason="died", closed_at=NOW - timedelta(hours=3))
    assert (closed.closed_reason, closed.closed_at) == ("died", NOW - timedelta(hours=3))
    refused("patient_closed", actions.close_patient, by=by, at=NOW, patient=patient, closed_reason="transferred")
    refused("reason_needed", actions.reopen_patient, by=by, at=NOW, patient=patient, reason=" ")
    opened = actions.reopen_patient(by=by, at=NOW, patient=patient, reason="Wrong chart")
    assert (opened.closed_reason, opened.closed_at, opened.version) == ("", None, 3)
    refused("patient_open", actions.reopen_patient, by=by, at=NOW, patient=patient, reason="Wrong chart")


@pytest.mark.parametrize(
    ("closed_at", "code"),
    [(NOW + timedelta(seconds=1), "in_the_future"), (datetime(1979, 7, 13, 12, tzinfo=UTC), "before_birth")],
)
def test_an_end_that_cannot_be_is_refused(closed_at, code):
    by = make_member()
    patient = register(by)
    refused(code, actions.close_patient, by=by, at=NOW, patient=patient, closed_reason="died", closed_at=closed_at)
