import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { FAULT_TYPES } from '../../../lib/chaos/faults/catalogue.ts';
import { SERVICE_NAMES } from '../../../lib/chaos/faults/fault.ts';

type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;
type Schema = NonNullable<NonNullable<OpenApiDocument['components']>['schemas']>[string];

/**
 * Completes the document with what the catalogue says: which services and types exist, and for each type the services
 * it fits and the schema of its parameters, as `components.schemas['params.<type>']`.
 */
export function addFaultTypeSchemas(document: OpenApiDocument): OpenApiDocument {
  const body = document.paths?.['/api/v1/faults']?.post?.requestBody;
  const content = body && 'content' in body ? body.content['application/json'] : undefined;
  if (!content?.schema) throw new TypeError('POST /api/v1/faults has no JSON body to complete');
  const schemas = FAULT_TYPES.map(({ type, title, description, params }): [string, Schema] => {
    const { $schema: _, ...schema } = z.toJSONSchema(params, { io: 'input' });
    return [`params.${type}`, { title, description, ...schema } as Schema];
  });
  const choices: Schema = {
    properties: {
      service: { enum: [...SERVICE_NAMES] },
      type: { enum: FAULT_TYPES.map(({ type }) => type) },
    },
  };
  const byType = FAULT_TYPES.map(
    // OpenAPI 3.1 takes all of JSON Schema; the type of its document does not know "if".
    ({ type, services }) => ({
      if: { properties: { type: { const: type } } },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
      then: {
        properties: {
          service: { enum: [...services] },
          params: { $ref: `#/components/schemas/params.${type}` },
        },
      },
    }),
  );
  content.schema = { ...content.schema, allOf: [choices, ...(byType as Schema[])] };
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...Object.fromEntries(schemas) },
  };
  return document;
}
