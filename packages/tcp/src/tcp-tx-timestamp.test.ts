import { EINVAL, ENOMSG } from '@stack/kernel';
import { SKBTX_SCHED_TSTAMP, SKBTX_SW_TSTAMP, consumeSkb } from '@stack/skbuff';
import {
  Cmsg, SCM_TSTAMP_ACK, SOF_TIMESTAMPING_OPT_ID, SOF_TIMESTAMPING_OPT_ID_TCP, SOF_TIMESTAMPING_OPT_STATS, SOF_TIMESTAMPING_OPT_TSONLY, SOF_TIMESTAMPING_SOFTWARE,
  SOF_TIMESTAMPING_TX_ACK, SOF_TIMESTAMPING_TX_SCHED, SOF_TIMESTAMPING_TX_SOFTWARE, SOL_SOCKET, SO_EE_ORIGIN_TIMESTAMPING, SO_TIMESTAMPING,
  makeMsgHdr, skbExterr, sockDequeueErrSkb, sysSendmsg, sysSetsockopt,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import {
  TCP_NLA_BUSY, TCP_NLA_BYTES_SENT, TCP_NLA_CA_STATE, TCP_NLA_DATA_SEGS_OUT, TCP_NLA_DELIVERED, TCP_NLA_SND_CWND, tcpOptStatsRead,
} from './tcp-opt-stats.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

const ACK = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;

async function open(flags: number, win = 60_000): Promise<void> {
  s = await scriptServer({ win });
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, flags)).toBe(0);
}

/** The octets that stamps have come for, with the payload of each and when it was taken (ms). */
function stamps(): [number, number, number][] {
  const all: [number, number, number][] = [];
  for (let skb = sockDequeueErrSkb(s.sk); skb !== null; skb = sockDequeueErrSkb(s.sk)) {
    const err = skbExterr(skb, 0);
    expect(err).toMatchObject({ eeErrno: ENOMSG, eeOrigin: SO_EE_ORIGIN_TIMESTAMPING, eeInfo: SCM_TSTAMP_ACK });
    all.push([err.eeData, skb.len, skb.tstamp / 1e6]);
    consumeSkb(skb);
  }
  return all;
}

test('the last octet of a write is stamped when it is acknowledged, and not before', async () => {
  await open(ACK);
  const start = s.now();
  await s.write(2000);
  await s.wait(10);
  s.give('. 1 ack 1001');
  expect(stamps()).toEqual([]);
  await s.wait(10);
  s.give('. 1 ack 2001');
  expect(stamps().map(([octet, , at]) => [octet, at - start])).toEqual([[1999, 20]]);
});

test('OPT_TSONLY: the stamp without the payload', async () => {
  await open(ACK | SOF_TIMESTAMPING_OPT_TSONLY);
  await s.write(700);
  s.give('. 1 ack 701');
  expect(stamps().map(([octet, len]) => [octet, len])).toEqual([[699, 0]]);
});

test('OPT_ID counts from what is not acknowledged, with OPT_ID_TCP from what is written next', async () => {
  s = await scriptServer();
  await s.write(10);
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, ACK);
  expect((s.sk.skTskey - s.sk.sndUna) | 0).toBe(0);
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, 0);
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, ACK | SOF_TIMESTAMPING_OPT_ID_TCP);
  expect((s.sk.skTskey - s.sk.sndUna) | 0).toBe(10);
});

test('a segment that is cut: the stamp goes with its octet', async () => {
  await open(ACK | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE, 8);
  await s.write(1800);
  expect(s.sk.tcpRtxQueue.next?.shinfo.txFlags).toBe(0);
  expect(s.sk.skWriteQueue.prev?.shinfo.txFlags).toBe(SKBTX_SCHED_TSTAMP | SKBTX_SW_TSTAMP);
  while (s.sk.bytesAcked < 1800) {
    expect(stamps()).toEqual([]);
    s.give(`. 1 ack ${s.sk.bytesSent + 1} win 1000`);
  }
  expect(stamps().map(([octet]) => octet)).toEqual([1799]);
});

test('a control message asks for one send; one that asks for what is not a stamp is refused', async () => {
  await open(SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID);
  await s.write(100);
  const msg = makeMsgHdr([new Uint8Array(50)]);
  msg.msgControl = [new Cmsg(SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_ACK)];
  s.give('. 1 ack 101');
  expect(sysSendmsg(s.host.task, s.fd, msg, 0)).toBe(50);
  s.give('. 1 ack 151');
  expect(stamps().map(([octet]) => octet)).toEqual([149]);
  msg.msgControl = [new Cmsg(SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID)];
  expect(sysSendmsg(s.host.task, s.fd, msg, 0)).toBe(-EINVAL);
});

test('OPT_ID needs sequence numbers; flags that nobody knows are refused', async () => {
  await open(0);
  expect(sysSetsockopt(s.host.task, s.lfd, SOL_SOCKET, SO_TIMESTAMPING, ACK)).toBe(-EINVAL);
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30)).toBe(-EINVAL);
});

test('OPT_STATS: the connection as it is when the stamp is taken; only with OPT_TSONLY', async () => {
  await open(ACK);
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, ACK | SOF_TIMESTAMPING_OPT_STATS)).toBe(-EINVAL);
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_TIMESTAMPING, ACK | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_STATS)).toBe(0);
  await s.write(2000);
  await s.wait(40);
  s.give('. 1 ack 2001');
  const skb = sockDequeueErrSkb(s.sk);
  const stats = tcpOptStatsRead(skb === null ? new Uint8Array(0) : skb.buf.slice(skb.data, skb.data + skb.len));
  if (skb !== null) consumeSkb(skb);
  expect([TCP_NLA_BUSY, TCP_NLA_DATA_SEGS_OUT, TCP_NLA_SND_CWND, TCP_NLA_DELIVERED, TCP_NLA_BYTES_SENT, TCP_NLA_CA_STATE].map((type) => stats.get(type)))
    .toEqual([40_000, 2, 10, 3, 2000, 0]);
});
