"""Who may do what: the role × action matrix in code. A test compares it with tests/role_actions.csv, cell by cell."""

from __future__ import annotations

from django.db.models import TextChoices

from patients.refusal import Refusal


class Role(TextChoices):
    """What a person does in one centre. A role belongs to a membership, never to the person."""

    PHARMACIST = "pharmacist", "Pharmacist"
    NURSE = "nurse", "Nurse"
    PRESCRIBER = "prescriber", "Prescriber"
    TECHNICIAN = "technician", "Pharmacy technician"
    COORDINATOR = "coordinator", "Transplant coordinator"
    MONOGRAPH_EDITOR = "monograph_editor", "Monograph editor"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


_CLINICAL = frozenset({Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER, Role.TECHNICIAN, Role.COORDINATOR})

# Corrected by the workflow of the ward: the prescriber orders and decides, pharmacist or prescriber builds, another pharmacist
# verifies, the nurse gives. The administrator and the monograph editor see no patient.
MAY: dict[str, frozenset[str]] = {
    "read_charts": _CLINICAL | {Role.AUDITOR},
    # Reading one chart of another centre for half an hour, with a reason; see patients/access.py.
    "break_glass": frozenset({Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER}),
    "edit_patient": frozenset({Role.PRESCRIBER, Role.PHARMACIST, Role.COORDINATOR}),
    "record_transplant": frozenset({Role.PRESCRIBER, Role.PHARMACIST, Role.COORDINATOR}),
    "record_weight": frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER}),
    "record_precaution": frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER}),
    "release_contraindication": frozenset({Role.PRESCRIBER}),
    "order": frozenset({Role.PRESCRIBER, Role.PHARMACIST, Role.NURSE}),
    # The prescriber's own signature under an order that somebody else entered.
    "sign_order": frozenset({Role.PRESCRIBER}),
    "build": frozenset({Role.PHARMACIST, Role.PRESCRIBER}),
    "verify": frozenset({Role.PHARMACIST}),
    "release_dose": frozenset({Role.PHARMACIST}),
    "keep_weight": frozenset({Role.PHARMACIST}),
    "move_version": frozenset({Role.PHARMACIST}),  # what is left of a course, to the published monograph
    "hold_course": frozenset({Role.PRESCRIBER, Role.PHARMACIST}),
    "book": frozenset({Role.NURSE, Role.COORDINATOR, Role.PHARMACIST}),
    "authorize": frozenset({Role.COORDINATOR, Role.PHARMACIST}),
    "record_consent": frozenset({Role.NURSE, Role.PRESCRIBER, Role.PHARMACIST, Role.COORDINATOR}),
    # Results, doses given elsewhere, antibody removal and the checklist of risks.
    "record_finding": frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER}),
    # What a finding asks: a risen creatinine, a positive PCR, an exchange near a dose, a dose given elsewhere, a shorter interval.
    "decide_finding": frozenset({Role.PRESCRIBER}),
    "write_note": _CLINICAL,
    "hand_over": frozenset({Role.PRESCRIBER, Role.PHARMACIST, Role.COORDINATOR}),
    "not_given_today": frozenset({Role.NURSE}),
    "print_sheet": frozenset({Role.PHARMACIST, Role.NURSE, Role.PRESCRIBER, Role.TECHNICIAN}),
    "start_infusion": frozenset({Role.NURSE}),
    "log_infusion": frozenset({Role.NURSE, Role.PHARMACIST}),
    # Any clinician may pause, slow down or stop, always; a prescriber charts a reaction as well.
    "stop_infusion": _CLINICAL,
    "record_reaction": frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER}),
    "enter_in_error": frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER}),
    "settle_dispute": frozenset({Role.PHARMACIST, Role.PRESCRIBER}),
    "decide_missed": frozenset({Role.PRESCRIBER}),  # and see BY_PROTOCOL, below
    "stop_course": frozenset({Role.PRESCRIBER}),
    "read_monograph": frozenset(Role),
    "edit_monograph": frozenset({Role.MONOGRAPH_EDITOR}),
    "publish_monograph": frozenset({Role.MONOGRAPH_EDITOR, Role.PHARMACIST}),
    "search_audit": frozenset({Role.AUDITOR}),
    "manage_accounts": frozenset({Role.ADMINISTRATOR}),
}


# What a role may do besides, in a center whose signed collaborative protocol hands it over (Centre.collaborative_protocol), and
# in no other. How far it reaches, regimens/actions/missed.py says: a pharmacist never signs all that a prescriber may.
BY_PROTOCOL: dict[str, frozenset[str]] = {"decide_missed": frozenset({Role.PHARMACIST})}


def may(membership, action: str) -> bool:
    """Whether this membership's role includes the action; KeyError for an action the matrix does not know."""
    return membership is not None and (membership.role in MAY[action] or bool(protocol_for(membership, action)))


def protocol_for(membership, action: str) -> str:
    """Name and date of the signed protocol by which this membership may do what its role does not include; "" without one."""
    return membership.centre.collaborative_protocol if membership.role in BY_PROTOCOL.get(action, ()) else ""


def require(membership, action: str) -> None:
    """Refuse with code "role" where :func:`may` says no."""
    if not may(membership, action):
        label = Role(membership.role).label if membership else "nobody"
        raise Refusal("role", f"This is not part of the role {label}.", source="Role × action matrix of this centre")
