/*
 * A host of the house under a script, in virtual time: exact to the nanosecond, no waiting, the same on every run.
 */
import { createHost, type Host } from '@stack/host';
import { inAton } from '@stack/inet-sock';
import { ipRouteAdd } from '@stack/ip';
import { createWorld, sleep, snmpSnapshot, worldCrossing, type CtlValue, type World } from '@stack/kernel';
import { exitTask, SO_MEMINFO, SOL_SOCKET, SOL_TCP, sysCall, sysGetsockopt } from '@stack/socket';
import { TCP_INFO } from '@stack/tcp';
import { makeCall, type HouseCalls } from './calls.ts';
import { runCommands } from './commands.ts';
import { nicReceive, ScriptNic } from './nic.ts';
import { settingsOf, type Result, type RunOptions } from './run-state.ts';
import { runScriptOn } from './run.ts';
import type { Script } from './script.ts';
import type { Sent, TargetOps } from './target.ts';

class HouseTarget {
  readonly world: World;
  readonly host: Host;
  readonly nic: ScriptNic;
  readonly defaults: Readonly<Record<string, CtlValue>>;
  readonly nstatHistory: Map<string, number>;
  /** World time in ns when the script began. */
  start: number;

  constructor(localIp: string, prefixLength: number, mtu: number, defaults: Readonly<Record<string, CtlValue>>) {
    this.world = createWorld();
    this.host = createHost({ world: this.world, name: 'test' });
    this.nic = new ScriptNic(this.host.net, 'tun0');
    this.nic.dev.mtu = mtu;
    this.defaults = defaults;
    this.nstatHistory = new Map();
    this.start = 0;
    this.host.addNic({ device: this.nic.dev, address: `${localIp}/${prefixLength}` });
    sysCall(ipRouteAdd(this.host.net, { dst: 'default', dev: 'tun0' }), 'ip route add default');
  }
}

/** µs since the script began, of World time in ns. A script cannot say less than one: what paces in nanoseconds is rounded. */
function since(t: HouseTarget, time: number): number {
  return Math.round((time - t.start) / 1000);
}

function now(t: HouseTarget): number {
  return since(t, t.world.now);
}

function begin(t: HouseTarget): void {
  t.start = t.world.now;
  worldCrossing(t.world);
}

async function until(t: HouseTarget, at: number): Promise<void> {
  const wait = at - now(t);
  if (wait > 0) await sleep(t.world, wait / 1000);
}

/** A promise against the clock: true if it is first. */
async function settled(t: HouseTarget, done: Promise<unknown>, at: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(t.world, Math.max(0, at - now(t)) / 1000, timer.signal).then(() => false, () => false);
  const first = await Promise.race([done.then(() => true), late]);
  timer.abort();
  return first;
}

async function peekSent(t: HouseTarget, limit: number): Promise<Sent | null> {
  while (t.nic.sent.length === 0) {
    if (now(t) >= limit) return null;
    const sent = new Promise<void>((resolve) => {
      t.nic.waiting = resolve;
    });
    const came = await settled(t, sent, limit);
    t.nic.waiting = null;
    if (!came) return null;
  }
  const [sent] = t.nic.sent;
  return sent === undefined ? null : { time: since(t, sent.time), bytes: sent.bytes };
}

async function nextSent(t: HouseTarget, limit: number): Promise<Sent | null> {
  const sent = await peekSent(t, limit);
  t.nic.sent.shift();
  return sent;
}

/** The numbers of an option's struct under C's names. */
function fieldsOf(t: HouseTarget, fd: number, level: number, name: number, prefix: string): Map<string, number> | null {
  const info = sysGetsockopt(t.host.task, fd, level, name);
  if (typeof info !== 'object') return null;
  const numbers = Object.entries(info).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return new Map(numbers.map(([field, value]) => [prefix + field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

async function close(t: HouseTarget): Promise<string> {
  const { panicked } = t.host.net;
  exitTask(t.host.task);
  await t.host.close();
  return panicked === null ? '' : `the host panicked: ${panicked.stack ?? panicked.message}`;
}

const houseOps: TargetOps<HouseTarget> = {
  commands: (t, text) => runCommands(t, text),
  begin,
  now,
  until,
  settled,
  nextSent,
  peekSent,
  burst: 0,
  timerSlack: () => 0,
  receive: (t, bytes, mss) => nicReceive(t.nic, bytes, mss),
  call: (t, context, name, args) => {
    const calls: HouseCalls = { ...context, task: t.host.task, start: t.start };
    return makeCall(calls, name, args);
  },
  tcpInfo: (t, fd) => fieldsOf(t, fd, SOL_TCP, TCP_INFO, ''),
  meminfo: (t, fd) => fieldsOf(t, fd, SOL_SOCKET, SO_MEMINFO, 'sk_'),
  counters: (t) => new Map(Object.entries(snmpSnapshot(t.host.net))),
  close,
};

/** Runs a script against a host of its own. The result says where it failed, if it did; it throws only if the stack itself breaks. */
export async function runScript(script: Script, options: RunOptions = {}): Promise<Result> {
  const { localIp, mtu } = settingsOf(script, options);
  inAton(localIp);
  return runScriptOn(houseOps, new HouseTarget(localIp, options.prefixLength ?? 16, mtu, options.defaults ?? {}), script, options);
}
