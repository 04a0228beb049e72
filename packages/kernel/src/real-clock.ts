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

/** The host's globals, bound: a browser's functions refuse another `this`. */
function globals(): HostGlobals {
  const host = globalThis as unknown as HostGlobals;
  const bound: HostGlobals = {
    performance: host.performance,
    setTimeout: host.setTimeout.bind(globalThis),
    clearTimeout: host.clearTimeout.bind(globalThis),
  };
  if (host.setImmediate !== undefined) bound.setImmediate = host.setImmediate.bind(globalThis);
  if (host.clearImmediate !== undefined) bound.clearImmediate = host.clearImmediate.bind(globalThis);
  if (host.MessageChannel !== undefined) bound.MessageChannel = host.MessageChannel;
  if (host.crypto !== undefined) bound.crypto = host.crypto;
  return bound;
}

/** The handle's ref or unref, where it has one (a browser's timer is a number). */
function setHandleRef(handle: HostHandle | number | null, ref: boolean): void {
  if (handle === null || typeof handle === 'number') return;
  if (ref) handle.ref?.();
  else handle.unref?.();
}

/** One way of getting a macrotask; what is asked for keeps the process alive if `setRef` last said so. */
interface TurnSource {
  request(fn: () => void): void;
  setRef(ref: boolean): void;
  close(): void;
  /** A turn that keeps nothing alive comes at once all the same. Node's waits until something else wakes its event loop. */
  readonly promptUnreffed: boolean;
}

function immediateTurns(host: HostGlobals, setImmediate: (fn: () => void) => HostHandle | number): TurnSource {
  let handle: HostHandle | number | null = null;
  return {
    request(fn) {
      handle = setImmediate(fn);
    },
    setRef(ref) {
      setHandleRef(handle, ref);
    },
    close() {
      if (handle !== null) host.clearImmediate?.(handle);
      handle = null;
    },
    promptUnreffed: false,
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
    promptUnreffed: true,
  };
}

function turnSource(host: HostGlobals): TurnSource {
  if (host.setImmediate !== undefined) return immediateTurns(host, host.setImmediate);
  if (host.MessageChannel !== undefined) return channelTurns(host.MessageChannel);
  return immediateTurns(host, (fn) => host.setTimeout(fn, 0));
}

/** What a host loop knows. */
class LoopState {
  host: HostGlobals;
  turns: TurnSource;
  onTurn: () => void;
  onAlarm: () => void;
  /** What turns.request is given: made once. */
  turn: () => void;
  ring: () => void;
  requested: boolean;
  /** The turn that was asked for keeps the process alive, whatever `reffed` says. */
  keep: boolean;
  /** Of the alarm, in ns; Infinity if it is not set. */
  deadline: number;
  /** Null while the alarm is not set, or so near that turns wait for it. */
  timer: HostHandle | number | null;
  reffed: boolean;
  attached: boolean;
  closed: boolean;

  constructor(host: HostGlobals) {
    this.host = host;
    this.turns = turnSource(host);
    this.onTurn = unattached;
    this.onAlarm = unattached;
    this.turn = () => takeTurn(this);
    this.ring = () => ringAlarm(this);
    this.requested = false;
    this.keep = false;
    this.deadline = Infinity;
    this.timer = null;
    this.reffed = false;
    this.attached = false;
    this.closed = false;
  }
}

function unattached(): void {
  throw new Error('the host loop serves no World yet');
}

function hostNow(state: LoopState): number {
  return Math.floor(state.host.performance.now() * 1e6);
}

function requestTurn(state: LoopState, keep: boolean): void {
  if (state.closed || (state.requested && (state.keep || !keep))) return;
  if (!state.requested) state.turns.request(state.turn);
  state.requested = true;
  state.keep = keep;
  state.turns.setRef(keep || state.reffed);
}

function takeTurn(state: LoopState): void {
  state.requested = false;
  state.keep = false;
  if (state.closed) return;
  if (state.timer === null && state.deadline !== Infinity) {
    const left = state.deadline - hostNow(state);
    if (left > 0) awaitAlarm(state, left);
    else ringAlarm(state);
  }
  state.onTurn();
}

function ringAlarm(state: LoopState): void {
  state.timer = null;
  state.deadline = Infinity;
  if (!state.closed) state.onAlarm();
}

function clearAlarm(state: LoopState): void {
  if (state.timer !== null) state.host.clearTimeout(state.timer);
  state.timer = null;
  state.deadline = Infinity;
}

function setAlarm(state: LoopState, delay: number): void {
  clearAlarm(state);
  if (state.closed) return;
  state.deadline = hostNow(state) + delay;
  awaitAlarm(state, delay);
}

/** Sees to it that the alarm rings in `delay` ns: a turn looks for it, or the host's timer does. */
function awaitAlarm(state: LoopState, delay: number): void {
  if (delay < SPIN_BELOW && (state.reffed || state.turns.promptUnreffed)) {
    requestTurn(state, false);
    return;
  }
  state.timer = state.host.setTimeout(state.ring, Math.min(Math.max(Math.ceil(delay / 1e6), 1), MAX_TIMEOUT_MS));
  if (!state.reffed) setHandleRef(state.timer, false);
}

function setRef(state: LoopState, ref: boolean): void {
  state.reffed = ref;
  setHandleRef(state.timer, ref);
  state.turns.setRef(ref || state.keep);
  if (!ref && state.timer === null && state.deadline !== Infinity) awaitAlarm(state, state.deadline - hostNow(state));
}

function attach(state: LoopState, onTurn: () => void, onAlarm: () => void): void {
  if (state.attached) throw new Error('a clock serves one World');
  state.attached = true;
  state.onTurn = onTurn;
  state.onAlarm = onAlarm;
}

function close(state: LoopState): void {
  state.closed = true;
  clearAlarm(state);
  state.turns.close();
}

/** The event loop of the host this runs on, for one World. */
export function hostLoop(): HostLoop {
  const state = new LoopState(globals());
  return {
    attach: (onTurn, onAlarm) => attach(state, onTurn, onAlarm),
    now: () => hostNow(state),
    requestTurn: (keep) => requestTurn(state, keep),
    setAlarm: (delay) => setAlarm(state, delay),
    clearAlarm: () => clearAlarm(state),
    setRef: (ref) => setRef(state, ref),
    close: () => close(state),
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
