"""Accounts, roles and centres: who manages them, and what ends at once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session

from patients import actions
from patients.models import Event, Membership, User
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import NOW, PASSWORD, make_account, make_centre, make_member

pytestmark = pytest.mark.django_db


def refused(code, function, **values):
    before = (User.objects.count(), list(Membership.objects.order_by("pk").values()))
    with pytest.raises(Refusal) as refusal:
        function(**values)
    assert refusal.value.code == code
    assert (User.objects.count(), list(Membership.objects.order_by("pk").values())) == before
    return refusal.value


def create(by=None, **values):
    base = {"username": "k.adeyemi", "given": "Kemi", "family": "Adeyemi", "password": PASSWORD}
    return actions.create_account(by=by, at=NOW, **(base | values))


def test_an_account_signs_in_with_its_password_and_has_no_role_yet():
    user = create()
    assert user.check_password(PASSWORD)
    assert (user.printed_name, user.is_staff, user.memberships.count()) == ("Kemi Adeyemi", False, 0)
    facts = Event.objects.get(name="create_account").facts
    assert PASSWORD not in str(facts)


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"password": "short"}, "password", "password"),
        ({"password": "password1234"}, "password", "password"),
        ({"password": "kemi.adeyemi", "username": "kemi.adeyemi"}, "password", "password"),
        ({"username": "two words"}, "username", "username"),
        ({"family": ""}, "name_needed", "family"),
        ({"family": "Ade\u202eyemi"}, "hidden_character", "family"),
    ],
)
def test_an_account_that_is_not_fit_is_refused(values, code, field):
    assert refused(code, create, **values).field == field


def test_an_account_name_is_used_once():
    create()
    assert "exists already" in refused("patients_user_username_key", create).sentence


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_only_administrators_manage_accounts(role):
    refused("role", create, by=make_member(role))


def test_an_administrator_gives_roles_in_the_own_centre_only():
    administrator = make_member(Role.ADMINISTRATOR)
    user = create(by=administrator)
    values = {"by": administrator, "at": NOW, "user": user, "role": Role.NURSE}
    refused("other_centre", actions.add_membership, centre=make_centre(), **values)
    assert actions.add_membership(centre=administrator.centre, **values).role == Role.NURSE


def test_a_person_has_one_role_in_a_centre():
    member = make_member(Role.NURSE)
    refused(
        "one_role_per_person_and_centre",
        actions.add_membership, by=None, at=NOW, user=member.user, centre=member.centre, role=Role.PHARMACIST,
    )  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [(Role.ADMINISTRATOR, Role.NURSE), (Role.NURSE, Role.ADMINISTRATOR)])
def test_an_administrator_holds_no_clinical_role_anywhere(first, second):
    member = make_member(first)
    refused("administrator_alone", actions.add_membership, by=None, at=NOW, user=member.user, centre=make_centre(), role=second)


def test_an_unknown_role_is_refused():
    refused("unknown_value", actions.add_membership, by=None, at=NOW, user=make_account(), centre=make_centre(), role="surgeon")


@pytest.mark.parametrize(
    ("role", "group"), [(Role.ADMINISTRATOR, "Administrators"), (Role.MONOGRAPH_EDITOR, "Monograph editors")]
)
def test_the_admin_site_follows_the_role(role, group):
    member = make_member(role)
    user = User.objects.get(pk=member.user_id)
    assert user.is_staff and [g.name for g in user.groups.all()] == [group]
    actions.end_membership(by=None, at=NOW, membership=member)
    user = User.objects.get(pk=member.user_id)
    assert not user.is_staff and not user.groups.exists()


def test_clinicians_do_not_enter_the_admin_site():
    assert not User.objects.get(pk=make_member(Role.PHARMACIST).user_id).is_staff


def test_no_group_has_a_right_on_patients():
    actions.ensure_groups()
    for group in Group.objects.all():
        models = {permission.content_type.model for permission in group.permissions.select_related("content_type")}
        assert not models & {
            "patient",
            "weightmeasurement",
            "precaution",
            "transplant",
            "course",
            "planneddose",
            "administration",
        }
    assert {p.codename for p in Group.objects.get(name="Administrators").permissions.all()} == {
        f"{verb}_{model}" for verb in ("view", "add", "change") for model in ("user", "membership", "centre")
    }


def test_making_the_groups_again_changes_nothing():
    actions.ensure_groups()
    before = sorted(Group.objects.values_list("name", "permissions__codename"))
    actions.ensure_groups()
    assert sorted(Group.objects.values_list("name", "permissions__codename")) == before


def sessions(client, member):
    client.force_login(member.user)
    return lambda: Session.objects.filter(session_key=client.session.session_key).count()


def test_ending_a_role_ends_the_sessions_of_that_person_alone(client):
    from django.test import Client

    member, other = make_member(Role.NURSE), make_member(Role.NURSE)
    live, others = sessions(client, member), sessions(Client(), other)
    assert (live(), others()) == (1, 1)
    key = client.session.session_key
    ended = actions.end_membership(by=None, at=NOW, membership=member)
    assert ended.ended_at == NOW
    assert not Session.objects.filter(session_key=key).exists()
    assert others() == 1
    refused("membership_ended", actions.end_membership, by=None, at=NOW, membership=member)


def test_an_account_out_of_use_and_a_new_password_end_sessions(client):
    for change in (
        lambda user: actions.correct_account(by=None, at=NOW, user=user, is_active=False),
        lambda user: actions.set_password(by=None, at=NOW, user=user, password="another-good-battery"),
    ):
        member = make_member(Role.NURSE)
        client.force_login(member.user)
        key = client.session.session_key
        change(member.user)
        assert not Session.objects.filter(session_key=key).exists()


def test_nobody_ends_the_own_role():
    administrator = make_member(Role.ADMINISTRATOR)
    refused("own_membership", actions.end_membership, by=administrator, at=NOW, membership=administrator)


def test_an_administrator_leaves_the_accounts_of_other_centres_alone():
    administrator, stranger = make_member(Role.ADMINISTRATOR), make_member(Role.NURSE)
    change = {"by": administrator, "at": NOW, "user": stranger.user}
    refused("other_centre", actions.set_password, password="another-good-battery", **change)
    refused("other_centre", actions.correct_account, is_active=False, **change)


def test_a_person_sets_the_own_password():
    nurse = make_member(Role.NURSE)
    actions.set_password(by=nurse, at=NOW, user=nurse.user, password="another-good-battery")
    assert User.objects.get(pk=nurse.user_id).check_password("another-good-battery")
    refused("role", actions.set_password, by=nurse, at=NOW, user=make_account(), password="another-good-battery")


def test_a_centre_is_made_by_the_installation_and_corrected_by_its_administrator():
    administrator = make_member(Role.ADMINISTRATOR)
    refused("role", actions.create_centre, by=administrator, at=NOW, name="New", time_zone="America/New_York", phone="1")
    refused("zone", actions.create_centre, by=None, at=NOW, name="New", time_zone="Mars/Olympus", phone="1")
    corrected = actions.correct_centre(by=administrator, at=NOW, centre=administrator.centre, phone="+1 212 555 0199")
    assert corrected.phone == "+1 212 555 0199"
    refused("other_centre", actions.correct_centre, by=administrator, at=NOW, centre=make_centre(), phone="1")
