import { ENOMEM } from '@stack/kernel';
import { allocSkb, consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL, skbExterr, skbSetExterr, sockDequeueErrSkb, sockQueueErrSkb } from './errqueue.ts';
import { sysPoll, PollFd } from './select.ts';
import { testHost, testPair, testSock } from './test-rig.ts';
import type { TestHost } from './test-rig.ts';
import { EPOLLERR } from './uapi-fs.ts';

function makeErr(host: TestHost, errno: number, origin: number): SkBuff {
  const skb = allocSkb(host.net, 100)!;
  skbSetExterr(skb, errno, origin, 3, 4, 1400, 0x0a000002, 53);
  return skb;
}

test('an error that is queued shows in poll, and comes back as it was', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  const pfd = new PollFd(fd, 0);
  expect(sysPoll(host.task, [pfd], 0)).toBe(0);
  expect(sockQueueErrSkb(sk, makeErr(host, 90, SO_EE_ORIGIN_ICMP))).toBe(0);
  expect(sysPoll(host.task, [pfd], 0)).toBe(1);
  expect(pfd.revents).toBe(EPOLLERR);
  const skb = sockDequeueErrSkb(sk)!;
  expect(skbExterr(skb, 0x0a000001)).toMatchObject({
    eeErrno: 90, eeOrigin: SO_EE_ORIGIN_ICMP, eeType: 3, eeCode: 4, eeInfo: 1400, offender: 0x0a000001,
  });
  consumeSkb(skb);
  expect(sk.skRmemAlloc).toBe(0);
  expect(sockDequeueErrSkb(sk)).toBeNull();
});

test('recvmsg(2): skErr goes on to the next ICMP error in the queue', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  sockQueueErrSkb(sk, makeErr(host, 111, SO_EE_ORIGIN_ICMP));
  sockQueueErrSkb(sk, makeErr(host, 113, SO_EE_ORIGIN_ICMP));
  sockQueueErrSkb(sk, makeErr(host, 90, SO_EE_ORIGIN_LOCAL));
  sk.skErr = 111;
  consumeSkb(sockDequeueErrSkb(sk));
  expect(sk.skErr).toBe(113);
  consumeSkb(sockDequeueErrSkb(sk));
  consumeSkb(sockDequeueErrSkb(sk));
});

test('the error queue counts in the receive buffer', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  sk.skRcvbuf = 4000;
  sockQueueErrSkb(sk, makeErr(host, 111, SO_EE_ORIGIN_ICMP));
  const skb = makeErr(host, 111, SO_EE_ORIGIN_ICMP);
  expect(sockQueueErrSkb(sk, skb)).toBe(-ENOMEM);
  consumeSkb(skb);
});
