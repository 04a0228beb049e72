// SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER: socket(7).
import { EINVAL, ENOENT, EOPNOTSUPP, EPERM } from '@stack/kernel';
import { allocPage, allocSkb, kfreeSkb, skbAddRxFrag, skbPut } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { skFilterTrimCap, skRunFilter } from './filter.ts';
import type { SockFilter } from './filter.ts';
import { sysGetsockopt, sysSetsockopt } from './sys-socket.ts';
import { testHost, testPair, testSock } from './test-rig.ts';
import type { TestHost } from './test-rig.ts';
import { SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET } from './uapi-socket.ts';

/** A packet of `linear` octets and `paged` more in a fragment, numbered. */
function packet(host: TestHost, linear: number, paged = 0): SkBuff {
  const skb = allocSkb(host.net, linear)!;
  const at = skbPut(skb, linear);
  for (let i = 0; i < linear; i++) skb.buf[at + i] = i;
  if (paged > 0) {
    const page = allocPage(host.net, paged)!;
    for (let i = 0; i < paged; i++) page.buf[page.base + i] = linear + i;
    skbAddRxFrag(skb, 0, page, page.base, paged, page.size);
  }
  return skb;
}

const set = (host: TestHost, fd: number, name: number, value: number | object): number => sysSetsockopt(host.task, fd, SOL_SOCKET, name, value);

test('the filter says how much is kept: none, some, all', () => {
  const host = testHost();
  const [fd] = testPair(host, SOCK_DGRAM);
  const sk = testSock(host, fd);
  for (const [keep, result, len] of [[0, -EPERM, 10], [4, 0, 4], [10, 0, 10], [99, 0, 10], [Infinity, 0, 10], [NaN, -EPERM, 10], [-1, -EPERM, 10], [2.5, 0, 2]] as const) {
    expect(set(host, fd, SO_ATTACH_FILTER, () => keep)).toBe(0);
    const skb = packet(host, 10);
    expect([keep, skFilterTrimCap(sk, skb, 1), skb.len]).toEqual([keep, result, len]);
    kfreeSkb(skb);
  }
});

test('what the protocol itself needs is kept whatever the filter says', () => {
  const host = testHost();
  const [fd] = testPair(host, SOCK_DGRAM);
  set(host, fd, SO_ATTACH_FILTER, () => 1);
  const skb = packet(host, 10);
  expect([skFilterTrimCap(testSock(host, fd), skb, 8), skb.len]).toEqual([0, 8]);
  kfreeSkb(skb);
});

test('it sees all octets of a packet with fragments, and its true length', () => {
  const host = testHost();
  const [fd] = testPair(host, SOCK_DGRAM);
  const seen: number[][] = [];
  const filter: SockFilter = (buf, offset, length, wireLength) => {
    seen.push([...buf.subarray(offset, offset + length), wireLength]);
    return length;
  };
  set(host, fd, SO_ATTACH_FILTER, filter);
  const skb = packet(host, 3, 3);
  expect(skRunFilter(testSock(host, fd), skb)).toBe(6);
  expect(seen).toEqual([[0, 1, 2, 3, 4, 5, 6]]);
  kfreeSkb(skb);
});

test('without a filter everything is kept', () => {
  const host = testHost();
  const [fd] = testPair(host, SOCK_DGRAM);
  const skb = packet(host, 3);
  expect(skRunFilter(testSock(host, fd), skb)).toBe(3);
  kfreeSkb(skb);
});

test('detaching: -ENOENT with none; locking: neither attached nor detached any more, and not unlocked', () => {
  const host = testHost();
  const [fd] = testPair(host, SOCK_DGRAM);
  expect(set(host, fd, SO_DETACH_FILTER, 0)).toBe(-ENOENT);
  expect(set(host, fd, SO_ATTACH_FILTER, () => 1)).toBe(0);
  expect([set(host, fd, SO_DETACH_FILTER, 0), testSock(host, fd).skFilter]).toEqual([0, null]);
  expect([set(host, fd, SO_LOCK_FILTER, 1), sysGetsockopt(host.task, fd, SOL_SOCKET, SO_LOCK_FILTER)]).toEqual([0, 1]);
  expect([set(host, fd, SO_ATTACH_FILTER, () => 1), set(host, fd, SO_DETACH_FILTER, 0), set(host, fd, SO_LOCK_FILTER, 0)]).toEqual([-EPERM, -EPERM, -EPERM]);
});

test('what is no filter is refused, and a stream takes none', () => {
  const host = testHost();
  const [dgram] = testPair(host, SOCK_DGRAM);
  const [stream] = testPair(host, SOCK_STREAM);
  expect([set(host, dgram, SO_ATTACH_FILTER, 1), set(host, dgram, SO_ATTACH_FILTER, {}), set(host, stream, SO_ATTACH_FILTER, () => 1)]).toEqual([
    -EINVAL, -EINVAL, -EOPNOTSUPP,
  ]);
});
