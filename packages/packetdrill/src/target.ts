/*
 * What a script runs against: a host of the house in virtual time (house.ts), or the machine's own Linux (linux.ts). run.ts knows
 * scripts and packets; whoever is under test is a table of functions that take the target first.
 */
import type { Expr } from './script.ts';

/** A packet that the target sent: its octets from the IP header on, and µs since the script began. */
export interface Sent {
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** What calls need to know of the run. */
export interface CallContext {
  readonly localIp: number;
  readonly remoteIp: number;
  /** Descriptors: the script's number to the target's. */
  readonly fds: Map<number, number>;
}

/** What a call did. Its last step, after the result is known, is `check`. */
export interface Outcome {
  readonly result: number | Promise<number>;
  /** Compares what came back besides the result; throws a CallError. */
  readonly check?: (result: number) => void;
  /** The result is a new descriptor. */
  readonly opens?: boolean;
}

export interface TargetOps<T> {
  /** Runs commands: a block in backticks. Throws at the first that fails. Returns notes for the log. */
  readonly commands: (t: T, text: string) => readonly string[];
  /** The script begins: its clock is 0. */
  readonly begin: (t: T) => void;
  /** µs since the script began. */
  readonly now: (t: T) => number;
  /** Resolves at `at` µs. */
  readonly until: (t: T, at: number) => Promise<void>;
  /** Resolves with whether `done` was settled by `at` µs, or a little later where clocks are real. */
  readonly settled: (t: T, done: Promise<void>, at: number) => Promise<boolean>;
  /** Resolves with the next packet that the target sends, or null if none is sent by `limit` µs. */
  readonly nextSent: (t: T, limit: number) => Promise<Sent | null>;
  /** The same, but the packet is left where it is. */
  readonly peekSent: (t: T, limit: number) => Promise<Sent | null>;
  /** Segments of one flight are sent within so many µs. */
  readonly burst: number;
  /** How late a timer may be that was to fire after so many µs. */
  readonly timerSlack: (wait: number) => number;
  /** Hands the target a packet; one with more text than `mss`, if that is not 0, as segments put together by GRO. */
  readonly receive: (t: T, bytes: Uint8Array, mss: number) => void;
  /** Makes a call. `blocking`: the script says when it returns. */
  readonly call: (t: T, context: CallContext, name: string, args: readonly Expr[], blocking: boolean) => Outcome;
  /** The fields of a socket's TCP_INFO as `tcpi_…`; null if the descriptor is no TCP socket. */
  readonly tcpInfo: (t: T, fd: number) => ReadonlyMap<string, number> | null;
  /** A socket's SO_MEMINFO as `sk_…`; null if the descriptor is no socket. */
  readonly meminfo: (t: T, fd: number) => ReadonlyMap<string, number> | null;
  /** SNMP counters by the names that nstat has: 0 when the script began. */
  readonly counters: (t: T) => ReadonlyMap<string, number>;
  /** Ends it. Resolves with what broke in the target itself; empty if nothing. */
  readonly close: (t: T) => Promise<string>;
}
