// What @stack/skbuff exports.

// The sk_buff and its parts
export {
  MAX_SKB_FRAGS, CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL, SKB_GSO_TCPV4,
  SKB_GSO_DODGY, SKB_GSO_TCP_ECN, SKB_GSO_TCP_FIXEDID, SKB_GSO_TCPV6, SKB_GSO_UDP_L4, SkbFrag, UbufInfo, NfConntrack,
  SkbSharedInfo, SKB_DATAREF_MASK, SKB_DATAREF_SHIFT, SkBuff, SkBuffHead,
} from './sk-buff.ts';
export type { SkbLinks, Link, UbufInfoOps, NfConntrackOps } from './sk-buff.ts';

// Packet memory
export {
  PAGE_CLASS_SIZES, PAGE_SIZE, Page, PageClass, SkbPool, installSkbuff, allocPage, getPage,
  putPage, registerPage, pageOf,
} from './page.ts';

// Debug mode
export { PoolDebug, leakReport } from './debug.ts';

// Life and death
export {
  SKB_OVERHEAD, SKB_DATA_ALIGN, SKB_TRUESIZE, allocSkb, buildSkb, allocSkbWithFrags, skbGet, skbShared, kfreeSkb,
  kfreeSkbReason, consumeSkb, kfreeSkbListReason, consumeSkbList, __kfreeSkb, skbReleaseHeadState, skbOrphan,
  nfReset, kfreeSkbmem, skbReleaseData, skbZcopyClear,
} from './alloc.ts';

// The data area
export {
  skbIsNonlinear, skbHeadlen, skbHeadroom, skbTailroom, skbReserve, __skbReserve, skbPut, __skbPut, skbPush,
  __skbPush, skbPull, __skbPull, skbTrim, __skbTrim, skbResetTailPointer, skbResetMacHeader, skbSetMacHeader,
  skbMacHeaderWasSet, skbResetMacLen, skbResetNetworkHeader, skbSetNetworkHeader, skbResetTransportHeader,
  skbSetTransportHeader, skbTransportHeaderWasSet, skbMacOffset, skbNetworkOffset, skbTransportOffset,
  skbNetworkHeaderLen, skbChecksumStartOffset, skbOverPanic, skbUnderPanic,
} from './data.ts';

// Clones, copies, headers that may be written
export {
  skbCloned, skbHeaderCloned, __skbHeaderRelease, skbHeaderRelease, skbClone, skbCopy, skbCopyExpand, pskbCopy, pskbExpandHead,
  skbUnclone, skbUncloneKeeptruesize, skbCow, skbCowHead, __skbCow, skbReallocHeadroom, skbShareCheck, skbUnshare,
  copySkbHeader,
} from './copy.ts';

// Fragments
export {
  __skbFillPageDesc, skbFillPageDesc, skbAddRxFrag, skbCanCoalesce, skbCoalesceRxFrag, skbFragRef, skbFragUnref,
  skbFragCopy, skbPagelen,
} from './frags.ts';

// Linear area and fragments
export {
  pskbMayPull, pskbPull, __pskbPullTail, pskbPullTail, skbLinearize, __skbLinearize, pskbTrim, __pskbTrim, pskbTrimRcsum,
  skbPostpullRcsum, skbPostpushRcsum, skbPullRcsum,
} from './pull.ts';

// Reading, writing, summing
export { skbCopyBits, skbStoreBits, skbChecksum, skbCopyAndCsumBits } from './bits.ts';

// Cutting and joining
export { skbSplit, skbShift, skbTryCoalesce } from './split.ts';

// Merging received packets
export {
  groCbCount, groCbFlush, groCbInit, groCbLen, groCbMss, groCbSameFlow, groCbSetFlush, groCbSetPayload, skbGroReceive,
} from './gro.ts';

// Segmentation
export { skbSegment } from './segment.ts';

// Queues
export {
  skbQueueHeadInit, skbQueueEmpty, skbQueueLen, skbPeek, skbPeekTail, skbPeekNext, skbQueueIsFirst, skbQueueIsLast,
  skbInsert, __skbInsert, skbQueueHead, __skbQueueHead, skbQueueTail, __skbQueueTail, skbQueueAfter, skbQueueBefore,
  skbAppend, skbUnlink, __skbUnlink, skbDequeue, __skbDequeue, skbDequeueTail, __skbDequeueTail, skbQueuePurge,
  skbQueuePurgeReason, skbQueueSpliceInit, skbQueueSpliceTailInit,
} from './queue.ts';

// Trees
export {
  RB_EMPTY_ROOT, RbRoot, rbErase, rbFirst, rbInsertColor, rbLast, rbLinkNode, rbNext, rbPrev, rbReplaceNode, skbRbtreePurge,
} from './rbtree.ts';

// Checksum
export {
  csumPartial, csumFold, csumAdd, csumSub, csumBlockAdd, csumBlockSub, csumTcpudpNofold, csumTcpudpMagic,
  csumReplace2, csumReplace4, ipFastCsum, csumPartialCopy,
} from './checksum.ts';

// Checksum of a packet
export {
  CSUM_MANGLED_0, csumMangle0, skbEnsureWritable, skbChecksumHelp, skbPartialCsumSet, skbCsumUnnecessary, __skbChecksumComplete,
  skbChecksumComplete,
} from './csum-help.ts';

// Features of a device that skbuff looks at (netdev has them all)
export {
  NETIF_F_CSUM_MASK, NETIF_F_HW_CSUM, NETIF_F_IP_CSUM, NETIF_F_IPV6_CSUM, NETIF_F_SG,
} from './netdev-features.ts';

// Routes
export {
  NET_XMIT_SUCCESS, NET_XMIT_DROP, NET_XMIT_CN, NET_XMIT_BYPASS, NET_RX_SUCCESS, NET_RX_DROP, RTAX_LOCK, RTAX_MTU,
  RTAX_WINDOW, RTAX_RTT, RTAX_RTTVAR, RTAX_SSTHRESH, RTAX_CWND, RTAX_ADVMSS, RTAX_REORDERING, RTAX_HOPLIMIT,
  RTAX_INITCWND, RTAX_FEATURES, RTAX_RTO_MIN, RTAX_INITRWND, RTAX_QUICKACK, RTAX_CC_ALGO, RTAX_FASTOPEN_NO_COOKIE,
  RTAX_MAX, DST_NOXFRM, DST_NOPOLICY, DST_NOCOUNT, DST_OBSOLETE_NONE, DST_OBSOLETE_DEAD, DST_OBSOLETE_FORCE_CHK,
  DST_OBSOLETE_KILL, DstEntry, dstDiscard, skbDstSet, skbDstDrop, skbDstCopy, dstInput, dstOutput, dstCheck, dstMtu,
  dstMetric, dstMetricAdvmss, dstMetricSet, dstInitMetrics, dstMetricLocked, dstLinkFailure, dstNegativeAdvice,
} from './dst.ts';
export type { DstOps } from './dst.ts';
export { dstHold, dstClone, dstRelease } from './dst-ref.ts';

// Bytes
export { memcpy, memcpyView } from './memcpy.ts';

/* Time stamps of what is sent */
export { SKBTX_ANY_TSTAMP, SKBTX_SCHED_TSTAMP, SKBTX_SW_TSTAMP, skbTstampTx } from './tx-timestamp.ts';
