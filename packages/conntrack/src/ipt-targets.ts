/*
 * What can happen to a packet that a rule matches: the targets (net/netfilter/xt_*.c, net/ipv4/netfilter/ipt_*.c).
 */
import { RT_SCOPE_UNIVERSE, inetSelectAddr, ipHdrSaddr, skbRtable } from '@stack/ip';
import { NF_ACCEPT, NF_DROP, NF_INET_LOCAL_OUT } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import { nfCtGet } from './nf-conn.ts';
import { HOOK2MANIP, NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED } from './nf-nat.ts';
import type { NfNatRange } from './nf-nat.ts';
import { nfNatSetupInfo } from './nf-nat-core.ts';
import { nfSendReset, nfSendUnreach } from './nf-reject.ts';
import { XT_CONTINUE, XT_RETURN } from './x-tables.ts';
import type { XtEntry, XtTarget } from './x-tables.ts';

const INADDR_LOOPBACK = 0x7f000001;

/** XT_CONTINUE; the skb.mark of the packet is changed. */
function markTarget(entry: XtEntry, skb: SkBuff): number {
  skb.mark = (skb.mark & ~entry.setMarkMask) | entry.setMark;
  return XT_CONTINUE;
}

/** The packet is dropped, and its sender told. */
function rejectTarget(entry: XtEntry, skb: SkBuff, state: NfHookState): number {
  if (entry.rejectCode < 0) nfSendReset(skb, state);
  else nfSendUnreach(skb, entry.rejectCode);
  return NF_DROP;
}

/** Source or destination becomes what the rule says: which of them, the hook says. */
function natTarget(entry: XtEntry, skb: SkBuff, state: NfHookState): number {
  const ct = nfCtGet(skb);
  return ct === null ? NF_ACCEPT : nfNatSetupInfo(ct, entry.range, HOOK2MANIP(state.hook));
}

/** The range of the rule, with this address. */
function rangeAt(entry: XtEntry, scratch: NfNatRange, addr: number): NfNatRange {
  scratch.flags = NF_NAT_RANGE_MAP_IPS | (entry.range.flags & NF_NAT_RANGE_PROTO_SPECIFIED);
  scratch.minAddr = addr;
  scratch.maxAddr = addr;
  scratch.minProto = entry.range.minProto;
  scratch.maxProto = entry.range.maxProto;
  return scratch;
}

/** The source becomes the address of the interface that the packet leaves by, towards its next hop (nf_nat_masquerade_ipv4). */
function masqueradeTarget(entry: XtEntry, skb: SkBuff, state: NfHookState): number {
  const ct = nfCtGet(skb);
  const rt = skbRtable(skb);
  const out = state.outdev;
  // RFC 2131 §4.1: a host that has no address yet speaks as 0.0.0.0.
  if (ct === null || ipHdrSaddr(skb) === 0) return NF_ACCEPT;
  if (rt === null || out === null) return NF_DROP;
  const addr = inetSelectAddr(state.net, out, rt.rtGateway, RT_SCOPE_UNIVERSE);
  if (addr === 0) return NF_DROP;
  ct.masqIndex = out.ifindex;
  return nfNatSetupInfo(ct, rangeAt(entry, state.net.nat.range, addr), HOOK2MANIP(state.hook));
}

/** The destination becomes this host: the address of the interface that the packet came in by, or loopback's for what is made here. */
function redirectTarget(entry: XtEntry, skb: SkBuff, state: NfHookState): number {
  const ct = nfCtGet(skb);
  if (ct === null) return NF_ACCEPT;
  const local = state.hook === NF_INET_LOCAL_OUT;
  const addr = local ? INADDR_LOOPBACK : inetSelectAddr(state.net, state.indev, 0, RT_SCOPE_UNIVERSE);
  if (addr === 0) return NF_DROP;
  return nfNatSetupInfo(ct, rangeAt(entry, state.net.nat.range, addr), HOOK2MANIP(state.hook));
}

const accept: XtTarget = { name: 'accept', target: () => NF_ACCEPT };
const drop: XtTarget = { name: 'drop', target: () => NF_DROP };
const reject: XtTarget = { name: 'reject', target: rejectTarget };
const ret: XtTarget = { name: 'return', target: () => XT_RETURN };
/** The entry's chain says what happens. */
const jump: XtTarget = { name: 'jump', target: () => XT_CONTINUE };
const mark: XtTarget = { name: 'mark', target: markTarget };
const snat: XtTarget = { name: 'snat', target: natTarget };
const dnat: XtTarget = { name: 'dnat', target: natTarget };
const masquerade: XtTarget = { name: 'masquerade', target: masqueradeTarget };
const redirect: XtTarget = { name: 'redirect', target: redirectTarget };

/** By the word that a rule has for it. */
export const iptTargets: Readonly<Record<string, XtTarget>> = { accept, drop, reject, return: ret, jump, mark, snat, dnat, masquerade, redirect };
