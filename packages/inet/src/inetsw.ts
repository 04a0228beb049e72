/*
 * inetsw: which protocol, and which table of operations, a socket of a type has (include/net/protocol.h, net/ipv4/af_inet.c).
 * The transports are registered by whoever assembles the host (`inetRegisterProtosw`), so that inet knows none of them.
 */
import { EEXIST, EINVAL, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_IP, SOCK_MAX } from '@stack/socket';
import type { Proto, ProtoOps } from '@stack/socket';

/** Sockets of this protocol have SO_REUSEADDR from the start. */
export const INET_PROTOSW_REUSE = 0x01;
/** A protocol of its own number cannot be registered over it. */
export const INET_PROTOSW_PERMANENT = 0x02;
/** Its socks are InetConnectionSocks. */
export const INET_PROTOSW_ICSK = 0x04;

/** struct inet_protosw: one kind of socket. One constant object for each. */
export interface InetProtosw {
  /** SOCK_STREAM … */
  readonly type: number;
  /** IPPROTO_TCP …; IPPROTO_IP matches every protocol (raw sockets). */
  readonly protocol: number;
  readonly prot: Proto;
  readonly ops: ProtoOps;
  /** INET_PROTOSW_… */
  readonly flags: number;
}

/** What the family owns in one Net (`net.inet`). */
export class NetnsInet {
  /** By socket type; of several, the one registered last is found first. Permanent ones come behind the others. */
  inetsw: InetProtosw[][];

  constructor() {
    this.inetsw = Array.from({ length: SOCK_MAX }, () => []);
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    inet: NetnsInet;
  }
}

/** Registers a kind of socket. 0, -EINVAL for a type that is none, -EEXIST where a permanent one has type and protocol. */
export function inetRegisterProtosw(net: Net, p: InetProtosw): number {
  const row = net.inet.inetsw[p.type];
  if (row === undefined) return -EINVAL;
  if (row.includes(p)) return -EEXIST;
  if (row.some((other) => (other.flags & INET_PROTOSW_PERMANENT) !== 0 && other.protocol === p.protocol)) return -EEXIST;
  const first = row.findIndex((other) => (other.flags & INET_PROTOSW_PERMANENT) !== 0);
  if ((p.flags & INET_PROTOSW_PERMANENT) !== 0 || first < 0) row.push(p);
  else row.splice(first, 0, p);
  return 0;
}

/** Takes a kind of socket out; open ones live on. 0, or -ENOENT if it is not there. */
export function inetUnregisterProtosw(net: Net, p: InetProtosw): number {
  const row = net.inet.inetsw[p.type] ?? [];
  const at = row.indexOf(p);
  if (at < 0) return -ENOENT;
  row.splice(at, 1);
  return 0;
}

/** The kind of socket for socket(PF_INET, type, protocol), or null. */
export function inetswFind(net: Net, type: number, protocol: number): InetProtosw | null {
  for (const answer of net.inet.inetsw[type] ?? []) {
    if (protocol === IPPROTO_IP || answer.protocol === protocol || answer.protocol === IPPROTO_IP) {
      // socket(PF_INET, SOCK_RAW, 0) names no protocol, and a wildcard has none to give.
      if (protocol !== IPPROTO_IP || answer.protocol !== IPPROTO_IP) return answer;
    }
  }
  return null;
}
