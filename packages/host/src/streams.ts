/*
 * TCP as web streams: host.connect() and host.listen() in terms of the system calls, and nothing else.
 *
 * A Connection is a { readable, writable } pair. Closing the writable side sends a FIN, aborting it or cancelling the
 * readable side resets the connection, and the descriptor is closed when both sides have ended. Backpressure is TCP's own: a pull is one
 * sys_read, a write waits until the send buffer has taken it.
 */
import { errnoException } from '@stack/kernel';
import {
  Linger, PF_INET, SHUT_WR, SO_LINGER, SOCK_STREAM, SOL_SOCKET,
  sysAccept, sysCall, sysBind, sysClose, sysConnect, sysGetpeername, sysGetsockname, sysListen, sysRead, sysSetsockopt, sysShutdown,
  sysSocket, sysWrite, type Task,
} from '@stack/socket';
import { INADDR_ANY, SockAddrIn, inNtoa } from '@stack/inet-sock';
import { HOST_NOT_FOUND, lookup, lookupException, nssFilesGethostbyname } from '@stack/resolver';
import type { Host } from './host.ts';

/** Octets that one read asks for. */
const READ_SIZE = 65536;

/** One TCP connection. */
export interface Connection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Ends both sides in order: what was written is still delivered. */
  close(): void;
}

/** A listening socket: `for await (const connection of listener)`; leaving that loop closes it. */
export interface Listener extends AsyncIterable<Connection> {
  readonly address: string;
  readonly port: number;
  /** Stops listening; the loop over it ends, as it does when the host is closed. */
  close(): void;
}

/** Whom to connect to. `signal` gives the attempt up; an open connection it leaves alone. */
export interface ConnectOptions {
  /** A dotted quad, a name of the host's `hosts`, or one that its name servers know. */
  readonly host: string;
  readonly port: number;
  readonly signal?: AbortSignal;
}

/** Where to listen. */
export interface ListenOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** The local address, or its name in the host's `hosts`; default any. */
  readonly address?: string;
  /** Connections that may wait to be accepted; default 128. */
  readonly backlog?: number;
}

/** Resolves with an open connection; rejects with ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENOTFOUND … */
export async function connect(host: Host, options: ConnectOptions): Promise<Connection> {
  const given = options.signal === undefined ? undefined : { signal: options.signal };
  const server = await lookup(host.resolver, options.host, given);
  const { task } = host;
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  const error = await sysConnect(task, fd, new SockAddrIn(server.hAddr, options.port), given);
  if (error < 0) {
    sysClose(task, fd);
    throw errnoException(error, 'connect', inNtoa(server.hAddr), options.port);
  }
  return makeConnection(task, fd);
}

/** Throws with EADDRINUSE, EADDRNOTAVAIL, EINVAL … */
export function listen(host: Host, options: ListenOptions = {}): Listener {
  const address = options.address === undefined ? null : nssFilesGethostbyname(host.resolver, options.address);
  if (options.address !== undefined && address === null) throw lookupException(HOST_NOT_FOUND, options.address);
  const { task } = host;
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  const name = new SockAddrIn(address?.hAddr ?? INADDR_ANY, options.port ?? 0);
  let error = sysBind(task, fd, name);
  if (error === 0) error = sysListen(task, fd, options.backlog ?? 128);
  if (error < 0) {
    sysClose(task, fd);
    throw errnoException(error, 'listen', inNtoa(name.sinAddr), name.sinPort);
  }
  sysGetsockname(task, fd, name);
  const listening = new Listening(task, fd);
  return {
    address: inNtoa(name.sinAddr),
    port: name.sinPort,
    close: () => stopListening(listening),
    [Symbol.asyncIterator]: () => accepting(listening),
  };
}

/** A listening descriptor, and what ends the loop over it. */
class Listening {
  readonly task: Task;
  readonly fd: number;
  readonly closing: AbortController;

  constructor(task: Task, fd: number) {
    this.task = task;
    this.fd = fd;
    this.closing = new AbortController();
  }
}

function stopListening({ task, fd, closing }: Listening): void {
  if (closing.signal.aborted) return;
  closing.abort();
  sysClose(task, fd);
}

/** The loop's side: ends with the listener or its host; leaving the loop closes the listener. */
async function* accepting(listening: Listening): AsyncGenerator<Connection, void> {
  const { task, fd, closing: { signal } } = listening;
  try {
    while (!signal.aborted) {
      const accepted = await sysAccept(task, fd, null, 0, { signal });
      if (accepted < 0 && (signal.aborted || task.exiting)) return;
      yield makeConnection(task, sysCall(accepted, 'accept'));
    }
  } finally {
    stopListening(listening);
  }
}

/** The two sides of a connection share one descriptor: the last of them to end closes it. */
class Ends {
  readonly task: Task;
  readonly fd: number;
  sides: number;

  constructor(task: Task, fd: number) {
    this.task = task;
    this.fd = fd;
    this.sides = 2;
  }
}

function endSide(ends: Ends): void {
  if (--ends.sides === 0) sysClose(ends.task, ends.fd);
}

/** Resets the connection (RFC 9293 §3.10.5) and closes the descriptor, whatever sides were open. */
function reset(ends: Ends): void {
  if (ends.sides <= 0) return;
  ends.sides = 0;
  sysSetsockopt(ends.task, ends.fd, SOL_SOCKET, SO_LINGER, new Linger(1, 0));
  sysClose(ends.task, ends.fd);
}

function makeConnection(task: Task, fd: number): Connection {
  const local = new SockAddrIn();
  const remote = new SockAddrIn();
  sysGetsockname(task, fd, local);
  sysGetpeername(task, fd, remote);
  const ends = new Ends(task, fd);
  const readable = readableSide(ends);
  const writable = writableSide(ends);
  return {
    readable,
    writable,
    localAddress: inNtoa(local.sinAddr),
    localPort: local.sinPort,
    remoteAddress: inNtoa(remote.sinAddr),
    remotePort: remote.sinPort,
    close: () => {
      if (ends.sides <= 0) return;
      ends.sides = 0;
      sysClose(task, fd);
    },
  };
}

function readableSide(ends: Ends): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = new Uint8Array(READ_SIZE);
      const count = await sysRead(ends.task, ends.fd, chunk);
      if (count > 0) return controller.enqueue(chunk.subarray(0, count));
      if (count < 0 && ends.sides > 0) {
        endSide(ends);
        throw errnoException(count, 'read');
      }
      controller.close();
      endSide(ends);
    },
    cancel: () => reset(ends),
  }, { highWaterMark: 0 });
}

function writableSide(ends: Ends): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    async write(chunk) {
      const count = await sysWrite(ends.task, ends.fd, chunk);
      if (count >= 0) return;
      endSide(ends);
      throw errnoException(count, 'write');
    },
    close: () => {
      sysShutdown(ends.task, ends.fd, SHUT_WR);
      endSide(ends);
    },
    abort: () => reset(ends),
  });
}
