import { Redis } from 'ioredis';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { startTestPostgres } from '#tests/support/postgres.ts';
import { startTestRedis } from '#tests/support/redis.ts';

describe('the embedded servers', () => {
  it('keep acknowledged writes of Redis over a kill -9', async () => {
    const server = await startTestRedis();
    const write = new Redis(server.port, server.host);
    write.on('error', () => {});
    await write.set('kept', 'yes');
    await server.restart();
    const read = new Redis(server.port, server.host);
    expect(await read.get('kept')).toBe('yes');
    write.disconnect();
    read.disconnect();
    await server.close();
  });

  it('start PostgreSQL again after a kill -9, with its data', async () => {
    const server = await startTestPostgres();
    const { host, port, user, password, database } = server;
    const connect = async () => {
      const client = new Client({ host, port, user, password, database });
      client.on('error', () => {});
      await client.connect();
      return client;
    };
    const before = await connect();
    await before.query('create table kept (n int); insert into kept values (7)');
    await server.restart();
    const after = await connect();
    expect((await after.query('select n from kept')).rows).toEqual([{ n: 7 }]);
    await after.end();
    await server.close();
  });
});
