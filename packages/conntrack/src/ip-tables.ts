/*
 * The rule tables of a host (net/ipv4/netfilter/iptable_mangle.c, iptable_nat.c, iptable_filter.c), and what a user does with them.
 *
 *   mangle  -150 at every hook: marks, before anybody routes       nat  asked by NAT, for the first packet of a connection
 *   filter  0 at input, forward, output: what may pass
 *
 * installIpTables() -> iptNewChain, iptAppend, iptInsert, iptDelete, iptFlush, iptPolicy, iptZero; iptShow() says what is there.
 * Errors are TypeErrors, and leave everything as it was.
 */
import { netAtExit, requireNet, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ipHdrDaddr, ipHdrSaddr, ipHdrTos } from '@stack/ip';
import {
  NFPROTO_IPV4, NF_ACCEPT, NF_DROP, NF_DROP_ERR, NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING, NF_IP_PRI_FILTER, NF_IP_PRI_MANGLE, nfRegisterNetHooks,
} from '@stack/netfilter';
import type { NfHookOps, NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import { ipRouteMeHarder } from './ip-route-me-harder.ts';
import { iptDoTable } from './ipt-do-table.ts';
import { iptParseRule } from './ipt-rule.ts';
import type { IptRule, IptTableName } from './ipt-rule.ts';
import { NetnsXt, XT_RETURN, XtChain } from './x-tables.ts';
import type { XtEntry, XtTable } from './x-tables.ts';

/** The chains of hooks, by name. */
const hookNames: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];
const tableNames: readonly IptTableName[] = ['mangle', 'nat', 'filter'];
const allHooks: readonly number[] = [NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING];
const natHooks: readonly number[] = [NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING];
const filterHooks: readonly number[] = [NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT];

/** Where a verdict may stand: the table, and of its hooks those. */
const verdictPlaces: Readonly<Record<string, readonly [IptTableName, readonly string[]]>> = {
  mark: ['mangle', hookNames],
  reject: ['filter', hookNames],
  snat: ['nat', ['postrouting', 'input']],
  masquerade: ['nat', ['postrouting']],
  dnat: ['nat', ['prerouting', 'output']],
  redirect: ['nat', ['prerouting', 'output']],
};

function iptableFilterHook(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  return iptDoTable(state.net.xt.filter, skb, state);
}

/** A packet of ours that a rule has marked may have another route. */
function iptableMangleHook(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (state.hook !== NF_INET_LOCAL_OUT) return iptDoTable(net.xt.mangle, skb, state);
  const { mark } = skb;
  const [saddr, daddr, tos] = [ipHdrSaddr(skb), ipHdrDaddr(skb), ipHdrTos(skb)];
  const verdict = iptDoTable(net.xt.mangle, skb, state);
  if (verdict !== NF_ACCEPT) return verdict;
  if (skb.mark === mark && ipHdrSaddr(skb) === saddr && ipHdrDaddr(skb) === daddr && ipHdrTos(skb) === tos) return verdict;
  const error = ipRouteMeHarder(net, skb);
  return error === 0 ? verdict : NF_DROP_ERR(-error);
}

/** What NAT asks of the rules. */
function iptableNatLookup(skb: SkBuff, state: NfHookState): number {
  return iptDoTable(state.net.xt.nat, skb, state);
}

const tableOps: readonly NfHookOps[] = [
  ...allHooks.map((hooknum) => ({ hook: iptableMangleHook, pf: NFPROTO_IPV4, hooknum, priority: NF_IP_PRI_MANGLE })),
  ...filterHooks.map((hooknum) => ({ hook: iptableFilterHook, pf: NFPROTO_IPV4, hooknum, priority: NF_IP_PRI_FILTER })),
];

function initTable(table: XtTable, hooks: readonly number[]): void {
  for (const hook of hooks) {
    const chain = new XtChain(hookNames[hook]!, NF_ACCEPT);
    table.chains.set(chain.name, chain);
    table.hooks[hook] = chain;
  }
}

