import { EAGAIN, EINVAL, openReport, sleep } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { ProtoAcceptArg, TCP_ESTABLISHED, TCP_NEW_SYN_RECV, sockHold, sockPut } from '@stack/socket';
import { expect, test } from 'vitest';
import {
  __inetLookup, __inetLookupEstablished, __inetLookupListener, inAton, inetCskAccept, inetCskCloneLock, inetCskListenStart,
  inetCskListenStop, inetCskReqskQueueAdd, inetCskReqskQueueDrop, inetCskReqskQueueHashAdd, inetCskReqskQueueIsFull,
  inetCskReqskQueueLen, inetCskReqskQueueRemoved, inetEhashNolisten, inetTwskHashdance, inetTwskInit, inetTwskSchedule,
  inetUnhash, skAcceptqIsFull, __inetInheritPort,
} from './index.ts';
import type { InetConnectionSock, RequestSock } from './index.ts';
import { bindTo, connectTo, destroy, makeHost, makeRequest, makeSock, makeTimewait, toy } from './testing/rig.ts';

const SERVER = inAton('10.0.0.1');
const PEER = inAton('10.0.0.2');

function listener(net: Net, port: number, addr = 0, backlog = 4): InetConnectionSock {
  const sk = makeSock(net);
  sk.skMaxAckBacklog = backlog;
  expect(bindTo(sk, port, addr)).toBe(0);
  expect(inetCskListenStart(sk)).toBe(0);
  return sk;
}

/** The handshake's end: req becomes a child on the accept queue. */
function complete(sk: InetConnectionSock, req: RequestSock): InetConnectionSock {
  const child = inetCskCloneLock(sk, req);
  __inetInheritPort(sk, child);
  expect(inetEhashNolisten(child, req)).toBe(true);
  inetCskReqskQueueRemoved(sk, req);
  expect(inetCskReqskQueueAdd(sk, req, child)).toBe(child);
  child.skState = TCP_ESTABLISHED;
  sockPut(child);
  return child;
}

function nothingOpen(world: World): void {
  expect(openReport(world).filter((item) => item.kind !== 'sock')).toEqual([]);
}

test('the listener with the most exact address and device gets the packet', () => {
  const { net } = makeHost();
  const { hashinfo } = toy(net);
  const exact = listener(net, 80, SERVER);
  const onDevice = makeSock(net);
  onDevice.skBoundDevIf = 7;
  bindTo(onDevice, 80, inAton('10.0.0.9'));
  expect(inetCskListenStart(onDevice)).toBe(0);
  const any = listener(net, 81);
  expect(__inetLookupListener(hashinfo, PEER, 999, SERVER, 80, 1)).toBe(exact);
  expect(__inetLookupListener(hashinfo, PEER, 999, inAton('10.0.0.9'), 80, 7)).toBe(onDevice);
  expect(__inetLookupListener(hashinfo, PEER, 999, inAton('10.0.0.9'), 80, 1)).toBeNull();
  expect(__inetLookupListener(hashinfo, PEER, 999, SERVER, 81, 1)).toBe(any);
  expect(__inetLookupListener(hashinfo, PEER, 999, SERVER, 82, 1)).toBeNull();
  inetUnhash(any);
  expect(__inetLookup(hashinfo, PEER, 999, SERVER, 81, 1)).toBeNull();
});

test('a listener on the address goes before one on all addresses', () => {
  const { net } = makeHost();
  const [exact, any] = [makeSock(net), makeSock(net)];
  for (const sk of [exact, any]) sk.skReuseport = true;
  bindTo(exact, 80, SERVER);
  bindTo(any, 80);
  expect(inetCskListenStart(exact)).toBe(0);
  expect(inetCskListenStart(any)).toBe(0);
  const { hashinfo } = toy(net);
  for (let port = 1000; port < 1020; port++) {
    expect(__inetLookupListener(hashinfo, PEER, port, SERVER, 80, 1)).toBe(exact);
    expect(__inetLookupListener(hashinfo, PEER, port, inAton('10.0.0.5'), 80, 1)).toBe(any);
  }
});

