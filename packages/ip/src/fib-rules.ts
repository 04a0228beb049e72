/*
 * Policy routing (ip-rule(8)): rules, in order of priority, say which table is asked for a flow.
 *
 * A Net begins with three: 0 local, 32766 main, 32767 default; as long as these are all,
 * fibLookup() asks the tables directly. fibRulesLookup() walks the list of a Net that has others.
 */
import { EACCES, EAGAIN, EEXIST, EINVAL, ENETUNREACH, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { devGetByIndex } from '@stack/netdev';
import { RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN } from './fib.ts';
import type { FibResult } from './fib.ts';
import { fibTableLookup } from './fib-trie.ts';
import type { Flowi4 } from './flow.ts';
import { rtCacheFlush } from './rt-cache.ts';

/** What a rule does with a flow that it matches. */
export const FR_ACT_TO_TBL = 1;
export const FR_ACT_BLACKHOLE = 6;
export const FR_ACT_UNREACHABLE = 7;
export const FR_ACT_PROHIBIT = 8;

/** A rule. What is 0 (or '') is not looked at. */
export class FibRule {
  pref: number;
  /** FR_ACT_* */
  action: number;
  /** The table that is asked: RT_TABLE_*, or any other number. */
  table: number;
  /** The rule holds for every flow that it does not match. */
  invert: boolean;
  src: number;
  srcLen: number;
  dst: number;
  dstLen: number;
  tos: number;
  mark: number;
  markMask: number;
  /** Names of devices, which need not be there. `lo` as iif means what is made here. */
  iifname: string;
  oifname: string;
  /** Routes of prefixes up to this length do not count; -1: all count. */
  suppressPrefixlen: number;

  constructor(pref: number, action: number, table: number) {
    this.pref = pref;
    this.action = action;
    this.table = table;
    this.invert = false;
    this.src = 0;
    this.srcLen = 0;
    this.dst = 0;
    this.dstLen = 0;
    this.tos = 0;
    this.mark = 0;
    this.markMask = 0;
    this.iifname = '';
    this.oifname = '';
    this.suppressPrefixlen = -1;
  }
}

/** The rules that every Net begins with. */
export function fibDefaultRules(): FibRule[] {
  return [
    new FibRule(0, FR_ACT_TO_TBL, RT_TABLE_LOCAL),
    new FibRule(0x7ffe, FR_ACT_TO_TBL, RT_TABLE_MAIN),
    new FibRule(0x7fff, FR_ACT_TO_TBL, RT_TABLE_DEFAULT),
  ];
}

/** Whether addr is in prefix/len. */
function inPrefix(addr: number, prefix: number, len: number): boolean {
  return len === 0 || ((addr ^ prefix) >>> (32 - len)) === 0;
}

/** Whether the flow came in by the device of this name; what is made here comes in by the loopback device. */
function cameBy(net: Net, iif: number, name: string): boolean {
  const dev = iif === 0 ? net.netdev.loopbackDev : devGetByIndex(net, iif);
  return dev !== null && dev.name === name;
}

/** Whether a flow is one that the rule is about. */
function fibRuleMatch(net: Net, rule: FibRule, fl: Flowi4): boolean {
  const matches = inPrefix(fl.saddr, rule.src, rule.srcLen) && inPrefix(fl.daddr, rule.dst, rule.dstLen) &&
    (rule.tos === 0 || rule.tos === fl.flowi4Tos) && ((rule.mark ^ fl.flowi4Mark) & rule.markMask) === 0 &&
    (rule.iifname === '' || cameBy(net, fl.flowi4Iif, rule.iifname)) &&
    (rule.oifname === '' || devGetByIndex(net, fl.flowi4Oif)?.name === rule.oifname);
  return matches !== rule.invert;
}

/** What the rule says of a flow: 0 with res filled in, -EAGAIN to ask the next rule, or an error that ends the search. */
function fibRuleAction(net: Net, rule: FibRule, fl: Flowi4, res: FibResult): number {
  switch (rule.action) {
    case FR_ACT_UNREACHABLE: return -ENETUNREACH;
    case FR_ACT_PROHIBIT: return -EACCES;
    case FR_ACT_BLACKHOLE: return -EINVAL;
    default: break;
  }
  const table = net.ipv4.fibTables.get(rule.table);
  if (table === undefined) return -EAGAIN;
  const error = fibTableLookup(table, fl, res);
  return error === 0 && res.prefixlen <= rule.suppressPrefixlen ? -EAGAIN : error;
}

/** fibLookup() by the rules: the first that matches and has an answer decides. Returns as fibLookup(). */
export function fibRulesLookup(net: Net, fl: Flowi4, res: FibResult): number {
  for (const rule of net.ipv4.fibRules) {
    if (!fibRuleMatch(net, rule, fl)) continue;
    const error = fibRuleAction(net, rule, fl, res);
    if (error !== -EAGAIN) return error;
  }
  return -ENETUNREACH;
}

/** Whether two rules are the same in everything, pref included. */
function ruleEqual(a: FibRule, b: FibRule): boolean {
  return a.pref === b.pref && a.action === b.action && a.table === b.table && a.invert === b.invert && a.src === b.src && a.srcLen === b.srcLen &&
    a.dst === b.dst && a.dstLen === b.dstLen && a.tos === b.tos && a.mark === b.mark && a.markMask === b.markMask &&
    a.iifname === b.iifname && a.oifname === b.oifname && a.suppressPrefixlen === b.suppressPrefixlen;
}

/** Puts a rule in behind those of the same pref. Returns 0, -EEXIST, or -EINVAL if it makes no sense. */
export function fibRuleAdd(net: Net, rule: FibRule): number {
  const ipv4 = net.ipv4;
  if (rule.pref < 0 || (rule.action === FR_ACT_TO_TBL && rule.table <= 0)) return -EINVAL;
  if (ipv4.fibRules.some((other) => ruleEqual(other, rule))) return -EEXIST;
  const before = ipv4.fibRules.findIndex((other) => other.pref > rule.pref);
  ipv4.fibRules.splice(before < 0 ? ipv4.fibRules.length : before, 0, rule);
  ipv4.fibHasCustomRules = true;
  rtCacheFlush(net);
  return 0;
}

/** Takes the first rule out that `same` is true of. Returns 0 or -ENOENT. */
export function fibRuleDel(net: Net, same: (rule: FibRule) => boolean): number {
  const ipv4 = net.ipv4;
  const at = ipv4.fibRules.findIndex(same);
  if (at < 0) return -ENOENT;
  ipv4.fibRules.splice(at, 1);
  ipv4.fibHasCustomRules = true;
  rtCacheFlush(net);
  return 0;
}

/** The pref of a rule that is added without one: before the first rule behind that of table local. */
export function fibDefaultRulePref(net: Net): number {
  const second = net.ipv4.fibRules[1];
  return second === undefined || second.pref === 0 ? 0 : second.pref - 1;
}
