/**
 * The real clock, and the host's event loop: the only file of the stack that touches the host's timers.
 *
 * Turns come from setImmediate where there is one (Node, Deno, Bun), else from a MessageChannel (browsers, workers). There is one
 * host timer for a whole World; it keeps the process alive only while the World has references (`worldRef`).
 */
import type { Clock, HostLoop } from './clock.ts';

interface HostHandle {
  ref?(): void;
  unref?(): void;
}

interface HostPort extends HostHandle {
  onmessage: (() => void) | null;
  postMessage(message: number): void;
  close(): void;
}

/** What of the host's globals is used, each absent somewhere. */
interface HostGlobals {
  performance: { now(): number };
  setTimeout(fn: () => void, ms: number): HostHandle | number;
  clearTimeout(handle: HostHandle | number): void;
  setImmediate?(fn: () => void): HostHandle | number;
  clearImmediate?(handle: HostHandle | number): void;
  MessageChannel?: new () => { port1: HostPort; port2: HostPort };
  crypto?: { getRandomValues(out: Uint8Array): Uint8Array };
}

/** A host timer takes whole milliseconds; a wait shorter than this is spent in turns, in ns. */
const SPIN_BELOW = 200_000;
const MAX_TIMEOUT_MS = 0x7fffffff;

function globals(): HostGlobals {
  return globalThis as unknown as HostGlobals;
}

/** The handle's ref or unref, where it has one (a browser's timer is a number). */
function setHandleRef(handle: HostHandle | number | null, ref: boolean): void {
  if (handle === null || typeof handle === 'number') return;
  if (ref) handle.ref?.();
  else handle.unref?.();
}

/** One way of getting a macrotask. */
interface TurnSource {
  request(fn: () => void): void;
  setRef(ref: boolean): void;
  close(): void;
}

function immediateTurns(host: HostGlobals, setImmediate: (fn: () => void) => HostHandle | number): TurnSource {
  let handle: HostHandle | number | null = null;
  let reffed = false;
  return {
    request(fn) {
      handle = setImmediate(fn);
      if (!reffed) setHandleRef(handle, false);
    },
    setRef(ref) {
      reffed = ref;
      setHandleRef(handle, ref);
    },
    close() {
      if (handle !== null) host.clearImmediate?.(handle);
      handle = null;
    },
  };
}

function channelTurns(Channel: NonNullable<HostGlobals['MessageChannel']>): TurnSource {
  const channel = new Channel();
  let wanted: (() => void) | null = null;
  channel.port1.onmessage = () => {
    const fn = wanted;
    wanted = null;
    if (fn !== null) fn();
  };
  setHandleRef(channel.port1, false);
  return {
    request(fn) {
      wanted = fn;
      channel.port2.postMessage(0);
    },
    setRef(ref) {
      setHandleRef(channel.port1, ref);
    },
    close() {
      wanted = null;
      channel.port1.close();
      channel.port2.close();
    },
  };
}

function timeoutTurns(host: HostGlobals): TurnSource {
  return immediateTurns(host, (fn) => host.setTimeout(fn, 0));
}

function turnSource(host: HostGlobals): TurnSource {
  if (host.setImmediate !== undefined) return immediateTurns(host, host.setImmediate.bind(globalThis));
  if (host.MessageChannel !== undefined) return channelTurns(host.MessageChannel);
  return timeoutTurns(host);
}

/** The event loop of the host this runs on, for one World. */
export function hostLoop(): HostLoop {
  const host = globals();
  const turns = turnSource(host);
  const clearTimeout = host.clearTimeout.bind(globalThis);
  const setTimeout = host.setTimeout.bind(globalThis);
  const performance = host.performance;
  let onTurn = (): void => undefined;
  let onAlarm = (): void => undefined;
  let requested = false;
  let deadline = Infinity;
  let timer: HostHandle | number | null = null;
  let reffed = false;
  let closed = false;
  let attached = false;

  const now = (): number => Math.floor(performance.now() * 1e6);
  const request = (): void => {
    if (requested || closed) return;
    requested = true;
    turns.request(turn);
  };
  const turn = (): void => {
    requested = false;
    if (closed) return;
    if (timer === null && deadline !== Infinity) spin();
    onTurn();
  };
  /** A wait too short for the host's timer: look again each turn. */
  const spin = (): void => {
    if (now() < deadline) request();
    else ring();
  };
  const ring = (): void => {
    timer = null;
    deadline = Infinity;
    if (!closed) onAlarm();
  };
  const disarm = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    deadline = Infinity;
  };
  return {
    attach(turnFn, alarmFn) {
      if (attached) throw new Error('a clock serves one World');
      attached = true;
      onTurn = turnFn;
      onAlarm = alarmFn;
    },
    now,
    requestTurn: request,
    setAlarm(delay) {
      disarm();
      if (closed) return;
      deadline = now() + delay;
      if (delay < SPIN_BELOW) {
        request();
        return;
      }
      timer = setTimeout(ring, Math.min(Math.ceil(delay / 1e6), MAX_TIMEOUT_MS));
      if (!reffed) setHandleRef(timer, false);
    },
    clearAlarm: disarm,
    setRef(ref) {
      reffed = ref;
      setHandleRef(timer, ref);
      turns.setRef(ref);
    },
    close() {
      closed = true;
      disarm();
      turns.close();
    },
  };
}

/** The smallest step seen among a few readings of performance.now, in ns; looks for at most about 5 ms. */
function measureResolution(performance: { now(): number }): number {
  let best = 1e6;
  const end = performance.now() + 5;
  for (let steps = 0; steps < 8; steps++) {
    const start = performance.now();
    let next = start;
    while (next === start) next = performance.now();
    best = Math.min(best, (next - start) * 1e6);
    if (next > end) break;
  }
  return Math.max(1, Math.round(best));
}

/**
 * A clock that runs with the host's. It serves one World. `resolution` is measured: about 50–1000 ns on Node, 5 µs to 1 ms in
 * browsers.
 */
export function realClock(): Clock {
  const { performance, crypto } = globals();
  const origin = performance.now();
  return {
    virtual: null,
    resolution: measureResolution(performance),
    loop: hostLoop(),
    now: () => Math.floor((performance.now() - origin) * 1e6),
    wallTime: () => Date.now(),
    entropy(out) {
      if (crypto === undefined) return false;
      // getRandomValues gives at most 65536 bytes a call.
      for (let at = 0; at < out.length; at += 65536) crypto.getRandomValues(out.subarray(at, at + 65536));
      return true;
    },
  };
}
