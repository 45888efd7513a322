import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { SERVICE_NAMES } from '#lib/chaos/faults/fault.ts';

/** Names and values as a process gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting that cannot be used. Entry files print the message as one line and exit with code 2. */
export class ConfigError extends Error {
  readonly code = 'INVALID_SETTING';
  readonly field: string;

  constructor(field: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.field = field;
  }
}

const port = (fallback: number) => z.coerce.number().int().min(1).max(65_535).default(fallback);
const url = (protocols: string[]) =>
  z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      message: `a URL starting with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    })
    .optional();

const settingsSchema = z.object({
  /** Address of the console and its API. Any but loopback needs BROWNOUT_TOKEN. */
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port(3000),
  BACKEND_PORT: port(8000),
  FTP_PORT: port(2121),
  YOLO26_PORT: port(8095),
  NEMOTRON_PORT: port(8091),
  DATA_DIR: z.string().min(1).default('.brownout'),
  PROFILE: z.enum(['game-day', 'production', 'test']).default('game-day'),
  DATABASE_URL: url(['postgres:', 'postgresql:']),
  REDIS_URL: url(['redis:']),
  YOLO26_URL: url(['http:']),
  NEMOTRON_URL: url(['http:']),
  CAMERA_FRAMES_DIR: z.string().min(1).optional(),
  CAMERA_COUNT: z.coerce.number().int().min(1).max(64).default(4),
  /** Frames a second, all cameras together; 0 uploads nothing. */
  CAMERA_RATE: z.coerce.number().min(0).max(200).default(2),
  /** Services that may be broken at once. */
  FAULT_SERVICES_MAX: z.coerce.number().int().min(1).max(SERVICE_NAMES.length).default(SERVICE_NAMES.length),
  /** Of the run: faults that are given no seed get theirs from it. Absent: drawn at each start. */
  FAULT_SEED: z.coerce.number().int().min(0).max(0xffff_ffff).optional(),
  MEDIA_MAX_GIB: z.coerce.number().min(0.01).max(10_000).default(2),
  BROWNOUT_TOKEN: z.string().min(16).optional(),
  /** "development" serves the console from its sources with hot reload (`npm run dev`). */
  NODE_ENV: z.string().default('production'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

type RawSettings = z.infer<typeof settingsSchema>;

/** What the environment and `.env` say, validated and completed. `DATA_DIR` is absolute. */
export type Settings = Readonly<RawSettings>;

const LOOPBACK = ['127.0.0.1', 'localhost', '::1'];

/** @throws {ConfigError} naming the setting, its value and what is allowed */
export function readSettings(env: Environment = process.env): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = String(issue?.path[0] ?? 'environment');
    throw new ConfigError(field, `${field}=${given[field] ?? ''} is not usable: expected ${allowed(issue)}`);
  }
  const settings = parsed.data;
  if (!LOOPBACK.includes(settings.HOST) && !settings.BROWNOUT_TOKEN) {
    throw new ConfigError(
      'BROWNOUT_TOKEN',
      `HOST=${settings.HOST} is reachable from other machines: set BROWNOUT_TOKEN (at least 16 characters)`,
    );
  }
  const frames = settings.CAMERA_FRAMES_DIR;
  if (frames && !(existsSync(frames) && readdirSync(frames).some((name) => /\.jpe?g$/i.test(name)))) {
    throw new ConfigError(
      'CAMERA_FRAMES_DIR',
      `CAMERA_FRAMES_DIR=${frames} is not usable: expected a directory with .jpg files`,
    );
  }
  const ports = ['PORT', 'BACKEND_PORT', 'FTP_PORT', 'YOLO26_PORT', 'NEMOTRON_PORT'] as const;
  for (const [index, name] of ports.entries()) {
    const twin = ports.slice(0, index).find((other) => settings[other] === settings[name]);
    if (twin)
      throw new ConfigError(
        name,
        `${name}=${settings[name]} is also the value of ${twin}: expected different ports`,
      );
  }
  return { ...settings, DATA_DIR: resolve(settings.DATA_DIR) };
}

function allowed(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'too_small':
      return `at least ${issue.minimum}${issue.origin === 'string' ? ' characters' : ''}`;
    case 'too_big':
      return `at most ${issue.maximum}`;
    case 'invalid_value':
      return `one of ${issue.values.join(', ')}`;
    case 'invalid_type':
      return `a ${issue.expected}`;
    default:
      return issue?.message ?? 'another value';
  }
}

/** Reads `.env` of the working directory; what the environment already holds wins. */
export function loadEnvFile(): void {
  if (existsSync('.env')) process.loadEnvFile('.env');
}

/** The environment of the children: ours, with the settings as they were understood. */
export function childEnvironment(settings: Settings, env: Environment = process.env): Record<string, string> {
  const inherited = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    ...Object.fromEntries(inherited),
    DATA_DIR: settings.DATA_DIR,
  };
}

const address = z.object({ host: z.string(), port: z.number().int() });

/**
 * Where everything is in this run. Made by the supervisor, passed as JSON in BROWNOUT_WIRING and kept in
 * `DATA_DIR/wiring.json` (mode 0600), so that each process can also be started alone.
 */
const wiringSchema = z.object({
  agentSecret: z.string().min(16),
  /** Base URL of the control process, on loopback. */
  controlUrl: z.string(),
  /** The services themselves. */
  direct: z.object({
    yolo26: z.string(),
    nemotron: z.string(),
    redis: address,
    database: address,
    ftp: address,
  }),
  /** Their fault proxies: what every client of the pipeline uses. */
  proxied: z.object({
    yolo26: address,
    nemotron: address,
    redis: address,
    pubsub: address,
    database: address,
    ftp: address,
  }),
  /** UDP, of the proxy process: answers the names under which those clients connect. Port 0: they connect by address. */
  nameServer: address.default({ host: '127.0.0.1', port: 0 }),
  databaseUser: z.string(),
  databasePassword: z.string(),
  databaseName: z.string(),
  redisPassword: z.string().nullable(),
});
export type Wiring = z.infer<typeof wiringSchema>;

export function wiringFile(dataDir: string): string {
  return join(dataDir, 'wiring.json');
}

/** @throws {ConfigError} when neither the environment nor DATA_DIR holds a usable wiring */
export function readWiring(settings: Settings, env: Environment = process.env): Wiring {
  const file = wiringFile(settings.DATA_DIR);
  try {
    return wiringSchema.parse(JSON.parse(env['BROWNOUT_WIRING'] ?? readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new ConfigError(
      'DATA_DIR',
      `No running system in DATA_DIR=${settings.DATA_DIR}: run npm start first`,
      { cause },
    );
  }
}
