"""Accounts and memberships. ``by=None`` is the installation itself: a command on the server, never a page.

A membership gives one person one role in one centre. The admin site alone works with groups, which follow from the roles.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import transaction

from patients import audit, sessions, tries
from patients.actions.common import allow, one_of, plain_refusals
from patients.models import Centre, Membership, User
from patients.names import clean_name
from patients.refusal import Refusal
from patients.roles import Role

ADMINISTRATORS, EDITORS = "Administrators", "Monograph editors"
GROUP_OF_ROLE = {Role.ADMINISTRATOR: ADMINISTRATORS, Role.MONOGRAPH_EDITOR: EDITORS}
Actor = Membership | User | None


def check_administers(by: Actor, centre: Centre | None = None) -> None:
    """Refuse ("role", "other_centre") all but the installation, a superuser, or an administrator within the own centre."""
    if by is None or (isinstance(by, User) and by.is_superuser and by.is_active):
        return
    if isinstance(by, User):
        raise Refusal("role", "This account has no role in a centre.", source="Role × action matrix of this centre")
    allow(by, "manage_accounts")
    if centre is not None and centre.pk != by.centre_id:
        raise Refusal("other_centre", "An administrator works in the own center only.", field="centre")


# --- Accounts ----------------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_account(
    *, by: Actor, at: datetime, username: str, given: str, family: str, password: str | None = None, email: str = ""
) -> User:
    """A person's account, without a role yet. Refused: "username", "password" (with all that is wrong with it).

    Without a password nobody signs in until the person has set one, by a link (make_password_link).
    """
    check_administers(by)
    user = User(
        username=_clean_username(username),
        first_name=clean_name(given, field="given", what="given name"),
        last_name=clean_name(family, field="family", what="family name", required=True),
        email=email,
        date_joined=at,
    )
    if password is None:
        user.set_unusable_password()
    else:
        _set_password(user, password)
    audit.event("create_account", by=by, at_stated=at, username=user.username)
    with plain_refusals():
        user.save(force_insert=True)
    return user


@transaction.atomic
def correct_account(
    *,
    by: Actor,
    at: datetime,
    user: User,
    given: str | None = None,
    family: str | None = None,
    email: str | None = None,
    is_active: bool | None = None,
) -> User:
    """Names, address, and whether the account is in use; one that is not loses its sessions at once. Nothing is deleted."""
    check_administers(by)
    user = User.objects.select_for_update().get(pk=user.pk)
    _may_touch(by, user)
    values: dict[str, Any] = {
        "first_name": user.first_name if given is None else clean_name(given, field="given", what="given name"),
        "last_name": user.last_name
        if family is None
        else clean_name(family, field="family", what="family name", required=True),
        "email": user.email if email is None else email,
        "is_active": user.is_active if is_active is None else is_active,
    }
    changed = [name for name, value in values.items() if value != getattr(user, name)]
    if not changed:
        return user
    if not values["is_active"]:
        check_is_anothers(by, user, "Nobody puts the own account out of use: ask another administrator.", field="is_active")
    audit.event("correct_account", by=by, at_stated=at, account=user.pk, changed=changed)
    for name in changed:
        setattr(user, name, values[name])
    with plain_refusals():
        user.save(update_fields=changed)
    if not user.is_active:
        sessions.end_all(user)
    return user


@transaction.atomic
def set_password(*, by: Actor, at: datetime, user: User, password: str) -> User:
    """A new password, by the person or an administrator; every session of the account ends, and wrong tries are forgotten."""
    if not _is_own(by, user):
        check_manages(by, user)
    user = User.objects.select_for_update().get(pk=user.pk)
    _set_password(user, password)
    audit.event("set_password", by=by, at_stated=at, account=user.pk)
    user.save(update_fields=["password"])
    tries.forget(tries.NAME, user.username)
    sessions.end_all(user)
    return user


def _is_own(by: Actor, user: User) -> bool:
    return by is not None and (by.user_id if isinstance(by, Membership) else by.pk) == user.pk


def check_is_anothers(by: Actor, user: User, sentence: str, *, field: str = "") -> None:
    """Refuse ("own_account") what would end the acting person's own session under their hands."""
    if _is_own(by, user):
        raise Refusal("own_account", sentence, field=field)


