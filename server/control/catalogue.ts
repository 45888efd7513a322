import { z } from 'zod';
import { FAULT_TYPES, faultTypesFor } from '../../lib/chaos/faults/catalogue.ts';
import { SERVICE_NAMES, type ServiceName } from '../../lib/chaos/faults/fault.ts';
import { matchKindsOf, modifiersOf } from '../../lib/chaos/faults/modifiers.ts';
import { PRESETS } from '../../lib/chaos/faults/presets.ts';
import { type Catalogue, TTL_DEFAULT_MS, TTL_MAX_MS, TTL_MIN_MS } from '../../lib/protocol/faults.ts';

const SERVICES: Record<ServiceName, { title: string; description: string }> = {
  yolo26: { title: 'YOLO26', description: 'Object detector' },
  nemotron: { title: 'Nemotron', description: 'Risk analysis by a language model' },
  redis: { title: 'Redis', description: 'Job queues and cache' },
  database: { title: 'PostgreSQL', description: 'Detections and events' },
  network: { title: 'Network', description: 'Between the pipeline and all it depends on' },
  ftp: { title: 'FTP', description: 'Uploads of the cameras' },
  gpu: { title: 'GPU', description: 'The device that both models share' },
  pubsub: { title: 'Pub/sub', description: 'Events on their way to the viewers' },
  pipeline: { title: 'Pipeline', description: 'The backend process' },
  inference: { title: 'Inference', description: 'The process of both models and the GPU' },
};

/** Everything that forms, validation and docs are made from. */
export function readCatalogue(): Catalogue {
  return {
    services: SERVICE_NAMES.map((name) => ({
      name,
      ...SERVICES[name],
      types: faultTypesFor(name).map((declared) => declared.type),
    })),
    types: FAULT_TYPES.map((declared) => ({
      type: declared.type,
      title: declared.title,
      description: declared.description,
      plane: declared.plane,
      services: [...declared.services],
      defaultRatio: declared.defaultRatio ?? 1,
      modifiers: Object.fromEntries(
        declared.services.map((service) => [
          service,
          { names: [...modifiersOf(declared, service)], match: [...matchKindsOf(declared, service)] },
        ]),
      ),
      params: z.toJSONSchema(declared.params, { io: 'input' }),
      promises: [...(declared.promises ?? [])],
    })),
    presets: PRESETS.map(({ name, title, description, faults }) => ({
      name,
      title,
      description,
      faults: faults.map((fault) => ({ ...fault })),
    })),
    ttl: { minMs: TTL_MIN_MS, defaultMs: TTL_DEFAULT_MS, maxMs: TTL_MAX_MS },
  };
}
