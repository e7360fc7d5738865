"""Telling people outside the product: that a dose waits for a decision. Never about whom; who reads the mail signs in and looks.

What is missed is computed when asked, as everywhere. A notice is a row (kind, dose, recipient) written before the message goes
out: whoever writes the row sends, so that two notifiers, or one started again, never tell anybody the same thing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from patients import audit
from patients.models import Centre, Membership
from patients.roles import Role
from regimens.models import Notice, NoticeKind, NotifierRun, PlannedDose

TOLD = (Role.PHARMACIST, Role.PRESCRIBER)
UNSENT_AFTER = timedelta(minutes=10)
LATE_AFTER = timedelta(minutes=15)  # three runs of the five-minute line in docs/operations.md


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told in one mail. No patient, no dose: a number and where to look."""

    recipient: Membership
    doses: int

    @property
    def subject(self) -> str:
        """ "1 dose needs a decision"."""
        return "1 dose needs a decision" if self.doses == 1 else f"{self.doses} doses need a decision"


@dataclass(frozen=True, slots=True)
class Tally:
    """Notices of one run: mailed, told before or by another run (or nowhere to mail to), and not taken by the mail server."""

    sent: int = 0
    skipped: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.sent + other.sent, self.skipped + other.skipped, self.failed + other.failed)


def undecided(centre: Centre, at: datetime) -> QuerySet[PlannedDose]:
    """The missed doses of a centre that wait for a decision; none of a patient whose chart is closed."""
    return PlannedDose.objects.filter(centre=centre, settled_at=None, closes_at__lte=at, course__patient__closed_at=None)


def recipients(centre: Centre) -> list[Membership]:
    """Who is told: the pharmacists and prescribers of a centre whose accounts are open, with or without an address."""
    rows = Membership.objects.filter(centre=centre, role__in=TOLD, ended_at=None, user__is_active=True)
    return list(rows.select_related("user", "centre").order_by("pk"))


def waiting(at: datetime) -> Iterator[tuple[Membership, list[PlannedDose], int]]:
    """For each person who is told of anything: the doses they have not been told of yet, and how many they have."""
    for centre in Centre.objects.order_by("pk"):
        doses = list(undecided(centre, at).order_by("closes_at", "pk"))
        for person in recipients(centre) if doses else ():
            new = _untold(person, doses)
            yield person, new, len(doses) - len(new)


def tell(
    *,
    person: Membership,
    doses: Collection[PlannedDose],
    send: Callable[[Message], None],
    at: datetime,
    now: Callable[[], datetime],
) -> Tally:
    """Claim what nobody has claimed for this person, send one message about it, and note that it went out.

    ``send`` raises OSError (smtplib's errors are such) when the message was not taken. The claim stays, unsent, for the page to
    show: nobody can tell a message that was lost from one whose receipt was.
    """
    if not person.user.email:
        return Tally(skipped=len(doses))
    claimed = _claim(person, doses, at)
    others = len(doses) - len(claimed)
    if not claimed:
        return Tally(skipped=others)
    try:
        send(Message(person, len(claimed)))
    except OSError:
        return Tally(skipped=others, failed=len(claimed))
    with transaction.atomic():
        audit.event("send_notice", by=None, recipient=person.pk, doses=len(claimed))
        Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(sent_at=now())
    return Tally(sent=len(claimed), skipped=others)


@transaction.atomic
def _claim(person: Membership, doses: Collection[PlannedDose], at: datetime) -> list[Notice]:
    # Two notifiers take turns at one person; the unique constraint is the last line.
    Membership.objects.select_for_update(no_key=True).get(pk=person.pk)
    new = _untold(person, doses)
    if not new:
        return []
    audit.event("claim_notices", by=None, kind=NoticeKind.MISSED, recipient=person.pk, doses=[str(dose.pk) for dose in new])
    return Notice.objects.bulk_create(
        Notice(kind=NoticeKind.MISSED, dose=dose, recipient=person, claimed_at=at) for dose in new
    )


def _untold(person: Membership, doses: Collection[PlannedDose]) -> list[PlannedDose]:
    told = Notice.objects.filter(kind=NoticeKind.MISSED, recipient=person, dose__in=doses).values_list("dose_id", flat=True)
    known = set(told)
    return [dose for dose in doses if dose.pk not in known]


def note_run(at: datetime) -> None:
    """The notifier came to its end: the sign of life that monitors and pages read."""
    NotifierRun.objects.bulk_create(
        [NotifierRun(pk=1, ran_at=at)], update_conflicts=True, unique_fields=["id"], update_fields=["ran_at"]
    )


def unsent(centre: Centre, at: datetime) -> int:
    """How many missed doses have waited 10 minutes for a decision while nobody of the centre was mailed about them."""
    doses = undecided(centre, at - UNSENT_AFTER)
    sent = Notice.objects.filter(kind=NoticeKind.MISSED, dose=OuterRef("pk")).filter(~Q(sent_at=None))
    return doses.filter(~Exists(sent)).count()


def notifier_state(ran_at: datetime | None, at: datetime) -> str:
    """ "ok", "late" after 15 minutes without a run, or "not running" where it never has."""
    if ran_at is None:
        return "not running"
    return "ok" if at - ran_at <= LATE_AFTER else "late"
