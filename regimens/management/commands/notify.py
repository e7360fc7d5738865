"""Tell pharmacists and prescribers by mail that doses wait for a decision. For cron, on as many machines as one likes."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from regimens.actions import notices
from regimens.actions.notices import Message, Tally


class Command(BaseCommand):
    help = "Mails each pharmacist and prescriber once about each missed dose that nobody has decided, without anything of the patient."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say how many would be told; send and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        tally = Tally()
        if options["dry_run"]:
            for person, doses, told in notices.waiting(at):
                self.stdout.write(f"would tell {person.user.username} of {len(doses) if person.user.email else 0}")
                tally += Tally(skipped=told + len(doses))
        else:
            tally = self._tell_everybody(at)
            notices.note_run(timezone.now())
        self.stdout.write(f"{tally.sent} sent, {tally.skipped} skipped, {tally.failed} failed")
        if tally.failed:
            raise CommandError("Some notices did not go out. The missed doses are on the worklist all the same.")

    def _tell_everybody(self, at: datetime) -> Tally:
        tally = Tally()
        with _Mail() as mail:
            for person, doses, told in notices.waiting(at):
                tally += Tally(skipped=told)
                if doses and person.user.email and not mail.answers():
                    # Nothing is handed over, so nothing is claimed: the next run tries again.
                    tally += Tally(failed=len(doses))
                elif doses:
                    tally += notices.tell(person=person, doses=doses, send=mail.send, at=at, now=timezone.now)
        if mail.refusal:
            self.stderr.write(f"The mail server: {mail.refusal}")
        return tally


class _Mail:
    """One connection for all messages, opened for the first of them, and anew after one that failed."""

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None
        self.refusal = ""

    def __enter__(self) -> _Mail:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def answers(self) -> bool:
        """Whether a message can be handed over now."""
        if self._connection is None:
            connection = get_connection()
            try:
                connection.open()
            except OSError as error:
                self.refusal = type(error).__name__  # its text may quote an address
                return False
            self._connection = connection
        return True

    def send(self, message: Message) -> None:
        """One person, one mail. The link leads to the worklist: which dose it is about stands nowhere outside the product."""
        body = f"{message.subject} in {message.recipient.centre.name}. Open cmvig:\n{settings.SITE_URL}{reverse('worklist')}\n"
        try:
            EmailMessage(message.subject, body, to=[message.recipient.user.email], connection=self._connection).send()
        except OSError as error:
            self.refusal = type(error).__name__
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()
