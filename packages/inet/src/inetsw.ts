/*
 * inetsw: which protocol, and which table of operations, a socket of a type has (include/net/protocol.h, net/ipv4/af_inet.c).
 * The transports are registered by whoever assembles the host (`inetRegisterProtosw`), so that inet knows none of them.
 */
import { EEXIST, EINVAL, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IpcmCookie } from '@stack/ip';
import { IPPROTO_IP, SOCK_MAX } from '@stack/socket';
import type { Proto, ProtoOps } from '@stack/socket';
import { PingTable } from './ping-table.ts';
import { RawHashinfo } from './raw-sock.ts';

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
  /** By socket type: the permanent ones, then the others, of which the one registered last is found first. */
  inetsw: InetProtosw[][];
  /* Raw sockets (raw-sock.ts), ping sockets (ping-table.ts). */
  raw: RawHashinfo;
  ping: PingTable;
  /** The groups whose tasks may make ping sockets: from [0] to [1], none if that is less. */
  sysctlPingGroupRange: Int32Array;
  /** What the sendmsg of raw or ping that goes on says of its packet: sends of a Net do not meet. */
  cookie: IpcmCookie;

  constructor() {
    this.inetsw = Array.from({ length: SOCK_MAX }, () => []);
    this.raw = new RawHashinfo();
    this.ping = new PingTable();
    this.sysctlPingGroupRange = Int32Array.of(1, 0);
    this.cookie = new IpcmCookie();
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
  // Behind the permanent ones, so that it is not what socket(2) without a protocol finds; before the others.
  const others = row.findIndex((other) => (other.flags & INET_PROTOSW_PERMANENT) === 0);
  row.splice(others < 0 ? row.length : others, 0, p);
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
