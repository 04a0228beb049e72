import { EINVAL, sleep } from '@stack/kernel';
import { allocSkb, consumeSkb } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { Cmsg, MsgHdr, Timespec, Timeval } from './msghdr.ts';
import { putCmsg, sockCmsgSend, SockcmCookie, sockcmInit, sockRecvCmsgs, sockStampSkb } from './scm.ts';
import { sysSetsockopt } from './sys-socket.ts';
import { testHost, testPair, testSock } from './test-rig.ts';
import { MSG_CTRUNC, SO_MARK, SO_PRIORITY, SO_RXQ_OVFL, SO_TIMESTAMP, SO_TIMESTAMPNS, SOL_IP, SOL_SOCKET } from './uapi-socket.ts';

function receiver(room: number): MsgHdr {
  const msg = new MsgHdr();
  msg.msgControl = [];
  msg.msgControllen = room;
  return msg;
}

test('recvmsg(2): MSG_CTRUNC when there is no room for a control message', () => {
  const msg = receiver(1);
  putCmsg(msg, 0, 8, 1);
  expect(msg.msgFlags).toBe(0);
  putCmsg(msg, 0, 8, 2);
  expect(msg.msgFlags).toBe(MSG_CTRUNC);
  expect(msg.msgControl).toEqual([new Cmsg(0, 8, 1)]);
});

test('socket(7): SO_TIMESTAMP and SO_TIMESTAMPNS give the time at which the packet came, not when it is read', async () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  for (const option of [SO_TIMESTAMP, SO_TIMESTAMPNS]) {
    sysSetsockopt(host.task, fd, SOL_SOCKET, option, 1);
    const skb = allocSkb(host.net, 10)!;
    await sleep(host.world, 1.5);
    const arrived = host.world.clock.wallTime();
    sockStampSkb(sk, skb);
    await sleep(host.world, 700);
    const msg = receiver(4);
    sockRecvCmsgs(msg, sk, skb);
    const data = msg.msgControl?.[0]?.cmsgData as Timeval | Timespec;
    const ms = data.tvSec * 1000 + ('tvUsec' in data ? data.tvUsec / 1e3 : data.tvNsec / 1e6);
    expect(data).toBeInstanceOf(option === SO_TIMESTAMP ? Timeval : Timespec);
    expect(Math.abs(ms - arrived)).toBeLessThan(0.01);
    consumeSkb(skb);
  }
});

test('SO_RXQ_OVFL says how many were dropped before, if any were', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  sysSetsockopt(host.task, fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  const skb = allocSkb(host.net, 10)!;
  const msg = receiver(4);
  sockRecvCmsgs(msg, sk, skb);
  expect(msg.msgControl).toEqual([]);
  skb.cb11 = 3;
  sockRecvCmsgs(msg, sk, skb);
  expect(msg.msgControl).toEqual([new Cmsg(SOL_SOCKET, SO_RXQ_OVFL, 3)]);
  consumeSkb(skb);
});

test('sendmsg(2): SO_MARK and SO_PRIORITY for one message; what cannot be sent is -EINVAL', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  sysSetsockopt(host.task, fd, SOL_SOCKET, SO_PRIORITY, 3);
  const cookie = new SockcmCookie();
  sockcmInit(cookie, sk);
  const msg = receiver(4);
  msg.msgControl = [new Cmsg(SOL_SOCKET, SO_MARK, 9), new Cmsg(SOL_IP, 99, 1)];
  expect(sockCmsgSend(msg, cookie)).toBe(0);
  expect(cookie).toMatchObject({ mark: 9, priority: 3 });
  msg.msgControl = [new Cmsg(SOL_SOCKET, SO_TIMESTAMP, 9)];
  expect(sockCmsgSend(msg, cookie)).toBe(-EINVAL);
});
