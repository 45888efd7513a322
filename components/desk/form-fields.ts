/** A control of the fault form, made from one property of a type's JSON Schema. */
export type FormField = {
  name: string;
  title: string;
  description: string;
  /** Services that look at it. @default all */
  onlyFor?: string[] | undefined;
} & (
  | { kind: 'number'; unit: string; min: number; max: number; step: number; default: number }
  | { kind: 'choice'; options: string[]; default: string }
  | { kind: 'switch'; default: boolean }
  | { kind: 'text'; pattern: string | undefined; maxLength: number | undefined; default: string }
  | { kind: 'many'; options: string[]; default: string[] }
);

type Schema = Record<string, unknown>;

/**
 * Reads the properties of a JSON Schema (2020-12) object. A property of a shape that no control fits is left out:
 * its default holds then.
 */
export function formFields(schema: Schema): FormField[] {
  const properties = record(schema['properties']);
  if (!properties) return [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const property = record(value);
    const field = property && formField(name, property);
    return field ? [field] : [];
  });
}

function formField(name: string, property: Schema): FormField | undefined {
  const base = {
    name,
    title: text(property['title']) ?? name,
    description: text(property['description']) ?? '',
    onlyFor: strings(property['onlyFor']),
  };
  const fallback = property['default'];
  const choices = strings(property['enum']);
  if (choices)
    return { ...base, kind: 'choice', options: choices, default: text(fallback) ?? choices[0] ?? '' };
  switch (property['type']) {
    case 'integer':
    case 'number': {
      const min = number(property['minimum']) ?? 0;
      const max = number(property['maximum']) ?? Math.max(100, min);
      const whole = property['type'] === 'integer';
      return {
        ...base,
        kind: 'number',
        unit: text(property['unit']) ?? '',
        min,
        max,
        step: whole ? 1 : max - min <= 2 ? 0.05 : 0.5,
        default: number(fallback) ?? min,
      };
    }
    case 'string':
      return {
        ...base,
        kind: 'text',
        pattern: text(property['pattern']),
        maxLength: number(property['maxLength']),
        default: text(fallback) ?? '',
      };
    case 'boolean':
      return { ...base, kind: 'switch', default: fallback === true };
    case 'array': {
      const options = strings(record(property['items'])?.['enum']);
      return options && { ...base, kind: 'many', options, default: strings(fallback) ?? [] };
    }
    default:
      return undefined;
  }
}

/** What the form starts with. */
export function initialValues(fields: readonly FormField[]): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, field.default]));
}

/** Only what differs from the defaults; an empty list means "all" and is not sent. */
export function changedValues(
  fields: readonly FormField[],
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (field.kind === 'many') {
      const chosen = Array.isArray(value) ? value : [];
      if (chosen.length > 0 && JSON.stringify(chosen) !== JSON.stringify(field.default)) {
        changed[field.name] = chosen;
      }
    } else if (value !== undefined && value !== field.default) changed[field.name] = value;
  }
  return changed;
}

function record(value: unknown): Schema | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : undefined;
}
function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
}