def check_manages(by: Actor, user: User) -> None:
    """Refuse ("role", "other_centre") unless this actor manages this account."""
    check_administers(by)
    _may_touch(by, user)


def _may_touch(by: Actor, user: User) -> None:
    """An administrator manages the accounts of the own centre, and those without any role; never a superuser's."""
    if not isinstance(by, Membership):
        return
    centres = set(user.memberships.filter(ended_at=None).values_list("centre_id", flat=True))
    if user.is_superuser or (centres and by.centre_id not in centres):
        raise Refusal("other_centre", "This account belongs to another centre.", field="user")


def _clean_username(username: str) -> str:
    try:
        User.username_validator(username)
    except ValidationError as error:
        raise Refusal("username", error.messages[0], field="username") from None
    if len(username) > 150:
        raise Refusal("username", "The account name has more than 150 characters.", field="username")
    return User.normalize_username(username)


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refusal("password", " ".join(error.messages), field="password") from None
    user.set_password(password)


# --- Memberships and groups --------------------------------------------------------------------------------------------------


@transaction.atomic
def add_membership(*, by: Actor, at: datetime, user: User, centre: Centre, role: str) -> Membership:
    """A role for a person in a centre. Administrators hold no clinical role, so that nobody grants themselves a chart."""
    check_administers(by, centre)
    one_of(role, Role.values, field="role", what="the role")
    user = User.objects.select_for_update().get(pk=user.pk)
    held = set(user.memberships.filter(ended_at=None).values_list("role", flat=True))
    if (role == Role.ADMINISTRATOR) != (Role.ADMINISTRATOR in held) and held:
        raise Refusal("administrator_alone", "An administrator holds no other role.", field="role")
    membership = Membership(user=user, centre=centre, role=role)
    audit.event("add_membership", by=by, at_stated=at, account=user.pk, centre=centre.pk, role=role)
    with plain_refusals():
        membership.save(force_insert=True)
    _follow_roles(user)
    sessions.end_all(user)
    return membership


@transaction.atomic
def end_membership(*, by: Actor, at: datetime, membership: Membership) -> Membership:
    """The role ends now, and every session of the person with it. What they did keeps their name and role."""
    membership = Membership.objects.select_for_update(of=("self",)).select_related("user", "centre").get(pk=membership.pk)
    check_administers(by, membership.centre)
    if membership.ended_at:
        raise Refusal("membership_ended", "This role has ended already.")
    if isinstance(by, Membership) and by.pk == membership.pk:
        raise Refusal("own_membership", "Nobody ends the own role: ask another administrator.")
    audit.event("end_membership", by=by, at_stated=at, account=membership.user_id, membership=membership.pk)
    membership.ended_at = at
    with plain_refusals():
        membership.save(update_fields=["ended_at"])
    _follow_roles(membership.user)
    sessions.end_all(membership.user)
    return membership


def _follow_roles(user: User) -> None:
    """Groups of the admin site, and the right to enter it, as the live roles say."""
    roles = set(user.memberships.filter(ended_at=None).values_list("role", flat=True))
    wanted = {GROUP_OF_ROLE[Role(role)] for role in roles if Role(role) in GROUP_OF_ROLE}
    if wanted:
        ensure_groups()
    user.groups.set(Group.objects.filter(name__in=wanted))
    is_staff = bool(wanted) or user.is_superuser
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])


@transaction.atomic
def ensure_groups() -> None:
    """The two groups of the admin site with their permissions: accounts and centres; all that the upper floor shows there.

    Idempotent. Which models the upper floor edits in the admin site is asked of the admin site itself.
    """
    admin.autodiscover()
    editing = [model for model in admin.site._registry if model._meta.app_label not in ("patients", "auth")]
    for name, models, verbs in (
        (ADMINISTRATORS, [User, Membership, Centre], ("view", "add", "change")),
        (EDITORS, editing, ("view", "add", "change", "delete")),
    ):
        group, _ = Group.objects.get_or_create(name=name)
        types = ContentType.objects.get_for_models(*models, for_concrete_models=False).values()
        wanted = Permission.objects.filter(
            content_type__in=types, codename__in=[f"{verb}_{kind.model}" for kind in types for verb in verbs]
        )
        if set(group.permissions.values_list("pk", flat=True)) != set(wanted.values_list("pk", flat=True)):
            group.permissions.set(wanted)
