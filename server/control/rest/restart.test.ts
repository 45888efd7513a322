import { afterEach, expect, it } from 'vitest';
import { TestControl } from '../control.fixture.ts';

let system: TestControl;
afterEach(() => system.close());

it('restarts a process through its supervisor, and says who did', async () => {
  system = await TestControl.start();
  const restart = (name: string) =>
    system.call('POST', `/api/v1/processes/${name}/restart`, undefined, {
      'x-brownout-operator': encodeURIComponent('Bó Ł'),
    });
  expect(await restart('inference')).toMatchObject({ status: 503, body: { code: 'PROCESS_UNAVAILABLE' } });
  const asked: string[] = [];
  await system.agent('supervisor', {
    commands: {
      'process:restart': async ({ process: name }) => {
        asked.push(name);
        return { done: name !== 'redis' };
      },
    },
  });
  expect((await restart('inference')).status).toBe(200);
  expect(await restart('redis')).toMatchObject({ status: 503, body: { code: 'PROCESS_UNAVAILABLE' } });
  expect(await restart('control')).toMatchObject({ status: 422, body: { field: 'name' } });
  expect(asked).toEqual(['inference', 'redis']);
  const notes = (await system.facts()).flatMap((fact) => (fact.type === 'note' ? [fact.data] : []));
  expect(notes).toEqual([{ by: 'Bó Ł', text: 'restarted the inference process' }]);
});
