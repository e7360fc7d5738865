-- What the tables themselves refuse, whoever writes: the app, a shell, a script. Trigger names read as sentences and have one
-- in patients/constraints.py. Guards that follow from a table's shape (no deletes, rows stay with their patient, published
-- monographs stay as they are) are made for every table by patients/guards.py.

-- A trigger that refuses when its condition holds.
create or replace procedure audit.guard(tbl text, name text, moment text, condition text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create or replace trigger %I before %s on public.%I for each row when (%s) execute function audit.refuse(%L)',
    name, moment, tbl, condition, name);
  execute format('alter table public.%I enable always trigger %I', tbl, name);
end $$;

-- A trigger that runs a function of its own, which looks further than the row.
create or replace procedure audit.guard_by(tbl text, name text, moment text, condition text, function_name text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create or replace trigger %I before %s on public.%I for each row when (%s) execute function audit.%I()',
    name, moment, tbl, condition, function_name);
  execute format('alter table public.%I enable always trigger %I', tbl, name);
end $$;

-- What was entered stays. Each further argument lists columns that are added together later, once, the first of them always; when
-- those of the first list are there, such as "entered in error", nothing changes any more.
create or replace procedure audit.guard_entered(tbl text, name text, variadic additions text[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  condition text := 'false';
  addition text[];
  later text[] := '{}';
begin
  for place in 1 .. cardinality(additions) loop
    addition := additions[place]::text[];
    later := later || addition;
    condition := condition || format(' or old.%I is not null and ', addition[1]) || case when place = 1 then 'new.* is distinct from old.*'
      else (select format('(%s) is distinct from (%s)', string_agg(format('new.%I', col), ', '), string_agg(format('old.%I', col), ', '))
              from unnest(addition) col) end;
  end loop;
  call audit.guard(tbl, name, 'update',
    condition || format(' or to_jsonb(new) - %1$L::text[] is distinct from to_jsonb(old) - %1$L::text[]', later));
end $$;

create or replace function audit.refuse_unless(holds boolean, name text, tbl text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if holds is not true then
    raise exception using errcode = 'check_violation', constraint = name, table = tbl, message = format('refused by %s', name);
  end if;
end $$;

-- Two memberships of one person are one person: the CHECK constraints compare rows, this compares people.
create or replace function audit.are_two_people(one bigint, other bigint) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(distinct user_id) = 2 from public.patients_membership where id in (one, other)
$$;

-- Weights (hazard H06): one measurement is one row; only "entered in error" may be added, once.
create or replace function audit.weight_confirms() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.patients_weightmeasurement w where w.id = new.confirms_id and w.patient_id = new.patient_id),
    'weight_confirms_one_of_the_same_patient', tg_table_name);
  return new;
end $$;
call audit.guard_entered('patients_weightmeasurement', 'weight_is_never_overwritten', '{error_at,error_by_id,error_reason}');
call audit.guard_by('patients_weightmeasurement', 'weight_confirms_one_of_the_same_patient', 'insert', 'new.confirms_id is not null',
  'weight_confirms');

-- Emergency access: for a chart of another centre than the reader's, and never longer or for other reasons afterwards.
create or replace function audit.emergency_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.patients_membership m join public.patients_patient p on p.centre_id <> m.centre_id
             where m.id = new.membership_id and p.id = new.patient_id),
    'emergency_access_is_of_another_centre', tg_table_name);
  return new;
end $$;
call audit.guard_by('patients_breakglass', 'emergency_access_is_of_another_centre', 'insert', 'true', 'emergency_fits');
call audit.guard_entered('patients_breakglass', 'emergency_access_is_never_changed', '{acknowledged_at,acknowledged_by_id}');

-- Courses: of the transplant's own patient, by a protocol of the monograph version they are pinned to.
create or replace function audit.course_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.patients_transplant t where t.id = new.transplant_id and t.patient_id = new.patient_id),
    'course_is_of_the_transplants_patient', tg_table_name);
  perform audit.refuse_unless(
    exists (select from public.regimens_protocol p where p.id = new.protocol_id and p.monograph_id = new.monograph_id),
    'course_protocol_is_of_its_monograph', tg_table_name);
  return new;
end $$;
call audit.guard_by('regimens_course', 'course_is_of_the_transplants_patient', 'insert or update of patient_id, transplant_id, protocol_id, monograph_id',
  'true', 'course_fits');

