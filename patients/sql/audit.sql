-- History: what people did (event), what it changed (row_change), and a chain over both that shows later tampering.
-- Applied by `manage.py guard_database` as the owner, as often as you like. The app's role may read and may call audit.act.

create schema if not exists audit;
revoke all on schema audit from public;

create table if not exists audit.event (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  name text not null check (name <> ''),
  request_id text not null,
  actor_id bigint,
  actor_name text not null,
  role text not null,
  centre_id bigint,
  patient_id uuid,
  reason text not null,
  facts jsonb not null,
  -- One transaction: its number and its start. The number alone repeats after a restore into another server.
  txid bigint not null default pg_current_xact_id()::text::bigint,
  tx_at timestamptz not null default transaction_timestamp()
);

create table if not exists audit.row_change (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  tbl text not null,
  op text not null,
  row_pk text not null,
  patient_id uuid,
  old jsonb,
  new jsonb,
  db_role text not null,
  -- The transaction's latest event when the row changed; empty where the event came later, or none did (see audit.change).
  event_id bigint,
  txid bigint not null default pg_current_xact_id()::text::bigint,
  tx_at timestamptz not null default transaction_timestamp()
);

create table if not exists audit.chain (
  seq bigint primary key,
  kind text not null check (kind in ('event', 'row_change')),
  entry_id bigint not null,
  prev bytea not null,
  hash bytea not null,
  unique (kind, entry_id)
);

create index if not exists event_by_patient on audit.event (patient_id, id);
create index if not exists event_by_actor on audit.event (actor_id, id);
-- With the number last: "the latest event of this transaction" is one look, also when there is none.
create index if not exists event_of_transaction on audit.event (txid, tx_at, id);
create index if not exists event_by_time on audit.event using brin (at);
create index if not exists event_by_name on audit.event (name text_pattern_ops, id);
create index if not exists event_by_request on audit.event (request_id, id);
create index if not exists event_by_centre on audit.event (centre_id, id);
create index if not exists row_change_by_patient on audit.row_change (patient_id, id);
create index if not exists row_change_by_row on audit.row_change (tbl, row_pk, id);
create index if not exists row_change_by_event on audit.row_change (event_id);

-- Row changes with the event that caused them: the one before them in their transaction, or else the first after them.
create or replace view audit.change as
select r.id, r.at, r.tbl, r.op, r.row_pk, r.patient_id, r.old, r.new, r.db_role,
       coalesce(r.event_id, (select min(e.id) from audit.event e where e.txid = r.txid and e.tx_at = r.tx_at)) as event_id
from audit.row_change r;

-- One refusal for every guard: its argument is the name that patients/constraints.py turns into a sentence.
create or replace function audit.refuse() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'check_violation', constraint = tg_argv[0], table = tg_table_name, schema = tg_table_schema,
    message = format('refused by %s', tg_argv[0]);
end $$;

-- Record what a person did. Who they are and what role they hold is read here, in the same transaction, never believed.
-- Whoever belongs to another centre than the patient may have read the chart in an emergency, and changed nothing.
create or replace function audit.act(
  event_name text, request text, membership bigint, person bigint, patient uuid, why text, event_facts jsonb
) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  actor record;
  made bigint;
begin
  select u.id, coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.username) as name,
         coalesce(m.role, '') as role, m.centre_id
    into actor
    from public.patients_user u left join public.patients_membership m on m.user_id = u.id and m.id = membership
   where u.id = coalesce((select user_id from public.patients_membership where id = membership), person);
  if not found and (membership is not null or person is not null) then
    raise exception using errcode = 'check_violation', constraint = 'actor_is_known', message = 'refused by actor_is_known';
  end if;
  if event_name !~ '^(read|emergency)_' and exists (
      select from public.patients_patient p where p.id = patient and p.centre_id <> actor.centre_id) then
    raise exception using errcode = 'check_violation', constraint = 'charts_change_in_their_own_centre',
      message = 'refused by charts_change_in_their_own_centre';
  end if;
  insert into audit.event (name, request_id, actor_id, actor_name, role, centre_id, patient_id, reason, facts)
  values (event_name, request, actor.id, coalesce(actor.name, ''), coalesce(actor.role, ''), actor.centre_id, patient, why, event_facts)
  returning id into made;
  return made;
end $$;

-- Copy a changed row. Arguments: 0 the column that leads to the patient, or ''; 1 the query from that column's value to the
-- patient, or '' where it is the patient's own number; 2 columns whose value is never copied, only that it changed; 3 columns
-- whose change is not history. Instants are copied in UTC whatever the session's zone.
create or replace function audit.record() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  before jsonb;
  after jsonb;
  secret text;
  whose uuid;
  link text;
  cause bigint;
