/*
 * Answers that are kept (RFC 1035 §7.4), and answers that there is none (RFC 2308), as long as their TTLs say, in the World's
 * time. The oldest goes when there are too many. Deviation: glibc's resolver keeps nothing and leaves it to nscd or a local
 * name server; a simulated host has neither.
 */
import { DnsRecord, NOERROR, NXDOMAIN, NS_RCODE, SoaData, T_SOA, type DnsMessage } from './nameser.ts';
import { nsLower } from './ns-name.ts';

/** Seconds that an answer is kept at most: a day; one that there is none: three hours (RFC 2308 §5). */
const MAX_TTL = 86_400;
const MAX_NEGATIVE_TTL = 10_800;
/** Answers that are kept at most. */
const CACHE_MAX = 1024;
const NSEC_PER_SEC = 1e9;

interface Entry {
  /** ns of the World's time. */
  readonly stored: number;
  readonly expires: number;
  readonly msg: DnsMessage;
}

export class ResCache {
  entries: Map<string, Entry>;

  constructor() {
    this.entries = new Map();
  }
}

/** A name that is not there is not there for any type (RFC 2308 §5): its type is 0. */
function keyOf(name: string, type: number): string {
  return `${type} ${nsLower(name)}`;
}

/** Seconds for which the message may be kept; 0: not at all. */
function lifetime(msg: DnsMessage): number {
  const rcode = msg.flags & NS_RCODE;
  if (rcode === NOERROR && msg.answer.length > 0) return Math.min(MAX_TTL, ...msg.answer.map((record) => record.ttl));
  if (rcode !== NOERROR && rcode !== NXDOMAIN) return 0;
  const soa = msg.authority.find((record) => record.type === T_SOA);
  if (soa === undefined || !(soa.data instanceof SoaData)) return 0;
  return Math.min(MAX_NEGATIVE_TTL, soa.ttl, soa.data.minimum);
}

/** Keeps the answer to (name, type); `now` in ns. */
export function cachePut(cache: ResCache, name: string, type: number, msg: DnsMessage, now: number): void {
  const seconds = lifetime(msg);
  if (seconds <= 0) return;
  const key = keyOf(name, (msg.flags & NS_RCODE) === NXDOMAIN ? 0 : type);
  cache.entries.delete(key);
  if (cache.entries.size >= CACHE_MAX) {
    const oldest = cache.entries.keys().next();
    if (oldest.done !== true) cache.entries.delete(oldest.value);
  }
  cache.entries.set(key, { stored: now, expires: now + seconds * NSEC_PER_SEC, msg });
}

/** A record `age` seconds later. */
function aged(record: DnsRecord, age: number): DnsRecord {
  return new DnsRecord(record.name, record.type, Math.max(record.ttl - age, 0), record.data, record.class);
}

function take(cache: ResCache, key: string, now: number): DnsMessage | null {
  const entry = cache.entries.get(key);
  if (entry === undefined) return null;
  if (now >= entry.expires) {
    cache.entries.delete(key);
    return null;
  }
  const age = Math.floor((now - entry.stored) / NSEC_PER_SEC);
  const { msg } = entry;
  return {
    ...msg,
    answer: msg.answer.map((record) => aged(record, age)),
    authority: msg.authority.map((record) => aged(record, age)),
    additional: msg.additional.map((record) => aged(record, age)),
  };
}

/** The answer to (name, type) that is kept, its TTLs as they are now; null if none is. */
export function cacheGet(cache: ResCache, name: string, type: number, now: number): DnsMessage | null {
  return take(cache, keyOf(name, type), now) ?? take(cache, keyOf(name, 0), now);
}
