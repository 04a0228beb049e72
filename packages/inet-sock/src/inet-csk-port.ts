/*
 * bind(2) of a connection-oriented sock: inetCskGetPort takes the port asked for, or finds a free
 * one, and decides by SO_REUSEADDR and SO_REUSEPORT whether it may be shared.
 *
 * The rules are Linux's: two socks may share a port when their addresses or devices differ, or both
 * set SO_REUSEADDR and neither listens, or both set SO_REUSEPORT.
 */
import { EADDRINUSE, randomBelow } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { SK_CAN_REUSE, SK_FORCE_REUSE, TCP_LISTEN } from '@stack/socket';
import type { Sock } from '@stack/socket';
import type { InetBindBucket } from './inet-bind-bucket.ts';
import { inetCsk } from './inet-connection-sock.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import { inetBindBucketCreate, inetBindBucketDestroy, inetBindBucketFind, inetBindHash } from './inet-hashtables.ts';
import { inetIsLocalReservedPort, inetSkGetLocalPortRange } from './inet-port-range.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';

function devicesOverlap(sk: InetConnectionSock, dev: number): boolean {
  return sk.skBoundDevIf === 0 || dev === 0 || sk.skBoundDevIf === dev;
}

/** Whether owner sk2 of the bucket is in sk's way. `relax`: SO_REUSEADDR on both suffices. */
function ownerConflicts(sk: InetConnectionSock, sk2: InetConnectionSock, relax: boolean, reuseportOk: boolean): boolean {
  if (sk === sk2 || !devicesOverlap(sk, sk2.skBoundDevIf)) return false;
  if (relax && sk.skReuse !== 0 && sk2.skReuse !== 0 && sk2.skState !== TCP_LISTEN) return false;
  if (reuseportOk && sk.skReuseport && sk2.skReuseport) return false;
  return sk.afSpecific.rcvSaddrConflict(sk, sk2);
}

function restConflicts(sk: InetConnectionSock, tw: InetTimewaitSock): boolean {
  if (!devicesOverlap(sk, tw.skBoundDevIf)) return false;
  if (sk.skReuse !== 0 && tw.twReuse !== 0) return false;
  if (sk.skReuseport && tw.twReuseport) return false;
  return sk.afSpecific.rcvSaddrConflict(sk, tw);
}

/** Whether any holder of the port is in sk's way. */
function inetCskBindConflict(sk: InetConnectionSock, tb: InetBindBucket, relax: boolean, reuseportOk: boolean): boolean {
  for (let sk2 = tb.owners; sk2 !== null; sk2 = sk2.bindNext) {
    if (ownerConflicts(sk, sk2, relax, reuseportOk)) return true;
  }
  for (let tw = tb.deathrow; tw !== null; tw = tw.twBindNext) {
    if (restConflicts(sk, tw)) return true;
  }
  return false;
}

/** A free port of sk's range, its bucket made; or null. Every second port, odd offsets, so that connect() keeps the rest. */
function inetCskFindOpenPort(sk: InetConnectionSock): InetBindBucket | null {
  const net = sk.skNet;
  const hashinfo = sk.afSpecific.hashinfo(net);
  const range = inetSkGetLocalPortRange(sk);
  const low = range & 0xffff;
  const remaining = ((range >>> 16) & 0xffff) - low + 1;
  let offset = randomBelow(net.world.random, remaining) | 1;
  for (let parity = 0; parity < 2; parity++) {
    for (let i = 0; i < remaining; i += 2) {
      const port = low + ((offset + i) % remaining);
      if (inetIsLocalReservedPort(net, port)) continue;
      const tb = inetBindBucketFind(hashinfo, port);
      if (tb === null) return inetBindBucketCreate(hashinfo, port);
      if (!inetCskBindConflict(sk, tb, false, false)) return tb;
    }
    offset--;
  }
  return null;
}

/** Keeps the bucket's summary of its owners true as sk joins. */
function inetCskUpdateFastreuse(sk: InetConnectionSock, tb: InetBindBucket): void {
  const reuse = sk.skReuse !== 0 && sk.skState !== TCP_LISTEN ? 1 : 0;
  if (tb.owners === null) {
    tb.fastreuse = reuse;
    tb.fastreuseport = sk.skReuseport ? 1 : 0;
    return;
  }
  if (reuse === 0) tb.fastreuse = 0;
  if (!sk.skReuseport) tb.fastreuseport = 0;
}

/** Whether sk may share the port with those who hold it. */
function portIsFree(sk: InetConnectionSock, tb: InetBindBucket): boolean {
  if (tb.owners === null && tb.deathrow === null) return true;
  if (sk.skReuse === SK_FORCE_REUSE) return true;
  const reuse = sk.skReuse === SK_CAN_REUSE && sk.skState !== TCP_LISTEN;
  if (tb.owners !== null && tb.fastreuse > 0 && reuse) return true;
  if (tb.owners !== null && tb.fastreuseport > 0 && sk.skReuseport) return true;
  return !inetCskBindConflict(sk, tb, true, true);
}

/**
 * Proto.getPort: binds sk to local port snum (0: any free one). Called by bind(2), and again by listen(2) to see
 * whether the port may be listened on. 0, or -EADDRINUSE.
 */
export function inetCskGetPort(sock: Sock, snum: number): number {
  const sk = inetCsk(sock);
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  let tb: InetBindBucket | null;
  if (snum === 0) {
    tb = inetCskFindOpenPort(sk);
    if (tb === null) return -EADDRINUSE;
  } else {
    tb = inetBindBucketFind(hashinfo, snum) ?? inetBindBucketCreate(hashinfo, snum);
    if (!portIsFree(sk, tb)) {
      inetBindBucketDestroy(hashinfo, tb);
      return -EADDRINUSE;
    }
  }
  inetCskUpdateFastreuse(sk, tb);
  if (sk.icskBindHash === null) inetBindHash(sk, tb, tb.port);
  return 0;
}

/** Whether a port is held at all; for diagnostics and tests. */
export function inetPortInUse(net: Net, sk: InetConnectionSock, port: number): boolean {
  return inetBindBucketFind(sk.afSpecific.hashinfo(net), port) !== null;
}