begin
  if tg_op <> 'INSERT' then before := to_jsonb(old) - tg_argv[3]::text[]; end if;
  if tg_op <> 'DELETE' then after := to_jsonb(new) - tg_argv[3]::text[]; end if;
  if before = after then
    return null;
  end if;
  foreach secret in array tg_argv[2]::text[] loop
    if tg_op = 'UPDATE' and before -> secret is distinct from after -> secret then
      after := after || jsonb_build_object(secret, 'changed');
    else
      after := after - secret;
    end if;
    before := before - secret;
  end loop;
  link := coalesce(after, before) ->> tg_argv[0];
  if tg_argv[1] <> '' then
    execute tg_argv[1] into whose using link;
  else
    whose := link::uuid;
  end if;
  select max(e.id) into cause from audit.event e
   where e.txid = pg_current_xact_id()::text::bigint and e.tx_at = transaction_timestamp();
  if tg_table_name <> 'patients_breakglass' and exists (
      select from audit.event e join public.patients_patient p on p.centre_id <> e.centre_id
       where e.id = cause and p.id = whose) then
    raise exception using errcode = 'check_violation', constraint = 'charts_change_in_their_own_centre', table = tg_table_name,
      message = 'refused by charts_change_in_their_own_centre';
  end if;
  insert into audit.row_change (tbl, op, row_pk, patient_id, old, new, db_role, event_id)
  values (tg_table_name, tg_op, coalesce(after, before) ->> 'id', whose, before, after, session_user, cause);
  return null;
end $$;

-- Rows older than their table's history enter it as they were found. Nothing happens where the history trigger is there already.
create or replace procedure audit.adopt(tbl text, unseen text[])
language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  if exists (select from pg_trigger where tgrelid = format('public.%I', tbl)::regclass and tgname = 'row_history') then
    return;
  end if;
  execute format('insert into audit.row_change (tbl, op, row_pk, new, db_role)
    select %L, ''FOUND'', t.id::text, to_jsonb(t) - $1, session_user from public.%I t order by t.id', tbl, tbl) using unseen;
end $$;

-- Number an entry and hash it onto the one before it. Runs when the transaction commits, and numbers only under the lock:
-- numbered before the lock, the chain forks under load. Epochs and jsonb have one spelling in every session.
create or replace function audit.link() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  last record;
  number bigint;
  previous bytea;
  content jsonb;
begin
  perform pg_advisory_xact_lock(727272, 1);
  select seq, hash into last from audit.chain order by seq desc limit 1;
  number := coalesce(last.seq, 0) + 1;
  previous := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
  if tg_table_name = 'event' then
    content := jsonb_build_array(number, 'event', new.id, extract(epoch from new.at), new.name, new.request_id, new.actor_id,
      new.actor_name, new.role, new.centre_id, new.patient_id, new.reason, new.facts, new.txid, extract(epoch from new.tx_at));
  else
    content := jsonb_build_array(number, 'row_change', new.id, extract(epoch from new.at), new.tbl, new.op, new.row_pk,
      new.patient_id, new.old, new.new, new.db_role, new.event_id, new.txid, extract(epoch from new.tx_at));
  end if;
  insert into audit.chain (seq, kind, entry_id, prev, hash)
  values (number, tg_table_name, new.id, previous, sha256(previous || convert_to(content::text, 'UTF8')));
  return null;
end $$;

do $$
declare
  t text;
begin
  foreach t in array array['event', 'row_change', 'chain'] loop
    execute format('create or replace trigger history_is_never_changed before update or delete on audit.%I
      for each statement execute function audit.refuse(''history_is_never_changed'')', t);
    execute format('create or replace trigger history_is_never_emptied before truncate on audit.%I
      for each statement execute function audit.refuse(''history_is_never_changed'')', t);
    execute format('alter table audit.%I enable always trigger history_is_never_changed', t);
    execute format('alter table audit.%I enable always trigger history_is_never_emptied', t);
    if t <> 'chain' then
      -- A constraint trigger cannot be replaced in place; its name never changes, its function does.
      if not exists (select from pg_trigger where tgrelid = format('audit.%I', t)::regclass and tgname = 'entry_is_chained') then
        execute format('create constraint trigger entry_is_chained after insert on audit.%I
          deferrable initially deferred for each row execute function audit.link()', t);
      end if;
      execute format('alter table audit.%I enable always trigger entry_is_chained', t);
    end if;
  end loop;
end $$;

revoke all on all tables in schema audit from public;
revoke all on all functions in schema audit from public;
