"""What may be done to patients, centres and accounts: the only code of this floor that writes.

Every action takes keyword arguments only, ``by`` (the membership that acts) and ``at`` (the instant, UTC), runs in one
transaction and writes one event into the history. What is not allowed raises a Refusal and changes nothing.
"""

from patients.actions.accounts import (
    add_membership,
    correct_account,
    create_account,
    end_membership,
    ensure_groups,
    set_password,
)
from patients.actions.break_glass import acknowledge_emergency_access, open_emergency_access
from patients.actions.centres import add_closed_day, correct_centre, create_centre, remove_closed_day
from patients.actions.patients import close_patient, correct_patient, register_patient, reopen_patient
from patients.actions.precautions import answer_precautions, release_contraindication
from patients.actions.sign_in import (
    end_all_sessions,
    end_own_session,
    make_password_link,
    renew_recovery_codes,
    reset_second_factor,
    set_up_second_factor,
)
from patients.actions.transplants import correct_transplant, record_transplant
from patients.actions.weights import mark_weight_in_error, record_weight

__all__ = [
    "acknowledge_emergency_access",
    "add_closed_day",
    "add_membership",
    "answer_precautions",
    "close_patient",
    "correct_account",
    "correct_centre",
    "correct_patient",
    "correct_transplant",
    "create_account",
    "create_centre",
    "end_all_sessions",
    "end_membership",
    "end_own_session",
    "ensure_groups",
    "make_password_link",
    "mark_weight_in_error",
    "open_emergency_access",
    "record_transplant",
    "record_weight",
    "register_patient",
    "release_contraindication",
    "remove_closed_day",
    "renew_recovery_codes",
    "reopen_patient",
    "reset_second_factor",
    "set_password",
    "set_up_second_factor",
]
