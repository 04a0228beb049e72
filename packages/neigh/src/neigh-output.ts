/*
 * Packets on their way through the neighbour layer (the chapter's L2 figure).
 *
 * ip_finish_output2 calls dst.hh.hhOutput by neighHhOutput() if the route has a cached header,
 * else dst.neighbour.output, which is neighResolveOutput() (asks first, and makes the header
 * cache), neighConnectedOutput() (device without a header cache, address proven) or, for a device
 * without headers, neighDirectOutput(). All end in neigh.ops.queueXmit = devQueueXmit.
 */
import { EINVAL, ENETDOWN, ENOMEM, SKB_DROP_REASON_NEIGH_DEAD, SKB_DROP_REASON_NEIGH_HH_FILLFAIL, SKB_DROP_REASON_NOMEM } from '@stack/kernel';
import { devHardHeader, devQueueXmit } from '@stack/netdev';
import { __skbPull, __skbPush, kfreeSkbReason, pskbExpandHead, skbHeadroom, skbResetMacHeader } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { neighEventSend } from './neigh-update.ts';
import { NUD_CONNECTED } from './nud.ts';
import { HhCache } from './neighbour.ts';
import type { Neighbour } from './neighbour.ts';

/**
 * Sends skb (consumed), data at its network header, to skb.dst.neighbour, whose address may be
 * unknown: then it waits for the answer. Returns what devQueueXmit() returns, 0 if it waits.
 */
export function neighResolveOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'neigh_resolve_output', skb);
  const dst = skb.dst;
  const neigh = dst?.neighbour ?? null;
  if (dst === null || neigh === null) return neighBlackhole(skb);
  // A packet that came by way of a cached header which has become suspect has that header on.
  __skbPull(skb, skb.networkHeader - skb.data);
  if (neighEventSend(neigh, skb) !== 0) return 0;
  if (neigh.dev.headerOps !== null && neigh.dev.headerOps.cache !== null) neighHhInit(neigh, dst);
  return neighPushAndXmit(neigh, skb);
}

/** As neighResolveOutput(), where the address is proven and the device has no header cache. */
export function neighConnectedOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'neigh_connected_output', skb);
  const neigh = skb.dst?.neighbour ?? null;
  if (neigh === null) return neighBlackhole(skb);
  __skbPull(skb, skb.networkHeader - skb.data);
  return neighPushAndXmit(neigh, skb);
}

function neighPushAndXmit(neigh: Neighbour, skb: SkBuff): number {
  if (devHardHeader(skb, neigh.dev, skb.protocol, neigh.ha, null, skb.len) < 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NEIGH_HH_FILLFAIL);
    return -EINVAL;
  }
  skbResetMacHeader(skb);
  return neigh.ops.queueXmit(skb);
}

/** Sends skb (consumed) as it stands: the device puts no header on. */
export function neighDirectOutput(skb: SkBuff): number {
  return devQueueXmit(skb);
}

/** The output of an entry whose device is gone: drops skb. */
export function neighBlackhole(skb: SkBuff): number {
  kfreeSkbReason(skb, SKB_DROP_REASON_NEIGH_DEAD);
  return -ENETDOWN;
}

/** Makes the cached header of neigh, once, and hangs it on dst, so that the next packet finds it there. */
function neighHhInit(neigh: Neighbour, dst: DstEntry): void {
  if (neigh.hh === null) {
    const cache = neigh.dev.headerOps?.cache ?? null;
    const hh = new HhCache((neigh.nudState & NUD_CONNECTED) !== 0 ? neigh.ops.hhOutput : neigh.ops.output);
    if (cache === null || cache(hh, neigh.dev, neigh.table.ops.protocol, neigh.ha) !== 0) return;
    neigh.hh = hh;
  }
  dst.hh = neigh.hh;
}

/**
 * Puts the cached header in front of skb (consumed), data at its network header, and hands it to
 * hh.hhOutput. Today's kernel calls this neigh_hh_output.
 */
export function neighHhOutput(hh: HhCache, skb: SkBuff): number {
  const hhLen = hh.hhLen;
  if (skbHeadroom(skb) < hhLen && pskbExpandHead(skb, hhLen, 0) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return -ENOMEM;
  }
  __skbPush(skb, hhLen);
  const data = skb.data;
  if (hhLen === 14) {
    const view = skb.view;
    const from = hh.hhView;
    view.setInt32(data, from.getInt32(0));
    view.setInt32(data + 4, from.getInt32(4));
    view.setInt32(data + 8, from.getInt32(8));
    view.setInt16(data + 12, from.getInt16(12));
  } else {
    for (let i = 0; i < hhLen; i++) skb.buf[data + i] = hh.hhData[i];
  }
  skb.macHeader = data;
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'hh_output', skb);
  return hh.hhOutput(skb);
}

