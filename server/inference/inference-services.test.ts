import { afterEach, describe, expect, it, vi } from 'vitest';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import {
  arm,
  complete,
  detect,
  detectBatch,
  endAll,
  expectHealthy,
  expectRefused,
  frame,
  health,
  start,
  startFast,
} from './inference-fixture.ts';
import { inferenceMetrics } from './inference-metrics.ts';

afterEach(endAll);

describe('YOLO26', () => {
  it('detects the walkers after five frames of warming up, in the time that the card takes', async () => {
    const fixture = await start();
    for (let number = 14; number < 19; number++) {
      expect(await (await detect(fixture, number)).json()).toMatchObject({ warming_up: true });
    }
    const startedAt = performance.now();
    const response = await detect(fixture, 20);
    expect(performance.now() - startedAt).toBeGreaterThan(39);
    expect(response.status).toBe(200);
    expect(response.headers.get(FAULT_HEADER)).toBeNull();
    const answer = (await response.json()) as { detections: { class: string }[]; warming_up?: boolean };
    expect(answer).toMatchObject({
      inference_time_ms: 40,
      image_width: 640,
      image_height: 480,
      device: 'cuda',
    });
    expect(answer.warming_up).toBeUndefined();
    expect(answer.detections.filter((each) => each.class === 'person').length).toBeGreaterThanOrEqual(5);
  });

  it('answers a batch item by item: 200 when all went well, 207 when not', async () => {
    const fixture = await start();
    const frames = await Promise.all([14, 15, 16].map(frame));
    const good = await detectBatch(fixture, frames);
    expect(good.status).toBe(200);
    expect(((await good.json()) as { results: unknown[] }).results).toHaveLength(3);
    const mixed = await detectBatch(fixture, [...frames, new Blob(['junk'])]);
    expect(mixed.status).toBe(207);
    const { results } = (await mixed.json()) as { results: Record<string, unknown>[] };
    expect(results.map((item) => item['error'] ?? 'ok')).toEqual([
      'ok',
      'ok',
      'ok',
      { code: 'UNDECODABLE_IMAGE', message: expect.any(String) },
    ]);
    expect(results[3]).toMatchObject({ status: 400 });
  });

  it('refuses bad input by name', async () => {
    const fixture = await start();
    const send = async (body: FormData | string, path = '/detect') => {
      const response = await fetch(`${fixture.yolo26}${path}`, { method: 'POST', body });
      return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
    };
    const form = (entries: Record<string, string | Blob>) => {
      const data = new FormData();
      for (const [name, value] of Object.entries(entries)) data.append(name, value);
      return data;
    };
    const image = await frame(14);
    expect(await send('plain text')).toEqual([400, 'INVALID_INPUT']);
    expect(await send(form({ camera_id: 'x' }))).toEqual([400, 'INVALID_INPUT']);
    expect(await send(form({ file: new Blob(['junk']) }))).toEqual([400, 'UNDECODABLE_IMAGE']);
    expect(await send(form({ file: image, captured_at: 'noon' }))).toEqual([400, 'INVALID_INPUT']);
    expect(await send(form({ file: new Blob([Buffer.alloc(2 ** 20 + 1)]) }))).toEqual([
      413,
      'BODY_TOO_LARGE',
    ]);
    expect(await send(form({ file: image }), '/health')).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(await send(form({ file: image }), '/nothing')).toEqual([404, 'NOT_FOUND']);
    const many = await detectBatch(
      fixture,
      Array.from({ length: 11 }, () => image),
    );
    expect(many.status).toBe(413);
    expect((await detect(fixture)).status).toBe(200);
  });
});

