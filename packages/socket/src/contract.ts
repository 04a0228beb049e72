/*
 * The contract of socket families and protocols: what every ProtoOps and Proto must do, told through system calls. A user
 * with a protocol of his own runs it as we do on ours:
 *   for (const t of socketContract) test(t.name, () => t.run(make));
 * Each test makes its own two connected sockets, in virtual time, and throws if a rule is broken.
 */
import { EAGAIN, EBADF, EINTR, ENOPROTOOPT, ENOTTY, errnoName, idle, sleep } from '@stack/kernel';
import type { Net, Signal } from '@stack/kernel';
import { EpollEvent } from './eventpoll-struct.ts';
import { sysEpollCreate, sysEpollCtl, sysEpollWait } from './eventpoll.ts';
import { createTask, exitTask } from './exit.ts';
import { Iovec, makeMsgHdr, Timeval } from './msghdr.ts';
import { sysReadv, sysRead, sysWrite, sysWritev } from './read-write.ts';
import { PollFd, sysPoll } from './select.ts';
import { sysClose, sysDup, sysFcntl, sysIoctl } from './sys-file.ts';
import { sysRecv, sysRecvmsg, sysSend, sysSendmsg } from './sys-message.ts';
import { sysGetsockopt, sysSetsockopt } from './sys-socket.ts';
import type { Task } from './task.ts';
import {
  EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLL_CTL_ADD, EPOLL_CTL_MOD, F_GETFL, F_SETFL, O_NONBLOCK,
} from './uapi-fs.ts';
import { FIONREAD, MSG_DONTWAIT, MSG_PEEK, SO_ERROR, SO_RCVTIMEO, SO_TYPE, SOL_SOCKET } from './uapi-socket.ts';

/** Two sockets, connected to each other; their Nets may be one and the same. */
export interface SocketPair {
  readonly netA: Net;
  readonly netB: Net;
  /** SOCK_STREAM, SOCK_DGRAM … */
  readonly type: number;
  /** Opens a blocking socket on each task and connects them; returns the two descriptors. */
  readonly connect: (taskA: Task, taskB: Task) => Promise<readonly [number, number]> | readonly [number, number];
}

/** One rule. `make` gives a fresh pair; a promise rejects, or run throws, where the rule is broken. */
export interface ContractTest {
  readonly name: string;
  readonly run: (make: () => SocketPair | Promise<SocketPair>) => Promise<void>;
}

class Rig {
  a: Task;
  b: Task;
  fdA: number;
  fdB: number;
  pair: SocketPair;

