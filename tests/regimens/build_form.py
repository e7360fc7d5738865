"""What is typed on the build page: as the page proposes it, or at random."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from patients import actions
from patients.models import Transplant
from patients.when import day_text
from regimens.actions import planning
from tests.factories import NEW_YORK, make_patient, make_transplant, make_weight
from tests.regimens.courses import Team

ZONE = ZoneInfo(NEW_YORK)


def instant(name: str, at: datetime) -> dict[str, str]:
    """The two boxes of one instant."""
    local = at.astimezone(ZONE)
    return {f"{name}_on": day_text(local.date()), f"{name}_time": f"{local:%H:%M}"}


def typed(team: Team, transplant: Transplant, now: datetime, **changes: str) -> dict[str, str]:
    """The form as the page proposes it, with the question about earlier doses answered."""
    weight = transplant.patient.weights.filter(error_at=None).latest("measured_at")
    return {
        "protocol_code": "kidney",
        "weight_kg": f"{weight.weight_kg:f}",
        "weight_method": weight.method,
        **instant("weight_measured_at", weight.measured_at),
        "prior_ig": "no",
        "prescriber": str(team.prescriber.pk),
        "mode": "written",
        "indication": "Prophylaxis of CMV disease",
        **instant("ordered_at", now - timedelta(minutes=30)),
        **changes,
    }


GRAFTS = (["kidney"], ["liver"], ["lung"], ["heart"], ["pancreas"], ["kidney", "pancreas"], ["heart", "lung"], ["hsct"])


def a_course(chance: random.Random, team: Team, now: datetime) -> tuple[Transplant, dict[str, str]]:
    """A random recipient, and what is typed for them."""
    organs = chance.choice(GRAFTS)
    child = chance.random() < 0.3
    kg = Decimal(chance.randint(300, 999)) / 100 if child else Decimal(chance.randint(400, 1600)) / 10
    operated = now - timedelta(minutes=chance.randint(1, 70 * 60))
    born = date(now.year - chance.randint(1, 9), 3, 1) if child else date(now.year - chance.randint(20, 80), 3, 1)
    patient = make_patient(by=team.builder, at=operated - timedelta(hours=2), birth_on=born, sex="male")
    make_weight(patient, kg, at=operated - timedelta(hours=1))
    actions.answer_precautions(
        by=team.builder, at=operated, patient=patient, answers=dict.fromkeys(planning.facts.STOPPING, ("absent", ""))
    )
    transplant = make_transplant(patient, at=now, organs=organs, reperfusion_at=operated, antiviral="ganciclovir")
    proposal = planning.proposal_for(transplant, planning.published().to_domain(), now)
    code = chance.choice((proposal.protocol_code, *proposal.alternatives))
    changes = {"protocol_code": code, "off_label_reason": "Chosen by the team on the round"}
    if code == "hsct_pneumonitis":
        day_1 = now.astimezone(ZONE).date() + timedelta(days=chance.randint(0, 3))
        changes["first_dose_on"] = day_text(day_1)
        tail = chance.choice(("", "D21", "D21_ALT"))
        if tail:
            changes["chosen_optional"] = tail
        if tail == "D21_ALT":
            first = day_1 + timedelta(days=20)
            changes["repeat_dates"] = ", ".join(day_text(first + timedelta(days=step)) for step in (0, 3, 7))
            changes["review_on"] = day_text(first + timedelta(days=7))
    if chance.random() < 0.3:
        changes["ceiling_mg_per_kg_per_h"] = str(chance.randint(15, 60))
    if code == "kidney" and chance.random() < 0.3:
        changes |= {"referred_from": "Lakeside Hospital", **instant("referred_at", now)}
    return transplant, typed(team, transplant, now, **changes)
