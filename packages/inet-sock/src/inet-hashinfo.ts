/*
 * The tables of one engine in one Net (the kernel's inet_hashinfo): ehash for four-tuples, bhash
 * for local ports, lhash for listeners. inet-hashtables.ts works on them.
 *
 * Chains are linked through the socks themselves; ehash doubles when it holds more members than
 * chains, so a lookup costs a load of the chain and one or two compares.
 */
import type { InetBindBucket } from './inet-bind-bucket.ts';
import type { SockCommon } from './inet-sock.ts';

const EHASH_INITIAL = 256;

/** Number of chains of bhash and of lhash, a power of two each. */
export const INET_BHASH_SIZE = 1024;
export const INET_LHTABLE_SIZE = 32;

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
  /** RFC 6056 §3.3.4 (double hash): the table of counters; made on the first connect. */
  tablePerturb: Uint32Array | null;

  constructor() {
    this.ehash = new Array<SockCommon | null>(EHASH_INITIAL).fill(null);
    this.ehashMask = EHASH_INITIAL - 1;
    this.ehashCount = 0;
    this.bhash = new Array<InetBindBucket | null>(INET_BHASH_SIZE).fill(null);
    this.lhash = new Array<SockCommon | null>(INET_LHTABLE_SIZE).fill(null);
    this.twCount = 0;
    this.sysctlMaxTwBuckets = 262144;
    this.tablePerturb = null;
  }
}
