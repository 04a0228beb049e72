/*
 * `ip xfrm state` and `ip xfrm policy`: tunnels as a user writes them; and installing it all.
 */
import { EEXIST, EINVAL, ENOENT, requireNet, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inetPton4 } from '@stack/inet-sock';
import { inetAddProtocol, inetAddXfrmOps, parseIpv4Prefix } from '@stack/ip';
import { IPPROTO_ESP } from './esp.ts';
import { NetnsXfrm, XfrmPolicy, XfrmState } from './netns-xfrm.ts';
import { xfrm4Ops, xfrmPolicyChanged } from './xfrm-policy.ts';
import { esp4Protocol } from './xfrm4-input.ts';

/** Installs transformations over IPv4. Needs ip; throws if that is not there. */
export function installXfrm(net: Net): void {
  requireNet(net, 'installXfrm', 'ipv4');
  requireNoNet(net, 'installXfrm', 'xfrm');
  net.xfrm = new NetnsXfrm();
  inetAddProtocol(net, esp4Protocol, IPPROTO_ESP);
  inetAddXfrmOps(net, xfrm4Ops);
}

/** One way of a tunnel. */
export interface IpXfrmStateSpec {
  src: string;
  dst: string;
  /** Not 0. With dst it names the state. */
  spi: number;
}

/** Which packets go by which tunnel. */
export interface IpXfrmPolicySpec {
  /** `A.B.C.D/LEN`, or one address. */
  src: string;
  dst: string;
  /** The state of this end of the tunnel, by its far end and its spi. */
  tmpl: { dst: string; spi: number };
}

function findState(net: Net, daddr: number, spi: number): XfrmState | undefined {
  return net.xfrm.states.find((x) => x.daddr === daddr && x.spi === (spi | 0));
}

/** Adds a state: at both ends the same, so that one wraps and the other unwraps. Returns 0, -EINVAL, -EEXIST. */
export function ipXfrmStateAdd(net: Net, spec: IpXfrmStateSpec): number {
  const saddr = inetPton4(spec.src);
  const daddr = inetPton4(spec.dst);
  if (saddr === null || daddr === null || spec.spi === 0) return -EINVAL;
  if (findState(net, daddr, spec.spi) !== undefined) return -EEXIST;
  net.xfrm.states.push(new XfrmState(saddr, daddr, spec.spi | 0));
  return 0;
}

/** Adds a policy for packets made here. Returns 0, -EINVAL, -ENOENT if there is no such state. */
export function ipXfrmPolicyAdd(net: Net, spec: IpXfrmPolicySpec): number {
  const src = parseIpv4Prefix(spec.src);
  const dst = parseIpv4Prefix(spec.dst);
  const end = inetPton4(spec.tmpl.dst);
  if (src === null || dst === null || end === null) return -EINVAL;
  const state = findState(net, end, spec.tmpl.spi);
  if (state === undefined) return -ENOENT;
  net.xfrm.policies.push(new XfrmPolicy(src.addr, src.plen, dst.addr, dst.plen, state));
  xfrmPolicyChanged(net);
  return 0;
}

/** Takes the policy of these prefixes away. Returns 0, -EINVAL, -ENOENT. */
export function ipXfrmPolicyDel(net: Net, spec: { src: string; dst: string }): number {
  const src = parseIpv4Prefix(spec.src);
  const dst = parseIpv4Prefix(spec.dst);
  if (src === null || dst === null) return -EINVAL;
  const at = net.xfrm.policies.findIndex((p) => p.src === src.addr && p.srcLen === src.plen && p.dst === dst.addr && p.dstLen === dst.plen);
  if (at < 0) return -ENOENT;
  net.xfrm.policies.splice(at, 1);
  xfrmPolicyChanged(net);
  return 0;
}