describe('Nemotron', () => {
  it('answers with a risk, in 150 ms and 10 ms a token', async () => {
    const fixture = await start();
    const startedAt = performance.now();
    const response = await complete(fixture);
    const tookMs = performance.now() - startedAt;
    const answer = (await response.json()) as { content: string; tokens_predicted: number };
    expect(response.status).toBe(200);
    expect(answer.content).toMatch(/"risk_score":\d+,"risk_level":"(low|medium|high|critical)"/);
    expect(tookMs).toBeGreaterThan(150 + 10 * answer.tokens_predicted);
  });

  it('holds memory for the tokens in flight and gives it back', async () => {
    const fixture = await start();
    const memory = () => fixture.services.host.device.memory.freeBytes / 2 ** 20;
    const before = memory();
    const call = complete(fixture, { prompt: 'Objects: 2 × person', max_tokens: 4000 });
    await vi.waitFor(() => expect(memory()).toBeLessThanOrEqual(before - 440), {
      timeout: 5000,
      interval: 10,
    });
    await (await call).text();
    await vi.waitFor(() => expect(memory()).toBe(before), { timeout: 10_000 }); // given back by the trim
  });

  it('refuses bad input by name', async () => {
    const fixture = await start();
    for (const body of [
      {},
      { prompt: '' },
      { prompt: 'x', max_tokens: 0 },
      { prompt: 'x', stop: 3 },
      { prompt: 'x', temperature: 9 },
    ]) {
      const response = await complete(fixture, body);
      expect(response.status, JSON.stringify(body)).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'INVALID_INPUT' } });
    }
    const large = await complete(fixture, { prompt: 'x'.repeat(2 ** 21) });
    expect(large.status).toBe(413);
  });
});

describe('faults on single calls', () => {
  it('timeout hangs the card for everybody and lets go at once when it ends', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'timeout', { delayMs: 600_000 });
    const held = detect(fixture);
    await vi.waitFor(async () => expect((await health(fixture.yolo26)).status).toBe(503), { timeout: 5000 });
    const waiting = complete(fixture);
    await fixture.services.injector.end(id, 'stopped');
    await expectRefused(await held, 'CUDA_ERROR', id);
    await waiting;
    expect((await detect(fixture)).status).toBe(200);
    await expectHealthy(fixture.yolo26);
  });
});

describe('callers that give up', () => {
  it('leave the line: no kernel is run for them and their slot and memory are free again', async () => {
    const fixture = await startFast();
    const { host, injector, rates } = fixture.services;
    const freeBytes = host.device.memory.freeBytes;
    const id = await arm(fixture, 'timeout', { delayMs: 600_000 }, 1);
    const gone = new AbortController();
    const hung = detect(fixture);
    await vi.waitFor(() => expect(host.device.kernelAgeMs).toBeGreaterThan(0), { timeout: 5000 });
    const form = new FormData();
    form.append('file', await frame(14), 'frame.jpg');
    const abandoned = fetch(`${fixture.yolo26}/detect`, { method: 'POST', body: form, signal: gone.signal });
    const texts = Array.from({ length: 6 }, () =>
      fetch(`${fixture.nemotron}/completion`, {
        method: 'POST',
        body: JSON.stringify({ prompt: 'x' }),
        signal: gone.signal,
      }),
    );
    const refused = Promise.all([abandoned, ...texts].map((call) => expect(call).rejects.toThrow('gone')));
    gone.abort(new Error('gone'));
    await refused;
    await injector.end(id, 'stopped');
    await hung;
    expect((await complete(fixture)).status).toBe(200);
    expect((await detect(fixture)).status).toBe(200);
    expect(rates.nemotron.perSecond).toBeLessThan(2);
    host.emptyCaches();
    expect(host.device.memory.freeBytes).toBe(freeBytes);
  });
});

describe('unavailable: Xid 79', () => {
  it('refuses everything until the services restart by themselves within 5 s of its end', async () => {
    const fixture = await startFast();
    for (let number = 14; number < 20; number++) await detect(fixture, number);
    const id = await arm(fixture, 'unavailable');
    await expectRefused(await detect(fixture), 'GPU_LOST', id);
    await expectRefused(await complete(fixture), 'GPU_LOST', id);
    expect(await health(fixture.nemotron)).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', gpu: { available: false, xids: [{ code: 79 }] } },
    });
    let endedAt = 0;
    await fixture.still(async () => {
      await fixture.services.injector.end(id, 'stopped');
      endedAt = fixture.clock.monotonicMs();
      await expectRefused(await detect(fixture), 'GPU_LOST', id); // latched: an after-effect, still marked
    });
    await vi.waitFor(() => expect(fixture.effects.at(-1)?.over).toBe(true), { timeout: 10_000, interval: 1 });
    expect(fixture.clock.monotonicMs() - endedAt).toBeLessThan(5000);
    await expectHealthy(fixture.yolo26);
    expect(await (await detect(fixture, 21)).json()).toMatchObject({ warming_up: true }); // it has forgotten
    expect((await health(fixture.yolo26)).body).toMatchObject({ restarts: 1, gpu: { restarts: 2 } });
    expect(fixture.effects.map(({ faultId, over }) => ({ faultId, over }))).toEqual([
      { faultId: id, over: false },
      { faultId: id, over: true },
    ]);
  });
});

