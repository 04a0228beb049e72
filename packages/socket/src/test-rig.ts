/*
 * What the tests of this package begin with: a host whose only family is the pairs of test-family.ts. Not exported.
 */
import { createNet, createWorld } from '@stack/kernel';
import type { Net, Signal, World } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { createTask } from './exit.ts';
import { fget } from './fdtable.ts';
import { installSocket } from './install.ts';
import type { Socket } from './net-struct.ts';
import { sockRegister } from './socket.ts';
import { sysSocketpair } from './sys-socket.ts';
import type { Task } from './task.ts';
import { pairFamily } from './test-family.ts';
import type { PairSock } from './test-family.ts';
import { AF_UNIX, SOCK_STREAM } from './uapi-socket.ts';

/** A host in virtual time, and one task on it. */
export interface TestHost {
  readonly world: World;
  readonly net: Net;
  readonly task: Task;
}

export function testHost(): TestHost {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world, { name: 'h' });
  installSocket(net);
  sockRegister(net, pairFamily);
  return { world, net, task: createTask(net, 'test') };
}

/** Two connected sockets of one task. */
export function testPair(host: TestHost, type: number = SOCK_STREAM): [number, number] {
  const sv: number[] = [];
  const err = sysSocketpair(host.task, AF_UNIX, type, 0, sv);
  if (err < 0) throw new Error(`socketpair: ${err}`);
  return [sv[0] ?? -1, sv[1] ?? -1];
}

export function testSock(host: TestHost, fd: number): PairSock {
  return (fget(host.task, fd)?.privateData as Socket).sk as PairSock;
}

/** A signal that a test fires by `abort`. */
export class TestSignal implements Signal {
  aborted = false;
  listeners: (() => void)[] = [];

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners = this.listeners.filter((l) => l !== listener);
  }
}

export function abort(signal: TestSignal): void {
  signal.aborted = true;
  for (const listener of signal.listeners) listener();
}

/** ASCII text as bytes. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

export function text(buf: Uint8Array, length = buf.length): string {
  return String.fromCharCode(...buf.subarray(0, length));
}

/** A number from a call that must not have slept. */
export function now(result: number | Promise<number>): number {
  if (typeof result !== 'number') throw new Error('the call sleeps');
  return result;
}
