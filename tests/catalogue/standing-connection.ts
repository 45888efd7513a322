import { once } from 'node:events';
import { connect } from 'node:net';

/** A connection that a client keeps open and leaves alone. */
export interface StandingConnection {
  /** `fin`: closed in order; otherwise the code of the error, `ECONNRESET` for a reset. */
  readonly ended: string | undefined;
  close(): void;
}

/** @param asks sent at once, and the connection stands once it was answered */
export async function openStanding(port: number, asks: string): Promise<StandingConnection> {
  const socket = connect(port, '127.0.0.1');
  let ended: string | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    ended ??= error.code ?? error.message;
  });
  socket.on('end', () => {
    ended ??= 'fin';
  });
  await once(socket, 'connect');
  socket.write(asks);
  await once(socket, 'data');
  socket.on('data', () => {}); // read on, or the end is never seen
  return {
    get ended() {
      return ended;
    },
    close: () => socket.destroy(),
  };
}

/** Why a new connection is refused; undefined when it is taken. */
export async function refusal(port: number): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}