describe('restarts', () => {
  it('are counted and come with back-off, the longest still within 5 s', async () => {
    const fixture = await startFast();
    const tookMs: number[] = [];
    for (let round = 0; round < 4; round++) {
      const id = await arm(fixture, 'unavailable');
      await fixture.services.injector.end(id, 'stopped');
      const endedAt = fixture.clock.monotonicMs();
      await vi.waitFor(() => expect(fixture.effects).toHaveLength(2 * (round + 1)), {
        timeout: 5000,
        interval: 1,
      });
      tookMs.push(fixture.clock.monotonicMs() - endedAt);
    }
    for (const [round, expected] of [1500, 2500, 3500, 3500].entries()) {
      expect(tookMs[round]).toBeGreaterThanOrEqual(expected);
      expect(tookMs[round]).toBeLessThan(expected + 1000);
    }
    expect(fixture.services.host.runtimes.nemotron.restarts).toBe(4);
  });

  it('wait for another fault that holds the card', async () => {
    const fixture = await startFast();
    const { injector } = fixture.services;
    await arm(fixture, 'unavailable');
    await arm(fixture, 'connection_error');
    await injector.end('f-connection_error', 'stopped');
    expect((await detect(fixture)).status).toBe(503); // the card is found, and off the bus
    await injector.end('f-unavailable', 'stopped');
    await expectHealthy(fixture.yolo26);
  });
});

