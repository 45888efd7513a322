/**
 * The seams between the three parts of the pipeline process.
 *
 *     intake (FTP, inbox, watcher, quarantine) ──► work (queues, detection, batches, analysis, ledger)
 *                                                    │ events
 *                                                    ▼
 *                                                  viewers (broadcaster, cache, HTTP and Socket.IO API)
 *
 * The inbox and PostgreSQL are the only truth; everything else is a schedule that can be rebuilt.
 */

/** An upload that the FTP server answered with its final positive reply. */
export interface Upload {
  /** ULID, made by the server at acceptance. The unit of the work ledger. */
  readonly id: string;
  readonly camera: string;
  /** Name that the camera gave it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Epoch ms. */
  readonly acceptedAt: number;
  readonly traceId: string;
  readonly kind: 'image' | 'video';
  /** Absolute path in the inbox. */
  readonly path: string;
}

/** An upload that is whole and not a duplicate. */
export interface ValidUpload extends Upload {
  readonly sha256: string;
  /** Epoch ms from the camera's COM segment; null when there is none. */
  readonly capturedAt: number | null;
  readonly sequence: number | null;
}

/** What work and viewers give to intake. A method that throws leaves the file in the inbox, to be tried again. */
export interface IntakeSink {
  /** Schedules detection; resolves once some tier of the fallback chain holds the job. Idempotent by upload id. */
  submit(upload: ValidUpload): Promise<void>;
  /** Commits the row that makes "duplicate" the upload's home. Idempotent. */
  recordDuplicate(upload: ValidUpload, originalId: string): Promise<void>;
  /** Writes a dead letter for an upload that never became work (time-out, corrupt, too large …). Idempotent by key. */
  deadLetter(letter: IntakeDeadLetter): Promise<void>;
  /** Notes on the dead letter of a partial upload that the camera sent it again and that it was accepted. Idempotent. */
  linkDeadLetter(key: string, uploadId: string): Promise<void>;
  /** Gives an accepted upload up, by name and with a reason: "dropped" becomes its home. Idempotent. */
  drop?(uploadId: string, reason: string): Promise<void>;
  /** Whether this upload was given up. @default none was */
  isDropped?(uploadId: string): boolean;
  /** Raises an alert fact, for example UPLOAD_TIMEOUTS, DISK_LOW, DISK_FULL. */
  alert(code: string, count: number, text: string): void;
  /** Claims a SHA-256 for an upload; gives the id of the upload that holds it (its own id: not a duplicate). */
  claimHash(sha256: string, uploadId: string): Promise<string>;
  /** Gives a claim back when queuing failed. */
  releaseHash(sha256: string, uploadId: string): Promise<void>;
}

export interface IntakeDeadLetter {
  /** Makes repeated writes of the same one harmless. */
  readonly key: string;
  readonly queue: 'upload';
  readonly code: string;
  readonly message: string;
  /** null when the upload was never accepted (a partial file). */
  readonly uploadId: string | null;
  readonly camera: string;
  readonly name: string;
  readonly traceId: string;
}

/** What intake gives to work. Id sets are read from disk truth each time: they are what the ledger compares. */
export interface Intake {
  start(): Promise<void>;
  close(): Promise<void>;
  /** Ids of every accepted upload on record, with the time of acceptance. */
  acceptedIds(): Promise<ReadonlyMap<string, number>>;
  /** Ids whose file lies in the inbox. */
  inboxIds(): Promise<ReadonlySet<string>>;
  /** Ids whose file lies in quarantine after acceptance. */
  quarantinedIds(): Promise<ReadonlySet<string>>;
  /** The accepted upload of this id, from its intake record; undefined when unknown. */
  find(id: string): Promise<Upload | undefined>;
  /** Moves an upload's file from the inbox to the media store, after its row has committed. Idempotent. */
  store(id: string): Promise<void>;
  /** Removes an upload's file from the inbox, after its duplicate row has committed. Idempotent. */
  discard(id: string): Promise<void>;
  /** Path of the stored file, wherever it lies now (media or inbox); undefined when it is gone. */
  locate(id: string): Promise<string | undefined>;
  /** Puts an inbox file through validation again (a re-driven dead letter, a ledger re-schedule). */
  resubmit(id: string): Promise<void>;
  metrics(): { uploadsPerSecond: number; sessions: number; freeRatio: number | null };
}

export interface Detection {
  class: string;
  /** 0–1. */
  confidence: number;
  /** Pixels. */
  bbox: { x: number; y: number; width: number; height: number };
}

export type RiskLevel = 'low' | 'medium' | 'high' | 'critical';
export type RiskSource = 'llm' | 'cache' | 'object_estimate' | 'default';

/** An event as it is stored, broadcast and served. `seq` is the database's and orders the events. */
export interface EventRecord {
  id: string;
  seq: number;
  camera: string;
  startedAt: number;
  endedAt: number;
  /** 0–100. */
  riskScore: number;
  riskLevel: RiskLevel;
  riskSource: RiskSource;
  summary: string;
  reasoning: string;
  /** Some of its detections are missing because the detector was down. */
  degraded: boolean;
  uploads: { id: string; detections: Detection[]; degraded: boolean; capturedAt: number | null }[];
  createdAt: number;
  updatedAt: number;
  traceId: string;
}

/** Fast, forgetful data: Redis first, in-process LRU while Redis is unreachable, skipped when it times out. */
export interface Cache {
  claimHash(sha256: string, uploadId: string): Promise<string>;
  releaseHash(sha256: string, uploadId: string): Promise<void>;
  /** This camera's last score by the LLM within 300 s. */
  lastScore(camera: string): Promise<number | undefined>;
  setLastScore(camera: string, score: number): Promise<void>;
}

/** Delivery to viewers. `publish` never throws: what cannot go through Redis goes directly. */
export interface Broadcaster {
  publish(event: EventRecord, change: 'created' | 'updated'): Promise<void>;
  /** Sends to this process's viewers on a channel, without Redis. */
  notify(channel: 'service_status' | 'alerts', message: Record<string, unknown>): void;
  /** `{type: 'timeout', service, retryAfterMs}` to the viewers. */
  timedOut(service: string, retryAfterMs: number): void;
}
