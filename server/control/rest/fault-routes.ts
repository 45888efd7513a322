import { z } from 'zod';
import {
  changeFaultSchema,
  haltSchema,
  type Owner,
  resumeSchema,
  startFaultSchema,
  startPresetSchema,
} from '../../../lib/protocol/faults.ts';
import type { FaultDesk } from '../fault-desk.ts';
import { invalidInput } from '../problem.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { faultSchema, haltReceiptSchema, nothingSchema, receiptSchema } from './schemas.ts';

const restOwner = (name: string): Owner => ({ name, kind: 'rest' });

/** Start, change, end; halt and resume. */
export function addFaultRoutes(context: EndpointContext, desk: FaultDesk): void {
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/faults',
      summary: 'Active faults, oldest first',
      answer: z.object({ faults: z.array(faultSchema) }),
    },
    () => ({ faults: desk.faults() }),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/faults',
      summary: 'Starts a fault; answers once its injector has acknowledged it',
      body: startFaultSchema,
      status: 201,
      answer: faultSchema,
      refusals: [
        'HALTED',
        'FAULT_EXISTS',
        'TOO_MANY_SERVICES',
        'INJECTOR_UNAVAILABLE',
        'PROCESS_UNAVAILABLE',
      ],
    },
    async ({ body, operator, reply }) => {
      const fault = await desk.start(body, restOwner(operator));
      reply.header('Location', `/api/v1/faults/${fault.id}`);
      reply.header('ETag', `"${fault.version}"`);
      return fault;
    },
  );
  endpoint(
    context,
    {
      method: 'patch',
      path: '/api/v1/faults/{id}',
      summary:
        'Changes parameters, modifiers (null takes one away) or lease of a fault, all of it or nothing; If-Match takes its version',
      body: changeFaultSchema,
      answer: faultSchema,
      refusals: ['FAULT_NOT_FOUND', 'STALE_VERSION', 'INJECTOR_UNAVAILABLE'],
    },
    async ({ body, param, header, operator, reply }) => {
      const version = readVersion(header('if-match'));
      const fault = await desk.change(param('id'), body, version, restOwner(operator));
      reply.header('ETag', `"${fault.version}"`);
      return fault;
    },
  );
  endpoint(
    context,
    {
      method: 'delete',
      path: '/api/v1/faults/{id}',
      summary: 'Ends a fault',
      answer: receiptSchema,
      refusals: ['FAULT_NOT_FOUND'],
    },
    ({ param, operator }) => desk.stop(param('id'), operator),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/presets/{name}',
      summary: 'Starts all faults of a preset, or none',
      body: startPresetSchema.omit({ name: true }),
      status: 201,
      answer: z.object({ faults: z.array(faultSchema) }),
      refusals: [
        'HALTED',
        'FAULT_EXISTS',
        'TOO_MANY_SERVICES',
        'INJECTOR_UNAVAILABLE',
        'PROCESS_UNAVAILABLE',
      ],
    },
    async ({ body, param, operator }) => ({
      faults: await desk.startPreset({ ...body, name: param('name') }, restOwner(operator)),
    }),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/halt',
      summary: 'Ends everything at once; new faults are refused until resume',
      body: haltSchema,
      answer: haltReceiptSchema,
    },
    ({ body, operator }) => desk.halt(operator, body.reason ?? ''),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/resume',
      summary: 'Allows faults again after a halt',
      body: resumeSchema,
      answer: nothingSchema,
      refusals: ['NOT_HALTED'],
    },
    ({ body, operator }) => {
      desk.resume(operator, body.reason);
      return {};
    },
  );
}

/** `"3"`, `3` or `W/"3"`; `*` and nothing mean any version. */
function readVersion(header: string | undefined): number | undefined {
  if (header === undefined || header === '*') return undefined;
  const version = /^(?:W\/)?"?(\d{1,9})"?$/.exec(header)?.[1];
  if (version === undefined)
    throw invalidInput('If-Match', header, 'the version of the fault, for example "1"');
  return Number(version);
}
