import { createNet, createWorld, EAGAIN, EALREADY, ECONNABORTED, ECONNREFUSED, EINPROGRESS, EINVAL, EISCONN, ENETUNREACH, ENOTCONN } from '@stack/kernel';
import { InetSock, SockAddrIn } from '@stack/inet-sock';
import {
  AF_UNSPEC, installSocket, MSG_DONTWAIT, MsgHdr, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUT_RD, SHUT_RDWR, SHUT_WR, skAlloc, SOCK_DGRAM, SOCK_LINGER,
  SOCK_STREAM, SockAddr, Socket, sockInitData, sockSetFlag, SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_UNCONNECTED, TCP_CLOSE,
  TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_SENT,
} from '@stack/socket';
import { installSkbuff } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { inetAutobind, inetGetname, inetRelease, inetSendmsg, inetShutdown } from './af-inet.ts';
import { inetListen, inetStreamConnect } from './inet-stream.ts';
import { fakeProt } from './test-prot.ts';
import type { FakeSock } from './test-prot.ts';

const peer = new SockAddrIn(0x0a000001, 7);

function makeSocket(type = SOCK_STREAM): [Socket, FakeSock] {
  const world = createWorld();
  installSkbuff(world);
  const net = createNet(world);
  installSocket(net);
  const sock = new Socket(net);
  sock.type = type;
  const sk = skAlloc(net, 2, fakeProt) as FakeSock;
  sockInitData(sock, sk);
  return [sock, sk];
}

test('connect(2): begins, goes on, is done once, and then it is connected', () => {
  const [sock, sk] = makeSocket();
  sk.skState = TCP_CLOSE;
  fakeState(sk, TCP_SYN_SENT);
  expect(inetStreamConnect(sock, peer, 0)).toBe(-EINPROGRESS);
  expect(sock.state).toBe(SS_CONNECTING);
  expect(inetStreamConnect(sock, peer, 0)).toBe(-EALREADY);
  sk.skState = TCP_ESTABLISHED;
  expect(inetStreamConnect(sock, peer, 0)).toBe(0);
  expect(sock.state).toBe(SS_CONNECTED);
  expect(inetStreamConnect(sock, peer, 0)).toBe(-EISCONN);
  expect(sk.calls).toEqual(['connect']);
});

/** Has the next connect take the sock to `state`. */
function fakeState(sk: FakeSock, state: number): void {
  Object.defineProperty(sk, 'connectResult', { get: () => ((sk.skState = state), 0) });
}

test('connect(2): a refused one gives its error once, and may be tried again', () => {
  const [sock, sk] = makeSocket();
  fakeState(sk, TCP_SYN_SENT);
  inetStreamConnect(sock, peer, 0);
  sk.skState = TCP_CLOSE;
  sk.skErr = ECONNREFUSED;
  expect(inetStreamConnect(sock, peer, 0)).toBe(-ECONNREFUSED);
  expect(sock.state).toBe(SS_UNCONNECTED);
  expect(inetStreamConnect(sock, peer, 0)).toBe(-EINPROGRESS);
  sk.skState = TCP_CLOSE;
  expect(inetStreamConnect(sock, peer, 0)).toBe(-ECONNABORTED);
});

test('connect(2): an error at once leaves it unconnected', () => {
  const [sock, sk] = makeSocket();
  sk.connectResult = -ENETUNREACH;
  expect(inetStreamConnect(sock, peer, 0)).toBe(-ENETUNREACH);
  expect(sock.state).toBe(SS_UNCONNECTED);
});

test('connect(2): AF_UNSPEC disconnects', () => {
  const [sock, sk] = makeSocket();
  sock.state = SS_CONNECTED;
  expect(inetStreamConnect(sock, new SockAddr(AF_UNSPEC), 0)).toBe(0);
  expect([sock.state, sk.calls]).toEqual([SS_UNCONNECTED, ['disconnect']]);
  sk.disconnectResult = -EINVAL;
  inetStreamConnect(sock, new SockAddr(AF_UNSPEC), 0);
  expect(sock.state).toBe(SS_DISCONNECTING);
});

