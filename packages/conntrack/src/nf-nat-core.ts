/*
 * Which address and port a connection gets (net/netfilter/nf_nat_core.c).
 *
 * nfNatSetupInfo() on the first packet, once for the destination (PRE_ROUTING, LOCAL_OUT) and once for the source (POST_ROUTING,
 * LOCAL_IN): getUniqueTuple() finds a tuple in the range that nobody else has, and the direction that answers gets its inverse.
 * A connection that no rule is about is bound to what it has, so that it cannot collide with one that another rule has moved.
 * Read first: RFC 4787 §4, RFC 5382 (how a mapping should behave), RFC 7857.
 */
import { randomBelow } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '@stack/ip';
import { NF_ACCEPT } from '@stack/netfilter';
import { hsiphash3u32 } from '@stack/kernel';
import {
  IPS_DST_NAT, IPS_DST_NAT_DONE, IPS_DYING, IPS_SRC_NAT, IPS_SRC_NAT_DONE, nfCtIsConfirmed,
} from './nf-conn.ts';
import type { NfConn } from './nf-conn.ts';
import { nfConntrackAlterReply } from './nf-conntrack-core.ts';
import { nfConntrackTupleTaken, nfCtInvertTuple } from './nf-conntrack-hash.ts';
import { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, nfCtTupleCopy, nfCtTupleEqual } from './nf-conntrack-tuple.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';
import { NF_NAT_MANIP_DST, NF_NAT_MANIP_SRC, NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED } from './nf-nat.ts';
import type { NetnsNat, NfNatRange } from './nf-nat.ts';

/** Ports tried before the search gives up. */
const ATTEMPTS_MAX = 128;
const ATTEMPTS_MIN = 16;

/** Whether what NAT does with source or destination is settled. */
export function nfNatInitialized(ct: NfConn, manip: number): boolean {
  return (ct.status & (manip === NF_NAT_MANIP_SRC ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE)) !== 0;
}

function sourceSlot(nat: NetnsNat, tuple: NfConntrackTuple): number {
  return hsiphash3u32(tuple.srcU3, tuple.srcU, tuple.protonum, nat.hashKey) & (nat.bysource.length - 1);
}

/** NetnsCt.natCleanup: the connection is gone. */
export function nfNatCleanupConntrack(ct: NfConn): void {
  if ((ct.status & IPS_SRC_NAT_DONE) === 0) return;
  const { nat } = ct.net;
  const slot = sourceSlot(nat, ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple);
  let at = nat.bysource[slot];
  if (at === ct) nat.bysource[slot] = ct.natNext;
  while (at !== null && at.natNext !== ct) at = at.natNext;
  if (at !== null) at.natNext = ct.natNext;
  ct.natNext = null;
}

/** Whether another connection is answered by what would answer this tuple. */
function nfNatUsedTuple(net: Net, tuple: NfConntrackTuple, ignored: NfConn): boolean {
  const { reply } = net.nat;
  nfCtInvertTuple(net.ct, reply, tuple);
  return nfConntrackTupleTaken(net.ct, reply, ignored);
}

function addrInRange(addr: number, range: NfNatRange): boolean {
  if ((range.flags & NF_NAT_RANGE_MAP_IPS) === 0) return true;
  return addr >>> 0 >= range.minAddr >>> 0 && addr >>> 0 <= range.maxAddr >>> 0;
}

function protoInRange(value: number, range: NfNatRange): boolean {
  if ((range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) === 0) return true;
  return value >= range.minProto && value <= range.maxProto;
}

function sourceInRange(tuple: NfConntrackTuple, range: NfNatRange): boolean {
  return addrInRange(tuple.srcU3, range) && protoInRange(tuple.srcU, range);
}

/** Gives `tuple` the source that its original source has been given before, if that is in the range (RFC 4787 §4.1: one mapping whoever it speaks to). */
function findAppropriateSrc(nat: NetnsNat, tuple: NfConntrackTuple, range: NfNatRange): boolean {
  for (let ct = nat.bysource[sourceSlot(nat, tuple)]; ct !== null; ct = ct.natNext) {
    const orig = ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple;
    if (orig.srcU3 !== tuple.srcU3 || orig.srcU !== tuple.srcU || orig.protonum !== tuple.protonum) continue;
    if ((ct.status & IPS_DYING) !== 0) continue;
    const reply = ct.tuplehash[IP_CT_DIR_REPLY].tuple;
    const srcU = tuple.protonum === IPPROTO_ICMP ? reply.srcU : reply.dstU;
    if (!addrInRange(reply.dstU3, range) || !protoInRange(srcU, range)) continue;
    tuple.srcU3 = reply.dstU3;
    tuple.srcU = srcU;
    return true;
  }
  return false;
}

/** Chooses an address of the range: the same one for the same two ends. */
function findBestIpsProto(nat: NetnsNat, tuple: NfConntrackTuple, range: NfNatRange, manip: number): void {
  if ((range.flags & NF_NAT_RANGE_MAP_IPS) === 0) return;
  const count = (range.maxAddr >>> 0) - (range.minAddr >>> 0) + 1;
  const hash = count === 1 ? 0 : hsiphash3u32(tuple.srcU3, tuple.dstU3, 0, nat.hashKey) >>> 0;
  const addr = (range.minAddr + (hash % count)) | 0;
  if (manip === NF_NAT_MANIP_SRC) tuple.srcU3 = addr;
  else tuple.dstU3 = addr;
}

