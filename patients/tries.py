"""How often a password or code may be tried: counted in the database before it is looked at, so that no number of servers,
threads or simultaneous tries lets one more through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils.crypto import salted_hmac

WINDOW = timedelta(minutes=15)
KEPT = timedelta(days=1)


class Tries(models.Model):
    """How often something was tried in the present window. No record of anything: a keyed digest and a number, deleted freely."""

    key = models.CharField(max_length=64, primary_key=True)
    number = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField()


@dataclass(frozen=True, slots=True)
class Limit:
    """So many wrong tries in a window of 15 minutes, which begins with the first of them."""

    name: str
    tries: int


NAME = Limit("name", 10)  # passwords for one account name, from all computers that it is new to
ADDRESS = Limit("address", 20)  # passwords from one network address, for all names
KNOWN_BROWSER = Limit("known_browser", 10)  # passwords for one account from one browser in which it has signed in before
CODE = Limit("code", 10)  # codes of the second factor for one account
SIGNATURE = Limit("signature", 5)  # passwords at signatures of one signed-in person


@dataclass(frozen=True, slots=True)
class Try:
    """One counted try. Only an ``allowed`` one is looked at; ``is_last`` and ``is_first_refused`` happen once per window."""

    number: int
    limit: Limit

    @property
    def allowed(self) -> bool:
        return self.number <= self.limit.tries

    @property
    def is_last(self) -> bool:
        return self.number == self.limit.tries

    @property
    def is_first_refused(self) -> bool:
        return self.number == self.limit.tries + 1


def take(limit: Limit, whom: str, *, at: datetime) -> Try:
    """Count one try now, whatever becomes of it. It commits at once, and refuses to be part of a larger transaction."""
    with transaction.atomic(durable=True):
        row, made = Tries.objects.select_for_update().get_or_create(key=_key(limit, whom), defaults={"began_at": at})
        if not made and at >= row.began_at + WINDOW:
            row.number, row.began_at = 0, at
        row.number += 1
        row.save(update_fields=["number", "began_at"])
    return Try(row.number, limit)


def give_back(limit: Limit, whom: str) -> None:
    """The try was right: it does not count, those before it still do."""
    with transaction.atomic():
        row = Tries.objects.select_for_update().filter(key=_key(limit, whom), number__gt=0).first()
        if row:
            row.number -= 1
            row.save(update_fields=["number"])


def forget(limit: Limit, whom: str) -> None:
    """The try was right, and those before it count no longer."""
    Tries.objects.filter(key=_key(limit, whom)).delete()


def sweep(*, at: datetime) -> None:
    """Drop counters of windows that are long over."""
    Tries.objects.filter(began_at__lt=at - KEPT).delete()


def _key(limit: Limit, whom: str) -> str:
    """A digest that only this installation can make: no name and no address is kept."""
    return salted_hmac(f"tries.{limit.name}", whom, algorithm="sha256").hexdigest()