test('shutdown(2): the bits, the protocol, and -ENOTCONN', () => {
  const [sock, sk] = makeSocket();
  sock.state = SS_CONNECTED;
  sk.skState = TCP_ESTABLISHED;
  expect(inetShutdown(sock, SHUT_RD)).toBe(0);
  expect(sk.skShutdown).toBe(RCV_SHUTDOWN);
  expect(inetShutdown(sock, SHUT_WR)).toBe(0);
  expect(sk.skShutdown).toBe(RCV_SHUTDOWN | SEND_SHUTDOWN);
  sk.skState = TCP_CLOSE;
  expect(inetShutdown(sock, SHUT_RDWR)).toBe(-ENOTCONN);
  expect(sk.calls).toEqual(['shutdown 1', 'shutdown 2', 'shutdown 3']);
});

test('shutdown(2): a listener stops with SHUT_RD, and does not with SHUT_WR', () => {
  const [sock, sk] = makeSocket();
  sk.skState = TCP_LISTEN;
  expect(inetShutdown(sock, SHUT_WR)).toBe(0);
  expect(sk.calls).toEqual([]);
  expect(inetShutdown(sock, SHUT_RD)).toBe(0);
  expect(sk.calls).toEqual(['disconnect']);
});

test('listen(2): streams only, and not when connected', () => {
  const [dgram] = makeSocket(SOCK_DGRAM);
  expect(inetListen(dgram, 5)).toBe(-EINVAL);
  const [sock, sk] = makeSocket();
  sock.state = SS_CONNECTED;
  expect(inetListen(sock, 5)).toBe(-EINVAL);
  sock.state = SS_UNCONNECTED;
  sk.skState = TCP_LISTEN;
  expect(inetListen(sock, 5)).toBe(0);
  expect(sk.skMaxAckBacklog).toBe(5);
});

test('send(2) without a port gets one; without a free one it is -EAGAIN, and does not sleep', () => {
  const [sock, sk] = makeSocket(SOCK_DGRAM);
  const msg = new MsgHdr();
  expect(inetSendmsg(sock, msg, 3)).toBe(3);
  expect([sk.inetNum, sk.inetSport]).toEqual([1000, 1000]);
  const [full, none] = makeSocket(SOCK_DGRAM);
  none.ports = 0;
  expect(inetSendmsg(full, msg, 3)).toBe(-EAGAIN);
  expect(msg.msgFlags & MSG_DONTWAIT).toBe(MSG_DONTWAIT);
  expect(inetAutobind(none)).toBe(-EAGAIN);
});

test('close(2): SO_LINGER is handed to the protocol, and a lingering one keeps its sock', () => {
  const [sock, sk] = makeSocket();
  sockSetFlag(sk, SOCK_LINGER);
  sk.skLingertime = 5000;
  sk.closeResult = -EAGAIN;
  expect(inetRelease(sock)).toBe(-EAGAIN);
  expect(sock.sk).toBe(sk);
  sk.closeResult = 0;
  expect(inetRelease(sock)).toBe(0);
  expect(sock.sk).toBeNull();
  expect(inetRelease(sock)).toBe(0);
  expect(sk.calls).toEqual(['close 5000', 'close 5000']);
});

test('getsockname(2), getpeername(2)', () => {
  const [sock, sk] = makeSocket();
  const name = new SockAddrIn();
  sk.inetSport = 99;
  sk.inetSaddr = 0x0a000002;
  expect(inetGetname(sock, name, false)).toBe(0);
  expect([name.sinPort, name.sinAddr]).toEqual([99, 0x0a000002]);
  expect(inetGetname(sock, name, true)).toBe(-ENOTCONN);
  sk.inetDport = 7;
  sk.inetDaddr = 0x0a000001;
  expect(inetGetname(sock, name, true)).toBe(-ENOTCONN);
  sk.skState = TCP_ESTABLISHED;
  expect(inetGetname(sock, name, true)).toBe(0);
  expect([name.sinPort, name.sinAddr]).toEqual([7, 0x0a000001]);
  expect(sk).toBeInstanceOf(InetSock);
});
