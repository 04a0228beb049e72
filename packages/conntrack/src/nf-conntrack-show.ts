/*
 * What is tracked, as plain data (ctnetlink in the kernel), as lines of `conntrack -L`, and what has been counted.
 */
import { inNtoa } from '@stack/inet-sock';
import { HZ } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '@stack/ip';
import { IPS_ASSURED, IPS_SEEN_REPLY } from './nf-conn.ts';
import type { NetnsCt, NfConn, NfConntrackTupleHash } from './nf-conn.ts';
import { nfConntrackFlush, nfConntrackList, nfCtL4protoFind } from './nf-conntrack-hash.ts';
import { nfConntrackStatNames } from './nf-conntrack-stat.ts';
import { tcpConntrackNames } from './nf-conntrack-tcp-state.ts';

/** One direction of a connection: ports for TCP and UDP, type, code and id for ICMP, neither for other protocols. */
export interface ConntrackTuple {
  readonly src: string;
  readonly dst: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
  /** While net.netfilter.nf_conntrack_acct is on. */
  readonly packets?: number;
  readonly bytes?: number;
}

/** A connection. */
export interface ConntrackRow {
  readonly protocol: string;
  readonly protonum: number;
  /** Seconds that it is kept without another packet. */
  readonly timeout: number;
  /** TCP: SYN_SENT … */
  readonly state?: string;
  readonly orig: ConntrackTuple;
  readonly reply: ConntrackTuple;
  readonly unreplied: boolean;
  readonly assured: boolean;
  readonly mark: number;
  /** References: the table's, and those of packets. */
  readonly use: number;
}

function tupleRow({ ct, tuple, packets, bytes }: NfConntrackTupleHash): ConntrackTuple {
  const ends = { src: inNtoa(tuple.srcU3), dst: inNtoa(tuple.dstU3) };
  const counted = ct.net.ct.sysctlAcct === 0 ? {} : { packets, bytes };
  switch (tuple.protonum) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
      return { ...ends, sport: tuple.srcU, dport: tuple.dstU, ...counted };
    case IPPROTO_ICMP:
      return { ...ends, type: tuple.dstU >> 8, code: tuple.dstU & 0xff, id: tuple.srcU, ...counted };
    default:
      return { ...ends, ...counted };
  }
}

function connRow(ct: NfConn): ConntrackRow {
  const [orig, reply] = ct.tuplehash;
  const { protonum } = orig.tuple;
  return {
    protocol: nfCtL4protoFind(ct.net.ct, protonum).name,
    protonum,
    timeout: Math.trunc(((ct.timeout - ct.net.world.jiffies) | 0) / HZ),
    ...(ct.tcp === null ? {} : { state: tcpConntrackNames[ct.tcp.state]! }),
    orig: tupleRow(orig),
    reply: tupleRow(reply),
    unreplied: (ct.status & IPS_SEEN_REPLY) === 0,
    assured: (ct.status & IPS_ASSURED) !== 0,
    mark: ct.mark,
    use: ct.use,
  };
}

/** Tracking's part of a host; throws if it does not track. */
function tableOf(net: Net): NetnsCt {
  if (net.ct === null) throw new TypeError('this host does not track connections: installConntrack() first');
  return net.ct;
}

/** Every connection in the table. */
export function conntrackShow(net: Net): ConntrackRow[] {
  return nfConntrackList(tableOf(net)).map(connRow);
}

function tupleText(tuple: ConntrackTuple): string {
  return Object.entries(tuple).map(([name, value]) => `${name}=${value}`).join(' ');
}

/** A row as `conntrack -L` writes it. */
export function conntrackFormat(row: ConntrackRow): string {
  const { protocol, protonum, timeout, state, orig, reply, unreplied, assured, mark, use } = row;
  const head = `${protocol.padEnd(8)} ${protonum} ${timeout}`;
  const parts = [head, state, tupleText(orig), unreplied ? '[UNREPLIED]' : undefined, tupleText(reply), assured ? '[ASSURED]' : undefined];
  return [...parts.filter((part) => part !== undefined), `mark=${mark}`, `use=${use}`].join(' ');
}

/** What has been counted, as /proc/net/stat/nf_conntrack has it, and how many connections there are. */
export function conntrackStat(net: Net): Record<string, number> {
  const { stat, count } = tableOf(net);
  const rows = nfConntrackStatNames.map((name, i) => [name.replace(/(?!^)[A-Z]/g, '_$&').toLowerCase(), stat.values[i]!]);
  return { entries: count, ...Object.fromEntries(rows) as Record<string, number> };
}

/** Ends every connection (`conntrack -F`). */
export function conntrackFlush(net: Net): void {
  nfConntrackFlush(tableOf(net));
}
