import { EADDRINUSE, sysctlWrite } from '@stack/kernel';
import { SK_CAN_REUSE, TCP_ESTABLISHED, TCP_LISTEN } from '@stack/socket';
import { expect, test } from 'vitest';
import { inAton, inetBindBucketFind, inetCskListenStart, inetIsLocalReservedPort, inetPutPort, inetTwskHashdance, inetTwskInit, inetTwskSchedule } from './index.ts';
import { bindTo, connectTo, destroy, makeHost, makeSock, makeTimewait, toy } from './testing/rig.ts';

const A = inAton('10.0.0.1');
const B = inAton('10.0.0.2');

test('a port is bound once', () => {
  const { net } = makeHost();
  const first = makeSock(net);
  const second = makeSock(net);
  expect(bindTo(first, 80)).toBe(0);
  expect(first.inetNum).toBe(80);
  expect(bindTo(second, 80)).toBe(-EADDRINUSE);
  expect(second.inetNum).toBe(0);
  inetPutPort(first);
  expect(inetBindBucketFind(toy(net).hashinfo, 80)).toBeNull();
  expect(bindTo(second, 80)).toBe(0);
});

test('different local addresses share a port; the wildcard is in the way of each', () => {
  const { net } = makeHost();
  expect(bindTo(makeSock(net), 80, A)).toBe(0);
  expect(bindTo(makeSock(net), 80, B)).toBe(0);
  expect(bindTo(makeSock(net), 80, A)).toBe(-EADDRINUSE);
  expect(bindTo(makeSock(net), 80)).toBe(-EADDRINUSE);
});

test('different devices share a port', () => {
  const { net } = makeHost();
  const first = makeSock(net);
  const second = makeSock(net);
  const third = makeSock(net);
  first.skBoundDevIf = 1;
  second.skBoundDevIf = 2;
  expect(bindTo(first, 80)).toBe(0);
  expect(bindTo(second, 80)).toBe(0);
  expect(bindTo(third, 80)).toBe(-EADDRINUSE);
});

test('SO_REUSEADDR: socks that all set it share a port until one of them listens', () => {
  const { net } = makeHost();
  const first = makeSock(net);
  const second = makeSock(net);
  const third = makeSock(net);
  for (const sk of [first, second, third]) sk.skReuse = SK_CAN_REUSE;
  expect(bindTo(first, 80)).toBe(0);
  expect(bindTo(second, 80)).toBe(0);
  expect(inetCskListenStart(first)).toBe(0);
  expect(first.skState).toBe(TCP_LISTEN);
  expect(bindTo(third, 80)).toBe(-EADDRINUSE);
  expect(inetCskListenStart(second)).toBe(-EADDRINUSE);
});

test('SO_REUSEADDR: a server restarts beside the connections of the old one', () => {
  const { net } = makeHost();
  const child = makeSock(net);
  child.skReuse = SK_CAN_REUSE;
  expect(bindTo(child, 80, A)).toBe(0);
  child.skState = TCP_ESTABLISHED;
  const without = makeSock(net);
  expect(bindTo(without, 80)).toBe(-EADDRINUSE);
  const server = makeSock(net);
  server.skReuse = SK_CAN_REUSE;
  expect(bindTo(server, 80)).toBe(0);
  expect(inetCskListenStart(server)).toBe(0);
});

test('SO_REUSEADDR: a connection in TIME_WAIT holds its port against others', () => {
  const { net } = makeHost();
  const sk = makeSock(net);
  sk.skReuse = SK_CAN_REUSE;
  bindTo(sk, 80, A);
  expect(connectTo(sk, A, B, 9)).toBe(0);
  const tw = makeTimewait(sk);
  inetTwskInit(tw, sk, sk.skState);
  inetTwskHashdance(tw, sk);
  inetTwskSchedule(tw, 60_000);
  destroy(sk);
  expect(bindTo(makeSock(net), 80)).toBe(-EADDRINUSE);
  const server = makeSock(net);
  server.skReuse = SK_CAN_REUSE;
  expect(bindTo(server, 80)).toBe(0);
});

test('SO_REUSEPORT: all that set it share a port and listen on it', () => {
  const { net } = makeHost();
  const socks = [makeSock(net), makeSock(net), makeSock(net)];
  for (const sk of socks) {
    sk.skReuseport = true;
    expect(bindTo(sk, 80)).toBe(0);
    expect(inetCskListenStart(sk)).toBe(0);
  }
  expect(bindTo(makeSock(net), 80)).toBe(-EADDRINUSE);
});

test('SO_REUSEPORT: it is asked of those in each other\'s way only', () => {
  const { net } = makeHost();
  const [first, second, third] = [makeSock(net), makeSock(net), makeSock(net)];
  first.skReuseport = true;
  third.skReuseport = true;
  expect(bindTo(first, 80, A)).toBe(0);
  expect(bindTo(second, 80, B)).toBe(0);
  expect(bindTo(third, 80, A)).toBe(0);
});

test('port 0 takes a free port of ip_local_port_range, odd offsets first, never a reserved one', () => {
  const { net } = makeHost();
  expect(sysctlWrite(net, 'net.ipv4.ip_local_port_range', '40000 40009')).toBe(0);
  expect(sysctlWrite(net, 'net.ipv4.ip_local_reserved_ports', '40001,40003-40004')).toBe(0);
  expect(inetIsLocalReservedPort(net, 40004)).toBe(true);
  const ports: number[] = [];
  for (let i = 0; i < 7; i++) {
    const sk = makeSock(net);
    expect(bindTo(sk, 0)).toBe(0);
    ports.push(sk.inetNum);
  }
  expect(ports.slice(0, 3).every((port) => port % 2 === 1)).toBe(true);
  expect([...ports].sort((a, b) => a - b)).toEqual([40000, 40002, 40005, 40006, 40007, 40008, 40009]);
  expect(bindTo(makeSock(net), 0)).toBe(-EADDRINUSE);
});
