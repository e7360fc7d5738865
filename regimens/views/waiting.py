"""What waits at a centre besides its open doses: infusions, orders, plans, holds, bookings, papers, queries and hand-overs.

One statement for all of them. Each part looks only at rows that are still open, by an index of those, and shows the first ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from patients.models import Membership
from patients.names import Known
from patients.roles import Role
from regimens.models.status import IN_HOURS_SQL
from regimens.templatetags import display

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """One group: its heading, what its last column says, the word on its link, and where that leads."""

    code: str
    title: str
    when: str
    act: str
    address: Callable[[str], str]


def _to(name: str) -> Callable[[str], str]:
    return lambda pk: reverse(name, args=[pk])


KINDS = (
    Kind("infusing", "Infusing now", "since", "Open", _to("infusion")),
    Kind("order", "Orders to build", "ordered", "Build", _to("course-build")),
    Kind("cosign", "Orders for you to sign", "entered", "Sign", _to("order-cosign")),
    Kind("verify", "Awaiting verification", "built", "Check", _to("verify")),
    Kind("single", "Checked by one pharmacist alone: another one looks at it", "checked", "Look at it", _to("single-check")),
    Kind("query", "Queries for you", "by", "Answer", _to("note-answer")),
    Kind("result", "Results that ask you", "sampled", "Answer", _to("result-decide")),
    Kind("hold", "On hold, review day reached", "review", "Review", _to("course-resume")),
    Kind("unbooked", "No booking, and the target day is near", "target", "Book", _to("booking")),
    Kind("papers", "Payer or vials not settled, and the dose is near", "target", "Open", _to("papers")),
    Kind("handover", "Handed over, not acknowledged: still ours", "since", "Open", _to("hand-over")),
)

# Each part is a number of its own rows only: what is open, bounded by an index of open rows and by its LIMIT. A closed chart is left
# out before the LIMIT, never after it; an infusion that runs is shown whatever the chart says.
WAITING_SQL = f"""
WITH policy AS (
    SELECT coalesce(max(l.value) FILTER (WHERE l.code = 'booking_warn_days'), 0)::int AS booking_days,
           coalesce(max(l.value) FILTER (WHERE l.code = 'authorization_warn_days'), 0)::int AS papers_days
    FROM regimens_limit l JOIN regimens_monograph m ON m.id = l.monograph_id AND m.state = 'published'
    WHERE l.code IN ('booking_warn_days', 'authorization_warn_days')
), soon AS MATERIALIZED (
    SELECT d.id, d.course_id, d.number, d.title, d.target_on, d.booked_for, d.opens_at, d.closes_at,
           {IN_HOURS_SQL} AS in_hours
    FROM regimens_planneddose d JOIN regimens_protocoldose r ON r.id = d.protocol_dose_id
    JOIN regimens_course c ON c.id = d.course_id JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
    WHERE d.centre_id = %(centre)s AND d.settled_at IS NULL AND d.closes_at > %(now)s
      AND d.closes_at < %(now)s + make_interval(days => (SELECT greatest(booking_days, papers_days) + 30 FROM policy))
      AND NOT EXISTS (SELECT FROM regimens_hold h WHERE h.course_id = d.course_id AND h.resumed_at IS NULL)
    ORDER BY d.closes_at LIMIT 1001
),
ahead AS MATERIALIZED (
    SELECT DISTINCT d.course_id, c.patient_id
    FROM regimens_planneddose d JOIN regimens_course c ON c.id = d.course_id
    JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
    WHERE %(prescribes)s AND d.centre_id = %(centre)s AND d.settled_at IS NULL AND d.closes_at < %(now)s + interval '45 days'
    LIMIT 1001
),
found AS (
  (SELECT 'infusing' AS kind, a.id::text AS pk, a.patient_id, a.started_at AS at, NULL::date AS due_on,
          coalesce(d.title, 'Unplanned infusion') AS what
   FROM regimens_administration a LEFT JOIN regimens_planneddose d ON d.id = a.dose_id
   WHERE a.centre_id = %(centre)s AND a.ended_at IS NULL AND a.error_at IS NULL ORDER BY a.started_at LIMIT 51)
UNION ALL
  (SELECT 'order', t.id::text, t.patient_id, o.ordered_at, NULL, o.indication
   FROM regimens_order o JOIN patients_transplant t ON t.id = o.transplant_id JOIN patients_patient p ON p.id = t.patient_id
   WHERE o.course_id IS NULL AND o.superseded_at IS NULL AND p.centre_id = %(centre)s AND p.closed_at IS NULL
   ORDER BY o.entered_at LIMIT 11)
UNION ALL
  (SELECT 'cosign', o.id::text, c.patient_id, o.entered_at, NULL, o.indication
   FROM ahead c
   JOIN regimens_order o ON o.course_id = c.course_id AND o.superseded_at IS NULL AND o.signed_at IS NULL AND o.prescriber_id = %(me)s
   ORDER BY o.entered_at LIMIT 11)
UNION ALL
  (SELECT 'cosign', o.id::text, t.patient_id, o.entered_at, NULL, o.indication
   FROM regimens_order o JOIN patients_transplant t ON t.id = o.transplant_id
   JOIN patients_patient p ON p.id = t.patient_id AND p.closed_at IS NULL
   WHERE o.course_id IS NULL AND o.superseded_at IS NULL AND o.signed_at IS NULL AND o.prescriber_id = %(me)s
   ORDER BY o.entered_at LIMIT 11)
UNION ALL
  (SELECT 'verify', c.id::text, c.patient_id, d.built_at, NULL,
          CASE WHEN EXISTS (SELECT FROM regimens_note n WHERE n.course_id = c.id AND n.is_query AND n.answered_at IS NULL)
               THEN 'Query open: ' ELSE '' END || q.title
   FROM (SELECT d.course_id, min(d.built_at) AS built_at
         FROM regimens_planneddose d JOIN regimens_course c ON c.id = d.course_id
         JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
         WHERE d.centre_id = %(centre)s AND d.settled_at IS NULL AND d.verified_at IS NULL
         GROUP BY d.course_id ORDER BY min(d.built_at) LIMIT 51) d
   JOIN regimens_course c ON c.id = d.course_id JOIN regimens_protocol q ON q.id = c.protocol_id)
UNION ALL
  (SELECT 'single', s.id::text, c.patient_id, s.checked_at, NULL, 'Revision ' || s.revision
   FROM regimens_singlecheck s JOIN regimens_course c ON c.id = s.course_id
   JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
   WHERE s.reviewed_at IS NULL AND p.centre_id = %(centre)s ORDER BY s.checked_at LIMIT 11)
UNION ALL
  (SELECT 'query', n.id::text, n.patient_id, n.written_at, n.due_on, left(n.text, 80)
   FROM regimens_note n JOIN patients_patient p ON p.id = n.patient_id AND p.closed_at IS NULL
   WHERE n.is_query AND n.answered_at IS NULL AND n.owner_id = %(me)s ORDER BY n.due_on LIMIT 11)
UNION ALL
  (SELECT 'result', r.id::text, r.patient_id, r.sampled_at, NULL, 'CMV PCR is positive'
   FROM (SELECT DISTINCT patient_id FROM ahead) a CROSS JOIN LATERAL (
     SELECT * FROM regimens_labresult l WHERE l.patient_id = a.patient_id AND l.kind = 'cmv_pcr' AND l.error_at IS NULL
     ORDER BY l.sampled_at DESC, l.id DESC LIMIT 1) r
   WHERE r.decision = '' AND (r.word = 'positive' OR r.value > 0) ORDER BY r.sampled_at LIMIT 11)
UNION ALL
  (SELECT 'result', r.id::text, r.patient_id, r.sampled_at, NULL, 'Creatinine has risen since the last dose'
   FROM (SELECT DISTINCT patient_id FROM ahead) a CROSS JOIN LATERAL (
     SELECT max(g.at) AS last_at FROM (
       SELECT started_at AS at FROM regimens_administration
       WHERE patient_id = a.patient_id AND (error_at IS NULL OR dose_id IS NOT NULL AND dispute_outcome <> 'not_given')
       UNION ALL SELECT given_at FROM regimens_outsidedose WHERE patient_id = a.patient_id AND error_at IS NULL) g) given
   CROSS JOIN LATERAL (
     SELECT * FROM regimens_labresult l WHERE l.patient_id = a.patient_id AND l.kind = 'creatinine' AND l.error_at IS NULL
     ORDER BY l.sampled_at DESC, l.id DESC LIMIT 1) r
   CROSS JOIN LATERAL (
     SELECT l.value FROM regimens_labresult l WHERE l.patient_id = a.patient_id AND l.kind = 'creatinine' AND l.error_at IS NULL
       AND l.sampled_at <= given.last_at ORDER BY l.sampled_at DESC, l.id DESC LIMIT 1) before
   WHERE r.sampled_at > given.last_at AND r.value > before.value AND NOT EXISTS (
     SELECT FROM regimens_labresult l WHERE l.patient_id = a.patient_id AND l.kind = 'creatinine' AND l.error_at IS NULL
       AND l.sampled_at > given.last_at AND l.value >= r.value AND l.decided_at IS NOT NULL)
   ORDER BY r.sampled_at LIMIT 11)
UNION ALL
  (SELECT 'hold', c.id::text, c.patient_id, h.held_at, h.review_on, coalesce(nullif(h.reason_words, ''), h.reason_code)
   FROM regimens_hold h JOIN regimens_course c ON c.id = h.course_id JOIN patients_patient p ON p.id = c.patient_id
   WHERE h.resumed_at IS NULL AND h.review_on <= %(today)s AND c.stopped_at IS NULL AND p.centre_id = %(centre)s
     AND p.closed_at IS NULL
   ORDER BY h.review_on LIMIT 11)
UNION ALL
  (SELECT 'unbooked', d.id::text, c.patient_id, d.closes_at, d.target_on, d.title
   FROM soon d JOIN policy ON d.target_on <= %(today)s + booking_days JOIN regimens_course c ON c.id = d.course_id
   WHERE d.booked_for IS NULL AND NOT d.in_hours ORDER BY d.target_on LIMIT 11)
UNION ALL
  (SELECT 'papers', c.id::text, c.patient_id, d.closes_at, d.target_on,
          CASE WHEN a.state IS NULL THEN 'Nothing recorded'
               WHEN a.state = 'denied' THEN 'Payer: denied'
               WHEN a.state = 'pending' THEN 'Payer: pending'
               WHEN a.state = 'approved' AND a.approved_until < d.target_on THEN 'Payer: ends before the dose'
               WHEN a.vials = 'not_asked' THEN 'Vials not asked for'
               ELSE 'Vials are for another dose' END
   FROM (SELECT DISTINCT ON (course_id) * FROM soon ORDER BY course_id, number) d
   JOIN policy ON d.target_on <= %(today)s + papers_days
   JOIN regimens_course c ON c.id = d.course_id
   LEFT JOIN regimens_authorization a ON a.course_id = c.id AND a.superseded_at IS NULL
   WHERE NOT d.in_hours AND NOT coalesce(
     (a.state = 'not_needed' OR a.state = 'approved' AND a.approved_until >= d.target_on)
     AND a.vials_for_on >= (d.opens_at AT TIME ZONE %(zone)s)::date AND a.vials_for_on < (d.closes_at AT TIME ZONE %(zone)s)::date,
     false)
   ORDER BY d.target_on LIMIT 11)
UNION ALL
  (SELECT 'handover', h.patient_id::text, h.patient_id, h.handed_at, NULL, h.to_place
   FROM regimens_handover h JOIN patients_patient p ON p.id = h.patient_id
   WHERE h.acknowledged_at IS NULL AND h.cancelled_at IS NULL AND p.centre_id = %(centre)s AND p.closed_at IS NULL
   ORDER BY h.handed_at LIMIT 11)
)
SELECT f.kind, f.pk, f.at, f.due_on, f.what, p.family_name, p.given_name, p.birth_on, p.mrn, p.ward, p.name_key
FROM found f JOIN patients_patient p ON p.id = f.patient_id
WHERE p.centre_id = %(centre)s
ORDER BY f.due_on NULLS FIRST, f.at, f.pk
"""  # noqa: S608 (put together from a constant)
LIMITS = {"infusing": 50, "verify": 50}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that waits, with every value already written."""

    pk: str
    name: str
    alike: bool
    born: str
    mrn: str
    ward: str
    what: str
    when: str
    url: str
    act: str


