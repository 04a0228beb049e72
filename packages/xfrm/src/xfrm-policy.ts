/*
 * From a route to a bundle: the chain of outputs that a packet takes which a policy wants wrapped.
 *
 * ipRouteOutputFlow() asks xfrmLookup() about each route that it found. A bundle is an XfrmDst,
 * which begins with an Rtable and so serves as the packet's route; its output is xfrm4Output, its
 * child the route to the tunnel's end, whose output is ipOutput.
 */
import type { Net } from '@stack/kernel';
import { Flowi4, RT_SCOPE_UNIVERSE, Rtable, flowi4InitOutput, ipRouteOutputKey, rtCacheFlush } from '@stack/ip';
import type { XfrmOps } from '@stack/ip';
import { DST_OBSOLETE_FORCE_CHK, dstCheck, dstMtu, dstRelease } from '@stack/skbuff';
import type { DstEntry, DstOps } from '@stack/skbuff';
import { ESP_HDR_LEN, IPPROTO_ESP, espMaxInner } from './esp.ts';
import type { XfrmPolicy, XfrmState } from './netns-xfrm.ts';
import { IPV4_HDR_LEN, xfrm4Output } from './xfrm4-output.ts';

/** A route whose packets are wrapped (the kernel's xfrm_dst). */
export class XfrmDst extends Rtable {
  xfrm: XfrmState;
  /** The generation of policies that it was made in. */
  xfrmGenid: number;

  constructor(net: Net, xfrm: XfrmState) {
    super(net, xfrm4DstOps, 0);
    this.xfrm = xfrm;
    this.xfrmGenid = net.xfrm.genid;
  }
}

/** The route to the tunnel's end; every bundle has one. */
function childOf(dst: DstEntry): DstEntry {
  return dst.child as DstEntry;
}

/** What bundles have: all that is said of the path is said of their child's. */
const xfrm4DstOps: DstOps = {
  family: 2,
  check: (dst) => {
    const xdst = dst as XfrmDst;
    return xdst.xfrmGenid === xdst.net.xfrm.genid && dstCheck(childOf(dst), 0) !== null ? dst : null;
  },
  negativeAdvice: (sk, dst) => childOf(dst).ops.negativeAdvice(sk, childOf(dst)),
  linkFailure: () => undefined,
  updatePmtu: () => undefined,
  redirect: () => undefined,
  mtu: (dst) => espMaxInner(dstMtu(childOf(dst)) - IPV4_HDR_LEN),
  defaultAdvmss: (dst) => xfrm4DstOps.mtu(dst) - 2 * IPV4_HDR_LEN,
  destroy: (dst) => dstRelease(dst.child),
};

function inPrefix(addr: number, prefix: number, len: number): boolean {
  return len === 0 || ((addr ^ prefix) >>> (32 - len)) === 0;
}

function xfrmSelectorMatch(policy: XfrmPolicy, fl: Flowi4): boolean {
  return inPrefix(fl.saddr, policy.src, policy.srcLen) && inPrefix(fl.daddr, policy.dst, policy.dstLen);
}

/** XfrmOps.lookup: rt as it is, or in its place the bundle of the first policy that matches fl. */
function xfrmLookup(net: Net, rt: Rtable, fl: Flowi4): Rtable | number {
  const policy = net.xfrm.policies.find((each) => xfrmSelectorMatch(each, fl));
  if (policy === undefined) return rt;
  const bundle = xfrmBundleCreate(net, rt, policy.state);
  dstRelease(rt);
  return bundle;
}

/** What ip asks. */
export const xfrm4Ops: XfrmOps = { lookup: xfrmLookup };

/** A route in the place of rt whose packets go through the tunnel x; or why its end is not reached (-errno). */
function xfrmBundleCreate(net: Net, rt: Rtable, x: XfrmState): XfrmDst | number {
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, RT_SCOPE_UNIVERSE, IPPROTO_ESP, 0, x.daddr, x.saddr, 0, 0);
  const child = ipRouteOutputKey(net, fl);
  if (typeof child === 'number') return child;
  const xdst = new XfrmDst(net, x);
  xdst.obsolete = DST_OBSOLETE_FORCE_CHK;
  xdst.output = xfrm4Output;
  xdst.child = child;
  xdst.dev = child.dev;
  xdst.headerLen = IPV4_HDR_LEN + ESP_HDR_LEN + child.headerLen;
  xdst.rtType = rt.rtType;
  xdst.rtFlags = rt.rtFlags;
  xdst.rtSrc = rt.rtSrc;
  xdst.rtDst = rt.rtDst;
  xdst.rtGateway = rt.rtGateway;
  return xdst;
}

/** Policies or states have changed: bundles, and routes that might become some, are made anew. */
export function xfrmPolicyChanged(net: Net): void {
  net.xfrm.genid = (net.xfrm.genid + 1) | 0;
  rtCacheFlush(net);
}