test('SO_REUSEPORT spreads connections over the listeners, each four-tuple always to the same', () => {
  const { net } = makeHost();
  const socks = Array.from({ length: 4 }, () => {
    const sk = makeSock(net);
    sk.skReuseport = true;
    bindTo(sk, 80);
    inetCskListenStart(sk);
    return sk;
  });
  const count = new Map(socks.map((sk) => [sk, 0]));
  const { hashinfo } = toy(net);
  for (let port = 1024; port < 3024; port++) {
    const sk = __inetLookupListener(hashinfo, PEER, port, SERVER, 80, 1);
    if (sk === null) throw new Error('no listener');
    expect(__inetLookupListener(hashinfo, PEER, port, SERVER, 80, 1)).toBe(sk);
    count.set(sk, (count.get(sk) ?? 0) + 1);
  }
  for (const n of count.values()) expect(n).toBeGreaterThan(300);
});

test('a request stands in ehash before the listener, and a second one of its four-tuple is refused', () => {
  const { net } = makeHost();
  const sk = listener(net, 80);
  const req = makeRequest(sk, PEER, 1000);
  expect(inetCskReqskQueueHashAdd(sk, req, 1000)).toBe(true);
  expect(__inetLookup(toy(net).hashinfo, PEER, 1000, SERVER, 80, 1)).toBe(req);
  expect(req.skState).toBe(TCP_NEW_SYN_RECV);
  expect(inetCskReqskQueueHashAdd(sk, makeRequest(sk, PEER, 1000), 1000)).toBe(false);
  expect(inetCskReqskQueueLen(sk)).toBe(1);
  expect(inetCskReqskQueueDrop(sk, req)).toBe(true);
  expect(inetCskReqskQueueDrop(sk, req)).toBe(false);
  expect(__inetLookupEstablished(toy(net).hashinfo, PEER, 1000, SERVER, 80, 1)).toBeNull();
  expect(toy(net).freed).toBe(1);
});

test('accept(2) takes the children in order; -EAGAIN when none waits, -EINVAL on another sock', () => {
  const { net } = makeHost();
  const sk = listener(net, 80);
  const children = [1000, 1001, 1002].map((port) => {
    const req = makeRequest(sk, PEER, port);
    inetCskReqskQueueHashAdd(sk, req, 1000);
    return complete(sk, req);
  });
  expect(sk.skAckBacklog).toBe(3);
  expect(inetCskReqskQueueLen(sk)).toBe(0);
  const arg = new ProtoAcceptArg();
  for (const child of children) expect(inetCskAccept(sk, arg)).toBe(child);
  expect(inetCskAccept(sk, arg)).toBeNull();
  expect(arg.err).toBe(-EAGAIN);
  expect(sk.skAckBacklog).toBe(0);
  expect(inetCskAccept(makeSock(net), arg)).toBeNull();
  expect(arg.err).toBe(-EINVAL);
  expect(children[0]).toMatchObject({ inetNum: 80, inetDaddr: PEER, inetDport: 1000, inetRcvSaddr: SERVER });
});

test('the backlog bounds both queues', () => {
  const { net } = makeHost();
  const sk = listener(net, 80, 0, 2);
  for (let port = 1000; port < 1003; port++) {
    expect(inetCskReqskQueueIsFull(sk)).toBe(false);
    inetCskReqskQueueHashAdd(sk, makeRequest(sk, PEER, port), 1000);
  }
  expect(inetCskReqskQueueIsFull(sk)).toBe(true);
  for (let port = 2000; port < 2003; port++) {
    const req = makeRequest(sk, PEER, port);
    inetCskReqskQueueHashAdd(sk, req, 1000);
    expect(skAcceptqIsFull(sk)).toBe(false);
    complete(sk, req);
  }
  expect(skAcceptqIsFull(sk)).toBe(true);
});

