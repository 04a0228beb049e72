import { createNet, createWorld, EEXIST, EINVAL, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM } from '@stack/socket';
import { expect, test } from 'vitest';
import { inetDgramOps, inetStreamOps } from './inet-ops.ts';
import { inetRegisterProtosw, inetswFind, inetUnregisterProtosw, INET_PROTOSW_PERMANENT, NetnsInet } from './inetsw.ts';
import type { InetProtosw } from './inetsw.ts';
import { fakeProt } from './test-prot.ts';

const tcp: InetProtosw = { type: SOCK_STREAM, protocol: IPPROTO_TCP, prot: fakeProt, ops: inetStreamOps, flags: INET_PROTOSW_PERMANENT };
const udp: InetProtosw = { type: SOCK_DGRAM, protocol: IPPROTO_UDP, prot: fakeProt, ops: inetDgramOps, flags: INET_PROTOSW_PERMANENT };
const ping: InetProtosw = { type: SOCK_DGRAM, protocol: 1, prot: fakeProt, ops: inetDgramOps, flags: 0 };
const raw: InetProtosw = { type: SOCK_RAW, protocol: IPPROTO_IP, prot: fakeProt, ops: inetDgramOps, flags: 0 };

function makeNet(...kinds: InetProtosw[]): Net {
  const net = createNet(createWorld());
  net.inet = new NetnsInet();
  for (const kind of kinds) expect(inetRegisterProtosw(net, kind)).toBe(0);
  return net;
}

test('socket(2): protocol 0 takes the first of the type that has one', () => {
  const net = makeNet(tcp, udp, ping, raw);
  expect(inetswFind(net, SOCK_STREAM, 0)).toBe(tcp);
  expect(inetswFind(net, SOCK_STREAM, IPPROTO_TCP)).toBe(tcp);
  expect(inetswFind(net, SOCK_STREAM, IPPROTO_UDP)).toBeNull();
  expect(inetswFind(net, SOCK_DGRAM, IPPROTO_UDP)).toBe(udp);
  expect(inetswFind(net, SOCK_DGRAM, 1)).toBe(ping);
});

test('raw(7): a wildcard serves every protocol, but 0 is none', () => {
  const net = makeNet(raw);
  expect(inetswFind(net, SOCK_RAW, 89)).toBe(raw);
  expect(inetswFind(net, SOCK_RAW, 0)).toBeNull();
});

test('registering: a permanent kind cannot be replaced, and stays what protocol 0 finds', () => {
  const net = makeNet(tcp);
  expect(inetRegisterProtosw(net, tcp)).toBe(-EEXIST);
  expect(inetRegisterProtosw(net, { ...tcp, flags: 0 })).toBe(-EEXIST);
  expect(inetRegisterProtosw(net, { ...tcp, type: 99 })).toBe(-EINVAL);
  const mptcp: InetProtosw = { ...tcp, protocol: 262, flags: 0 };
  expect(inetRegisterProtosw(net, mptcp)).toBe(0);
  expect(inetswFind(net, SOCK_STREAM, 262)).toBe(mptcp);
  expect(inetswFind(net, SOCK_STREAM, 0)).toBe(tcp);
});

test('unregistering takes it out, once', () => {
  const net = makeNet(udp);
  expect(inetUnregisterProtosw(net, udp)).toBe(0);
  expect(inetUnregisterProtosw(net, udp)).toBe(-ENOENT);
  expect(inetswFind(net, SOCK_DGRAM, 0)).toBeNull();
});
