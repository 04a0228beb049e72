// One echo through every layer over a bad cable, in virtual time, and a hash of all that happened: every traced function, its
// time, its packet's offsets and headers. The same seed gives the same hash on every JavaScript engine. System calls and plain promises only:
// the order in which a stream library resolves its promises is each runtime's own.
import { createWorld } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { createSwitch } from '@stack/nic-virtio-sim';
import {
  PF_INET, SHUT_WR, SOCK_STREAM, sysAccept, sysBind, sysClose, sysConnect, sysListen, sysRead, sysShutdown, sysSocket, sysWrite, type Task,
} from '@stack/socket';
import { TraceHash } from './trace-hash.ts';

/** What a run yields. */
export interface EchoResult {
  /** Octets that came back as they were sent. */
  readonly octets: number;
  /** Functions traced. */
  readonly hits: number;
  /** Over all of the trace. */
  readonly hash: string;
  /** The World's time at the end, in nanoseconds. */
  readonly time: number;
}

const PORT = 7;
const SERVER = '10.0.0.1';
const CHUNK = 20_000;
const IMPAIRMENTS = { bandwidth: 100e6, delay: 5, jitter: 1, loss: 0.02, reorder: 0.02, duplicate: 0.01, corrupt: 0.01 };

/** The system call's result, or an error where it is negative. */
function ok(result: number, call: string): number {
  if (result < 0) throw new Error(`${call}: ${result}`);
  return result;
}

function pattern(offset: number): number {
  return ((offset % 65521) * 31) & 0xff;
}

/** Echoes `total` octets from one host to another and back; verifies each. */
export async function echo(seed: number, total: number): Promise<EchoResult> {
  const world = createWorld({ seed, debug: true });
  const lan = createSwitch(world);
  const card = { impairments: IMPAIRMENTS, back: IMPAIRMENTS };
  const server = createHost({ world, name: 'server', nics: [{ device: virtioOn(lan, card), address: `${SERVER}/24` }] });
  const client = createHost({ world, name: 'client', nics: [{ device: virtioOn(lan, card), address: '10.0.0.2/24' }] });
  const hash = new TraceHash();
  for (const host of [server, client]) host.net.trace = hash;
  const serving = serve(server);
  const octets = await ask(client, total);
  await serving;
  await client.idle();
  const time = world.now;
  await client.close();
  await server.close();
  assertNothingOpen(world);
  return { octets, hits: hash.hits, hash: hash.toString(), time };
}

async function serve({ task }: Host): Promise<void> {
  const listener = ok(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  ok(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
  ok(sysListen(task, listener, 1), 'listen');
  const fd = ok(await sysAccept(task, listener, null, 0), 'accept');
  const buffer = new Uint8Array(65536);
  for (let count = 1; count > 0;) {
    count = ok(await sysRead(task, fd, buffer), 'read');
    for (let at = 0; at < count;) at += ok(await sysWrite(task, fd, buffer.subarray(at, count)), 'write');
  }
  sysClose(task, fd);
  sysClose(task, listener);
}

async function ask({ task }: Host, total: number): Promise<number> {
  const fd = ok(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  ok(await sysConnect(task, fd, new SockAddrIn(inAton(SERVER), PORT)), 'connect');
  const sending = send(task, fd, total);
  const buffer = new Uint8Array(65536);
  let received = 0;
  for (let count = 1; count > 0;) {
    count = ok(await sysRead(task, fd, buffer), 'read');
    for (let i = 0; i < count; i++) if (buffer[i] !== pattern(received + i)) throw new Error(`octet ${received + i} is wrong`);
    received += count;
  }
  await sending;
  sysClose(task, fd);
  return received;
}

async function send(task: Task, fd: number, total: number): Promise<void> {
  for (let offset = 0; offset < total;) {
    const chunk = Uint8Array.from({ length: Math.min(CHUNK, total - offset) }, (_, i) => pattern(offset + i));
    offset += ok(await sysWrite(task, fd, chunk), 'write');
  }
  ok(sysShutdown(task, fd, SHUT_WR), 'shutdown');
}