/** The first of the ports that a source port may become, and how many they are: privileged ones stay such (RFC 4787 §4.2.1). */
function portRange(port: number): readonly [number, number] {
  if (port < 512) return LOW_PORTS;
  return port < 1024 ? PRIVILEGED_PORTS : PORTS;
}

const LOW_PORTS: readonly [number, number] = [1, 511];
const PRIVILEGED_PORTS: readonly [number, number] = [600, 424];
const PORTS: readonly [number, number] = [1024, 64512];
const ICMP_IDS: readonly [number, number] = [0, 65536];

/** Searches a port (or id) with which nobody has the tuple; where there is none the last one tried stands, and the connection will not be confirmed. */
function uniqueProto(net: Net, tuple: NfConntrackTuple, range: NfNatRange, manip: number, ct: NfConn): void {
  const source = manip === NF_NAT_MANIP_SRC;
  const icmp = tuple.protonum === IPPROTO_ICMP;
  if (!icmp && tuple.protonum !== IPPROTO_TCP && tuple.protonum !== IPPROTO_UDP) return;
  let [min, size] = icmp ? ICMP_IDS : portRange(tuple.srcU);
  if ((range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0) {
    min = range.minProto;
    size = range.maxProto - range.minProto + 1;
  } else if (!source) {
    return; // nobody asked for another destination port
  }
  const { random } = net.world;
  let offset = source ? randomBelow(random, size) : Math.max(tuple.dstU - min, 0);
  for (let attempts = Math.min(size, ATTEMPTS_MAX); ; attempts >>= 1) {
    for (let i = 0; i < attempts; i++, offset++) {
      const value = min + (offset % size);
      if (source) tuple.srcU = value;
      else tuple.dstU = value;
      if (!nfNatUsedTuple(net, tuple, ct)) return;
    }
    if (attempts >= size || attempts < ATTEMPTS_MIN) return;
    offset = randomBelow(random, size);
  }
}

/** Makes `tuple`, a copy of the one ct has now, one that is in the range and nobody else's. */
function getUniqueTuple(net: Net, tuple: NfConntrackTuple, range: NfNatRange, manip: number, ct: NfConn): void {
  const { nat } = net;
  if (manip === NF_NAT_MANIP_SRC) {
    const current = nat.current;
    if (sourceInRange(tuple, range)) {
      if (!nfNatUsedTuple(net, tuple, ct)) return;
    } else if (findAppropriateSrc(nat, tuple, range)) {
      if (!nfNatUsedTuple(net, tuple, ct)) return;
      nfCtTupleCopy(tuple, current);
    }
  }
  findBestIpsProto(nat, tuple, range, manip);
  const value = manip === NF_NAT_MANIP_SRC ? tuple.srcU : tuple.dstU;
  if (protoInRange(value, range)) {
    const fixed = (range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 && range.minProto === range.maxProto;
    if (fixed || !nfNatUsedTuple(net, tuple, ct)) return;
  }
  uniqueProto(net, tuple, range, manip, ct);
}

/**
 * Settles what NAT does with ct's source or destination (manip: NF_NAT_MANIP_*). ct is not confirmed, and not settled in this
 * respect. Returns NF_ACCEPT.
 */
export function nfNatSetupInfo(ct: NfConn, range: NfNatRange, manip: number): number {
  if (nfCtIsConfirmed(ct)) return NF_ACCEPT;
  const { net } = ct;
  const { nat } = net;
  // What the first packet is by now: the inverse of what would answer it.
  nfCtInvertTuple(net.ct, nat.current, ct.tuplehash[IP_CT_DIR_REPLY].tuple);
  nfCtTupleCopy(nat.wanted, nat.current);
  getUniqueTuple(net, nat.wanted, range, manip, ct);
  if (!nfCtTupleEqual(nat.wanted, nat.current)) {
    nfCtInvertTuple(net.ct, nat.reply, nat.wanted);
    nfConntrackAlterReply(ct, nat.reply);
    ct.status |= manip === NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
  }
  if (manip === NF_NAT_MANIP_SRC) {
    const slot = sourceSlot(nat, ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple);
    ct.natNext = nat.bysource[slot];
    nat.bysource[slot] = ct;
  }
  ct.status |= manip === NF_NAT_MANIP_DST ? IPS_DST_NAT_DONE : IPS_SRC_NAT_DONE;
  return NF_ACCEPT;
}

/** No rule is about it: it keeps its address, and its port if nobody else has it. */
export function nfNatAllocNullBinding(ct: NfConn, manip: number): number {
  const { range } = ct.net.nat;
  const { tuple } = ct.tuplehash[IP_CT_DIR_REPLY];
  const addr = manip === NF_NAT_MANIP_SRC ? tuple.dstU3 : tuple.srcU3;
  range.flags = NF_NAT_RANGE_MAP_IPS;
  range.minAddr = addr;
  range.maxAddr = addr;
  return nfNatSetupInfo(ct, range, manip);
}
