/*
 * dst.output of a bundle: wraps the packet and moves it on to the next output of the chain.
 *
 * dstOutput -> xfrm4Output (here: NET_XMIT_BYPASS) -> skb.dst.output = ipOutput, for the outer
 * packet. 2.6 did it so; today's xfrm_output passes the outer packet through LOCAL_OUT once more.
 */
import {
  EMSGSIZE, ENOMEM, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_BIG,
} from '@stack/kernel';
import { ETH_P_IP, llReservedSpace } from '@stack/netdev';
import {
  ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, IPH_DADDR, IPH_FRAG_OFF, IPH_PROTOCOL, IPH_SADDR, IPH_TOT_LEN, IPH_TTL, IP_DF, __ipSelectIdent, icmpSend,
  ipHdrFragOff, ipHdrTos, ipSelectTtl, ipSendCheck, ipcbInit,
} from '@stack/ip';
import type { Rtable } from '@stack/ip';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, NET_XMIT_BYPASS, __skbPush, dstHold, dstMtu, dstRelease, kfreeSkbReason, pskbExpandHead, skbChecksumHelp,
  skbCloned, skbHeadroom, skbLinearize, skbTailroom,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { ESP_MAX_TRAILER, IPPROTO_ESP, espWrap } from './esp.ts';
import type { XfrmState } from './netns-xfrm.ts';
import type { XfrmDst } from './xfrm-policy.ts';

/** The outer header has no options. */
export const IPV4_HDR_LEN = 20;

function drop(skb: SkBuff, reason: number, error: number): number {
  kfreeSkbReason(skb, reason);
  return error;
}

/** Makes skb linear, its own, with room for what is put around it. 0 or -ENOMEM. */
function makeRoom(skb: SkBuff, head: number): number {
  if (skb.ipSummed === CHECKSUM_PARTIAL && skbChecksumHelp(skb) !== 0) return -ENOMEM;
  if (skbLinearize(skb) !== 0) return -ENOMEM;
  const nhead = Math.max(head - skbHeadroom(skb), 0);
  const ntail = Math.max(ESP_MAX_TRAILER - skbTailroom(skb), 0);
  return nhead === 0 && ntail === 0 && !skbCloned(skb) ? 0 : pskbExpandHead(skb, nhead, ntail);
}

/** Takes skb, data at the inner IP header, and makes it a packet of the tunnel. NET_XMIT_BYPASS: skb.dst is the next of the chain. Or -errno. */
export function xfrm4Output(skb: SkBuff): number {
  const { net } = skb;
  if (net.trace !== null) net.trace.hit(net, 'xfrm4_output', skb);
  const xdst = skb.dst as XfrmDst;
  const child = xdst.child as Rtable;
  const mtu = dstMtu(xdst);
  // RFC 4301 §8.1: the sender learns what fits inside; what may be cut is cut outside.
  if (skb.len > mtu && (ipHdrFragOff(skb) & IP_DF) !== 0) {
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    return drop(skb, SKB_DROP_REASON_PKT_TOO_BIG, -EMSGSIZE);
  }
  const head = xdst.headerLen + (xdst.dev === null ? 0 : llReservedSpace(xdst.dev));
  if (makeRoom(skb, head) !== 0) return drop(skb, SKB_DROP_REASON_NOMEM, -ENOMEM);
  const x = xdst.xfrm;
  const tos = ipHdrTos(skb);
  x.packets++;
  x.bytes += skb.len;
  x.oseq = (x.oseq + 1) | 0;
  espWrap(skb, x.spi, x.oseq);
  xfrm4PushHeader(skb, x, child, tos);
  dstHold(child);
  skb.dst = child;
  dstRelease(xdst);
  return NET_XMIT_BYPASS;
}

/** Pushes the outer header (RFC 4301 §5.1.2.1: the inner TOS, a TTL of its own, DF off). */
function xfrm4PushHeader(skb: SkBuff, x: XfrmState, rt: Rtable, tos: number): void {
  skb.transportHeader = skb.data;
  __skbPush(skb, IPV4_HDR_LEN);
  const at = skb.data;
  skb.networkHeader = at;
  skb.protocol = ETH_P_IP;
  skb.ipSummed = CHECKSUM_NONE;
  ipcbInit(skb);
  const { view } = skb;
  view.setUint16(at, 0x4500 | tos);
  view.setUint16(at + IPH_TOT_LEN, skb.len);
  view.setUint16(at + IPH_FRAG_OFF, 0);
  view.setUint8(at + IPH_TTL, ipSelectTtl(null, rt));
  view.setUint8(at + IPH_PROTOCOL, IPPROTO_ESP);
  view.setInt32(at + IPH_SADDR, x.saddr);
  view.setInt32(at + IPH_DADDR, x.daddr);
  __ipSelectIdent(skb.net, skb, 1);
  ipSendCheck(skb, at, 5);
}
