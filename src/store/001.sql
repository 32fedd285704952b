create table credentials (id text primary key, name text not null unique collate nocase, doc text not null);
create table credential_drafts (id text primary key, changed text not null, doc text not null);
create table integrations (id text primary key, name text not null unique collate nocase, doc text not null);
create table runs (id text primary key, integration text not null, started text not null, state text not null, cancel integer not null default 0, doc text not null);
create index runs_by_integration on runs (integration, started);
create index runs_by_start on runs (started);
create index runs_running on runs (state) where state = 'running';
create table run_errors (run text not null, number integer not null, key text not null, field text, message text not null);
create index run_errors_by_run on run_errors (run, number);
create table notices (id integer primary key autoincrement, at text not null, severity text not null, title text not null, body text not null,
    about text not null, contacts text not null, read integer not null default 0);

-- Fields of the inventory tables. Each is a column of its table, named as its key.
create table fields (tbl text not null, key text not null, label text not null, type text not null, mandatory integer not null, custom integer not null,
    position integer not null, primary key (tbl, key));

-- The inventory. A field is a column named as its key; custom fields are added to these tables. Columns with an underscore are ours: when
-- a record was made and last changed (microseconds since 1970), by which run, and which integration brought it.
create table people (_id integer primary key, _key text not null, _active integer not null, _integration text not null, _run text not null,
    _created integer not null, _changed integer not null,
    "email" text, "full_name" text, "user_type" text, "username" text, "first_name" text, "last_name" text, "position" text, "department"
    text, "manager" text, "phone" text, "locale" text, "time_zone" text, "external_id" text, "verified" boolean, "verified_time" text,
    "last_login" text, "employee_number" text, "location" text);
create table saas_users (_id integer primary key, _key text not null, _application text not null, _active integer not null, _integration text not null, _run text not null,
    _created integer not null, _changed integer not null,
    "user_name" text, "email" text, "full_name" text, "external_id" text, "role" text, "last_activity" text, "verified" boolean);
create table hardware (_id integer primary key, _key text not null, _active integer not null, _integration text not null, _run text not null,
    _created integer not null, _changed integer not null,
    "serial_number" text, "name" text, "model" text, "manufacturer" text, "type" text, "os" text, "assigned_to" text, "last_seen" text,
    "location" text);
create table software (_id integer primary key, _key text not null, _active integer not null, _integration text not null, _run text not null,
    _created integer not null, _changed integer not null,
    "name" text, "version" text, "publisher" text, "installed_on" text, "category" text);
create table applications (_id integer primary key, _key text not null, _active integer not null, _integration text not null, _run text not null,
    _created integer not null, _changed integer not null,
    "name" text, "vendor" text, "category" text, "owner" text, "url" text);
