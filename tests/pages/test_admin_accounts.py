"""The admin site's pages for accounts, roles and centres: saved by actions, without deletes, without patients."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from patients.models import Event, Membership, User
from patients.roles import Role
from tests.factories import make_account, make_centre, make_member, make_patient

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator():
    return make_member(Role.ADMINISTRATOR)


@pytest.fixture
def page(client, administrator):
    client.force_login(User.objects.get(pk=administrator.user_id))
    return client


def text(response):
    return response.content.decode()


def test_an_administrator_makes_an_account_and_gives_it_a_role(page, administrator):
    account = {"username": "b.ode", "first_name": "Ben", "last_name": "Ode", "email": ""}
    assert page.post(reverse("admin:patients_user_add"), account).status_code == 302
    user = User.objects.get(username="b.ode")
    assert not user.has_usable_password() and user.is_active and not user.is_staff
    role = {"user": user.pk, "centre": administrator.centre_id, "role": "nurse"}
    assert page.post(reverse("admin:patients_membership_add"), role).status_code == 302
    event = Event.objects.get(name="add_membership", facts__account=user.pk)
    assert (event.actor_id, user.memberships.get().role) == (administrator.user_id, "nurse")


@pytest.mark.parametrize(
    ("typed", "words"),
    [({"last_name": ""}, "required"), ({"username": "a b"}, "valid username")],
)
def test_a_refused_account_comes_back_with_the_sentence(page, typed, words):
    account = {"username": "b.ode", "first_name": "Ben", "last_name": "Ode", "email": ""}
    response = page.post(reverse("admin:patients_user_add"), account | typed)
    assert response.status_code == 200 and words in text(response)
    assert not User.objects.filter(last_name="Ode").exists()


def test_nobody_makes_a_superuser_or_an_editor_by_extra_fields(page):
    account = {"username": "b.ode", "first_name": "Ben", "last_name": "Ode", "email": ""}
    page.post(reverse("admin:patients_user_add"), account | {"is_superuser": "on", "is_staff": "on", "groups": "1"})
    user = User.objects.get(username="b.ode")
    assert (user.is_superuser, user.is_staff, user.groups.count()) == (False, False, 0)


@pytest.mark.parametrize("action", ["reset_second_factors", "end_sessions"])
def test_an_administrator_does_not_end_the_own_session_from_the_list_of_accounts(page, administrator, action):
    chosen = {"action": action, "_selected_action": [administrator.user_id]}
    answer = page.post(reverse("admin:patients_user_changelist"), chosen, follow=True)
    assert answer.status_code == 200
    assert "another administrator" in text(answer) or "on the page of your account" in text(answer)
    assert page.get(reverse("admin:index")).status_code == 200


def test_an_administrator_does_not_put_the_own_account_out_of_use(page, administrator):
    typed = {"first_name": "Ada", "last_name": "Adeyemi", "email": ""}
    answer = page.post(reverse("admin:patients_user_change", args=[administrator.user_id]), typed)
    assert answer.status_code == 200 and "Nobody puts the own account out of use" in text(answer)
    assert User.objects.get(pk=administrator.user_id).is_active


def test_an_account_is_put_out_of_use_and_never_deleted(page, administrator):
    nurse = make_member(Role.NURSE, centre=administrator.centre)
    change = {"first_name": "Ann", "last_name": "Lund", "email": ""}
    assert page.post(reverse("admin:patients_user_change", args=[nurse.user_id]), change).status_code == 302
    assert not User.objects.get(pk=nurse.user_id).is_active
    assert page.post(reverse("admin:patients_user_delete", args=[nurse.user_id]), {"post": "yes"}).status_code == 403


def test_a_role_in_another_centre_is_refused(page):
    response = page.post(
        reverse("admin:patients_membership_add"), {"user": make_account().pk, "centre": make_centre().pk, "role": "nurse"}
    )
    assert response.status_code == 200 and "own center only" in text(response)


def test_roles_are_ended_in_the_list(page, administrator):
    nurse = make_member(Role.NURSE, centre=administrator.centre)
    page.post(
        reverse("admin:patients_membership_changelist"),
        {"action": "end_roles", "_selected_action": [nurse.pk, administrator.pk]},
    )
    assert Membership.objects.get(pk=nurse.pk).ended_at
    assert Membership.objects.get(pk=administrator.pk).ended_at is None


def test_the_admin_site_holds_no_patient_and_no_groups(page):
    registered = {model.__name__ for model in admin.site._registry}
    assert not registered & {
        "Patient",
        "WeightMeasurement",
        "Precaution",
        "Transplant",
        "Course",
        "PlannedDose",
        "Administration",
        "Group",
    }
    make_patient()
    assert "Okonkwo" not in text(page.get(reverse("admin:index")))


@pytest.mark.parametrize("role", [Role.PHARMACIST, Role.MONOGRAPH_EDITOR])
def test_nobody_else_sees_accounts(client, role):
    client.force_login(User.objects.get(pk=make_member(role).user_id))
    assert client.get(reverse("admin:patients_user_changelist")).status_code in (302, 403)