describe('vram_exhaustion', () => {
  it('neighbour: the batch is halved, the answer says so, and the size grows again after the end', async () => {
    const fixture = await startFast();
    const { host } = fixture.services;
    const id = await arm(fixture, 'vram_exhaustion', { rateMibPerSecond: 50_000, targetFreeMib: 256 });
    await vi.waitFor(() => expect(host.status().memory.freeMib).toBe(256), { timeout: 5000 });
    expect((await health(fixture.yolo26)).body).toMatchObject({ status: 'degraded', batch_size: 1 });
    const eight = await Promise.all([14, 15, 16, 17, 18, 19, 20, 21].map(frame));
    const refused = await detectBatch(fixture, eight);
    expect(refused.status).toBe(503);
    const body = (await refused.clone().json()) as { max_batch_size: number; error: { message: string } };
    await expectRefused(refused, 'OUT_OF_MEMORY', id);
    expect(body.error.message).toMatch(/^CUDA out of memory\. Tried to allocate/);
    expect(body.max_batch_size).toBeLessThan(8);
    // Two images: memory holds one at a time, so the halves pass.
    const halved = await detectBatch(fixture, eight.slice(0, 2));
    expect(halved.status).toBe(200);
    expect(halved.headers.get(FAULT_HEADER)).toBe(id);
    expect(host.outOfMemoryCount).toBeGreaterThan(3);
    await fixture.services.injector.end(id, 'stopped');
    const { current } = host.batchLimit;
    for (let call = 0; call < 19; call++) await detect(fixture);
    expect(host.batchLimit.current).toBe(current); // the batch that ran out of memory was no good one
    await detect(fixture);
    expect((await health(fixture.yolo26)).body).toMatchObject({ batch_size: 2 * current });
  });

  it('runs a batch in halves when only that fits, and keeps the smaller size', async () => {
    const fixture = await startFast();
    const { host } = fixture.services;
    const id = await arm(fixture, 'vram_exhaustion', { rateMibPerSecond: 50_000, targetFreeMib: 800 });
    await vi.waitFor(() => expect(host.status().memory.freeMib).toBe(800), { timeout: 5000 });
    const eight = await detectBatch(fixture, await Promise.all([14, 15, 16, 17, 18, 19, 20, 21].map(frame)));
    expect(eight.status).toBe(200);
    expect(eight.headers.get(FAULT_HEADER)).toBe(id);
    const body = (await eight.json()) as { results: unknown[]; max_batch_size?: number };
    expect(body.results).toHaveLength(8);
    expect(body.max_batch_size, 'so many would rather be sent at once').toBe(4);
    expect(host.batchLimit.current).toBe(4);
    expect(host.outOfMemoryCount).toBe(2); // before and after the caches were emptied
  });

  it('leak: stays after its end until YOLO26 restarts by itself', async () => {
    const fixture = await startFast();
    const { host, injector } = fixture.services;
    const id = await arm(fixture, 'vram_exhaustion', {
      mode: 'leak',
      rateMibPerSecond: 50_000,
      targetFreeMib: 0,
    });
    await vi.waitFor(() => expect(host.status().memory.freeMib).toBeLessThan(4), { timeout: 5000 });
    await expectRefused(await detect(fixture), 'OUT_OF_MEMORY', id);
    await injector.end(id, 'stopped');
    await vi.waitFor(() => expect(fixture.effects.at(-1)).toMatchObject({ faultId: id, over: true }), {
      timeout: 5000,
    });
    expect((await detect(fixture)).status).toBe(200);
    expect(host.status().memory.freeMib).toBeGreaterThan(4000);
    expect(host.runtimes.nemotron.restarts).toBe(0);
  });

  it('takes a change of strength, and none when only the lease changes', async () => {
    const fixture = await startFast();
    const { injector, host } = fixture.services;
    await arm(fixture, 'vram_exhaustion', { rateMibPerSecond: 50_000, targetFreeMib: 1000 });
    const free = () => host.status().memory.freeMib;
    await vi.waitFor(() => expect(free()).toBe(1000), { timeout: 5000 });
    const [spec] = injector.all();
    if (!spec) throw new Error('not armed');
    await injector.change({ ...spec, version: 2, ttlMs: 60_000 });
    expect(host.device.memory.freeBytes).toBe(1000 * 2 ** 20);
    await injector.change({ ...spec, version: 3, params: { ...spec.params, targetFreeMib: 2000 } });
    await vi.waitFor(() => expect(free()).toBe(2000), { timeout: 5000 });
  });

  it('spike: gone with the fault', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'vram_exhaustion', { mode: 'spike', targetFreeMib: 100 });
    await expectRefused(await detect(fixture), 'OUT_OF_MEMORY', id);
    await fixture.services.injector.end(id, 'stopped');
    expect((await detect(fixture)).status).toBe(200);
  });
});

