/*
 * Tracking UDP (net/netfilter/nf_conntrack_proto_udp.c), and what it shares with TCP: ports, and the check of a checksum.
 *
 * A flow that has been answered, and still has packets two seconds later, is a stream: it is kept longer, and assured.
 */
import { HZ, timeAfter } from '@stack/kernel';
import { IPPROTO_UDP, ipHdrDaddr, ipHdrSaddr } from '@stack/ip';
import { NF_ACCEPT, NF_INET_PRE_ROUTING } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import {
  CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, csumFold, csumTcpudpNofold, pskbMayPull, skbChecksum,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPS_ASSURED, IPS_SEEN_REPLY, nfCtIsConfirmed, nfCtRefresh } from './nf-conn.ts';
import type { NfConn, NfConntrackL4proto } from './nf-conn.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';

const UDP_HLEN = 8;
const UDP_CHECK = 6;
/** Jiffies after which a flow that is answered is a stream. */
const STREAM_AFTER = 2 * HZ;

/** Reads source and destination port; false if they are not there. */
export function nfCtPorts(skb: SkBuff, dataoff: number, tuple: NfConntrackTuple): boolean {
  if (!pskbMayPull(skb, dataoff + 4)) return false;
  const at = skb.data + dataoff;
  tuple.srcU = skb.view.getUint16(at);
  tuple.dstU = skb.view.getUint16(at + 2);
  return true;
}

/** The answer's ports are the other way round. */
export function nfCtInvertPorts(inverse: NfConntrackTuple, orig: NfConntrackTuple): boolean {
  inverse.srcU = orig.dstU;
  inverse.dstU = orig.srcU;
  return true;
}

/**
 * Whether the transport's checksum, over the pseudo header of `protocol` (0: without one), is wrong. Looked at where packets
 * arrive, unless a device has, or net.netfilter.nf_conntrack_checksum is 0. One that is right is not summed again.
 */
export function nfCtChecksumBad(skb: SkBuff, dataoff: number, protocol: number, state: NfHookState): boolean {
  if (state.hook !== NF_INET_PRE_ROUTING || state.net.ct.sysctlChecksum === 0) return false;
  if (skb.ipSummed === CHECKSUM_UNNECESSARY || skb.ipSummed === CHECKSUM_PARTIAL) return false;
  const len = skb.len - dataoff;
  const pseudo = protocol === 0 ? 0 : csumTcpudpNofold(ipHdrSaddr(skb), ipHdrDaddr(skb), len, protocol, 0);
  if (csumFold(skbChecksum(skb, dataoff, len, pseudo)) !== 0) return true;
  skb.ipSummed = CHECKSUM_UNNECESSARY;
  return false;
}

/** RFC 768: the length holds, and the checksum is right or 0. */
function udpError(skb: SkBuff, dataoff: number, state: NfHookState): number {
  if (!pskbMayPull(skb, dataoff + UDP_HLEN)) return -NF_ACCEPT;
  const at = skb.data + dataoff;
  const len = skb.view.getUint16(at + 4);
  if (len > skb.len - dataoff || len < UDP_HLEN) return -NF_ACCEPT;
  if (skb.view.getUint16(at + UDP_CHECK) === 0) return NF_ACCEPT;
  return nfCtChecksumBad(skb, dataoff, IPPROTO_UDP, state) ? -NF_ACCEPT : NF_ACCEPT;
}

function udpPacket(ct: NfConn): number {
  const cn = ct.net.ct;
  const { jiffies } = ct.net.world;
  if (!nfCtIsConfirmed(ct)) ct.streamTs = (jiffies + STREAM_AFTER) | 0;
  if ((ct.status & IPS_SEEN_REPLY) === 0) {
    nfCtRefresh(ct, cn.udpTimeout);
    return NF_ACCEPT;
  }
  const stream = timeAfter(jiffies, ct.streamTs);
  if (stream) ct.status |= IPS_ASSURED;
  nfCtRefresh(ct, stream ? cn.udpTimeoutStream : cn.udpTimeout);
  return NF_ACCEPT;
}

export const nfConntrackL4protoUdp: NfConntrackL4proto = {
  l4proto: IPPROTO_UDP, name: 'udp', pktToTuple: nfCtPorts, invertTuple: nfCtInvertPorts, packet: udpPacket, error: udpError,
  canEarlyDrop: null,
};
