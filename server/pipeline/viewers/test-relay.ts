import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TestRelay {
  port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Swallows what clients send from now on. */
  hold(): void;
  /** Passes on again; open connections, which have lost bytes, are cut, as the fault proxy does. */
  release(): void;
  close(): Promise<void>;
}

/** For tests: TCP from a free port to `targetPort` that can become a black hole. */
export async function startTestRelay(targetPort: number): Promise<TestRelay> {
  const sockets = new Set<Socket>();
  let holding = false;
  let accepted = 0;
  const server = createServer((client) => {
    accepted++;
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (bytes) => {
      if (!holding) upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    hold() {
      holding = true;
    },
    release() {
      holding = false;
      cut();
    },
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
