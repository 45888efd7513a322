import { z } from 'zod';

/** A number of a query, which comes as text. Blank text is no number; by itself the conversion would read it as 0. */
export function queryNumber(range: z.ZodNumber) {
  return z.preprocess((text) => {
    if (typeof text !== 'string') return text;
    return text.trim() === '' ? Number.NaN : Number(text);
  }, range);
}

/** The same for a whole number. */
export function queryInteger(min: number, max = Number.MAX_SAFE_INTEGER) {
  return queryNumber(z.number().int().min(min).max(max));
}
