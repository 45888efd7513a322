import { expect, it } from 'vitest';
import { causeText } from './cause-text.ts';

it('names the service, once', () => {
  expect(causeText({ service: 'yolo26', text: 'GET /health answered 503' })).toBe(
    'yolo26: GET /health answered 503',
  );
  expect(causeText({ service: 'nemotron', text: 'Check of nemotron took too long' })).toBe(
    'Check of nemotron took too long',
  );
  expect(causeText({ service: 'redis', text: '' })).toBe('redis');
});

it('says in plain words that a name gave no address', () => {
  const text = 'getaddrinfo EAI_AGAIN health.ftp.brownout.internal';
  expect(causeText({ service: 'ftp', text })).toBe('ftp: its name is not resolved (EAI_AGAIN)');
});

it('says in plain words what the Redis client says in its own', () => {
  const text = "Stream isn't writeable and enableOfflineQueue options is false";
  expect(causeText({ service: 'redis', text })).toBe('redis: no connection');
});
