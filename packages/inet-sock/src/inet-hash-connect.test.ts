import { EADDRNOTAVAIL, sysctlWrite } from '@stack/kernel';
import { expect, test } from 'vitest';
import { __inetLookupEstablished, inAton, inetTwskHashdance, inetTwskInit, inetTwskSchedule } from './index.ts';
import { bindTo, connectTo, destroy, makeHost, makeSock, makeTimewait, toy } from './testing/rig.ts';

const A = inAton('10.0.0.1');
const B = inAton('10.0.0.2');
const C = inAton('10.0.0.3');

function range(net: Parameters<typeof sysctlWrite>[0], low: number, high: number): void {
  expect(sysctlWrite(net, 'net.ipv4.ip_local_port_range', [low, high])).toBe(0);
}

test('RFC 6056 §3.3.4: ports of the range, even offsets first, each four-tuple once', () => {
  const { net } = makeHost();
  range(net, 40000, 40007);
  const ports: number[] = [];
  for (let i = 0; i < 8; i++) {
    const sk = makeSock(net);
    expect(connectTo(sk, A, B, 80)).toBe(0);
    expect(__inetLookupEstablished(toy(net).hashinfo, B, 80, A, sk.inetNum, 1)).toBe(sk);
    ports.push(sk.inetNum);
  }
  expect(ports.slice(0, 4).every((port) => port % 2 === 0)).toBe(true);
  expect(new Set(ports).size).toBe(8);
  const sk = makeSock(net);
  expect(connectTo(sk, A, B, 80)).toBe(-EADDRNOTAVAIL);
  expect(sk.inetNum).toBe(0);
  // Another destination has all of them again.
  expect(connectTo(makeSock(net), A, C, 80)).toBe(0);
});

test('RFC 6056 §3.3.4: destinations have sequences of their own, and a fresh port is not the last one', () => {
  const { net } = makeHost();
  const portTo = (daddr: number): number => {
    const sk = makeSock(net);
    expect(connectTo(sk, A, daddr, 80)).toBe(0);
    const port = sk.inetNum;
    destroy(sk);
    return port;
  };
  const toB = [portTo(B), portTo(B), portTo(B)];
  expect(new Set(toB).size).toBe(3);
  expect(Math.abs(portTo(C) - (toB[2] ?? 0))).toBeGreaterThan(64);
});

test('a port that bind(2) chose is kept, and must be free for the four-tuple', () => {
  const { net } = makeHost();
  toy(net).reuse = true;
  const first = makeSock(net);
  first.skReuse = 1;
  expect(bindTo(first, 5000, A)).toBe(0);
  expect(connectTo(first, A, B, 80)).toBe(0);
  expect(first.inetNum).toBe(5000);
  const second = makeSock(net);
  second.skReuse = 1;
  expect(bindTo(second, 5000, A)).toBe(0);
  expect(connectTo(second, A, B, 80)).toBe(-EADDRNOTAVAIL);
  expect(connectTo(second, A, C, 80)).toBe(0);
});

test('connect(2) leaves ports alone that bind(2) holds', () => {
  const { net } = makeHost();
  range(net, 40000, 40001);
  expect(bindTo(makeSock(net), 40000)).toBe(0);
  const sk = makeSock(net);
  expect(connectTo(sk, A, B, 80)).toBe(0);
  expect(sk.inetNum).toBe(40001);
});

test('IP_LOCAL_PORT_RANGE narrows the range', () => {
  const { net } = makeHost();
  const sk = makeSock(net);
  sk.localPortRange = 50000 | (50001 << 16);
  expect(connectTo(sk, A, B, 80)).toBe(0);
  expect([50000, 50001]).toContain(sk.inetNum);
});

test('a time-wait sock keeps its four-tuple until the engine lets it be taken over', () => {
  const { net } = makeHost();
  range(net, 40000, 40000);
  const sk = makeSock(net);
  expect(connectTo(sk, A, B, 80)).toBe(0);
  const tw = makeTimewait(sk);
  inetTwskInit(tw, sk, sk.skState);
  inetTwskHashdance(tw, sk);
  inetTwskSchedule(tw, 60_000);
  destroy(sk);
  const { hashinfo } = toy(net);
  expect(__inetLookupEstablished(hashinfo, B, 80, A, 40000, 1)).toBe(tw);
  expect(connectTo(makeSock(net), A, B, 80)).toBe(-EADDRNOTAVAIL);
  toy(net).reuse = true;
  const heir = makeSock(net);
  expect(connectTo(heir, A, B, 80)).toBe(0);
  expect(__inetLookupEstablished(hashinfo, B, 80, A, 40000, 1)).toBe(heir);
  expect(toy(net)).toMatchObject({ recycled: 1, expired: 0 });
  expect(hashinfo.twCount).toBe(0);
});

test('ehash grows with its members and finds each', () => {
  const { net } = makeHost();
  const { hashinfo } = toy(net);
  const before = hashinfo.ehash.length;
  const socks = Array.from({ length: before * 3 }, (_, i) => {
    const sk = makeSock(net);
    expect(connectTo(sk, A, (B + i) | 0, 80)).toBe(0);
    return sk;
  });
  expect(hashinfo.ehash.length).toBeGreaterThan(before);
  for (const sk of socks) expect(__inetLookupEstablished(hashinfo, sk.inetDaddr, 80, A, sk.inetNum, 1)).toBe(sk);
  for (const sk of socks) destroy(sk);
  expect(hashinfo.ehashCount).toBe(0);
  expect(hashinfo.ehash.every((chain) => chain === null)).toBe(true);
});