describe('thermal_throttle', () => {
  it('slows down, pauses at 90 °C with Retry-After, and resumes slower at 1170 MHz (k = 4)', async () => {
    const fixture = await startFast();
    const { device } = fixture.services.host;
    const id = await arm(fixture, 'thermal_throttle');
    const armedAt = fixture.clock.monotonicMs();
    await vi.waitFor(() => expect(device.softwareThermal).toBe(true), { timeout: 5000, interval: 2 });
    expect(fixture.clock.monotonicMs() - armedAt).toBeLessThan(10_000);
    await fixture.still(async () => {
      const paused = await detect(fixture);
      expect(paused.status).toBe(503);
      expect(paused.headers.get('retry-after')).toBe('5');
      await expectRefused(paused, 'THERMAL_PAUSE', id);
      expect((await health(fixture.yolo26)).body).toMatchObject({ status: 'unhealthy', paused: true });
    });
    await vi.waitFor(
      () => {
        expect(device.softwareThermal).toBe(false);
        expect(device.status().smClockMhz).toBe(1170);
      },
      { timeout: 10_000, interval: 5 },
    );
    const hits = () => fixture.services.injector.activity()[0]?.hits ?? 0;
    const hitsBefore = hits();
    const slow = (await (await detect(fixture)).json()) as { inference_time_ms: number };
    expect(slow.inference_time_ms).toBeGreaterThan(50);
    expect(hits(), 'a call that was slowed').toBeGreaterThan(hitsBefore);
    expect((await health(fixture.yolo26)).body).toMatchObject({ status: 'degraded' });
    await fixture.services.injector.end(id, 'stopped');
    await expectHealthy(fixture.yolo26);
  });

  it('takes a change of strength at once', async () => {
    const fixture = await startFast();
    const { injector, host } = fixture.services;
    const id = await arm(fixture, 'thermal_throttle', { sinkFactor: 1, tenantUtil: 0 });
    const [spec] = injector.all();
    if (!spec) throw new Error('not armed');
    const coolC = host.device.temperatureC;
    const params = { ...spec.params, sinkFactor: 12, tenantUtil: 1 };
    await injector.change({ ...spec, version: 2, params });
    await vi.waitFor(() => expect(host.device.temperatureC).toBeGreaterThan(coolC + 20), { timeout: 5000 });
    await injector.end(id, 'stopped');
    await vi.waitFor(() => expect(host.device.temperatureC).toBeLessThan(coolC + 5), { timeout: 5000 });
  });

  it('tells what remains when it ends hot, and that it is over', async () => {
    const fixture = await startFast();
    const { device } = fixture.services.host;
    const id = await arm(fixture, 'thermal_throttle', { sinkFactor: 8 });
    await vi.waitFor(() => expect(device.softwareThermal).toBe(true), { timeout: 5000, interval: 2 });
    await fixture.services.injector.end(id, 'stopped');
    await vi.waitFor(() => expect(fixture.effects.map(({ over }) => over)).toEqual([false, true]), {
      timeout: 5000,
    });
    expect((await detect(fixture)).status).toBe(200);
  });

  it('without governor shuts the card down; the services restart after the fault', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'thermal_throttle', { governor: false });
    await vi.waitFor(() => expect(fixture.services.host.device.available).toBe(false), { timeout: 5000 });
    await expectRefused(await detect(fixture), 'GPU_LOST', id);
    await fixture.services.injector.end(id, 'stopped');
    await vi.waitFor(async () => expect((await detect(fixture)).status).toBe(200), { timeout: 5000 });
  });
});

describe('what the card tells of itself', () => {
  it('names its limits, what one image needs, and how long heat held the clock down', async () => {
    const fixture = await startFast();
    const { host } = fixture.services;
    expect(host.status()).toMatchObject({
      limits: { targetC: 84, softwareC: 90, hardwareC: 95, shutdownC: 98, powerW: 230 },
      imageMib: 180,
      clockEvents: { windowMs: 300_000, throttledMs: 0 },
    });
    await arm(fixture, 'thermal_throttle', { sinkFactor: 8, inletDeltaK: 15 });
    await vi.waitFor(() => expect(host.status().clockEvents.throttledMs).toBeGreaterThan(3000), {
      timeout: 10_000,
    });
    const { reasons, observedMs, throttledMs } = host.status().clockEvents;
    expect(throttledMs).toBeLessThan(observedMs);
    expect(reasons.map(({ word }) => word)).toEqual([
      'HW slowdown',
      'HW thermal slowdown',
      'SW thermal slowdown',
      'SW power cap',
      'Idle',
    ]);
    expect(reasons.find(({ word }) => word === 'SW thermal slowdown')).toMatchObject({
      severity: 'warning',
      active: true,
    });
  });
});

describe('inferenceMetrics', () => {
  it('reads rates and the card', async () => {
    const fixture = await start();
    const metrics = inferenceMetrics(fixture.services.host, fixture.services.rates);
    const read = (name: string) => metrics.find((metric) => metric.name === name)?.read();
    expect(read('inference.yolo26.perSecond')).toBe(0);
    await detect(fixture);
    expect(read('inference.yolo26.perSecond')).toBeGreaterThan(0);
    expect(read('gpu.memory.allocatedMib')).toBe(450 + 900 + 650 + 17_900);
    expect(read('gpu.batchSize')).toBe(8);
    for (const metric of metrics) expect(metric.read()).not.toBeNaN();
  });
});
