/*
 * The tables of one engine in one Net (the kernel's inet_hashinfo): ehash for four-tuples, bhash
 * for local ports, lhash for listeners. inet-hashtables.ts works on them.
 *
 * Chains are linked through the socks themselves; ehash doubles when it holds more members than
 * chains, so a lookup costs a load of the chain and one or two compares.
 */
import type { TimerList } from '@stack/kernel';
import type { InetBindBucket } from './inet-bind-bucket.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { SockCommon } from './inet-sock.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';

const EHASH_INITIAL = 256;

/** Number of chains of bhash and of lhash, a power of two each. */
export const INET_BHASH_SIZE = 4096;
export const INET_LHTABLE_SIZE = 32;

/** What the tables ask of their engine about time-wait socks. One constant table per engine. */
export interface InetTwskOps {
  /** Whether sk may take over the four-tuple of tw; sets up sk's sequence numbers if so. `bound`: bind() chose the port. */
  readonly twskUnique: (sk: InetConnectionSock, tw: InetTimewaitSock, bound: boolean) => boolean;
  /** tw's time is over (counting it). */
  readonly twskExpired: (tw: InetTimewaitSock) => void;
  /** tw was taken over by a new connection (counting it). */
  readonly twskRecycled: (tw: InetTimewaitSock) => void;
}

/** What an engine's timers do; the sock is timer.data. One constant table per engine. */
export interface IcskTimerOps {
  readonly writeTimer: (timer: TimerList) => void;
  readonly delackTimer: (timer: TimerList) => void;
  readonly keepaliveTimer: (timer: TimerList) => void;
}

/** The tables of one engine. */
export class InetHashinfo {
  ehash: (SockCommon | null)[];
  /** Chains − 1. */
  ehashMask: number;
  /** Members of ehash. */
  ehashCount: number;
  bhash: (InetBindBucket | null)[];
  lhash: (SockCommon | null)[];
  /** Time-wait socks, and the most there may be. */
  twCount: number;
  sysctlMaxTwBuckets: number;
  /** Socks without a user that still have work to do. */
  orphanCount: number;
  /** RFC 6056 §3.3.4 (double hash): the table of counters; made on the first connect. */
  tablePerturb: Int32Array | null;
  /** Key of the hash functions (drawn by inetHashinfoInit). */
  hashSecret: number;
  twskOps: InetTwskOps;
  timerOps: IcskTimerOps;

  constructor(twskOps: InetTwskOps, timerOps: IcskTimerOps) {
    this.ehash = new Array<SockCommon | null>(EHASH_INITIAL).fill(null);
    this.ehashMask = EHASH_INITIAL - 1;
    this.ehashCount = 0;
    this.bhash = new Array<InetBindBucket | null>(INET_BHASH_SIZE).fill(null);
    this.lhash = new Array<SockCommon | null>(INET_LHTABLE_SIZE).fill(null);
    this.twCount = 0;
    this.sysctlMaxTwBuckets = 262144;
    this.orphanCount = 0;
    this.tablePerturb = null;
    this.hashSecret = 0;
    this.twskOps = twskOps;
    this.timerOps = timerOps;
  }
}
