"""Reading the history back: is every entry there, unchanged, in order, and do the tables still say what history says?

The hashes are computed here and not by the database's own functions, which whoever tampers could replace as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from patients import guards

START = bytes(32)
BATCH = 2000

# What audit.link hashed, spelt once more: epochs and jsonb read the same in every session. Entries that were linked and are
# gone come as null.
_LINKS = """
select c.seq, c.kind, c.entry_id, c.prev, c.hash, r.tbl, r.row_pk,
       case
         when e.id is not null then jsonb_build_array(c.seq, 'event', e.id, extract(epoch from e.at), e.name, e.request_id,
           e.actor_id, e.actor_name, e.role, e.centre_id, e.patient_id, e.reason, e.facts, e.txid, extract(epoch from e.tx_at))
         when r.id is not null then jsonb_build_array(c.seq, 'row_change', r.id, extract(epoch from r.at), r.tbl, r.op, r.row_pk,
           r.patient_id, r.old, r.new, r.db_role, r.event_id, r.txid, extract(epoch from r.tx_at))
       end::text
  from audit.chain c
  left join audit.event e on c.kind = 'event' and e.id = c.entry_id
  left join audit.row_change r on c.kind = 'row_change' and r.id = c.entry_id
 order by c.seq
"""

_UNLINKED = """
select kind, id from (
  select 'event' as kind, id from audit.event
  union all
  select 'row_change', id from audit.row_change
) entry
where not exists (select from audit.chain c where c.kind = entry.kind and c.entry_id = entry.id)
order by kind, id limit 1
"""

# A row beside the last image history has of it. Columns newer or older than the image are not compared.
_STRAYED = """
with last as (
  select distinct on (row_pk) row_pk, id, op, new - %(unseen)s::text[] as image
    from audit.row_change where tbl = %(tbl)s order by row_pk, id desc
), live as (
  select t.id::text as row_pk, to_jsonb(t) as image from public.{table} t
)
select coalesce(live.row_pk, last.row_pk), (select seq from audit.chain c where c.kind = 'row_change' and c.entry_id = last.id),
       case when live.row_pk is null then 'is gone' when last.id is null then 'has no history' else 'differs from its history' end
  from live full join last on last.row_pk = live.row_pk
 where case
   when live.row_pk is null then last.op <> 'DELETE'
   when last.id is null or last.op = 'DELETE' then true
   else exists (select from jsonb_each(last.image) was where live.image ? was.key and live.image -> was.key <> was.value)
 end
 order by 2 nulls last, 1 limit 1
"""


@dataclass(frozen=True, slots=True)
class Intact:
    """Every entry is there and unchanged; ``head`` is the last hash, in hexadecimal."""

    entries: int
    head: str

    def __str__(self) -> str:
        return f"{self.entries} events, head {self.head}"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place that does not hold. ``seq`` is 0 where the entry never had a number in the chain."""

    seq: int
    table: str
    row: str
    what: str

    def __str__(self) -> str:
        return f"BROKEN at sequence {self.seq or 'none'}, table {self.table}, row {self.row}: {self.what}"


def verify(*, head: str = "") -> Intact | Broken:
    """Read the whole history once, in one snapshot, a batch at a time.

    ``head`` is a hash noted earlier and kept elsewhere: it must still be in the chain, or the end was cut off after it was noted.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute("set local timezone to 'UTC'")
        walked = _walk(head.lower())
        if isinstance(walked, Broken):
            return walked
        return _first_unlinked(cursor) or _first_strayed(cursor) or walked


def _walk(head: str) -> Intact | Broken:
    seq, last, seen = 0, START, head in ("", START.hex())
    for number, kind, entry, prev, kept, tbl, row, content in _links():
        table, row = f"audit.{kind}", f"{entry} ({tbl} {row})" if tbl else str(entry)
        if number != seq + 1:
            return Broken(seq + 1, "audit.chain", str(seq + 1), "the link is missing")
        if content is None:
            return Broken(number, table, row, "the entry is missing")
        if bytes(prev) != last or sha256(last + content.encode()).digest() != bytes(kept):
            return Broken(number, table, row, "the entry or its link was changed, moved or put in")
        seq, last = number, bytes(kept)
        seen = seen or last.hex() == head
    if not seen:
        return Broken(
            seq + 1, "audit.chain", str(seq + 1), "the head you noted is not in the chain: entries after it were cut off"
        )
    return Intact(seq, last.hex())


def _links() -> Iterator[tuple]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_LINKS)
        while rows := cursor.fetchmany(BATCH):
            yield from rows


def _first_unlinked(cursor: CursorWrapper) -> Broken | None:
    cursor.execute(_UNLINKED)
    if found := cursor.fetchone():
        return Broken(0, f"audit.{found[0]}", str(found[1]), "the entry is not in the chain")
    return None


def _first_strayed(cursor: CursorWrapper) -> Broken | None:
    """The first live row that is not as its history left it: changed, put in or removed behind the triggers."""
    strayed = []
    for table in guards.recorded_tables():
        unseen = [*guards.SECRET_COLUMNS.get(table, ()), *guards.IGNORED_COLUMNS.get(table, ())]
        cursor.execute(_STRAYED.format(table=connection.ops.quote_name(table)), {"tbl": table, "unseen": unseen})
        if found := cursor.fetchone():
            row, seq, what = found
            strayed.append(Broken(seq or 0, table, row, f"the row {what}"))
    return min(strayed, key=lambda broken: broken.seq or float("inf"), default=None)
