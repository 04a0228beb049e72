/*
 * The gateway: a real TCP server on 127.0.0.1 of this machine, each of whose connections it carries through the
 * simulated network to the echo server, octet for octet, with the backpressure of both sides.
 */
import { createServer, type Server, type Socket as NodeSocket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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
  const down = pipeline(socket, counting((n) => (counts.bytesIn += n)), Writable.fromWeb(connection.writable));
  const up = pipeline(Readable.fromWeb(connection.readable), counting((n) => (counts.bytesOut += n)), socket);
  const ends = await Promise.allSettled([down, up]);
  if (ends.some((end) => end.status === 'rejected')) socket.destroy();
}

/** A pipeline stage that passes chunks on and says how large each was. */
function counting(count: (bytes: number) => void) {
  return async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      count(chunk.length);
      yield chunk;
    }
  };
}