-- Planned doses (hazards H02, H05, H33): one patient's course, centre and weight; signed content is final.
create or replace function audit.dose_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_row record;
begin
  select p.centre_id = new.centre_id as centre_fits, w.patient_id = c.patient_id as weight_fits,
         w.weight_kg = new.weight_kg as weight_is_as_measured, d.protocol_id = c.protocol_id as row_fits
    into found_row
    from public.regimens_course c
    join public.patients_patient p on p.id = c.patient_id
    left join public.patients_weightmeasurement w on w.id = new.weight_id
    left join public.regimens_protocoldose d on d.id = new.protocol_dose_id
   where c.id = new.course_id;
  perform audit.refuse_unless(found_row.centre_fits, 'dose_is_of_the_patients_centre', tg_table_name);
  perform audit.refuse_unless(found_row.weight_fits, 'dose_weight_is_the_patients_own', tg_table_name);
  perform audit.refuse_unless(found_row.weight_is_as_measured, 'dose_weight_is_as_measured', tg_table_name);
  perform audit.refuse_unless(found_row.row_fits, 'dose_row_is_of_the_courses_protocol', tg_table_name);
  return new;
end $$;
create or replace function audit.verifier_differs() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(audit.are_two_people(new.verified_by_id, new.built_by_id), 'verifier_is_not_the_builder', tg_table_name);
  return new;
end $$;
call audit.guard_by('regimens_planneddose', 'dose_fits_its_course', 'insert or update of course_id, centre_id, weight_id, weight_kg, protocol_dose_id',
  'true', 'dose_fits');
call audit.guard_by('regimens_planneddose', 'verifier_is_another_person', 'insert or update of verified_by_id, built_by_id',
  'new.verified_by_id is not null', 'verifier_differs');
call audit.guard('regimens_planneddose', 'signed_dose_is_never_changed', 'update', $$
  old.verified_at is not null
  and to_jsonb(new) - '{settled_at,settled_as,booked_for,booked_place}'::text[]
      is distinct from to_jsonb(old) - '{settled_at,settled_as,booked_for,booked_place}'::text[] $$);

-- Findings: what was entered stays; "entered in error" and a signed decision are added once. A dose given elsewhere stands for a
-- visit of the same patient alone.
create or replace function audit.outside_dose_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.regimens_planneddose d join public.regimens_course c on c.id = d.course_id
             where d.id = new.dose_id and c.patient_id = new.patient_id),
    'outside_dose_is_the_patients_own', tg_table_name);
  return new;
end $$;
call audit.guard_by('regimens_outsidedose', 'outside_dose_is_the_patients_own', 'insert or update of dose_id, patient_id',
  'new.dose_id is not null', 'outside_dose_fits');
call audit.guard_entered('regimens_outsidedose', 'finding_is_never_overwritten', '{error_at,error_by_id,error_reason}', '{decided_at,decided_by_id,decision,decision_reason}', '{dose_id}');
call audit.guard_entered('regimens_antibodyremoval', 'finding_is_never_overwritten', '{error_at,error_by_id,error_reason}', '{decided_at,decided_by_id,decision,decision_reason}');
call audit.guard_entered('regimens_labresult', 'finding_is_never_overwritten', '{error_at,error_by_id,error_reason}', '{decided_at,decided_by_id,decision,decision_reason}');

-- Notes: written once; a query takes its answer, once.
call audit.guard_entered('regimens_note', 'note_is_never_overwritten', '{answered_at,answer,answered_by_id}');

-- What people signed or stated: it stays as it stands; only its end is added.
call audit.guard_entered('patients_precaution', 'statement_is_never_overwritten', '{superseded_at}', '{released_at,released_by_id,release_reason}');
call audit.guard_entered('regimens_riskreview', 'statement_is_never_overwritten', '{superseded_at}');
call audit.guard_entered('regimens_authorization', 'statement_is_never_overwritten', '{superseded_at}');
call audit.guard_entered('regimens_consent', 'statement_is_never_overwritten', '{withdrawn_at,withdrawn_by_id,withdrawn_reason}');
call audit.guard_entered('regimens_order', 'statement_is_never_overwritten', '{superseded_at}', '{signed_at}', '{course_id}');
call audit.guard_entered('regimens_release', 'statement_is_never_overwritten', '{withdrawn_at,withdrawn_by_id,withdrawn_reason}');
call audit.guard_entered('regimens_hold', 'statement_is_never_overwritten',
  '{resumed_at,resumed_by_id,resume_ordered_by_id,resume_reason}');
call audit.guard_entered('regimens_handover', 'statement_is_never_overwritten', '{cancelled_at}',
  '{acknowledged_at,acknowledged_how,acknowledged_recorded_by_id}');
call audit.guard_entered('regimens_misseddosedecision', 'statement_is_never_overwritten', '{superseded_at}');
call audit.guard_entered('regimens_singlecheck', 'statement_is_never_overwritten', '{reviewed_at,reviewed_by_id,review}');
call audit.guard('regimens_intervalrelease', 'statement_is_never_overwritten', 'update', 'new.* is distinct from old.*');
call audit.guard('regimens_weightkept', 'statement_is_never_overwritten', 'update', 'new.* is distinct from old.*');