/**
 * Gives a host rule tables, with policies that accept everything, and these rules. Needs netfilter and IPv4; rules about states
 * need tracking, table nat needs NAT. Throws when a layer is not there, or a rule is wrong.
 */
export function installIpTables(net: Net, rules: readonly IptRule[] = []): void {
  requireNet(net, 'installIpTables', 'nf', 'ipv4');
  requireNoNet(net, 'installIpTables', 'xt');
  const xt = new NetnsXt(net);
  initTable(xt.mangle, allHooks);
  initTable(xt.nat, natHooks);
  initTable(xt.filter, filterHooks);
  net.xt = xt;
  nfRegisterNetHooks(net, tableOps);
  for (const rule of rules) iptAppend(net, rule);
  netAtExit(net, exitIpTables);
}

function exitIpTables(net: Net): void {
  if (net.nat !== null) net.nat.lookup = null;
}

/** The tables of a host; throws if it has none. */
function tablesOf(net: Net): NetnsXt {
  if (net.xt === null) throw new TypeError('this host has no rule tables: installIpTables() first');
  return net.xt;
}

function tableOf(net: Net, name: IptTableName = 'filter'): XtTable {
  const xt = tablesOf(net);
  if (!tableNames.includes(name)) throw new TypeError(`no table ${JSON.stringify(name)}: there are ${tableNames.join(', ')}`);
  if (name !== 'nat') return xt[name];
  if (net.nat === null) throw new TypeError('table nat: this host has no NAT: installNat() first');
  net.nat.lookup = iptableNatLookup;
  return xt.nat;
}

function chainOf(table: XtTable, name: string): XtChain {
  const chain = table.chains.get(name);
  if (chain === undefined) throw new TypeError(`table ${table.name}: no chain ${JSON.stringify(name)}: there are ${[...table.chains.keys()].join(', ')}`);
  return chain;
}

/** The chains that lead to `chain`, itself included: by name. */
function leadTo(table: XtTable, chain: XtChain, names = new Set([chain.name])): Set<string> {
  for (const other of table.chains.values()) {
    if (names.has(other.name) || !other.entries.some((entry) => entry.jump === chain)) continue;
    names.add(other.name);
    leadTo(table, other, names);
  }
  return names;
}

/** Throws unless the entry may stand in `chain`: hooks that have the interfaces it asks about, a verdict that belongs there, no circle. */
function checkPlace(table: XtTable, chain: XtChain, entry: XtEntry): void {
  const { rule } = entry;
  if (rule.verdict === 'jump') {
    entry.jump = chainOf(table, String(rule.to));
    if (table.hooks.includes(entry.jump)) throw new TypeError(`rule: to is ${JSON.stringify(rule.to)}: nothing can jump to the chain of a hook`);
    if (leadTo(table, chain).has(entry.jump.name)) throw new TypeError(`rule: chain ${chain.name} would jump in a circle by ${entry.jump.name}`);
  }
  const place = verdictPlaces[rule.verdict];
  if (place !== undefined && place[0] !== table.name) throw new TypeError(`rule: verdict ${rule.verdict} belongs in table ${place[0]}, not ${table.name}`);
  for (const name of hookNames) {
    if (!leadTo(table, chain).has(name)) continue;
    if (place !== undefined && !place[1].includes(name)) throw new TypeError(`rule: verdict ${rule.verdict} belongs in ${place[1].join(' and ')}, not ${name}`);
    if (entry.iif !== null && (name === 'output' || name === 'postrouting')) throw new TypeError(`rule: iif in ${name}: its packets have none`);
    if (entry.oif !== null && (name === 'input' || name === 'prerouting')) throw new TypeError(`rule: oif in ${name}: its packets have none yet`);
  }
}

/** Puts a rule at the end of its chain. */
export function iptAppend(net: Net, rule: IptRule): void {
  iptInsert(net, rule, Infinity);
}

/** Puts a rule in front of the one at `index`; default at the head of its chain. */
export function iptInsert(net: Net, rule: IptRule, index = 0): void {
  const entry = iptParseRule(rule);
  const table = tableOf(net, rule.table);
  const chain = chainOf(table, rule.chain);
  checkPlace(table, chain, entry);
  // Replaced, not changed: a packet may be on its way through it.
  const at = Math.min(Math.max(index, 0), chain.entries.length);
  chain.entries = [...chain.entries.slice(0, at), entry, ...chain.entries.slice(at)];
}

