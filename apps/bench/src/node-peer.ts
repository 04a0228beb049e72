/*
 * node:net over the machine's loopback, in its fastest form: `onread` into one buffer, 64 KiB writes.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { block, BLOCK, verify } from './pattern.ts';
import { PING_SIZE, type Peer } from './peer.ts';

type OnData = (chunk: Uint8Array) => void;

/** Connects with `onread`: every chunk arrives in the same buffer. */
function dial(port: number, onData: OnData): Socket {
  const buffer = Buffer.allocUnsafe(BLOCK);
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer,
      callback: (count) => {
        onData(buffer.subarray(0, count));
        return true;
      },
    },
  });
  return socket;
}

async function serve(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ noDelay: true }, onConnection);
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function sendAll(socket: Socket, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += BLOCK) {
    if (!socket.write(block)) await once(socket, 'drain');
  }
}

async function bulk(total: number): Promise<void> {
  const { server, port } = await serve((socket) => void sendAll(socket, total));
  await new Promise<void>((resolve, reject) => {
    let received = 0;
    const socket = dial(port, (chunk) => {
      verify(chunk, received);
      received += chunk.length;
      if (received >= total) {
        socket.destroy();
        resolve();
      }
    });
    socket.on('error', reject);
  });
  server.close();
}

async function pingpong(count: number): Promise<void> {
  const { server, port } = await serve((socket) => {
    socket.on('data', (chunk) => {
      verify(chunk, 0);
      socket.write(chunk);
    });
    socket.on('error', () => socket.destroy());
  });
  const ping = block.subarray(0, PING_SIZE);
  await new Promise<void>((resolve, reject) => {
    let done = 0;
    const socket = dial(port, (chunk) => {
      verify(chunk, 0);
      if (++done < count) return socket.write(ping);
      socket.destroy();
      return resolve();
    });
    socket.on('connect', () => socket.write(ping));
    socket.on('error', reject);
  });
  server.close();
}

async function connectAndClose(count: number): Promise<void> {
  let accepted: Promise<unknown> = Promise.resolve();
  const { server, port } = await serve((socket) => {
    socket.resume();
    accepted = once(socket, 'close');
  });
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const taken = once(server, 'connection');
    await Promise.all([once(socket, 'connect'), taken]);
    socket.resume();
    socket.end();
    await Promise.all([once(socket, 'close'), accepted]);
  }
  server.close();
}

async function idle(count: number): Promise<() => Promise<void>> {
  const sockets: Socket[] = [];
  const { server, port } = await serve((socket) => sockets.push(socket));
  for (let i = 0; i < count; i++) {
    const socket = dial(port, () => undefined);
    await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
    sockets.push(socket);
  }
  return async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
}

export function nodePeer(): Peer {
  return { name: 'node:net', bulk, pingpong, connect: connectAndClose, idle, close: async () => undefined };
}
