create table credentials (id text primary key, name text not null unique collate nocase, doc text not null);
create table credential_drafts (id text primary key, changed text not null, doc text not null);
create table integrations (id text primary key, name text not null unique collate nocase, doc text not null);
create table runs (id text primary key, integration text not null, started text not null, state text not null, cancel integer not null default 0, doc text not null);
create index runs_by_integration on runs (integration, started);
create index runs_by_start on runs (started);
create table run_errors (run text not null, number integer not null, key text not null, field text, message text not null);
create index run_errors_by_run on run_errors (run, number);
create table notices (id integer primary key autoincrement, at text not null, severity text not null, title text not null, body text not null,
    about text not null, contacts text not null, read integer not null default 0);

-- Fields of the inventory tables. Each is a column of its table, named as its key.
create table fields (tbl text not null, key text not null, label text not null, type text not null, mandatory integer not null, custom integer not null,
    position integer not null, primary key (tbl, key));
