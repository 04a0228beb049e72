import { createNet, createWorld, sleep } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { installSocket } from '@stack/socket';
import { expect, test } from 'vitest';
import { installTcp } from './install.ts';
import { secureIpv4PortEphemeral, secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
import { checkTcpSynCookie, cookieMssIndex, msstab, secureTcpSynCookie } from './syncookies.ts';

function host(seed = 1): { world: World; net: Net } {
  const world = createWorld({ seed });
  installSkbuff(world);
  const net = createNet(world);
  installSocket(net);
  installTcp(net);
  return { world, net };
}

test('RFC 6528 §3: a clock of 64 ns for each four-tuple, each with an offset of its own', async () => {
  const { world, net } = host();
  const first = secureTcpSeq(net, 1, 2, 3, 4);
  expect(secureTcpSeq(net, 1, 2, 3, 4)).toBe(first);
  const others = [secureTcpSeq(net, 1, 2, 3, 5), secureTcpSeq(net, 1, 2, 4, 4), secureTcpSeq(net, 2, 1, 3, 4), secureTcpSeq(net, 1, 3, 3, 4)];
  for (const other of others) expect(Math.abs((other - first) | 0)).toBeGreaterThan(1 << 16);
  await sleep(world, 1);
  expect((secureTcpSeq(net, 1, 2, 3, 4) - first) | 0).toBe(1_000_000 / 64);
});

test('RFC 6528 §3: another host has other numbers', () => {
  expect(secureTcpSeq(host(1).net, 1, 2, 3, 4)).not.toBe(secureTcpSeq(host(2).net, 1, 2, 3, 4));
});

test('RFC 7323 §5.4: timestamps start at an offset for each peer, 0 where net.ipv4.tcp_timestamps is 2', () => {
  const { net } = host();
  expect(secureTcpTsOff(net, 1, 2)).toBe(secureTcpTsOff(net, 1, 2));
  expect(secureTcpTsOff(net, 1, 2)).not.toBe(secureTcpTsOff(net, 1, 3));
  net.tcp.sysctlTcpTimestamps = 2;
  expect(secureTcpTsOff(net, 1, 2)).toBe(0);
});

test('RFC 6056 §3.3.4: where the search for a port begins depends on the destination', () => {
  const { net } = host();
  expect(secureIpv4PortEphemeral(net, 1, 2, 80)).not.toBe(secureIpv4PortEphemeral(net, 1, 2, 81));
  expect(secureIpv4PortEphemeral(net, 1, 2, 80)).not.toBe(secureIpv4PortEphemeral(net, 1, 3, 80));
});

test('RFC 4987 §3.6: a cookie gives back its MSS for its four-tuple, and for no other', () => {
  const { net } = host();
  for (let index = 0; index < msstab.length; index++) {
    const cookie = secureTcpSynCookie(net, 1, 2, 3, 4, 999, index);
    expect(checkTcpSynCookie(net, cookie, 1, 2, 3, 4, 999)).toBe(index);
    for (const wrong of [checkTcpSynCookie(net, cookie, 9, 2, 3, 4, 999), checkTcpSynCookie(net, cookie, 1, 2, 3, 5, 999), checkTcpSynCookie(net, cookie + 1, 1, 2, 3, 4, 999), checkTcpSynCookie(net, cookie, 1, 2, 3, 4, 1000)]) {
      expect(wrong).not.toBe(index);
    }
  }
});

test('RFC 4987 §3.6: a cookie is good for one to two minutes', async () => {
  const { world, net } = host();
  const cookie = secureTcpSynCookie(net, 1, 2, 3, 4, 999, 2);
  await sleep(world, 119_000);
  expect(checkTcpSynCookie(net, cookie, 1, 2, 3, 4, 999)).toBe(2);
  await sleep(world, 2000);
  expect(checkTcpSynCookie(net, cookie, 1, 2, 3, 4, 999)).toBe(-1);
});

test('a made-up cookie is taken for one in some millions', () => {
  const { net } = host();
  let taken = 0;
  for (let i = 0; i < 100_000; i++) {
    const index = checkTcpSynCookie(net, Math.imul(i, 2654435761), 1, 2, 3, 4, 999);
    if (index >= 0 && index < msstab.length) taken++;
  }
  expect(taken).toBe(0);
});

test('the MSS of a cookie is rounded down', () => {
  expect([100, 536, 1299, 1300, 1459, 1460, 9000].map(cookieMssIndex)).toEqual([0, 0, 0, 1, 2, 3, 3]);
});
