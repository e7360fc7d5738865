"""Django's own sign-in, with one statement less: the person comes with the role they act in."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from patients.models import Membership, User


class MembershipBackend(ModelBackend):
    """Loads the signed-in person and their membership together. Everything else is Django's."""

    def get_user(self, user_id: int) -> User | None:
        """The active person, with ``acting`` set to the membership they act as; None for an account out of use."""
        membership = (
            Membership.objects.select_related("user", "centre").filter(user_id=user_id, ended_at=None).order_by("pk").first()
        )
        if membership is None:
            return super().get_user(user_id)
        user = membership.user
        user.acting = membership
        return user if self.user_can_authenticate(user) else None