@dataclass(frozen=True, slots=True)
class Part:
    """One group of lines and how many there are: "10", or "10+" where more wait than are shown."""

    code: str
    title: str
    count: str
    when: str
    lines: list[Line]


def read_waiting(by: Membership, now: datetime, today: date) -> list[dict[str, Any]]:
    """The rows of every group, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            WAITING_SQL,
            {
                "centre": by.centre_id,
                "me": by.pk,
                "prescribes": by.role == Role.PRESCRIBER,
                "now": now,
                "today": today,
                "zone": by.centre.time_zone,
            },
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def people_in(rows: list[dict[str, Any]]) -> set[Known]:
    """Whom the rows are about."""
    return {Known(row["name_key"], row["birth_on"], row["mrn"]) for row in rows}


def parts(rows: list[dict[str, Any]], alike: frozenset[str], zone: str) -> list[Part]:
    """The groups that have something in them, in their order."""
    found = []
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind.code]
        shown = LIMITS.get(kind.code, SHOWN)
        if own:
            count = f"{shown}+" if len(own) > shown else str(len(own))
            lines = [_line(row, kind, alike, zone) for row in own[:shown]]
            found.append(Part(kind.code, kind.title, count, kind.when, lines))
    return found


def _line(row: dict[str, Any], kind: Kind, alike: frozenset[str], zone: str) -> Line:
    due_on = row["due_on"]
    return Line(
        pk=f"{kind.code}-{row['pk']}",
        name=display.format_name(row["family_name"], row["given_name"]),
        alike=row["mrn"] in alike,
        born=display.format_day(row["birth_on"]),
        mrn=display.format_mrn(row["mrn"]),
        ward=row["ward"],
        what=row["what"],
        when=display.format_weekday_day(due_on) if due_on else display.format_instant(row["at"], zone),
        url=kind.address(row["pk"]),
        act=kind.act,
    )
