/*
 * inet_protos' handler of ESP: unwraps a packet of a tunnel that ends here, and has the inner one
 * come in again by the device that the outer one came by.
 */
import {
  SKB_DROP_REASON_IP_INHDR, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_UNHANDLED_PROTO,
} from '@stack/kernel';
import { ipHdrDaddr } from '@stack/ip';
import type { InetProtocol } from '@stack/ip';
import { ETH_P_IP, netifRx } from '@stack/netdev';
import { CHECKSUM_NONE, kfreeSkbReason, nfReset, skbDstDrop, skbLinearize, skbPull, skbResetNetworkHeader, skbTrim, skbUnclone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { ESP_HDR_LEN, espInnerLen } from './esp.ts';
import type { XfrmState } from './netns-xfrm.ts';

function xfrmStateLookup(skb: SkBuff, daddr: number, spi: number): XfrmState | null {
  for (const x of skb.net.xfrm.states) {
    if (x.spi === spi && x.daddr === daddr) return x;
  }
  return null;
}

function drop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return 0;
}

/** Takes skb, data at the SPI, networkHeader at the outer IP header. Returns 0. */
function xfrm4Rcv(skb: SkBuff): number {
  const { net } = skb;
  if (net.trace !== null) net.trace.hit(net, 'xfrm4_rcv', skb);
  if (skbLinearize(skb) !== 0 || skbUnclone(skb) !== 0) return drop(skb, SKB_DROP_REASON_NOMEM);
  const inner = espInnerLen(skb);
  if (inner <= 0) return drop(skb, SKB_DROP_REASON_IP_INHDR);
  const x = xfrmStateLookup(skb, ipHdrDaddr(skb), skb.view.getInt32(skb.data));
  if (x === null) return drop(skb, SKB_DROP_REASON_UNHANDLED_PROTO);
  x.packets++;
  x.bytes += inner;
  skbPull(skb, ESP_HDR_LEN);
  skbTrim(skb, inner);
  skbResetNetworkHeader(skb);
  skb.protocol = ETH_P_IP;
  skb.ipSummed = CHECKSUM_NONE;
  skbDstDrop(skb);
  nfReset(skb);
  netifRx(skb);
  return 0;
}

/** What inet_protos has for IPPROTO_ESP. */
export const esp4Protocol: InetProtocol = { handler: xfrm4Rcv, errHandler: null, flags: 0 };
