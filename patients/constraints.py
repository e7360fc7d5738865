"""What the database refused, in plain words. PostgreSQL's own text carries values of the row, so it is never shown or logged."""

from __future__ import annotations

import logging
import re

from django.db import IntegrityError
from django.db.models import ProtectedError
from psycopg import Error, errors

from patients.refusal import Refusal

log = logging.getLogger(__name__)

OPEN_AGAIN = "Open the page again before you go on."

# Name of the constraint or guard → what a person reads, and the form field it belongs to ("" for the whole page).
SENTENCES: dict[str, tuple[str, str]] = {
    # People, centres, accounts
    "patients_centre_name_key": ("A centre of this name exists already.", "name"),
    "centre_pump_increment_is_above_zero": ("The pump's smallest step must be above 0 mL per hour.", "pump_increment_ml_per_h"),
    "centre_vial_rounding_is_at_most_10_percent": ("Vial rounding is from 0 to 10 percent.", "vial_rounding_percent"),
    "closed_weekdays_are_from_0_to_6": ("Weekdays are numbers from 0, Monday, to 6, Sunday.", "closed_weekdays"),
    "closed_day_is_listed_once": ("This day is on the list already.", "on"),
    "patients_user_username_key": ("An account of this name exists already.", "username"),
    "patients_user_groups": ("The person is in this group already.", "groups"),
    "patients_user_user_permi": ("The person has this permission already.", "user_permissions"),
    "one_role_per_person_and_centre": ("This person already has a role in this centre. End it first.", "user"),
    "membership_role_is_known": ("Choose a role from the list.", "role"),
    "actor_is_known": ("Your account is no longer known here. Sign in again.", ""),
    # Patients
    "record_number_is_unique_in_its_centre": ("A patient with this record number is already registered in this centre.", "mrn"),
    "sex_is_known_word": ("Choose the sex from the list.", "sex"),
    "allergy_state_is_one_of_four": ("Choose one of the four allergy states.", "allergy_state"),
    "known_allergies_are_named": ("Name the known allergies.", "allergies"),
    "closing_has_time_and_reason": ("Closing a chart needs the time and the reason.", "closed_reason"),
    "row_stays_with_its_patient": ("A record is never moved to another patient. Mark it as entered in error and record it again.", ""),
    "row_stays_in_its_centre": ("A record is never moved to another centre.", ""),
    "clinical_rows_are_never_deleted": ("Clinical records are never deleted. Mark it as entered in error instead.", ""),
    "tables_are_never_emptied": ("Records are never emptied.", ""),
    "history_is_never_changed": ("History can be read, never changed.", ""),
    # Emergency access
    "charts_change_in_their_own_centre": ("Emergency access is for reading. Nothing in this chart can be changed from another center.", ""),
    "emergency_access_has_a_reason": ("Say in at least 10 characters why you must read this chart now.", "reason"),
    "emergency_access_lasts_at_most_30_minutes": ("Emergency access ends after 30 minutes.", ""),
    "acknowledged_emergency_has_who_and_when": ("Acknowledging needs the person and the time.", ""),
    "emergency_access_is_of_another_centre": ("This chart is of your own center: open it from the patients page.", ""),
    "emergency_access_is_never_changed": ("An emergency access is kept as it was opened.", ""),
    # Weights
    "weight_is_from_2_to_300_kg": ("Enter a weight from 2 to 300 kg.", "weight_kg"),
    "weight_method_is_known": ("Choose how the weight was measured.", "method"),
    "stated_weight_has_a_reason": ("A stated weight needs the reason why it was not measured.", "reason"),
    "weight_is_not_measured_in_the_future": ("The time of the weight lies in the future.", "measured_at"),
    "weight_error_has_who_when_why": ("Marking a weight as entered in error needs a reason.", "error_reason"),
    "weight_is_never_overwritten": ("A recorded weight is never overwritten. Record a new one, or mark this one as entered in error.", ""),
    "weight_confirms_one_of_the_same_patient": ("The weight to confirm belongs to another patient.", ""),
    # Precautions and transplants
    "one_live_answer_per_precaution": (f"Somebody answered this question a moment ago. {OPEN_AGAIN}", ""),
    "precaution_kind_is_known": ("Choose the precaution from the list.", "kind"),
    "precaution_answer_is_known": ("Choose an answer from the list.", "answer"),
    "release_has_who_when_why": ("A release needs its reason.", "release_reason"),
    "transplant_number_is_unique_per_patient": (f"Somebody recorded a transplant of this patient a moment ago. {OPEN_AGAIN}", ""),
    "transplant_organs_are_known": ("Choose at least one organ from the list.", "organs"),
    "donor_serostatus_is_known_word": ("Choose the donor's CMV IgG from the list.", "donor_cmv_igg"),
    "recipient_serostatus_is_known_word": ("Choose the recipient's CMV IgG from the list.", "recipient_cmv_igg"),
    "antiviral_is_known_word": ("Choose the antiviral from the list.", "antiviral"),
    # Courses and orders
    "one_open_course_per_transplant": ("This transplant already has an open course. Stop it before you build another.", ""),
    "stopped_course_has_who_when_why": ("Stopping a course needs a reason.", "reason_code"),
    "course_is_of_the_transplants_patient": ("The transplant belongs to another patient.", ""),
    "course_protocol_is_of_its_monograph": (f"The protocol belongs to another version of the monograph. {OPEN_AGAIN}", ""),
    "one_live_order_per_course": (f"Somebody changed the order of this course a moment ago. {OPEN_AGAIN}", ""),
    "order_mode_is_known": ("Choose how the order was given.", "mode"),
    "one_waiting_order_per_transplant": (f"An order for this transplant waits already. {OPEN_AGAIN}", ""),
    "weight_basis_is_known": ("Choose the weight that the order counts on.", "weight_basis"),
    "telephone_order_is_read_back": ("An order by telephone is read back by name.", "is_read_back"),
    "prior_immune_globulin_is_answered": ("Say whether immune globulin was given in the last 28 days.", "prior_ig"),
    "referral_says_from_where": ("Say where the patient was referred from.", "referred_from"),
    "order_is_not_in_the_future": ("The order's time lies in the future.", "ordered_at"),
    # Planned doses
    "one_live_revision_per_dose": (f"Somebody changed this course a moment ago. {OPEN_AGAIN}", ""),
    "dose_is_not_above_its_cap": ("The dose is above the protocol's cap per infusion.", ""),
    "volume_is_drawn_down_never_up": ("The volume to infuse is never above the computed volume.", ""),
    "window_is_in_order": ("The window must open before it closes.", ""),
    "window_is_at_most_30_days": ("The window of a dose is at most 30 days.", ""),
    "signature_has_who_when_what": ("A signature needs the person, the time and what was signed.", ""),
    "verifier_is_not_the_builder": ("Whoever built the plan cannot verify it. Ask another pharmacist.", ""),
    "settled_dose_says_how": ("A settled dose says how it was settled.", ""),
    "booking_has_a_place": ("A booking has a place.", "booked_place"),
    "dose_before_rounding_is_above_zero": ("The exact dose must be above 0 mg.", ""),
    "dose_is_of_the_patients_centre": ("The dose belongs to another centre than its patient.", ""),
    "dose_weight_is_the_patients_own": ("The weight belongs to another patient.", ""),
    "dose_weight_is_as_measured": ("The dose's weight differs from the one that was measured.", ""),
    "dose_row_is_of_the_courses_protocol": ("The dose belongs to another protocol than its course.", ""),
    "signed_dose_is_never_changed": ("A signed dose is never changed. Recalculate the course to make a new revision.", ""),
    "copies_of_a_sheet_are_numbered": ("Somebody printed this sheet at the same moment. Print it again.", ""),
    # Infusions
    "one_live_administration_per_dose": (f"This dose is already recorded. {OPEN_AGAIN}", ""),
    "regimens_administration_token_key": (f"This form was already saved. {OPEN_AGAIN}", ""),
    "infusion_does_not_start_in_the_future": ("The start of the infusion lies in the future.", "started_at"),
    "infusion_ends_after_its_start": ("The infusion ends before it starts.", "ended_at"),
    "ended_infusion_has_a_volume": ("An ended infusion needs the volume given.", "volume_ml"),
    "volume_given_is_not_negative": ("The volume given cannot be below 0 mL.", "volume_ml"),
    "unplanned_infusion_has_a_reason": ("An infusion outside a plan needs a reason of at least 10 characters.", "reason"),
    "administration_error_has_who_when_why": ("Marking a record as entered in error needs a reason.", "error_reason"),
    "infusion_error_is_final": ("This record is already marked as entered in error.", ""),
    "dispute_is_settled_by_another_person": ("Another person than the one who recorded the infusion must settle this.", ""),
    "dispute_is_not_settled_by_who_raised_it": ("Another person than the one who marked it as an error must settle this.", ""),
    "settled_dispute_says_what_who_when_why": ("Settling this needs the outcome and a reason.", "reason"),
    "infusion_is_in_the_patients_centre": ("The infusion belongs to another centre than its patient.", ""),
    "infusion_is_of_the_patients_own_dose": ("The dose belongs to another patient.", ""),
    "pump_rate_is_not_negative": ("The pump rate cannot be below 0 mL per hour.", "rate_ml_per_h"),
    "vital_signs_moment_is_known": ("Choose the moment of the vital signs.", "moment"),
    "vital_signs_are_taken_or_say_why_not": ("Enter blood pressure, heart rate and temperature, or say why they were not taken.", ""),
    "vial_volumes_are_not_negative": ("Volumes of a vial cannot be below 0 mL.", "given_ml"),
    "vial_lot_is_of_the_same_centre": ("The lot belongs to another centre.", "lot"),
    "lot_is_known_once_per_centre": ("This lot is already known here.", "number"),
    # Around a course
    "one_open_hold_per_course": (f"This course is on hold already. {OPEN_AGAIN}", ""),
    "hold_has_a_reason": ("Choose the reason of the hold from the list.", "reason_code"),
    "resumed_hold_has_who_when_why": ("Resuming needs the prescriber, the time and the reason.", "resume_reason"),
    "one_live_release_per_dose": (f"This dose is released already. {OPEN_AGAIN}", ""),
    "release_saw_creatinine_or_says_why": ("Enter a creatinine, or say why there is none.", "creatinine_missing_reason"),
    "withdrawn_release_has_who_when_why": ("Withdrawing a release needs a reason.", "withdrawn_reason"),
    "one_live_authorization_per_course": (f"Somebody changed the authorization a moment ago. {OPEN_AGAIN}", ""),
    "authorization_state_is_known": ("Choose the state of the authorization from the list.", "state"),
    "vials_state_is_known": ("Choose the state of the vials from the list.", "vials"),
    "approved_authorization_has_an_end": ("An approval has a last day.", "approved_until"),
    "vials_are_for_a_day": ("Say for which day the vials are.", "vials_for_on"),
    "one_live_consent_per_course": (f"A consent is on record already. {OPEN_AGAIN}", ""),
    "withdrawn_consent_has_who_when_why": ("Withdrawing a consent needs a reason.", "withdrawn_reason"),
    "weight_is_kept_once_per_course": ("Somebody signed this already.", ""),
    "kept_weight_has_a_reason": ("Say why the doses stay, in at least 10 characters.", "reason"),
    "hold_is_ordered_or_follows_a_reaction": ("Name the prescriber who ordered the hold.", "ordered_by"),
    "one_live_decision_per_dose": (f"Somebody decided about this dose meanwhile. {OPEN_AGAIN}", ""),
    "released_interval_has_a_reason": ("Say why the interval may be shorter, in at least 10 characters.", "reason"),
    "not_given_has_a_reason": ("Choose the reason from the list.", "reason_code"),
    "single_check_has_words": ("This reason needs words.", "single_words"),
    "single_check_is_reviewed_by_another": ("You checked this plan: another pharmacist looks at it.", ""),
    "reviewed_single_check_has_who_and_when": ("Say who looked at it, and when.", ""),
    "single_check_is_listed_once": (f"This plan was signed a moment ago. {OPEN_AGAIN}", ""),
    # Findings
    "outside_dose_error_has_who_when_why": ("Marking a dose as entered in error needs a reason.", "error_reason"),
    "outside_dose_decision_has_who_when_why": ("The decision needs its reason.", "decision_reason"),
    "outside_product_is_known": ("Choose the product from the list.", "product"),
    "outside_dose_is_above_zero": ("The dose must be above 0 mg.", "given_mg"),
    "outside_dose_has_a_source": ("Say who told you, or which document.", "said_by"),
    "outside_dose_decision_is_known": ("Choose a decision from the list.", "decision"),
    "outside_dose_is_the_patients_own": ("The planned dose belongs to another patient.", ""),
    "removal_error_has_who_when_why": ("Marking this as entered in error needs a reason.", "error_reason"),
    "removal_decision_has_who_when_why": ("The decision needs its reason.", "decision_reason"),
    "removal_kind_is_known": ("Choose from the list how antibody was removed.", "kind"),
    "removal_decision_is_known": ("Choose a decision from the list.", "decision"),
    "result_error_has_who_when_why": ("Marking a result as entered in error needs a reason.", "error_reason"),
    "result_decision_has_who_when_why": ("The decision needs its reason.", "decision_reason"),
    "result_kind_is_known": ("Choose the test from the list.", "kind"),
    "result_is_a_number_or_a_word": ("Enter a number from 0 up, or choose a word.", "value"),
    "cmv_igg_is_a_word": ("A CMV IgG is a word: positive, negative or indeterminate.", "word"),
    "other_results_are_numbers": ("This result is a number.", "value"),
    "result_decision_is_known": ("Choose a decision from the list.", "decision"),
    "finding_is_never_overwritten": ("A finding is never overwritten. Mark it as entered in error and enter it again.", ""),
    "one_live_risk_review_per_patient": (f"Somebody changed the checklist a moment ago. {OPEN_AGAIN}", ""),
    "risk_factors_are_known": ("Choose risks from the list.", "factors"),
    "pregnancy_status_is_known": ("Choose the pregnancy status from the list.", "pregnancy"),
    "pregnancy_test_has_its_date": ("A negative test has its date.", "pregnancy_on"),
    "statement_is_never_overwritten": ("What somebody signed or stated is never overwritten. Sign or state it anew.", ""),
    "note_is_never_overwritten": ("A note is never overwritten. Write another one.", ""),
    "note_says_something": ("Write the note.", "text"),
    "query_has_an_owner": ("A query has an owner.", "owner"),
    "answer_has_who_when_what": ("An answer says something.", "answer"),
    "one_open_handover_per_patient": (f"A hand-over of this patient is open already. {OPEN_AGAIN}", ""),
    "handover_names_person_and_place": ("Name the accepting person and place.", "to_person"),
    "acknowledged_handover_says_who_and_how": ("Say how they acknowledged.", "acknowledged_how"),
    # Missed doses
    "decision_is_known": ("Choose a decision from the list.", "decision"),
    "giving_late_has_a_day": ("Giving late needs the day.", "give_on"),
    # Notices
    "notice_is_claimed_once": ("Somebody is being told about this already.", ""),
    "notice_kind_is_known": ("Choose what the notice says from the list.", "kind"),
    "notice_is_claimed_before_it_is_sent": ("A notice is claimed before it is sent.", ""),
    "notifier_has_one_last_run": ("There is one last run of the notifier.", ""),
    # The monograph
    "one_published_monograph": (f"Another version was published a moment ago. {OPEN_AGAIN}", ""),
    "regimens_monograph_version_key": (f"Another version was published a moment ago. {OPEN_AGAIN}", ""),
    "published_monograph_has_version_and_time": ("A published version has a number and a time; no other version has.", ""),
    "publisher_is_not_the_editor": ("Whoever wrote this version cannot publish it. Ask another editor or pharmacist.", ""),
    "published_monograph_is_never_changed": ("A published version is never changed. Make a new draft.", ""),
    "submitted_monograph_is_not_edited": ("This version waits for publication. Return it to draft before you edit it.", ""),
    "only_a_draft_is_edited": ("Only a draft can be edited. Make a new draft, or return the submitted one.", ""),
    "regimens_product_monograph_id_key": ("A monograph has one product.", ""),
    "doses_are_in_mg_or_ml": ("Doses are given in mg or in mL per kg.", "doses_in"),
    "concentration_is_above_zero": ("The concentration must be above 0 mg per mL.", "concentration_mg_per_ml"),
    "vial_is_not_empty": ("A vial's volume and content must be above 0.", "volume_ml"),
    "protocol_code_is_unique_in_its_monograph": ("This version has a protocol with this code already.", "code"),
    "protocol_cap_is_from_1_to_500": ("A cap is from 1 to 500 mg per kg per infusion.", "cap_mg_per_kg"),
    "dose_code_is_unique_in_its_protocol": ("This protocol has a dose with this code already.", "code"),
    "dose_is_from_1_to_500_mg_per_kg": ("A dose is from 1 to 500 mg per kg.", "mg_per_kg"),
    "window_is_at_most_14_days": ("A window opens at most 14 days before its target day, and closes at most 14 days after.", ""),
    "rate_table_code_is_unique_in_its_monograph": ("This version has a rate table with this code already.", "code"),
    "rate_is_above_zero": ("A rate must be above 0 mg per kg per hour.", "mg_per_kg_per_h"),
    "limit_code_is_unique_in_its_monograph": ("This version has a limit with this code already.", "code"),
    "section_code_is_unique_in_its_monograph": ("This version has a section with this code already.", "code"),
    "reaction_term_is_unique_in_its_monograph": ("This version lists this reaction already.", "term"),
    "statement_code_is_unique_in_its_monograph": ("This version has a statement with this code already.", "code"),
    "reason_code_is_unique_in_its_monograph": ("This version has a reason with this code already.", "code"),
}  # fmt: skip

