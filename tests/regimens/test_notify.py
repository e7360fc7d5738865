"""`manage notify`: who is told, once, without anything of a patient; what happens when the mail server or the process fails."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from datetime import timedelta
from email import message_from_string
from io import StringIO
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from cmvig_site import settings
from cmvig_site.local import project
from patients.models import Membership
from regimens.actions import notices
from regimens.models import Notice, NotifierRun
from tests.regimens.ward import Ward, make_course, make_ward
from tests.support import count

NOW = timezone.now()  # the command reads the clock, so the patients live by it
DAY = timedelta(days=1)
MISSED = NOW - 4 * DAY  # 72 hours after the transplant the first dose is missed
ROUNDS = count(6, 100)


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("notify", *arguments, stdout=said, stderr=StringIO())
    return said.getvalue().splitlines()[-1]


def failure() -> str:
    said = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("notify", stdout=said, stderr=StringIO())
    assert caught.value.returncode == 1
    return said.getvalue().splitlines()[-1]


def give_address(*people: Membership) -> None:
    for person in people:
        person.user.email = f"{person.user.username}@hospital.example"
        person.user.save()


def ward_with_addresses() -> Ward:
    ward = make_ward()
    give_address(ward.pharmacist, ward.prescriber, ward.nurse)
    return ward


@pytest.mark.django_db
def test_pharmacists_and_prescribers_with_an_address_are_told_once():
    ward = ward_with_addresses()
    make_course(ward, at=MISSED)
    make_course(ward, at=NOW - DAY)  # open: nobody is told
    assert run() == "2 sent, 1 skipped, 0 failed"  # the second pharmacist has no address
    told = {message.to[0] for message in mail.outbox}
    assert told == {ward.pharmacist.user.email, ward.prescriber.user.email}
    assert run() == "0 sent, 3 skipped, 0 failed"
    make_course(ward, at=MISSED)
    assert run() == "2 sent, 4 skipped, 0 failed"
    assert len(mail.outbox) == 4


@pytest.mark.django_db
def test_a_message_holds_a_number_and_the_way_to_the_worklist_and_nothing_of_a_patient():
    ward = ward_with_addresses()
    first, second = make_course(ward, at=MISSED), make_course(ward, at=MISSED)
    with override_settings(SITE_URL="https://cmvig.hospital.example"):
        run()
    message = mail.outbox[0]
    assert message.subject == "2 doses need a decision"
    assert message.body == f"2 doses need a decision in {ward.centre.name}. Open cmvig:\nhttps://cmvig.hospital.example/\n"
    for course in (first, second):
        patient, text = course.patient, str(message.message())
        assert not [word for word in (patient.family_name, patient.given_name, patient.mrn, str(patient.pk)) if word in text]


@pytest.mark.django_db
def test_people_who_left_and_other_centres_are_not_told():
    ward, other = ward_with_addresses(), ward_with_addresses()
    make_course(ward, at=MISSED)
    ward.pharmacist.user.is_active = False
    ward.pharmacist.user.save()
    Membership.objects.filter(pk=ward.second_pharmacist.pk).update(ended_at=NOW)
    assert run() == "1 sent, 0 skipped, 0 failed"
    assert mail.outbox[0].to == [ward.prescriber.user.email]
    assert not Notice.objects.filter(recipient__centre=other.centre)


@pytest.mark.django_db
def test_a_rehearsal_writes_and_sends_nothing():
    make_course(ward_with_addresses(), at=MISSED)
    assert run("--dry-run") == "0 sent, 3 skipped, 0 failed"
    assert not mail.outbox and not Notice.objects.exists() and not NotifierRun.objects.exists()
    assert run() == "2 sent, 1 skipped, 0 failed"


class NobodyAnswers(EmailBackend):
    def open(self) -> bool:
        raise ConnectionRefusedError


class RefusesPrescribers(EmailBackend):
    prescriber = ""

    def send_messages(self, messages) -> int:
        if messages[0].to == [self.prescriber]:
            raise smtplib.SMTPServerDisconnected("gone while the receipt was awaited")
        return super().send_messages(messages)


@pytest.mark.django_db
def test_where_no_mail_server_answers_nothing_is_claimed_and_the_next_run_tells():
    make_course(ward_with_addresses(), at=MISSED)
    with override_settings(EMAIL_BACKEND=f"{__name__}.NobodyAnswers"):
        assert failure() == "0 sent, 1 skipped, 2 failed"
    assert not Notice.objects.exists()
    assert run() == "2 sent, 1 skipped, 0 failed"


@pytest.mark.django_db
def test_a_message_that_may_be_lost_is_never_sent_again_and_the_others_go_out(monkeypatch):
    ward = ward_with_addresses()
    make_course(ward, at=MISSED)
    monkeypatch.setattr(RefusesPrescribers, "prescriber", ward.prescriber.user.email)
    with override_settings(EMAIL_BACKEND=f"{__name__}.RefusesPrescribers"):
        assert failure() == "1 sent, 1 skipped, 1 failed"
    assert Notice.objects.get(sent_at=None).recipient == ward.prescriber
    assert run() == "0 sent, 3 skipped, 0 failed"
    assert [message.to for message in mail.outbox] == [[ward.pharmacist.user.email]]


@pytest.mark.django_db
def test_what_nobody_was_mailed_about_for_ten_minutes_is_counted():
    ward = make_ward()
    course = make_course(ward, at=MISSED)
    closed_at = course.doses.get(number=1).closes_at
    limit = closed_at + timedelta(minutes=10)
    assert notices.unsent(ward.centre, limit - timedelta(seconds=1)) == 0
    assert notices.unsent(ward.centre, limit) == 1
    run()  # nobody has an address
    assert notices.unsent(ward.centre, limit) == 1
    give_address(ward.prescriber)
    run()
    assert notices.unsent(ward.centre, limit) == 0


def test_a_monitor_reads_whether_the_notifier_runs_and_late_is_no_outage(committed_db, client):
    def state() -> tuple[int, str]:
        answer = client.get("/healthz")
        return answer.status_code, answer.json()["notify"]

    assert state() == (200, "not running")
    run()
    assert state() == (200, "ok")
    NotifierRun.objects.update(ran_at=timezone.now() - timedelta(minutes=16))
    assert state() == (200, "late")
    run()
    assert state() == (200, "ok") and NotifierRun.objects.count() == 1


LOOP = """
import sys, django
django.setup()
from django.core.management import call_command
print("ready", flush=True)
for line in sys.stdin:
    call_command("notify")
    sys.stdout.flush()
