// A bulk transfer over a bad cable, in virtual time: every octet verified, and a hash of all that happened on the two hosts. The
// same seed gives the same hash on every JavaScript engine; as in echo.ts, system calls and plain promises only.
import { createWorld, snmpSnapshot } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { createSwitch, type Impairments } from '@stack/nic-virtio-sim';
import {
  PF_INET, SHUT_WR, SOCK_STREAM, sysAccept, sysBind, sysCall, sysClose, sysConnect, sysListen, sysRead, sysShutdown, sysSocket, sysWrite,
} from '@stack/socket';
import { TraceHash } from './trace-hash.ts';

/** What to send, and through what. */
export interface TransferOptions {
  readonly seed: number;
  /** From the client to the server. */
  readonly octets: number;
  /** Of the client's cable, each way. */
  readonly impairments: Impairments;
  /** Of both hosts. */
  readonly sysctl?: Readonly<Record<string, number | string>> | undefined;
}

/** What a run yields. */
export interface TransferResult {
  /** Functions traced, and the hash over all of that. */
  readonly hits: number;
  readonly hash: string;
  /** From the beginning to the last octet's arrival, in nanoseconds of the World. */
  readonly time: number;
  /** Frames that the cable lost, let come late, doubled, broke. */
  readonly lost: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly corrupted: number;
  /** The sender's counters. */
  readonly counters: Readonly<Record<string, number>>;
}

const PORT = 9;
const SERVER = '10.0.0.1';
const CHUNK = 65536;
/** A prime: no segment, window or chunk has a size that it divides. */
const PERIOD = 65521;

/** The octets that are sent: those of the chunk at `offset` begin at offset % PERIOD. */
function makePattern(): Uint8Array {
  return Uint8Array.from({ length: PERIOD + CHUNK }, (_, i) => Math.imul(i % PERIOD, 0x9e3779b1) >>> 24);
}

/** Sends octets from one host to another. Throws an error that names the seed if one is lost, wrong, or too many. */
export async function transfer(options: TransferOptions): Promise<TransferResult> {
  try {
    return await run(options);
  } catch (error) {
    throw new Error(`transfer with ${JSON.stringify(options)}: ${(error as Error).message}`, { cause: error });
  }
}

async function run({ seed, octets, impairments, sysctl = {} }: TransferOptions): Promise<TransferResult> {
  const world = createWorld({ seed, debug: true });
  const lan = createSwitch(world);
  const server = createHost({ world, sysctl, name: 'server', nics: [{ device: virtioOn(lan), address: `${SERVER}/24` }] });
  const client = createHost({ world, sysctl, name: 'client', nics: [{ device: virtioOn(lan, { impairments }), address: '10.0.0.2/24' }] });
  const hash = new TraceHash();
  for (const host of [server, client]) host.net.trace = hash;
  const pattern = makePattern();
  const [time] = await Promise.all([receive(server, octets, pattern), send(client, octets, pattern)]);
  await client.idle();
  const counters = snmpSnapshot(client.net);
  const { ab, ba } = lan.wires[1]!;
  await client.close();
  await server.close();
  assertNothingOpen(world);
  return {
    hits: hash.hits,
    hash: hash.toString(),
    time,
    lost: ab.lost + ba.lost,
    reordered: ab.reordered + ba.reordered,
    duplicated: ab.duplicated + ba.duplicated,
    corrupted: ab.corrupted + ba.corrupted,
    counters,
  };
}

/** Accepts one connection and reads it to its end. Resolves to the time at which the last octet was there. */
async function receive({ task, world }: Host, octets: number, pattern: Uint8Array): Promise<number> {
  const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
  sysCall(sysListen(task, listener, 1), 'listen');
  const fd = sysCall(await sysAccept(task, listener), 'accept');
  const buffer = new Uint8Array(CHUNK);
  let received = 0;
  let time = 0;
  for (;;) {
    const count = sysCall(await sysRead(task, fd, buffer), `read after ${received} octets`);
    if (count === 0) break;
    const at = received % PERIOD;
    for (let i = 0; i < count; i++) if (buffer[i] !== pattern[at + i]) throw new Error(`octet ${received + i} is wrong`);
    received += count;
    time = world.now;
  }
  if (received !== octets) throw new Error(`${received} octets of ${octets}`);
  sysClose(task, fd);
  sysClose(task, listener);
  return time;
}

/** Connects, writes all, and waits for the other side's end. */
async function send({ task }: Host, octets: number, pattern: Uint8Array): Promise<void> {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(await sysConnect(task, fd, new SockAddrIn(inAton(SERVER), PORT)), 'connect');
  for (let sent = 0; sent < octets;) {
    const at = sent % PERIOD;
    const chunk = pattern.subarray(at, at + Math.min(CHUNK, octets - sent));
    sent += sysCall(await sysWrite(task, fd, chunk), `write after ${sent} octets`);
  }
  sysCall(sysShutdown(task, fd, SHUT_WR), 'shutdown');
  sysCall(await sysRead(task, fd, new Uint8Array(1)), 'read');
  sysClose(task, fd);
}
