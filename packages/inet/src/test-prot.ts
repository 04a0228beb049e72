/*
 * A protocol for the tests of this package: it does what a test tells it to, and writes down what it was asked.
 */
import { InetSock } from '@stack/inet-sock';
import type { Proto } from '@stack/socket';

/** What fakeProt's functions return, and what was called. */
export class FakeSock extends InetSock {
  calls: string[] = [];
  connectResult = 0;
  disconnectResult = 0;
  closeResult = 0;
  ports = 1000;
}

function called(sk: object, what: string): FakeSock {
  const fake = sk as FakeSock;
  fake.calls.push(what);
  return fake;
}

export const fakeProt: Proto = {
  name: 'FAKE',
  objCreate: (net, family, prot) => new FakeSock(net, family, prot),
  mem: null,
  init: (sk) => called(sk, 'init').closeResult,
  destroy: null,
  close: (sk, timeout) => called(sk, `close ${timeout}`).closeResult,
  connect: (sk) => called(sk, 'connect').connectResult,
  disconnect: (sk) => called(sk, 'disconnect').disconnectResult,
  accept: null,
  ioctl: null,
  shutdown: (sk, how) => void called(sk, `shutdown ${how}`),
  setsockopt: null,
  getsockopt: null,
  sendmsg: (sk, _msg, len) => (called(sk, 'sendmsg') === null ? 0 : len),
  recvmsg: () => 0,
  bind: null,
  backlogRcv: null,
  releaseCb: null,
  hash: null,
  unhash: null,
  getPort: (sk, snum) => {
    const fake = called(sk, `getPort ${snum}`);
    if (fake.ports === 0) return 1;
    fake.inetNum = snum === 0 ? fake.ports : snum;
    return 0;
  },
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};
