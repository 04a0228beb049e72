// The virtio-net driver, sending.
//
// virtnetXmit() puts a packet's pieces on the transmit queue and kicks the device; freeOldXmit() frees what the device has
// used, right after the kick as a rule. Only when something is left does the driver ask for an interrupt, and virtnetPollTx()
// frees the rest and wakes the queue.
// Read first: VIRTIO 1.2 §5.1.6.2.

import { NETDEV_TX_BUSY, NETDEV_TX_OK, napiCompleteDone, napiSchedule, netifQueueStopped, netifStopQueue, netifWakeQueue } from '@stack/netdev';
import type { NapiStruct, NetDevice } from '@stack/netdev';
import { MAX_SKB_FRAGS, consumeSkb, skbHeaderCloned, type SkBuff } from '@stack/skbuff';
import { VIRTIO_NET_HDR_LEN, virtioNetHdrFromSkb } from './virtio-net-hdr.ts';
import { virtnetPriv, type VirtnetInfo } from './virtio-net-priv.ts';
import {
  VIRTQUEUE_OUT, virtqueueAddDesc, virtqueueBegin, virtqueueDisableCb, virtqueueEnableCbDelayed, virtqueueEnd, virtqueueGetBuf,
  virtqueueKick, type Virtqueue,
} from './virtio-ring.ts';

/** Descriptors that the longest packet takes: header, linear part, fragments. */
const TX_DESC_MAX = 2 + MAX_SKB_FRAGS;

/** NetDeviceOps.ndoStartXmit. */
export function virtnetXmit(skb: SkBuff, dev: NetDevice): number {
  const vi = virtnetPriv(dev);
  const vq = vi.svq!;
  if (vq.numFree < TX_DESC_MAX) {
    // The queue was stopped when this became so; whoever calls nevertheless has to wait.
    netifStopQueue(dev);
    return NETDEV_TX_BUSY;
  }
  xmitSkb(vi, vq, skb);
  const stats = dev.stats;
  stats.txPackets++;
  stats.txBytes += skb.len;
  if (dev.xmitMore && vq.numFree >= TX_DESC_MAX) return NETDEV_TX_OK;
  virtqueueKick(vq);
  freeOldXmit(vq);
  if (vq.numFree !== vq.num) xmitLeftOver(vi, vq);
  return NETDEV_TX_OK;
}

/** Puts the packet's pieces on the queue: header, linear part, fragments. */
function xmitSkb(vi: VirtnetInfo, vq: Virtqueue<SkBuff>, skb: SkBuff): void {
  const shinfo = skb.shinfo;
  const data = skb.data;
  const headlen = skb.len - skb.dataLen;
  virtqueueBegin(vq);
  if (data - skb.head >= VIRTIO_NET_HDR_LEN && !skbHeaderCloned(skb)) {
    virtioNetHdrFromSkb(skb, skb.view, data - VIRTIO_NET_HDR_LEN);
    virtqueueAddDesc(vq, shinfo.page, data - VIRTIO_NET_HDR_LEN, headlen + VIRTIO_NET_HDR_LEN, VIRTQUEUE_OUT);
  } else {
    const page = vi.hdrPage!;
    const at = page.base + vq.freeHead * VIRTIO_NET_HDR_LEN;
    virtioNetHdrFromSkb(skb, page.view, at);
    virtqueueAddDesc(vq, page, at, VIRTIO_NET_HDR_LEN, VIRTQUEUE_OUT);
    virtqueueAddDesc(vq, shinfo.page, data, headlen, VIRTQUEUE_OUT);
  }
  for (let i = 0; i < shinfo.nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    virtqueueAddDesc(vq, frag.page!, frag.offset, frag.size, VIRTQUEUE_OUT);
  }
  virtqueueEnd(vq, skb);
}

/** The device has not used everything yet: has it say when it has, and stops the queue if there is no room for more. */
function xmitLeftOver(vi: VirtnetInfo, vq: Virtqueue<SkBuff>): void {
  const dev = vi.dev;
  if (vq.numFree < TX_DESC_MAX) netifStopQueue(dev);
  if (virtqueueEnableCbDelayed(vq)) return;
  virtqueueDisableCb(vq);
  freeOldXmit(vq);
  if (vq.numFree >= TX_DESC_MAX) netifWakeQueue(dev);
  if (vq.numFree !== vq.num) napiSchedule(vi.txNapi);
}

/** Frees what the device has sent. */
export function freeOldXmit(vq: Virtqueue<SkBuff>): void {
  let skb = virtqueueGetBuf(vq);
  while (skb !== null) {
    consumeSkb(skb);
    skb = virtqueueGetBuf(vq);
  }
}

/** The device has used transmit buffers (interrupt). */
export function skbXmitDone(vi: VirtnetInfo): void {
  virtqueueDisableCb(vi.svq!);
  napiSchedule(vi.txNapi);
}

/** Poll of the transmit queue: frees, wakes, and asks for the next interrupt while something is left. */
export function virtnetPollTx(napi: NapiStruct, _budget: number): number {
  const vi = virtnetPriv(napi.dev);
  const vq = vi.svq!;
  freeOldXmit(vq);
  napiCompleteDone(napi, 0);
  if (vq.numFree !== vq.num && !virtqueueEnableCbDelayed(vq)) {
    virtqueueDisableCb(vq);
    napiSchedule(napi);
  }
  if (netifQueueStopped(vi.dev) && vq.numFree >= TX_DESC_MAX) netifWakeQueue(vi.dev);
  return 0;
}
