/*
 * `ip rule add`, `del` and `show`: the rules of policy routing as a user writes and reads them.
 */
import { EINVAL, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inNtoa } from '@stack/inet-sock';
import { devGetByName } from '@stack/netdev';
import {
  FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_TO_TBL, FR_ACT_UNREACHABLE, FibRule, fibDefaultRulePref, fibRuleAdd, fibRuleDel,
} from './fib-rules.ts';
import { RT_TABLE_MAIN } from './fib.ts';
import { parseIpv4Prefix } from './ip-addr.ts';
import { tableName } from './ip-route.ts';

const ACTIONS = { blackhole: FR_ACT_BLACKHOLE, unreachable: FR_ACT_UNREACHABLE, prohibit: FR_ACT_PROHIBIT };

/** A rule as `ip rule add` takes it. What is not given matches everything. */
export interface IpRuleSpec {
  /** 0 … 0xffffffff, the smallest is asked first; if not given, one before the first rule behind that of table local. */
  priority?: number;
  /** `A.B.C.D/LEN`, or one address. */
  from?: string;
  to?: string;
  tos?: number;
  /** The device that the packet came in by; `lo` for what is made here. */
  iif?: string;
  /** The device that the socket is bound to. */
  oif?: string;
  fwmark?: number;
  /** The bits of the mark that count; all if not given. */
  fwmask?: number;
  /** The table that is asked (RT_TABLE_*, or any number); main if neither it nor an action is given. */
  table?: number;
  /** What is said instead of asking a table: nothing, "unreachable", "prohibited". */
  action?: keyof typeof ACTIONS;
  /** The rule is about every flow that it does not match. */
  not?: boolean;
  /** Routes of prefixes of this length or shorter do not count: 0 leaves the default route out. */
  suppressPrefixlength?: number;
}

/** A rule in `ip -j rule`. */
export interface RuleRow {
  priority: number;
  not?: null;
  src: string;
  srclen?: number;
  dst?: string;
  dstlen?: number;
  tos?: string;
  fwmark?: string;
  fwmask?: string;
  iif?: string;
  /** There is no such device. */
  iif_detached?: null;
  oif?: string;
  oif_detached?: null;
  table?: string;
  suppress_prefixlen?: number;
  action?: string;
}

/** Reads a spec; null if something in it is no address, or a prefix with bits behind its length. */
function makeRule(net: Net, spec: IpRuleSpec): FibRule | null {
  const from = parseIpv4Prefix(spec.from ?? '0.0.0.0/0');
  const to = parseIpv4Prefix(spec.to ?? '0.0.0.0/0');
  if (from === null || to === null || (spec.action !== undefined && spec.table !== undefined)) return null;
  const action = spec.action === undefined ? FR_ACT_TO_TBL : ACTIONS[spec.action];
  const rule = new FibRule(spec.priority ?? fibDefaultRulePref(net), action, action === FR_ACT_TO_TBL ? (spec.table ?? RT_TABLE_MAIN) : 0);
  rule.invert = spec.not === true;
  rule.src = from.addr;
  rule.srcLen = from.plen;
  rule.dst = to.addr;
  rule.dstLen = to.plen;
  rule.tos = spec.tos ?? 0;
  rule.mark = (spec.fwmark ?? 0) | 0;
  rule.markMask = spec.fwmark === undefined ? 0 : (spec.fwmask ?? -1) | 0;
  rule.iifname = spec.iif ?? '';
  rule.oifname = spec.oif ?? '';
  rule.suppressPrefixlen = spec.suppressPrefixlength ?? -1;
  return rule;
}

/** Adds a rule: `ip rule add from 10.0.0.0/24 lookup 100` is `{ from: '10.0.0.0/24', table: 100 }`. Returns 0, -EINVAL, -EEXIST. */
export function ipRuleAdd(net: Net, spec: IpRuleSpec): number {
  const rule = makeRule(net, spec);
  if (rule === null) return -EINVAL;
  worldEnter(net.world);
  const error = fibRuleAdd(net, rule);
  worldLeave(net.world);
  return error;
}

/** Takes the first rule away that is like spec in all that spec says. Returns 0, -EINVAL, -ENOENT. */
export function ipRuleDel(net: Net, spec: IpRuleSpec): number {
  const wanted = makeRule(net, spec);
  if (wanted === null) return -EINVAL;
  worldEnter(net.world);
  const error = fibRuleDel(net, (rule) => ruleIsLike(rule, wanted, spec));
  worldLeave(net.world);
  return error;
}

function ruleIsLike(rule: FibRule, wanted: FibRule, spec: IpRuleSpec): boolean {
  const same = <K extends keyof FibRule>(said: unknown, ...keys: K[]): boolean => said === undefined || keys.every((key) => rule[key] === wanted[key]);
  return same(spec.priority, 'pref') && same(spec.from, 'src', 'srcLen') && same(spec.to, 'dst', 'dstLen') && same(spec.tos, 'tos') &&
    same(spec.iif, 'iifname') && same(spec.oif, 'oifname') && same(spec.fwmark, 'mark', 'markMask') && same(spec.table, 'table') &&
    same(spec.action, 'action') && same(spec.not, 'invert') && same(spec.suppressPrefixlength, 'suppressPrefixlen');
}

/** `ip -j rule`: the rules in order of priority. */
export function ipRuleShow(net: Net): RuleRow[] {
  return net.ipv4.fibRules.map((rule) => ({
    priority: rule.pref,
    ...(rule.invert && { not: null }),
    src: rule.srcLen === 0 ? 'all' : inNtoa(rule.src),
    ...(rule.srcLen !== 0 && rule.srcLen !== 32 && { srclen: rule.srcLen }),
    ...(rule.dstLen !== 0 && { dst: inNtoa(rule.dst) }),
    ...(rule.dstLen !== 0 && rule.dstLen !== 32 && { dstlen: rule.dstLen }),
    ...(rule.tos !== 0 && { tos: hex(rule.tos) }),
    ...(rule.markMask !== 0 && { fwmark: hex(rule.mark) }),
    ...(rule.markMask !== 0 && rule.markMask !== -1 && { fwmask: hex(rule.markMask) }),
    ...(rule.iifname !== '' && { iif: rule.iifname, ...(devGetByName(net, rule.iifname) === null && { iif_detached: null }) }),
    ...(rule.oifname !== '' && { oif: rule.oifname, ...(devGetByName(net, rule.oifname) === null && { oif_detached: null }) }),
    ...(rule.action === FR_ACT_TO_TBL && { table: tableName(rule.table) }),
    ...(rule.suppressPrefixlen >= 0 && { suppress_prefixlen: rule.suppressPrefixlen }),
    ...(rule.action !== FR_ACT_TO_TBL && { action: Object.entries(ACTIONS).find(([, action]) => action === rule.action)?.[0] ?? String(rule.action) }),
  }));
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