-- Administrations: in the patient's centre, of the patient's own dose, from that centre's lots.
create or replace function audit.administration_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.patients_patient p where p.id = new.patient_id and p.centre_id = new.centre_id),
    'infusion_is_in_the_patients_centre', tg_table_name);
  perform audit.refuse_unless(
    new.dose_id is null or exists (
      select from public.regimens_planneddose d join public.regimens_course c on c.id = d.course_id
       where d.id = new.dose_id and c.patient_id = new.patient_id),
    'infusion_is_of_the_patients_own_dose', tg_table_name);
  return new;
end $$;
create or replace function audit.dispute_settler_differs() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(audit.are_two_people(new.dispute_settled_by_id, new.recorded_by_id),
    'dispute_is_settled_by_another_person', tg_table_name);
  perform audit.refuse_unless(audit.are_two_people(new.dispute_settled_by_id, new.error_by_id),
    'dispute_is_not_settled_by_who_raised_it', tg_table_name);
  return new;
end $$;
create or replace function audit.lot_fits() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(
    exists (select from public.regimens_administration a join public.regimens_lot l on l.centre_id = a.centre_id
             where a.id = new.administration_id and l.id = new.lot_id),
    'vial_lot_is_of_the_same_centre', tg_table_name);
  return new;
end $$;
call audit.guard_by('regimens_administration', 'infusion_fits_its_patient', 'insert or update of patient_id, centre_id, dose_id', 'true',
  'administration_fits');
call audit.guard_by('regimens_administration', 'dispute_settler_is_another_person', 'insert or update of dispute_settled_by_id, recorded_by_id',
  'new.dispute_settled_by_id is not null', 'dispute_settler_differs');
call audit.guard('regimens_administration', 'infusion_error_is_final', 'update', $$
  old.error_at is not null and (new.error_at, new.error_by_id, new.error_reason) is distinct from (old.error_at, old.error_by_id, old.error_reason) $$);
call audit.guard_by('regimens_vialuse', 'vial_lot_is_of_the_same_centre', 'insert or update of administration_id, lot_id', 'true', 'lot_fits');

-- The monograph (hazards H17, H18): published and retired versions never change; what waits for publication is not edited.
create or replace function audit.publisher_differs() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.refuse_unless(audit.are_two_people(new.published_by_id, new.drafted_by_id), 'publisher_is_not_the_editor', tg_table_name);
  return new;
end $$;
-- A row of a monograph. Argument 0 is the column that leads to it, 1 the query from that column's value to its state. The query
-- locks the monograph's row, so that an edit and a publication wait for each other.
create or replace function audit.keep_published() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  state text;
begin
  if tg_op <> 'INSERT' then
    execute tg_argv[1] into state using to_jsonb(old) ->> tg_argv[0];
    perform audit.refuse_unless(state = 'draft', 'only_a_draft_is_edited', tg_table_name);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if tg_op = 'INSERT' or to_jsonb(new) ->> tg_argv[0] is distinct from to_jsonb(old) ->> tg_argv[0] then
    execute tg_argv[1] into state using to_jsonb(new) ->> tg_argv[0];
    perform audit.refuse_unless(state = 'draft', 'only_a_draft_is_edited', tg_table_name);
  end if;
  return new;
end $$;
call audit.guard('regimens_monograph', 'published_monograph_is_never_changed', 'update', $$
  old.state in ('published', 'retired', 'discarded') and new.* is distinct from old.*
  and not (old.state = 'published' and new.state = 'retired' and new.retired_at is not null
           and to_jsonb(new) - '{state,retired_at}'::text[] = to_jsonb(old) - '{state,retired_at}'::text[]) $$);
call audit.guard('regimens_monograph', 'submitted_monograph_is_not_edited', 'update', $$
  old.state = 'submitted' and new.state in ('submitted', 'published') and (new.title, new.what_changed) is distinct from (old.title, old.what_changed) $$);
call audit.guard_by('regimens_monograph', 'publisher_is_another_person', 'insert or update of state, published_by_id, drafted_by_id',
  $$new.state in ('published', 'retired') and new.published_by_id is not null and new.drafted_by_id is not null$$, 'publisher_differs');

-- Foreign keys are checked with their statement, as Django's deferred ones are not. At commit a check could wait for a row that
-- somebody else has locked, while it holds the chain's lock that they wait for: a deadlock. So the chain's lock is the last one.
do $$
declare
  key record;
begin
  for key in select conrelid::regclass as tbl, conname from pg_constraint
              where contype = 'f' and condeferred and connamespace = 'public'::regnamespace loop
    execute format('alter table %s alter constraint %I deferrable initially immediate', key.tbl, key.conname);
  end loop;
end $$;
