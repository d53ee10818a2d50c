-- What the rows refer to, and how far each journal has been taken over.

-- One row a journal: the index of its first record that is not in this database yet. Updated in the transaction that brings the rows.
CREATE TABLE journal_progress (
  journal_id numeric(20) PRIMARY KEY,
  next_index bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- A run of the relay as one journal recorded it. `position` in the rows counts within a run.
CREATE TABLE runs (
  run int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  journal_id numeric(20) NOT NULL,
  run_id numeric(20) NOT NULL,
  first_index bigint NOT NULL,
  first_position bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (journal_id, run_id)
);

-- Records that the journal no longer held when the database was ready for them, or that were cut off the journal.
CREATE TABLE ingest_gaps (
  journal_id numeric(20) NOT NULL,
  first_index bigint NOT NULL,
  last_index bigint NOT NULL,
  reason text NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE venues (
  venue smallint PRIMARY KEY,
  name text NOT NULL
);

-- Decimals, tick and lot are the newest that the venue said; a row's own price and size keep the decimals that they came with.
CREATE TABLE instruments (
  instrument int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  venue smallint NOT NULL,
  symbol text NOT NULL,
  name text NOT NULL,
  price_decimals smallint NOT NULL,
  size_decimals smallint NOT NULL,
  tick numeric NOT NULL,
  lot numeric NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (venue, symbol)
);

-- Names of the codes in `kind` and in `code` of status events.
CREATE TABLE kinds (
  kind smallint PRIMARY KEY,
  name text NOT NULL
);
CREATE TABLE status_codes (
  code smallint PRIMARY KEY,
  name text NOT NULL
);
CREATE TABLE gap_causes (
  code smallint PRIMARY KEY,
  name text NOT NULL
);

-- What the writer was last told to do: `retention_days`.
CREATE TABLE tickpath_settings (
  name text PRIMARY KEY,
  value text NOT NULL
);
