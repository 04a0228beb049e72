/*
 * The local port of an active open: inetHashConnect chooses one by RFC 6056 §3.3.4 (double hash:
 * a keyed hash of the destination picks a start and a counter of its own), or checks the one that
 * bind(2) chose, and puts the sock into ehash. A time-wait sock of the same four-tuple may be
 * taken over where the engine's twskUnique allows it.
 */
import { EADDRNOTAVAIL, randomBelow, randomU32 } from '@stack/kernel';
import { TCP_TIME_WAIT } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { InetHashinfo } from './inet-hashinfo.ts';
import {
  inetBindBucketCreate, inetBindBucketFind, inetBindHash, inetEhashAdd, inetEhashDel, inetEhashNolisten,
} from './inet-hashtables.ts';
import { inetIsLocalReservedPort, inetSkGetLocalPortRange } from './inet-port-range.ts';
import type { SockCommon } from './inet-sock.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';
import { inetTwskDeschedulePut } from './inet-timewait.ts';

/** Counters of RFC 6056 §3.3.4; the table is larger than its example so that a stranger sees little of others' use. */
const INET_TABLE_PERTURB_SIZE = 4096;

/** The counters. Each starts at random when it is first used: 0 is one that was not. */
function tablePerturb(hashinfo: InetHashinfo): Int32Array {
  hashinfo.tablePerturb ??= new Int32Array(INET_TABLE_PERTURB_SIZE);
  return hashinfo.tablePerturb;
}

/** The member of ehash with sk's four-tuple, whose hash is `hash`; or null. */
function findFourTuple(sk: InetConnectionSock, hashinfo: InetHashinfo, hash: number): SockCommon | null {
  const { match } = sk.afSpecific;
  for (let other = hashinfo.ehash[hash & hashinfo.ehashMask] ?? null; other !== null; other = other.nullsNext) {
    if (other.skHash === hash && match(sk, other)) return other;
  }
  return null;
}

/**
 * Puts sk, whose local port is set, into ehash if nobody has its four-tuple (`other` is who has it), or only a time-wait
 * sock that may be taken over. False, and nothing done, otherwise.
 */
function takeFourTuple(sk: InetConnectionSock, hashinfo: InetHashinfo, hash: number, other: SockCommon | null, bound: boolean): boolean {
  if (other !== null) {
    if (other.skState !== TCP_TIME_WAIT) return false;
    const tw = other as InetTimewaitSock;
    if (!hashinfo.twskOps.twskUnique(sk, tw, bound)) return false;
    inetEhashDel(hashinfo, tw);
    hashinfo.twskOps.twskRecycled(tw);
    inetTwskDeschedulePut(tw);
  }
  sk.skHash = hash;
  inetEhashAdd(hashinfo, sk);
  return true;
}

/** sk was bound before: its port is given. */
function connectBoundPort(sk: InetConnectionSock, hashinfo: InetHashinfo): number {
  const tb = sk.icskBindHash;
  if (tb !== null && tb.owners === sk && sk.bindNext === null && tb.deathrow === null) {
    inetEhashNolisten(sk, null);
    return 0;
  }
  const hash = sk.afSpecific.ehashfn(sk);
  return takeFourTuple(sk, hashinfo, hash, findFourTuple(sk, hashinfo, hash), true) ? 0 : -EADDRNOTAVAIL;
}

/** Takes `port` if sk would be alone with its four-tuple, of this hash, on it. */
function tryPort(sk: InetConnectionSock, hashinfo: InetHashinfo, port: number, hash: number): boolean {
  sk.inetNum = port;
  sk.inetSport = port;
  // What nearly always decides comes first: a busy host tries many ports.
  const other = findFourTuple(sk, hashinfo, hash);
  if (other !== null && other.skState !== TCP_TIME_WAIT) return false;
  let tb = inetBindBucketFind(hashinfo, port);
  // Ports of bind(2) are left alone: what they allow, their owners decide.
  if (tb !== null && (tb.fastreuse >= 0 || tb.fastreuseport >= 0)) return false;
  if (!takeFourTuple(sk, hashinfo, hash, other, false)) return false;
  // Taking over the last time-wait sock may have dissolved the bucket.
  if (other !== null) tb = inetBindBucketFind(hashinfo, port);
  if (tb === null) {
    tb = inetBindBucketCreate(hashinfo, port);
    tb.fastreuse = -1;
    tb.fastreuseport = -1;
  }
  inetBindHash(sk, tb, port);
  return true;
}

/** sk has no port yet: goes through the range from where the hashes say, even offsets first. */
function connectAnyPort(sk: InetConnectionSock, hashinfo: InetHashinfo): number {
  const net = sk.skNet;
  const portOffset = sk.afSpecific.portOffset(sk);
  // The hash of a four-tuple is that of the rest plus the local port.
  const hash0 = sk.afSpecific.ehashfn(sk);
  const range = inetSkGetLocalPortRange(sk);
  const low = range & 0xffff;
  const high = range >>> 16;
  const remaining = high - low + 1 > 1 ? (high - low + 1) & ~1 : 1;
  const perturb = tablePerturb(hashinfo);
  const index = portOffset & (INET_TABLE_PERTURB_SIZE - 1);
  const start = perturb[index] || randomU32(net.world.random);
  let offset = ((start + portOffset) >>> 0) % remaining & ~1;
  for (let parity = 0; parity < 2; parity++) {
    for (let i = 0; i < remaining; i += 2) {
      const port = low + ((offset + i) % remaining);
      if (inetIsLocalReservedPort(net, port) || !tryPort(sk, hashinfo, port, (hash0 + port) | 0)) continue;
      // A few ports are skipped now and then, so that the sequence tells less about other connections.
      const step = sk.localPortRange !== 0 ? i : Math.max(i, randomBelow(net.world.random, 8) * 2);
      perturb[index] = (start + step + 2) | 0;
      return 0;
    }
    offset++;
    if (remaining === 1) break;
  }
  return -EADDRNOTAVAIL;
}

/**
 * Binds sk, whose addresses and remote port are set, for connect(2): in ehash and with a local port afterwards.
 * 0, or -EADDRNOTAVAIL when the four-tuple, or each port of the range, is taken.
 */
export function inetHashConnect(sk: InetConnectionSock): number {
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  if (sk.inetNum !== 0) return connectBoundPort(sk, hashinfo);
  const err = connectAnyPort(sk, hashinfo);
  if (err !== 0) {
    sk.inetNum = 0;
    sk.inetSport = 0;
  }
  return err;
}

