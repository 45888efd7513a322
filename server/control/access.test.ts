import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { eventOf, refusalOf, TestControl } from './control.fixture.ts';

let system: TestControl;
afterEach(() => system.close());

const EVIL = 'http://evil.example';
const TOKEN = 'a-token-of-enough-length';

/** `fetch` does not let us forge a Host. */
function statusWithHost(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(system.control.url);
    const sent = request({ host: hostname, port, path: '/api/v1/state', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.once('error', reject);
    sent.end();
  });
}

describe('access from other web pages', () => {
  it('refuses a change by fetch or form from another origin', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    const fault = { service: 'redis', type: 'timeout' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const refused = [
      await system.call('POST', '/api/v1/faults', fault, { origin: EVIL }),
      await system.call('POST', '/api/v1/faults', fault, { origin: 'null' }),
      await system.call('POST', '/api/v1/faults', fault, { 'sec-fetch-site': 'cross-site' }),
      await system.call('POST', '/api/v1/halt', undefined, { origin: EVIL }),
      await system.call('DELETE', '/api/v1/faults/x', undefined, { origin: EVIL }),
      await system.call('OPTIONS', '/api/v1/faults', undefined, { origin: EVIL }),
      await system.call('POST', '/halt', 'reason=x', { ...form, origin: EVIL }),
    ];
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN_ORIGIN' } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
    const asText = await system.call('POST', '/api/v1/faults', fault, { 'content-type': 'text/plain' });
    expect(asText).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    const asForm = await system.call('POST', '/api/v1/faults', 'service=redis&type=timeout', form);
    expect(asForm).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    expect(injector.all()).toEqual([]);
    expect(system.control.state().halted).toBeNull();
    const own = await system.call('POST', '/api/v1/faults', fault, { origin: system.control.url });
    expect(own.status).toBe(201);
  });

  it('refuses sockets from another origin, on every namespace', async () => {
    system = await TestControl.start();
    for (const namespace of ['/console', '/live', '/agent']) {
      const socket = system.socket(namespace, {
        auth: { name: 'Eve', tabId: 'x' },
        extraHeaders: { origin: EVIL },
      });
      await eventOf(socket, 'connect_error');
      expect(socket.connected).toBe(false);
    }
    const own = system.socket('/live', { extraHeaders: { origin: system.control.url } });
    await eventOf(own, 'connect');
  });

  it('refuses a Host that is not ours', async () => {
    system = await TestControl.start();
    const { port } = system.control;
    expect(await statusWithHost(`evil.example:${port}`)).toBe(403);
    expect(await statusWithHost(`127.0.0.1:${port + 1}`)).toBe(403);
    expect(await statusWithHost(`127.0.0.1.evil.example:${port}`)).toBe(403);
    expect(await statusWithHost(`localhost:${port}`)).toBe(200);
    expect(await statusWithHost(`[::1]:${port}`)).toBe(200);
  });

  it('admits only agents that know the secret', async () => {
    system = await TestControl.start();
    const auth = { secret: 'guessed-secret-of-the-tests', name: 'proxy', pid: 1, instanceId: 'i' };
    await eventOf(system.socket('/agent', { auth }), 'connect_error');
    expect(system.control.state().agents.some((agent) => agent.connected)).toBe(false);
  });
});

describe('access with BROWNOUT_TOKEN', () => {
  const settings = {
    HOST: '127.0.0.1',
    PORT: 0,
    BACKEND_PORT: 8000,
    DATA_DIR: '',
    BROWNOUT_TOKEN: TOKEN,
    FAULT_SERVICES_MAX: 10,
    FAULT_SEED: undefined,
  };

  it('wants the token as bearer or cookie, but lets loopback halt without', async () => {
    system = await TestControl.start({ settings });
    const without = await system.call('GET', '/api/v1/state');
    expect(without).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
    expect((await system.call('GET', '/metrics')).status).toBe(401);
    const bearer = { authorization: `Bearer ${TOKEN}` };
    expect((await system.call('GET', '/api/v1/state', undefined, bearer)).status).toBe(200);
    expect((await system.call('GET', '/api/v1/state', undefined, { authorization: 'Bearer x' })).status).toBe(
      401,
    );
    const page = await system.call('GET', '/');
    expect([page.status, page.headers.get('location')]).toEqual([303, '/login']);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await system.call('POST', '/login', 'token=wrong', form)).status).toBe(401);
    const login = await system.call('POST', '/login', `token=${TOKEN}`, form);
    const cookie = login.headers.get('set-cookie') ?? '';
    expect(cookie).toContain('HttpOnly; SameSite=Strict');
    const [pair = ''] = cookie.split(';');
    expect((await system.call('GET', '/api/v1/state', undefined, { cookie: pair })).status).toBe(200);
    expect((await system.call('POST', '/halt', 'reason=x', form)).status).toBe(200);
    expect(system.control.state().halted).not.toBeNull();

    const auth = { name: 'Ana', tabId: 'x' };
    const refusal = await refusalOf(system.socket('/console', { auth }));
    expect(refusal).toMatchObject({ code: 'UNAUTHORIZED' });
    await eventOf(system.socket('/console', { auth, extraHeaders: { cookie: pair } }), 'connect');
  });
});
