-- Up Migration

CREATE INDEX uploads_sha256 ON uploads (sha256);

-- Down Migration

DROP INDEX uploads_sha256;