test('a SYN-ACK is sent again after 1, 2, 4, 8, 16 s, and the request dropped after 32 more', async () => {
  const { world, net } = makeHost();
  const sk = listener(net, 80);
  const req = makeRequest(sk, PEER, 1000);
  inetCskReqskQueueHashAdd(sk, req, 1000);
  await sleep(world, 1001);
  expect(toy(net)).toMatchObject({ synAcks: 1, timeouts: 1 });
  await sleep(world, 30_000);
  expect(toy(net)).toMatchObject({ synAcks: 5, freed: 0 });
  await sleep(world, 32_000);
  expect(toy(net)).toMatchObject({ synAcks: 5, timeouts: 6, freed: 1 });
  expect(inetCskReqskQueueLen(sk)).toBe(0);
  nothingOpen(world);
});

test('old requests are dropped sooner while they fill half of the queue', async () => {
  const { world, net } = makeHost();
  const sk = listener(net, 80, 0, 8);
  for (let port = 1000; port < 1008; port++) inetCskReqskQueueHashAdd(sk, makeRequest(sk, PEER, port), 1000);
  // No young ones left after a second: two retries are all that is left.
  await sleep(world, 1001 + 2000 + 4000 + 1);
  expect(inetCskReqskQueueLen(sk)).toBeLessThanOrEqual(4);
  await sleep(world, 64_000);
  expect(inetCskReqskQueueLen(sk)).toBe(0);
});

test('TCP_DEFER_ACCEPT: an acknowledged request waits without more SYN-ACKs', async () => {
  const { world, net } = makeHost();
  const sk = listener(net, 80);
  if (sk.icskAcceptQueue === null) throw new Error('no queue');
  sk.icskAcceptQueue.rskqDeferAccept = 3;
  const req = makeRequest(sk, PEER, 1000);
  inetCskReqskQueueHashAdd(sk, req, 1000);
  req.acked = true;
  await sleep(world, 3001);
  expect(toy(net)).toMatchObject({ synAcks: 0, timeouts: 2, freed: 0 });
  await sleep(world, 4000);
  expect(toy(net).synAcks).toBe(1);
});

test('a listener that stops drops its requests and resets who was not accepted', () => {
  const { world, net } = makeHost();
  const sk = listener(net, 80);
  const { hashinfo } = toy(net);
  inetCskReqskQueueHashAdd(sk, makeRequest(sk, PEER, 1000), 1000);
  const req = makeRequest(sk, PEER, 1001);
  inetCskReqskQueueHashAdd(sk, req, 1000);
  const child = complete(sk, req);
  sockHold(child);
  inetUnhash(sk);
  inetCskListenStop(sk);
  expect(child.skRefcnt).toBe(1);
  expect(hashinfo.ehashCount).toBe(0);
  expect(hashinfo.orphanCount).toBe(0);
  expect(toy(net).freed).toBe(2);
  expect(sk.skAckBacklog).toBe(0);
  sockPut(child);
  destroy(sk);
  expect(openReport(world)).toEqual([]);
});

test('a time-wait sock ends by its timer, and gives its port back', async () => {
  const { world, net } = makeHost();
  const { hashinfo } = toy(net);
  const sk = makeSock(net);
  connectTo(sk, SERVER, PEER, 80);
  const port = sk.inetNum;
  const tw = makeTimewait(sk);
  inetTwskInit(tw, sk, sk.skState);
  inetTwskHashdance(tw, sk);
  inetTwskSchedule(tw, 60_000);
  destroy(sk);
  expect(hashinfo.twCount).toBe(1);
  await sleep(world, 59_000);
  expect(__inetLookupEstablished(hashinfo, PEER, 80, SERVER, port, 1)).toBe(tw);
  await sleep(world, 2000);
  expect(hashinfo).toMatchObject({ twCount: 0, ehashCount: 0 });
  expect(toy(net).expired).toBe(1);
  expect(hashinfo.bhash.every((chain) => chain === null)).toBe(true);
  expect(openReport(world)).toEqual([]);
});