"""


def test_two_notifiers_at_once_tell_everybody_of_every_dose_exactly_once(committed_db, tmp_path: Path):
    ward = ward_with_addresses()
    environment = project.environment(**committed_db.environment(), EMAIL_URL=f"file://{tmp_path}/mail")
    command = [sys.executable, "-c", LOOP]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    notifiers = [subprocess.Popen(command, **pipes) for _ in range(2)]
    try:
        assert [process.stdout.readline() for process in notifiers] == ["ready\n"] * 2
        sent = []
        for _ in range(ROUNDS):
            make_course(ward, at=MISSED)
            for process in notifiers:
                process.stdin.write("\n")
                process.stdin.flush()
            sent.append(sum(int(process.stdout.readline().split()[0]) for process in notifiers))
    finally:
        for process in notifiers:
            process.communicate(timeout=60)
    assert sent == [2] * ROUNDS
    text = "".join(file.read_text() for file in (tmp_path / "mail").iterdir())
    messages = [message_from_string(part.lstrip()) for part in text.split("-" * 79) if part.strip()]
    told = sorted((message["To"], message["Subject"]) for message in messages)
    people = sorted([ward.pharmacist.user.email, ward.prescriber.user.email])
    assert told == [(person, "1 dose needs a decision") for person in people for _ in range(ROUNDS)]
    assert Notice.objects.exclude(sent_at=None).count() == 2 * ROUNDS


def test_where_mail_goes_is_read_from_one_address():
    smtp = settings.mail_from_url("smtps://cmvig:s%40fe@mail.hospital.example?from=cmvig@hospital.example")
    assert (smtp["EMAIL_HOST"], smtp["EMAIL_PORT"], smtp["EMAIL_USE_SSL"], smtp["EMAIL_USE_TLS"]) == (
        "mail.hospital.example",
        465,
        True,
        False,
    )
    assert (smtp["EMAIL_HOST_USER"], smtp["EMAIL_HOST_PASSWORD"]) == ("cmvig", "s@fe")
    assert smtp["DEFAULT_FROM_EMAIL"] == "cmvig@hospital.example"
    relay = settings.mail_from_url("smtp://relay")
    assert (relay["EMAIL_PORT"], relay["EMAIL_USE_TLS"]) == (25, False)
    assert settings.mail_from_url("smtp://relay:587?tls=1")["EMAIL_USE_TLS"] is True
    assert settings.mail_from_url("smtp://cmvig:secret@relay")["EMAIL_USE_TLS"] is True  # never a password in clear
    assert settings.mail_from_url("file:///srv/mail")["EMAIL_FILE_PATH"] == "/srv/mail"
    assert settings.mail_from_url("")["EMAIL_FILE_PATH"] == str(settings.VAR_DIR / "mail")
    for wrong in ("mail.hospital.example", "http://mail", "smtp://"):
        with pytest.raises(settings.ImproperlyConfigured):
            settings.mail_from_url(wrong)