  constructor(pair: SocketPair, a: Task, b: Task, fdA: number, fdB: number) {
    this.pair = pair;
    this.a = a;
    this.b = b;
    this.fdA = fdA;
    this.fdB = fdB;
  }
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

function same(actual: unknown, expected: unknown, what: string): void {
  const show = (v: unknown): string => (typeof v === 'number' && v < 0 ? `-${errnoName(v)}` : String(v));
  if (actual !== expected) throw new Error(`${what}: ${show(actual)}, expected ${show(expected)}`);
}

function text(buf: Uint8Array, length: number): string {
  return String.fromCharCode(...buf.subarray(0, length));
}

function bytes(s: string): Uint8Array {
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

/** Runs `body` on a fresh pair, then ends the tasks and sees that nothing is left. */
function rule(name: string, body: (rig: Rig) => Promise<void>): ContractTest {
  return {
    name,
    async run(make) {
      const pair = await make();
      const { netA, netB } = pair;
      const before = netA.socket.socksInUse + netB.socket.socksInUse;
      const a = createTask(netA, 'a');
      const b = createTask(netB, 'b');
      const [fdA, fdB] = await pair.connect(a, b);
      check(fdA >= 0 && fdB >= 0, `connect: ${fdA}, ${fdB}`);
      await body(new Rig(pair, a, b, fdA, fdB));
      exitTask(a);
      exitTask(b);
      await idle(netA.world);
      same(netA.socket.socksInUse + netB.socket.socksInUse, before, 'socks left after the end of their tasks');
    },
  };
}

/** Sends and waits until it has arrived. */
async function send(rig: Rig, s: string): Promise<void> {
  same(await sysSend(rig.a, rig.fdA, bytes(s), 0), s.length, 'send');
  await idle(rig.pair.netA.world);
}

const buffer = (): Uint8Array => new Uint8Array(64);

async function expectRead(rig: Rig, s: string): Promise<void> {
  const buf = buffer();
  const n = await sysRecv(rig.b, rig.fdB, buf, MSG_DONTWAIT);
  same(n, s.length, 'recv');
  same(text(buf, s.length), s, 'received');
}

/** A signal that a test fires by hand. */
class TestSignal implements Signal {
  aborted: boolean;
  listeners: (() => void)[];

  constructor() {
    this.aborted = false;
    this.listeners = [];
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners = this.listeners.filter((l) => l !== listener);
  }
}

function abort(signal: TestSignal): void {
  signal.aborted = true;
  for (const listener of signal.listeners) listener();
}

const dataRules: readonly ContractTest[] = [
  rule('sendmsg gathers and recvmsg scatters, in order', async (rig) => {
    const { world } = rig.pair.netA;
    same(await sysSendmsg(rig.a, rig.fdA, makeMsgHdr([bytes('ab'), bytes(''), bytes('cde')]), 0), 5, 'sendmsg');
    await idle(world);
    const parts = [new Uint8Array(1), new Uint8Array(3), new Uint8Array(9)];
    same(await sysRecvmsg(rig.b, rig.fdB, makeMsgHdr(parts), 0), 5, 'recvmsg');
    same(parts.map((p, i) => text(p, [1, 3, 1][i] ?? 0)).join('|'), 'a|bcd|e', 'scattered');
  }),
  rule('write and read, writev and readv are sendmsg and recvmsg without flags', async (rig) => {
    const { world } = rig.pair.netA;
    same(await sysWrite(rig.a, rig.fdA, bytes('xyz')), 3, 'write');
    await idle(world);
    const buf = buffer();
    same(await sysRead(rig.b, rig.fdB, buf), 3, 'read');
    same(text(buf, 3), 'xyz', 'read');
    same(await sysWritev(rig.a, rig.fdA, [new Iovec(bytes('12345'), 2), new Iovec(bytes('67'))]), 4, 'writev');
    await idle(world);
    const one = new Uint8Array(1);
    same(await sysReadv(rig.b, rig.fdB, [new Iovec(one), new Iovec(buf)]), 4, 'readv');
    same(text(one, 1) + text(buf, 3), '1267', 'readv');
  }),
  rule('MSG_PEEK leaves the data where it is', async (rig) => {
    await send(rig, 'peek');
    const buf = buffer();
    same(await sysRecv(rig.b, rig.fdB, buf, MSG_PEEK), 4, 'peek');
    same(await sysRecv(rig.b, rig.fdB, buf, MSG_PEEK), 4, 'peek again');
    await expectRead(rig, 'peek');
    same(await sysRecv(rig.b, rig.fdB, buf, MSG_DONTWAIT), -EAGAIN, 'and then it is gone');
  }),
  rule('FIONREAD says what a read would return', async (rig) => {
    same(sysIoctl(rig.b, rig.fdB, FIONREAD), 0, 'empty');
    await send(rig, 'four');
    same(sysIoctl(rig.b, rig.fdB, FIONREAD), 4, 'after 4 bytes');
    same(sysIoctl(rig.b, rig.fdB, 0x7777), -ENOTTY, 'an ioctl that nobody knows');
  }),
];

const sleepRules: readonly ContractTest[] = [
  rule('a non-blocking receive of nothing is -EAGAIN, by flag and by O_NONBLOCK', async (rig) => {
    same(sysRecv(rig.b, rig.fdB, buffer(), MSG_DONTWAIT), -EAGAIN, 'MSG_DONTWAIT');
    sysFcntl(rig.b, rig.fdB, F_SETFL, sysFcntl(rig.b, rig.fdB, F_GETFL) | O_NONBLOCK);
    same(sysRead(rig.b, rig.fdB, buffer()), -EAGAIN, 'O_NONBLOCK');
    await send(rig, 'now');
    await expectRead(rig, 'now');
  }),
  rule('a blocking receive sleeps until data comes', async (rig) => {
    const buf = buffer();
    const reading = sysRead(rig.b, rig.fdB, buf);
    check(typeof reading !== 'number', 'read of nothing returned at once');
    await sysWrite(rig.a, rig.fdA, bytes('wake'));
    same(await reading, 4, 'read');
    same(text(buf, 4), 'wake', 'read');
  }),
  rule('receives that sleep are served in the order in which they came', async (rig) => {
    const first = sysRead(rig.b, rig.fdB, new Uint8Array(1));
    const second = sysRead(rig.b, rig.fdB, new Uint8Array(1));
    const order: string[] = [];
    void Promise.resolve(first).then(() => order.push('first'));
    void Promise.resolve(second).then(() => order.push('second'));
    await sysWrite(rig.a, rig.fdA, bytes('1'));
    await first;
    await sysWrite(rig.a, rig.fdA, bytes('2'));
    await second;
    same(order.join(), 'first,second', 'order');
  }),
  rule('SO_RCVTIMEO: a receive ends with -EAGAIN when its time is up', async (rig) => {
    const { world } = rig.pair.netB;
    sysSetsockopt(rig.b, rig.fdB, SOL_SOCKET, SO_RCVTIMEO, new Timeval(0, 250000));
    const before = world.now;
    same(await sysRead(rig.b, rig.fdB, buffer()), -EAGAIN, 'read');
    const ms = (world.now - before) / 1e6;
    check(ms >= 249 && ms <= 251, `it slept ${ms} ms, not 250`);
  }),
  rule('an AbortSignal ends a sleeping receive with -EINTR, and takes no data', async (rig) => {
    const signal = new TestSignal();
    const reading = sysRead(rig.b, rig.fdB, buffer(), { signal });
    abort(signal);
    same(await reading, -EINTR, 'aborted');
    same(await sysRead(rig.b, rig.fdB, buffer(), { signal }), -EINTR, 'aborted before it began');
    same(signal.listeners.length, 0, 'listeners left on the signal');
    await send(rig, 'kept');
    await expectRead(rig, 'kept');
  }),
  rule('closing a descriptor ends the calls that sleep on it with -EBADF', async (rig) => {
    const reading = sysRead(rig.b, rig.fdB, buffer());
    same(await sysClose(rig.b, rig.fdB), 0, 'close');
    same(await reading, -EBADF, 'read');
    same(sysRead(rig.b, rig.fdB, buffer()), -EBADF, 'read afterwards');
    same(await sysClose(rig.b, rig.fdB), -EBADF, 'close afterwards');
  }),
  rule('the socket lives as long as one of its descriptors', async (rig) => {
    const other = sysDup(rig.b, rig.fdB);
    check(other >= 0 && other !== rig.fdB, `dup: ${other}`);
    await sysClose(rig.b, rig.fdB);
    await send(rig, 'dup');
    const buf = buffer();
    same(await sysRecv(rig.b, other, buf, MSG_DONTWAIT), 3, 'recv on the other descriptor');
  }),
];

/** Events of one fd that are true now. */
function pollNow(task: Task, fd: number, events: number): number {
  const pfd = new PollFd(fd, events);
  void sysPoll(task, [pfd], 0);
  return pfd.revents;
}

const eventRules: readonly ContractTest[] = [
  rule('poll: writeable at once, readable when data is there', async (rig) => {
    same(pollNow(rig.b, rig.fdB, EPOLLIN | EPOLLOUT), EPOLLOUT, 'before');
    await send(rig, 'x');
    same(pollNow(rig.b, rig.fdB, EPOLLIN | EPOLLOUT), EPOLLIN | EPOLLOUT, 'after');
  }),
  rule('poll sleeps until an event, and at most its time', async (rig) => {
    const { world } = rig.pair.netB;
    const pfd = new PollFd(rig.fdB, EPOLLIN);
    const before = world.now;
    same(await sysPoll(rig.b, [pfd], 30), 0, 'nothing for 30 ms');
    same(Math.round((world.now - before) / 1e6), 30, 'ms slept');
    const polling = sysPoll(rig.b, [pfd], -1);
    await sysWrite(rig.a, rig.fdA, bytes('x'));
    same(await polling, 1, 'poll');
    same(pfd.revents, EPOLLIN, 'revents');
  }),
  rule('epoll, level-triggered: reported as long as it is true', async (rig) => {
    const epfd = sysEpollCreate(rig.b);
    const out = [new EpollEvent()];
    same(sysEpollCtl(rig.b, epfd, EPOLL_CTL_ADD, rig.fdB, new EpollEvent(EPOLLIN, 'tag')), 0, 'add');
    const waiting = sysEpollWait(rig.b, epfd, out, -1);
    await sysWrite(rig.a, rig.fdA, bytes('x'));
    same(await waiting, 1, 'wait');
    same(out[0]?.data, 'tag', 'data');
    same(sysEpollWait(rig.b, epfd, out, 0), 1, 'still true');
    await expectRead(rig, 'x');
    same(sysEpollWait(rig.b, epfd, out, 0), 0, 'no longer true');
  }),
  rule('epoll, edge-triggered: reported once for each arrival', async (rig) => {
    const epfd = sysEpollCreate(rig.b);
    const out = [new EpollEvent()];
    sysEpollCtl(rig.b, epfd, EPOLL_CTL_ADD, rig.fdB, new EpollEvent(EPOLLIN | EPOLLET));
    await send(rig, 'x');
    same(sysEpollWait(rig.b, epfd, out, 0), 1, 'first arrival');
    same(sysEpollWait(rig.b, epfd, out, 0), 0, 'nothing new');
    await send(rig, 'y');
    same(sysEpollWait(rig.b, epfd, out, 0), 1, 'second arrival');
  }),
  rule('epoll, one-shot: silent until it is armed again', async (rig) => {
    const epfd = sysEpollCreate(rig.b);
    const out = [new EpollEvent()];
    const event = new EpollEvent(EPOLLIN | EPOLLONESHOT);
    sysEpollCtl(rig.b, epfd, EPOLL_CTL_ADD, rig.fdB, event);
    await send(rig, 'x');
    same(sysEpollWait(rig.b, epfd, out, 0), 1, 'first');
    await send(rig, 'y');
    same(sysEpollWait(rig.b, epfd, out, 0), 0, 'disarmed');
    sysEpollCtl(rig.b, epfd, EPOLL_CTL_MOD, rig.fdB, event);
    same(sysEpollWait(rig.b, epfd, out, 0), 1, 'armed again');
  }),
];

const optionRules: readonly ContractTest[] = [
  rule('SO_TYPE is the type, SO_ERROR is 0, an option that nobody knows is -ENOPROTOOPT', async (rig) => {
    same(sysGetsockopt(rig.a, rig.fdA, SOL_SOCKET, SO_TYPE), rig.pair.type, 'SO_TYPE');
    same(sysGetsockopt(rig.a, rig.fdA, SOL_SOCKET, SO_ERROR), 0, 'SO_ERROR');
    same(sysGetsockopt(rig.a, rig.fdA, SOL_SOCKET, 9999), -ENOPROTOOPT, 'getsockopt');
    same(sysSetsockopt(rig.a, rig.fdA, SOL_SOCKET, 9999, 1), -ENOPROTOOPT, 'setsockopt');
    await sleep(rig.pair.netA.world, 1);
  }),
];

/** Every rule. */
export const socketContract: readonly ContractTest[] = [...dataRules, ...sleepRules, ...eventRules, ...optionRules];
