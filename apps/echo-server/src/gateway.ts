/*
 * The gateway: a real TCP server on 127.0.0.1 of this machine, each of whose connections it carries through the
 * simulated network to the echo server, octet for octet, with the backpressure of both sides.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket as NodeSocket } from 'node:net';
import type { Connection, Host } from '@stack/host';

export interface GatewayCounts {
  connections: number;
  open: number;
  bytesIn: number;
  bytesOut: number;
}

export interface Gateway {
  readonly port: number;
  readonly counts: GatewayCounts;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1:`port` (0: a free one). Rejects with EADDRINUSE or EACCES as node:net gives them. */
export async function openGateway(host: Host, port: number, target: { host: string; port: number }): Promise<Gateway> {
  const counts: GatewayCounts = { connections: 0, open: 0, bytesIn: 0, bytesOut: 0 };
  const sockets = new Set<NodeSocket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    counts.connections++;
    counts.open++;
    socket.once('close', () => {
      sockets.delete(socket);
      counts.open--;
    });
    socket.on('error', () => socket.destroy());
    void carry(host, socket, target, counts);
  });
  await listening(server, port);
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    counts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => resolve());
  });
}

/** Carries one connection until both directions have ended; a failure on one side resets the other. */
async function carry(host: Host, socket: NodeSocket, target: { host: string; port: number }, counts: GatewayCounts): Promise<void> {
  let connection: Connection;
  try {
    connection = await host.connect(target);
  } catch {
    socket.resetAndDestroy();
    return;
  }
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  const ends = await Promise.allSettled([
    carryDown(socket, connection, counts),
    carryUp(connection, socket, counts, closed.signal),
  ]);
  if (ends.some((end) => end.status === 'rejected')) socket.destroy();
}

/** From the machine into the simulated network. */
async function carryDown(socket: NodeSocket, connection: Connection, counts: GatewayCounts): Promise<void> {
  const writer = connection.writable.getWriter();
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      counts.bytesIn += chunk.length;
      await writer.write(chunk);
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => undefined);
    throw error;
  }
}

/** And back; leaving the loop early cancels the readable side, which resets the connection. */
async function carryUp(connection: Connection, socket: NodeSocket, counts: GatewayCounts, closed: AbortSignal): Promise<void> {
  for await (const chunk of connection.readable) {
    counts.bytesOut += chunk.length;
    if (!socket.write(chunk)) await once(socket, 'drain', { signal: closed });
  }
  socket.end();
}
