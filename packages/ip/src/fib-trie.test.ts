import { expect, test } from 'vitest';
import { EACCES, EAGAIN, EEXIST, EHOSTUNREACH, EINVAL, ESRCH, Random, randomBelow, randomU32 } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { FibAlias, FibInfo, FibResult, FibTable, RTN_BLACKHOLE, RTN_PROHIBIT, RTN_THROW, RTN_UNICAST, RTN_UNREACHABLE } from './fib.ts';
import { fibTableDump, fibTableFind, fibTableInsert, fibTableLookup, fibTableRemove } from './fib-trie.ts';
import { Flowi4, RT_SCOPE_LINK } from './flow.ts';

/** The trie never looks at the Net. */
const net = {} as Net;

function route(prefix: number, plen: number, type = RTN_UNICAST, priority = 0, tos = 0, scope = 0): FibAlias {
  const info = new FibInfo(net);
  info.type = type;
  info.priority = priority;
  info.scope = scope;
  return new FibAlias(prefix, plen, tos, info);
}

function ask(table: FibTable, addr: number, change: (fl: Flowi4) => void = () => undefined): FibResult | number {
  const fl = new Flowi4();
  fl.daddr = addr;
  change(fl);
  const res = new FibResult();
  const error = fibTableLookup(table, fl, res);
  return error === 0 ? res : error;
}

const mask = (plen: number): number => (plen === 0 ? 0 : -1 << (32 - plen));

test('RFC 1812 §5.2.4.3: the longest prefix wins, whatever came and went', () => {
  const random = new Random(7);
  const table = new FibTable(254);
  const model = new Map<string, FibAlias>();
  // Few distinct bits, so that prefixes nest and part often.
  const draw = (): number => (randomU32(random) & 0xe0070183) | 0;
  for (let step = 0; step < 4000; step++) {
    const plen = randomBelow(random, 33);
    const prefix = draw() & mask(plen);
    const key = `${prefix}/${plen}`;
    const known = model.get(key);
    if (known === undefined) {
      const fa = route(prefix, plen);
      expect(fibTableInsert(table, fa, false)).toBe(0);
      model.set(key, fa);
    } else if (randomBelow(random, 3) > 0) {
      expect(fibTableRemove(table, known)).toBe(0);
      model.delete(key);
    } else {
      expect(fibTableInsert(table, route(prefix, plen), false)).toBe(-EEXIST);
    }
    const addr = draw();
    let best: FibAlias | null = null;
    for (const fa of model.values()) {
      if (((addr ^ fa.prefix) & mask(fa.plen)) === 0 && (best === null || fa.plen > best.plen)) best = fa;
    }
    const got = ask(table, addr);
    if (best === null) expect(got).toBe(-EAGAIN);
    else expect(typeof got === 'number' ? got : got.info).toBe(best.info);
  }
  expect(table.numAliases).toBe(model.size);
  expect(new Set(fibTableDump(table))).toEqual(new Set(model.values()));
  for (const fa of model.values()) expect(fibTableRemove(table, fa)).toBe(0);
  expect(table.root).toBeNull();
});

test('of one prefix the smallest metric wins, and a matching TOS before it', () => {
  const table = new FibTable(254);
  const prefix = inAton('10.0.0.0');
  const far = route(prefix, 8, RTN_UNICAST, 20);
  const near = route(prefix, 8, RTN_UNICAST, 10);
  const quick = route(prefix, 8, RTN_UNICAST, 30, 0x10);
  for (const fa of [far, quick, near]) expect(fibTableInsert(table, fa, false)).toBe(0);
  const at = inAton('10.1.2.3');
  expect(ask(table, at)).toMatchObject({ info: near.info });
  expect(ask(table, at, (fl) => { fl.flowi4Tos = 0x10; })).toMatchObject({ info: quick.info });
  expect(fibTableRemove(table, near)).toBe(0);
  expect(ask(table, at)).toMatchObject({ info: far.info });
  expect(fibTableFind(table, prefix, 8)).toBe(quick);
  expect(fibTableRemove(table, near)).toBe(-ESRCH);
});

test('a route that does not serve the flow lets a shorter prefix have it', () => {
  const table = new FibTable(254);
  const all = route(0, 0, RTN_UNICAST, 0, 0, RT_SCOPE_LINK);
  fibTableInsert(table, all, false);
  fibTableInsert(table, route(inAton('10.0.0.0'), 8, RTN_UNICAST, 0, 0, 0), false);
  expect(ask(table, inAton('10.1.1.1'), (fl) => { fl.flowi4Scope = RT_SCOPE_LINK; })).toMatchObject({ info: all.info });
});

test('routes that forbid say how; throw sends the search on', () => {
  const table = new FibTable(254);
  const cases: readonly (readonly [number, number])[] = [
    [RTN_BLACKHOLE, -EINVAL], [RTN_UNREACHABLE, -EHOSTUNREACH], [RTN_PROHIBIT, -EACCES], [RTN_THROW, -EAGAIN],
  ];
  cases.forEach(([type], i) => fibTableInsert(table, route((i + 1) << 24, 8, type), false));
  cases.forEach(([, error], i) => expect(ask(table, ((i + 1) << 24) | 5)).toBe(error));
});
