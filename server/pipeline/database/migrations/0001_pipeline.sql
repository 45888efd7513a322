-- Up Migration

CREATE TABLE uploads (
  upload_id text PRIMARY KEY,
  camera text NOT NULL,
  name text NOT NULL,
  captured_at timestamptz,
  accepted_at timestamptz NOT NULL,
  size_bytes bigint NOT NULL,
  sha256 text NOT NULL,
  status text NOT NULL CHECK (status IN ('stored', 'duplicate')),
  duplicate_of text,
  kind text NOT NULL CHECK (kind IN ('image', 'video')),
  trace_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE detections (
  upload_id text PRIMARY KEY REFERENCES uploads (upload_id),
  camera text NOT NULL,
  degraded boolean NOT NULL DEFAULT false,
  warming_up boolean NOT NULL DEFAULT false,
  detection text NOT NULL CHECK (detection IN ('done', 'not_run')),
  detections jsonb NOT NULL DEFAULT '[]',
  inference_time_ms real,
  image_width int,
  image_height int,
  owed boolean NOT NULL DEFAULT false,
  captured_at timestamptz,
  detected_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX detections_owed ON detections (detected_at) WHERE owed;
CREATE INDEX detections_detected_at ON detections (detected_at);

CREATE TABLE events (
  event_id text PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  camera text NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  risk_score int NOT NULL CHECK (risk_score BETWEEN 0 AND 100),
  risk_level text NOT NULL CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
  risk_source text NOT NULL CHECK (risk_source IN ('llm', 'cache', 'object_estimate', 'default')),
  summary text NOT NULL,
  reasoning text NOT NULL,
  degraded boolean NOT NULL DEFAULT false,
  owed boolean NOT NULL DEFAULT false,
  trace_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  reviewed_at timestamptz,
  review_note text
);
CREATE UNIQUE INDEX events_seq ON events (seq);
CREATE INDEX events_owed ON events (seq) WHERE owed;

CREATE TABLE event_uploads (
  upload_id text PRIMARY KEY,
  event_id text NOT NULL REFERENCES events (event_id)
);
CREATE INDEX event_uploads_event ON event_uploads (event_id);

-- Down Migration

DROP TABLE event_uploads;
DROP TABLE events;
DROP TABLE detections;
DROP TABLE uploads;
