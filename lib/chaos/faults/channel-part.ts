import { z } from 'zod';

/** The `channel` parameter that pub/sub faults share. */
export const channelPart = z
  .string()
  .max(200)
  .default('')
  .meta({ title: 'Channel', description: 'Part of a channel name; empty means every channel' });
