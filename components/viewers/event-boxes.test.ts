import { describe, expect, it } from 'vitest';
import { loadBoxes, readBoxes } from './event-boxes.ts';

const bbox = { x: 1, y: 2, width: 3, height: 4 };
const event = {
  uploads: [
    { id: 'a', detections: [] },
    { id: 'b', detections: [{ class: 'person', bbox }] },
  ],
};

describe('readBoxes', () => {
  it('takes the boxes of the upload in the path, from a bare or a wrapped event', () => {
    const expected = [{ class: 'person', ...bbox }];
    expect(readBoxes(event, '/api/media/b')).toEqual(expected);
    expect(readBoxes({ event }, '/api/media/b')).toEqual(expected);
    expect(readBoxes(event, '/api/media/a')).toEqual([]);
    expect(readBoxes({}, '/api/media/a')).toEqual([]);
  });
});

describe('loadBoxes', () => {
  it('gives no boxes while the backend is down', async () => {
    expect(await loadBoxes('http://127.0.0.1:1', 'e2', '/api/media/b')).toEqual([]);
  });
});
