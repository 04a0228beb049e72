import { EDOM, EINVAL, ENODEV, ENOPROTOOPT, sysctlWrite } from '@stack/kernel';
import { expect, test } from 'vitest';
import { Linger, Timeval } from './msghdr.ts';
import { OptInt } from './sock-struct.ts';
import { sysGetsockopt, sysSetsockopt } from './sys-socket.ts';
import { testHost, testPair, testSock } from './test-rig.ts';
import * as so from './uapi-socket.ts';

function rig() {
  const host = testHost();
  const [fd] = testPair(host);
  return {
    host,
    sk: testSock(host, fd),
    set: (name: number, value: number | string | object) => sysSetsockopt(host.task, fd, so.SOL_SOCKET, name, value),
    get: (name: number) => sysGetsockopt(host.task, fd, so.SOL_SOCKET, name),
    getAt: (level: number, name: number) => sysGetsockopt(host.task, fd, level, name),
  };
}

test('socket(7): boolean options read back as 0 and 1', () => {
  const { get, set } = rig();
  const names = [
    so.SO_REUSEADDR, so.SO_REUSEPORT, so.SO_KEEPALIVE, so.SO_BROADCAST, so.SO_DONTROUTE, so.SO_OOBINLINE, so.SO_DEBUG, so.SO_RXQ_OVFL,
    so.SO_TIMESTAMP, so.SO_NO_CHECK,
  ];
  for (const name of names) {
    expect([name, get(name), set(name, 7), get(name), set(name, 0), get(name)]).toEqual([name, 0, 0, 1, 0, 0]);
  }
});

test('socket(7): SO_SNDBUF and SO_RCVBUF are doubled, have a minimum, and net.core.*mem_max above', () => {
  const { host, get, set } = rig();
  expect(get(so.SO_RCVBUF)).toBe(212992);
  set(so.SO_RCVBUF, 10000);
  set(so.SO_SNDBUF, 10000);
  expect([get(so.SO_RCVBUF), get(so.SO_SNDBUF)]).toEqual([20000, 20000]);
  set(so.SO_RCVBUF, 0);
  set(so.SO_SNDBUF, 0);
  expect([get(so.SO_RCVBUF), get(so.SO_SNDBUF)]).toEqual([2304, 4608]);
  sysctlWrite(host.net, 'net.core.rmem_max', 50000);
  set(so.SO_RCVBUF, 1000000);
  expect(get(so.SO_RCVBUF)).toBe(100000);
  set(so.SO_RCVBUFFORCE, 1000000);
  expect(get(so.SO_RCVBUF)).toBe(2000000);
});

test('socket(7): SO_RCVTIMEO and SO_SNDTIMEO take a timeval', () => {
  const { get, set, sk } = rig();
  expect(get(so.SO_RCVTIMEO)).toEqual(new Timeval(0, 0));
  expect(set(so.SO_RCVTIMEO, new Timeval(2, 500000))).toBe(0);
  expect(sk.skRcvtimeo).toBe(2500);
  expect(get(so.SO_RCVTIMEO)).toEqual(new Timeval(2, 500000));
  set(so.SO_SNDTIMEO, new Timeval(0, 1));
  expect(sk.skSndtimeo).toBe(1);
  expect(set(so.SO_SNDTIMEO, new Timeval(0, 1000000))).toBe(-EDOM);
  expect(set(so.SO_SNDTIMEO, 5)).toBe(-EINVAL);
  set(so.SO_RCVTIMEO, new Timeval(0, 0));
  expect(get(so.SO_RCVTIMEO)).toEqual(new Timeval(0, 0));
});

test('socket(7): SO_LINGER', () => {
  const { get, set } = rig();
  expect(get(so.SO_LINGER)).toEqual(new Linger(0, 0));
  set(so.SO_LINGER, new Linger(1, 30));
  expect(get(so.SO_LINGER)).toEqual(new Linger(1, 30));
  set(so.SO_LINGER, new Linger(0, 0));
  expect((get(so.SO_LINGER) as Linger).lOnoff).toBe(0);
});

test('socket(7): SO_RCVLOWAT is at least 1, SO_SNDLOWAT cannot be changed', () => {
  const { get, set } = rig();
  set(so.SO_RCVLOWAT, 0);
  expect(get(so.SO_RCVLOWAT)).toBe(1);
  set(so.SO_RCVLOWAT, 100);
  expect(get(so.SO_RCVLOWAT)).toBe(100);
  expect(get(so.SO_SNDLOWAT)).toBe(1);
  expect(set(so.SO_SNDLOWAT, 5)).toBe(-ENOPROTOOPT);
});

test('socket(7): SO_ERROR gives the error once', () => {
  const { get, sk } = rig();
  sk.skErr = 111;
  sk.skErrSoft = 113;
  expect([get(so.SO_ERROR), get(so.SO_ERROR), get(so.SO_ERROR)]).toEqual([111, 113, 0]);
});

test('a negative value is an OptInt, so that it is no errno', () => {
  const { get, set, getAt } = rig();
  set(so.SO_MARK, -2);
  expect(get(so.SO_MARK)).toEqual(new OptInt(-2));
  expect(getAt(99, -1)).toEqual(new OptInt(-7));
});

test('socket(7): SO_BINDTODEVICE by name, SO_BINDTOIFINDEX by number', () => {
  const { host, get, set } = rig();
  expect(set(so.SO_BINDTODEVICE, 'eth0')).toBe(-ENODEV);
  host.net.socket.ifnameToIndex = (_net, name) => (name === 'eth0' ? 3 : 0);
  expect(set(so.SO_BINDTODEVICE, 'eth0')).toBe(0);
  expect(get(so.SO_BINDTOIFINDEX)).toBe(3);
  expect(set(so.SO_BINDTODEVICE, 'eth1')).toBe(-ENODEV);
  expect(set(so.SO_BINDTODEVICE, '')).toBe(0);
  expect(get(so.SO_BINDTOIFINDEX)).toBe(0);
});

test('values of the wrong kind are -EINVAL', () => {
  const { set } = rig();
  expect(set(so.SO_BROADCAST, 'yes')).toBe(-EINVAL);
  expect(set(so.SO_BROADCAST, 1.5)).toBe(-EINVAL);
  expect(set(so.SO_LINGER, 1)).toBe(-EINVAL);
});