/** Takes out the rule at `index` of a chain. */
export function iptDelete(net: Net, chain: string, index: number, table?: IptTableName): void {
  const from = chainOf(tableOf(net, table), chain);
  if (!(index in from.entries)) throw new TypeError(`chain ${chain} has ${from.entries.length} rules: none at ${index}`);
  from.entries = from.entries.filter((_, i) => i !== index);
}

/** Takes out all rules of a chain, or of every chain of the table. */
export function iptFlush(net: Net, table?: IptTableName, chain?: string): void {
  const from = tableOf(net, table);
  for (const each of chain === undefined ? from.chains.values() : [chainOf(from, chain)]) each.entries = [];
}

/** What becomes of packets that no rule of the hook's chain decides on. */
export function iptPolicy(net: Net, chain: string, policy: 'accept' | 'drop', table?: IptTableName): void {
  const of = chainOf(tableOf(net, table), chain);
  if (of.policy === XT_RETURN) throw new TypeError(`chain ${chain} has no policy: only those of hooks have one`);
  if (policy !== 'accept' && policy !== 'drop') throw new TypeError(`policy is ${JSON.stringify(policy)}: it must be accept or drop`);
  of.policy = policy === 'accept' ? NF_ACCEPT : NF_DROP;
}

/** Makes a chain for rules to jump to. */
export function iptNewChain(net: Net, name: string, table?: IptTableName): void {
  const of = tableOf(net, table);
  if (!/^[\w.-]{1,28}$/.test(name)) throw new TypeError(`chain ${JSON.stringify(name)}: a name has 1 to 28 letters, digits, dots, dashes`);
  if (of.chains.has(name)) throw new TypeError(`table ${of.name}: chain ${name} is there already`);
  of.chains.set(name, new XtChain(name, XT_RETURN));
}

/** Removes a chain that is empty and that nothing jumps to. */
export function iptDeleteChain(net: Net, name: string, table?: IptTableName): void {
  const of = tableOf(net, table);
  const chain = chainOf(of, name);
  if (chain.policy !== XT_RETURN) throw new TypeError(`chain ${name} belongs to a hook: it stays`);
  if (chain.entries.length > 0) throw new TypeError(`chain ${name} has rules: iptFlush() first`);
  if (leadTo(of, chain).size > 1) throw new TypeError(`chain ${name} is still jumped to`);
  of.chains.delete(name);
}

/** A rule and what it has matched. */
export type IptRuleShow = IptRule & { readonly packets: number; readonly bytes: number };

/** A chain as plain data. */
export interface IptChainShow {
  readonly table: IptTableName;
  readonly chain: string;
  /** Null for a chain that is jumped to. */
  readonly policy: 'accept' | 'drop' | null;
  /** What the policy has decided on. */
  readonly packets: number;
  readonly bytes: number;
  readonly rules: readonly IptRuleShow[];
}

/** Every chain with its rules and counters, in the order of tables, as `iptables -vL` shows them. */
export function iptShow(net: Net): IptChainShow[] {
  const xt = tablesOf(net);
  return tableNames.flatMap((table) => [...xt[table].chains.values()].map(({ name, policy, packets, bytes, entries }) => ({
    table, chain: name, policy: policy === XT_RETURN ? null : policy === NF_ACCEPT ? 'accept' as const : 'drop' as const, packets, bytes,
    rules: entries.map((entry) => ({ ...entry.rule, packets: entry.packets, bytes: entry.bytes })),
  })));
}

/** Sets all counters to 0. */
export function iptZero(net: Net): void {
  const xt = tablesOf(net);
  for (const name of tableNames) {
    for (const chain of xt[name].chains.values()) {
      for (const counter of [chain, ...chain.entries]) {
        counter.packets = 0;
        counter.bytes = 0;
      }
    }
  }
}