# Names Django and PostgreSQL make up themselves.
_GENERATED_UNIQUE = re.compile(r"^(patients_user_groups|patients_user_user_permi)_.*_uniq$")
_GENERATED_CHECK = re.compile(r"^(patients|regimens)_\w+_check$")


def sentence_for(error: IntegrityError) -> Refusal:
    """The refusal to raise instead of what the database raised. Only the constraint's name is read of it.

    The code is the constraint's name, or number_out_of_range, missing_reference, missing_value, still_in_use,
    database_refused.
    """
    if isinstance(error, ProtectedError):
        return Refusal("still_in_use", "Other records refer to this, so it is not deleted.")
    cause = error.__cause__
    name = (cause.diag.constraint_name or "") if isinstance(cause, Error) else ""
    if known := known_sentence(name):
        code, sentence, field = known
        return Refusal(code, sentence, field=field)
    if isinstance(cause, errors.ForeignKeyViolation):
        return Refusal("missing_reference", f"Something this refers to is no longer there. {OPEN_AGAIN}")
    if isinstance(cause, errors.NotNullViolation):
        return Refusal("missing_value", "A required value is missing.", field=cause.diag.column_name or "")
    log.error("no sentence for constraint %s", name)
    return Refusal("database_refused", f"The database refused this change, and nothing was saved. {OPEN_AGAIN}")


def known_sentence(name: str) -> tuple[str, str, str] | None:
    """Code, sentence and field of a constraint or guard; None where nobody has written one."""
    name = _GENERATED_UNIQUE.sub(r"\1", name)
    if name in SENTENCES:
        return name, *SENTENCES[name]
    if _GENERATED_CHECK.match(name):
        return "number_out_of_range", "A number is outside its range.", ""
    return None
