/*
 * Tracking of protocols that have no tracker of their own: by addresses alone (net/netfilter/nf_conntrack_proto_generic.c).
 */
import { NF_ACCEPT } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import { nfCtRefresh } from './nf-conn.ts';
import type { NfConn, NfConntrackL4proto } from './nf-conn.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';

function genericPktToTuple(_skb: SkBuff, _dataoff: number, tuple: NfConntrackTuple): boolean {
  tuple.srcU = 0;
  tuple.dstU = 0;
  return true;
}

function genericInvertTuple(inverse: NfConntrackTuple, _orig: NfConntrackTuple): boolean {
  inverse.srcU = 0;
  inverse.dstU = 0;
  return true;
}

function genericPacket(ct: NfConn): number {
  nfCtRefresh(ct, ct.net.ct.genericTimeout);
  return NF_ACCEPT;
}

export const nfConntrackL4protoGeneric: NfConntrackL4proto = {
  l4proto: 0, name: 'unknown', pktToTuple: genericPktToTuple, invertTuple: genericInvertTuple, packet: genericPacket, error: null,
  canEarlyDrop: null,
};
