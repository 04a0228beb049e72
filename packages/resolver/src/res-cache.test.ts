// What is remembered, and for how long.
import { expect, test } from 'vitest';
import { DnsMessage, DnsQuestion, DnsRecord, NS_QR, NXDOMAIN, SERVFAIL, SoaData, T_A, T_AAAA, T_SOA } from './nameser.ts';
import { cacheGet, cachePut, ResCache } from './res-cache.ts';

const SEC = 1e9;

function answer(rcode: number, answers: readonly DnsRecord[], soa: DnsRecord | null = null): DnsMessage {
  const msg = new DnsMessage(1, NS_QR | rcode);
  msg.question.push(new DnsQuestion('a.test', T_A));
  msg.answer.push(...answers);
  if (soa !== null) msg.authority.push(soa);
  return msg;
}

const address = (ttl: number): DnsRecord => new DnsRecord('a.test', T_A, ttl, 1);
const soa = (ttl: number, minimum: number): DnsRecord => new DnsRecord('test', T_SOA, ttl, new SoaData('ns.test', 'root.test', 1, 1, 1, 1, minimum));

test('RFC 1035 §7.4: an answer is kept as long as its shortest TTL, and gets older', () => {
  const cache = new ResCache();
  cachePut(cache, 'A.test', T_A, answer(0, [address(60), address(30)]), 5 * SEC);
  expect(cacheGet(cache, 'a.TEST', T_A, 15.5 * SEC)?.answer.map((record) => record.ttl)).toEqual([50, 20]);
  expect(cacheGet(cache, 'a.test', T_AAAA, 15 * SEC)).toBeNull();
  expect(cacheGet(cache, 'a.test', T_A, 35 * SEC - 1)).not.toBeNull();
  expect(cacheGet(cache, 'a.test', T_A, 35 * SEC)).toBeNull();
  expect(cache.entries.size).toBe(0);
});

test('a TTL of 0 is for this answer alone', () => {
  const cache = new ResCache();
  cachePut(cache, 'a.test', T_A, answer(0, [address(0)]), 0);
  expect(cache.entries.size).toBe(0);
});

test("RFC 2308 §5: a name that is not there is kept for all types, as long as the SOA's TTL and minimum say", () => {
  const cache = new ResCache();
  cachePut(cache, 'a.test', T_A, answer(NXDOMAIN, [], soa(100, 20)), 0);
  expect(cacheGet(cache, 'a.test', T_AAAA, 19 * SEC)).not.toBeNull();
  expect(cacheGet(cache, 'a.test', T_AAAA, 20 * SEC)).toBeNull();
});

test('RFC 2308 §5: a type that is not there is kept for that type; without SOA nothing is; nor is a failure', () => {
  const cache = new ResCache();
  cachePut(cache, 'a.test', T_A, answer(0, [], soa(10, 20)), 0);
  expect(cacheGet(cache, 'a.test', T_AAAA, 0)).toBeNull();
  expect(cacheGet(cache, 'a.test', T_A, 9 * SEC)).not.toBeNull();
  cachePut(cache, 'b.test', T_A, answer(NXDOMAIN, []), 0);
  cachePut(cache, 'c.test', T_A, answer(SERVFAIL, [], soa(10, 20)), 0);
  expect(cache.entries.size).toBe(1);
});

test('the cache has a bound: the oldest goes', () => {
  const cache = new ResCache();
  for (let i = 0; i < 2000; i++) cachePut(cache, `n${i}.test`, T_A, answer(0, [address(60)]), 0);
  expect(cache.entries.size).toBe(1024);
  expect(cacheGet(cache, 'n975.test', T_A, 0)).toBeNull();
  expect(cacheGet(cache, 'n976.test', T_A, 0)).not.toBeNull();
});
