"""What a drill left in the database: which acknowledged infusions are there, which are half there, which are there twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from cmvig_site.local.drill_clients import VIALS, VITALS, Acknowledged

# Every first dose of the drill with all that its record consists of: its rows, the dose settled by it, its one event.
_DOSES = """
select d.id, d.settled_as, d.draw_ml,
       (select count(*) from regimens_administration a where a.dose_id = d.id) as records,
       (select coalesce(sum(a.volume_ml), 0) from regimens_administration a where a.dose_id = d.id) as volume_ml,
       (select count(*) from regimens_administration a join regimens_vialuse v on v.administration_id = a.id
         where a.dose_id = d.id) as vials,
       (select coalesce(sum(v.given_ml), 0) from regimens_administration a join regimens_vialuse v on v.administration_id = a.id
         where a.dose_id = d.id) as from_vials_ml,
       (select count(*) from regimens_administration a join regimens_vitalsigns s on s.administration_id = a.id
         where a.dose_id = d.id) as vitals,
       coalesce(e.events, 0) as events
  from regimens_planneddose d
  left join (select facts->>'dose' as dose, count(*) as events from audit.event where name = 'log_infusion' group by 1) e
    on e.dose = d.id::text
 where d.number = 1
"""
_RECORDS = "select id, token, dose_id from regimens_administration"


@dataclass(frozen=True)
class Figures:
    """The counts of the last line."""

    present: int
    half: int
    duplicates: int


def count(owner_url: str, acknowledged: Sequence[Acknowledged]) -> Figures:
    """Read the database as its owner and compare it with what the clients were told."""
    with psycopg.connect(owner_url) as connection:
        records = {row[0]: (row[1], row[2]) for row in connection.execute(_RECORDS)}
        doses = connection.execute(_DOSES).fetchall()
    present = sum(records.get(told.record) == (told.token, told.dose) for told in set(acknowledged))
    half = duplicates = 0
    for _, settled_as, draw_ml, made, volume_ml, vials, from_vials_ml, vitals, events in doses:
        nothing = (settled_as, made, events) == ("", 0, 0)
        expected = ("recorded", 1, 1, VIALS, VITALS, draw_ml, draw_ml)
        whole = (settled_as, made, events, vials, vitals, volume_ml, from_vials_ml) == expected
        duplicates += max(0, made - 1)
        half += not (nothing or whole or made > 1)
    return Figures(present, half, duplicates)
