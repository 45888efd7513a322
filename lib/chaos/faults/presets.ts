import type { FaultParams, ServiceName } from './fault.ts';

export interface PresetFault {
  readonly service: ServiceName;
  readonly type: string;
  readonly params?: FaultParams;
  readonly ratio?: number;
}

/** One switch of the fault desk. A compound preset arms all of its faults or none. */
export interface Preset {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly faults: readonly PresetFault[];
}

/** The fixtures of the seed document, by its names. */
export const PRESETS: readonly Preset[] = [
  {
    name: 'yolo26_timeout',
    title: 'Timeout',
    description: 'YOLO26 hangs, then times out',
    faults: [{ service: 'yolo26', type: 'timeout' }],
  },
  {
    name: 'yolo26_connection_error',
    title: 'Connection refused',
    description: 'YOLO26 is unreachable',
    faults: [{ service: 'yolo26', type: 'connection_error' }],
  },
  {
    name: 'yolo26_server_error',
    title: 'Server error 500',
    description: 'YOLO26 answers HTTP 500',
    faults: [{ service: 'yolo26', type: 'server_error', params: { status: 500 } }],
  },
  {
    name: 'yolo26_intermittent',
    title: '50 % fail',
    description: 'Half of the YOLO26 calls fail',
    faults: [{ service: 'yolo26', type: 'intermittent', ratio: 0.5 }],
  },
  {
    name: 'nemotron_timeout',
    title: 'Timeout',
    description: 'LLM inference times out',
    faults: [{ service: 'nemotron', type: 'timeout' }],
  },
  {
    name: 'nemotron_unavailable',
    title: 'Unavailable',
    description: 'The LLM service is unreachable',
    faults: [{ service: 'nemotron', type: 'unavailable' }],
  },
  {
    name: 'nemotron_malformed_response',
    title: 'Malformed response',
    description: 'The LLM answers invalid JSON',
    faults: [{ service: 'nemotron', type: 'malformed_response' }],
  },
  {
    name: 'redis_unavailable',
    title: 'Connection refused',
    description: 'Redis refuses connections',
    faults: [{ service: 'redis', type: 'connection_error' }],
  },
  {
    name: 'redis_timeout',
    title: 'Timeout',
    description: 'Redis operations time out',
    faults: [{ service: 'redis', type: 'timeout' }],
  },
  {
    name: 'redis_intermittent',
    title: '30 % fail',
    description: '30 % of the Redis operations fail',
    faults: [{ service: 'redis', type: 'intermittent', ratio: 0.3 }],
  },
  {
    name: 'database_unavailable',
    title: 'Connection refused',
    description: 'PostgreSQL refuses connections',
    faults: [{ service: 'database', type: 'connection_error' }],
  },
  {
    name: 'database_slow',
    title: '2 s slower',
    description: '2 s of latency on each query',
    faults: [{ service: 'database', type: 'latency', params: { latencyMs: 2000 } }],
  },
  {
    name: 'database_intermittent',
    title: '20 % fail',
    description: '20 % of the queries fail',
    faults: [{ service: 'database', type: 'intermittent', ratio: 0.2 }],
  },
  {
    name: 'high_latency',
    title: '500 ms latency',
    description: '500 ms added to every call of every service',
    faults: [{ service: 'network', type: 'latency', params: { latencyMs: 500 } }],
  },
  {
    name: 'packet_loss',
    title: '10 % packet loss',
    description: '10 % of the requests lose their connection',
    faults: [{ service: 'network', type: 'packet_loss', ratio: 0.1 }],
  },
  {
    name: 'all_ai_services_down',
    title: 'All AI services down',
    description: 'YOLO26 and Nemotron unavailable',
    faults: [
      { service: 'yolo26', type: 'unavailable' },
      { service: 'nemotron', type: 'unavailable' },
    ],
  },
  {
    name: 'cache_and_ai_down',
    title: 'Cache and AI down',
    description: 'Redis and YOLO26 unavailable',
    faults: [
      { service: 'redis', type: 'unavailable' },
      { service: 'yolo26', type: 'unavailable' },
    ],
  },
];
