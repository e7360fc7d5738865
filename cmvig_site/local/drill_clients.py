"""The nurses of a drill: each signs in, opens the form, records an infusion, and sends the same form again until it is answered."""

from __future__ import annotations

import http.client
import queue
import re
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from cmvig_site.local.ports import HOST

ANSWER_WITHIN_S = 30
AGAIN_AFTER_S = 0.1
REFUSALS = (403, 404, 409, 422)  # asking again would not change these; a session cut off in a crash is 400
VITALS = 12
VIALS = 5  # each of a lot of its own, and none above the 50 mL of a vial
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
RECORD = re.compile(r"^/infusions/([0-9a-f-]{36})/$")


@dataclass(frozen=True)
class Acknowledged:
    """What the site said is recorded: the form's own number, the dose, and the record's address."""

    token: uuid.UUID
    dose: uuid.UUID
    record: uuid.UUID


@dataclass
class Work:
    """What all nurses share: the doses that may be given now, what was acknowledged, and what came instead of an answer."""

    facts: dict[str, Any]
    port: int
    waiting: queue.Queue[dict[str, str]] = field(default_factory=queue.Queue)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)


class Nurse(threading.Thread):
    """One person at one tablet, with one session."""

    def __init__(self, work: Work, account: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.work, self.account = work, account
        self.cookies: dict[str, str] = {}

    def run(self) -> None:
        """Record one dose after the other until it is over."""
        while not self.work.over.is_set():
            try:
                dose = self.work.waiting.get(timeout=AGAIN_AFTER_S)
            except queue.Empty:
                continue
            self._record(dose)

    def _record(self, dose: dict[str, str]) -> None:
        path, token = f"/doses/{dose['dose']}/infusion/", uuid.uuid4()
        form = _form(dose, token, self.account["membership"], self.work.facts)
        while not self.work.over.is_set():
            answer = self._once(path, form)
            if isinstance(answer, uuid.UUID):
                self.work.acknowledged.append(Acknowledged(token, uuid.UUID(dose["dose"]), answer))
                return
            if isinstance(answer, int):
                self.work.refused[answer] += 1
                return
            self.work.retried[answer] += 1
            self.work.over.wait(AGAIN_AFTER_S)

    def _once(self, path: str, form: dict[str, str]) -> uuid.UUID | int | str:
        """The record, a refusal's status, or what went wrong on the way."""
        try:
            if "csrf" not in form:
                status, _, page = self._ask("GET", f"{path}?way=given")
                if status == http.client.FOUND:
                    return self._sign_in()
                found = TOKEN.search(page)
                if status != http.client.OK or not found:
                    return f"page {status}"
                form["csrf"] = found[1]
            sent = {**form, "csrfmiddlewaretoken": form["csrf"]}
            status, location, _ = self._ask("POST", path, sent)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        if status == http.client.FOUND:
            record = RECORD.match(location)
            return uuid.UUID(record[1]) if record else self._sign_in()
        if status == http.client.UNAUTHORIZED:
            del form["csrf"]  # a sign-in gives a new one
            return self._sign_in()
        return status if status in REFUSALS else f"answer {status}"

    def _sign_in(self) -> str:
        """Sign in; the request that needed it is then made again."""
        status, _, page = self._ask("GET", "/sign-in/")
        found = TOKEN.search(page)
        if found:
            name_and_password = {name: self.account[name] for name in ("username", "password")}
            status, _, _ = self._ask("POST", "/sign-in/", {**name_and_password, "csrfmiddlewaretoken": found[1]})
        return f"sign-in {status}"

    def _ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(HOST, self.work.port, timeout=ANSWER_WITHIN_S)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, urlencode(form) if form is not None else None, headers)
            response = connection.getresponse()
            page = response.read().decode()
        finally:
            connection.close()
        for header in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        return response.status, response.headers.get("Location", ""), page


def _form(dose: dict[str, str], token: uuid.UUID, given_by: int, facts: dict[str, Any]) -> dict[str, str]:
    """An infusion of four hours that ended an hour ago, in the fields of the page "Already given"."""
    ended_at = datetime.fromisoformat(facts["now"]) - timedelta(hours=1)
    started_at = ended_at - timedelta(hours=4)
    volume_ml = Decimal(dose["volume_ml"])
    form = {
        "way": "given",
        "token": str(token),
        "mrn_tail": dose["mrn_tail"],
        "birth_year": dose["birth_year"],
        "sheet_code": dose["sheet_code"],
        "volume_ml": f"{volume_ml:f}",
        "given_by": str(given_by),
        "reason": "Charted after the infusion, in a drill",
        "vials-TOTAL_FORMS": str(VIALS),
        "vials-INITIAL_FORMS": "0",
        "vitals-TOTAL_FORMS": str(VITALS),
        "vitals-INITIAL_FORMS": "0",
        "reactions-TOTAL_FORMS": "0",
        "reactions-INITIAL_FORMS": "0",
        **_time("started_at", started_at),
        **_time("ended_at", ended_at),
    }
    part = (volume_ml / VIALS).quantize(Decimal("0.1"))
    for row in range(VIALS):
        given_ml = part if row else volume_ml - part * (VIALS - 1)
        form |= {
            f"vials-{row}-lot_number": f"DRILL{row}",
            f"vials-{row}-expires_on": facts["expires_on"],
            f"vials-{row}-given_ml": f"{given_ml.normalize():f}",
        }
    for row in range(VITALS):
        form |= {
            f"vitals-{row}-moment": "other",
            **_time(f"vitals-{row}-taken_at", started_at + timedelta(minutes=20 * row)),
            f"vitals-{row}-systolic_mmhg": "118",
            f"vitals-{row}-diastolic_mmhg": "70",
            f"vitals-{row}-heart_rate_per_min": "82",
            f"vitals-{row}-temperature_c": "36.8",
            f"vitals-{row}-spo2_percent": "98",
        }
    return form


def _time(name: str, at: datetime) -> dict[str, str]:
    return {f"{name}_on": at.date().isoformat(), f"{name}_time": f"{at:%H:%M}"}
