import { EBADF, EEXIST, EINTR, EINVAL, ELOOP, ENOENT } from '@stack/kernel';
import { expect, test } from 'vitest';
import { EpollEvent } from './eventpoll-struct.ts';
import { sysEpollCreate, sysEpollCtl, sysEpollWait } from './eventpoll.ts';
import { sysRead, sysWrite } from './read-write.ts';
import { PollFd, sysPoll } from './select.ts';
import { sysClose, sysDup } from './sys-file.ts';
import { sysShutdown } from './sys-socket.ts';
import { abort, bytes, now, testHost, testPair, TestSignal, testSock } from './test-rig.ts';
import type { TestHost } from './test-rig.ts';
import {
  EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLNVAL, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD,
} from './uapi-fs.ts';
import { SHUT_WR } from './uapi-socket.ts';

function watch(host: TestHost, epfd: number, fd: number, events: number): number {
  return sysEpollCtl(host.task, epfd, EPOLL_CTL_ADD, fd, new EpollEvent(events, fd));
}

function ready(host: TestHost, epfd: number, max = 8): number[] {
  const out = Array.from({ length: max }, () => new EpollEvent());
  const n = now(sysEpollWait(host.task, epfd, out, 0));
  return out.slice(0, n).map((e) => e.data as number);
}

test('epoll_ctl(2): the errors', () => {
  const host = testHost();
  const [a] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  expect(watch(host, epfd, 77, EPOLLIN)).toBe(-EBADF);
  expect(watch(host, a, a, EPOLLIN)).toBe(-EINVAL);
  expect(watch(host, epfd, epfd, EPOLLIN)).toBe(-EINVAL);
  expect(sysEpollCtl(host.task, epfd, EPOLL_CTL_MOD, a, new EpollEvent())).toBe(-ENOENT);
  expect(sysEpollCtl(host.task, epfd, EPOLL_CTL_DEL, a)).toBe(-ENOENT);
  expect(watch(host, epfd, a, EPOLLIN)).toBe(0);
  expect(watch(host, epfd, a, EPOLLIN)).toBe(-EEXIST);
  expect(sysEpollCtl(host.task, epfd, 9, a, new EpollEvent())).toBe(-EINVAL);
  expect(sysEpollWait(host.task, epfd, [], 0)).toBe(-EINVAL);
  expect(sysEpollWait(host.task, a, [new EpollEvent()], 0)).toBe(-EINVAL);
});

test('epoll(7): a file can be watched by two of its descriptors', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const b2 = sysDup(host.task, b);
  const epfd = sysEpollCreate(host.task);
  watch(host, epfd, b, EPOLLIN);
  watch(host, epfd, b2, EPOLLIN);
  now(sysWrite(host.task, a, bytes('x')));
  expect(ready(host, epfd).sort()).toEqual([b, b2]);
  // Closing one of them takes nothing away: the file is still open (epoll(7), question 6).
  now(sysClose(host.task, b));
  expect(ready(host, epfd).sort()).toEqual([b, b2]);
  now(sysClose(host.task, b2));
  expect(ready(host, epfd)).toEqual([]);
});

test('epoll(7): with more ready files than room, all are served in turn', () => {
  const host = testHost();
  const epfd = sysEpollCreate(host.task);
  const fds = [testPair(host), testPair(host), testPair(host)].map(([a, b]) => {
    watch(host, epfd, b, EPOLLIN);
    now(sysWrite(host.task, a, bytes('x')));
    return b;
  });
  expect(ready(host, epfd, 2)).toEqual([fds[0], fds[1]]);
  expect(ready(host, epfd, 2)).toEqual([fds[2], fds[0]]);
  expect(ready(host, epfd, 2)).toEqual([fds[1], fds[2]]);
});

test('epoll(7): EPOLLRDHUP and EPOLLHUP when the peer has gone', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  watch(host, epfd, b, EPOLLRDHUP);
  expect(ready(host, epfd)).toEqual([]);
  now(sysClose(host.task, a));
  const out = [new EpollEvent()];
  expect(sysEpollWait(host.task, epfd, out, 0)).toBe(1);
  expect(out[0]?.events).toBe(EPOLLRDHUP);
});

test('epoll_ctl(2): EPOLL_CTL_MOD and _DEL', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  watch(host, epfd, b, 0);
  now(sysWrite(host.task, a, bytes('x')));
  expect(ready(host, epfd)).toEqual([]);
  sysEpollCtl(host.task, epfd, EPOLL_CTL_MOD, b, new EpollEvent(EPOLLIN, 5));
  expect(ready(host, epfd)).toEqual([5]);
  expect(sysEpollCtl(host.task, epfd, EPOLL_CTL_DEL, b)).toBe(0);
  expect(ready(host, epfd)).toEqual([]);
});

test('epoll(7): edge-triggered, a file that is ready when it is added is reported once', () => {
  const host = testHost();
  const [, b] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  watch(host, epfd, b, EPOLLOUT | EPOLLET);
  expect(ready(host, epfd)).toEqual([b]);
  expect(ready(host, epfd)).toEqual([]);
});

test('epoll(7): EPOLLEXCLUSIVE, one of two instances is woken', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const woken: string[] = [];
  const waits = ['first', 'second'].map((name) => {
    const epfd = sysEpollCreate(host.task);
    expect(watch(host, epfd, b, EPOLLIN | EPOLLEXCLUSIVE)).toBe(0);
    return Promise.resolve(sysEpollWait(host.task, epfd, [new EpollEvent()], 10)).then((n) => n === 1 && woken.push(name));
  });
  now(sysWrite(host.task, a, bytes('x')));
  await Promise.all(waits);
  expect(woken).toEqual(['first']);
});

test('epoll(7): without EPOLLEXCLUSIVE both are', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const waits = [0, 1].map(() => {
    const epfd = sysEpollCreate(host.task);
    watch(host, epfd, b, EPOLLIN);
    return sysEpollWait(host.task, epfd, [new EpollEvent()], 10);
  });
  now(sysWrite(host.task, a, bytes('x')));
  expect(await Promise.all(waits)).toEqual([1, 1]);
});

test('epoll_ctl(2): EPOLLEXCLUSIVE goes with few other bits, and cannot be modified', () => {
  const host = testHost();
  const [, b] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  expect(watch(host, epfd, b, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT)).toBe(-EINVAL);
  expect(watch(host, epfd, b, EPOLLIN | EPOLLEXCLUSIVE)).toBe(0);
  expect(sysEpollCtl(host.task, epfd, EPOLL_CTL_MOD, b, new EpollEvent(EPOLLIN))).toBe(-EINVAL);
});

test('epoll(7): an epoll file can be watched, and wakes', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const inner = sysEpollCreate(host.task);
  const outer = sysEpollCreate(host.task);
  watch(host, inner, b, EPOLLIN);
  watch(host, outer, inner, EPOLLIN);
  expect(ready(host, outer)).toEqual([]);
  const waiting = sysEpollWait(host.task, outer, [new EpollEvent()], -1);
  now(sysWrite(host.task, a, bytes('x')));
  expect(await waiting).toBe(1);
  expect(ready(host, inner)).toEqual([b]);
  now(sysRead(host.task, b, new Uint8Array(1)));
  expect(ready(host, outer)).toEqual([]);
});

test('epoll_ctl(2): a circle of epoll files is -ELOOP', () => {
  const host = testHost();
  const [x, y, z] = [sysEpollCreate(host.task), sysEpollCreate(host.task), sysEpollCreate(host.task)] as const;
  expect(watch(host, x, y, EPOLLIN)).toBe(0);
  expect(watch(host, y, z, EPOLLIN)).toBe(0);
  expect(watch(host, z, x, EPOLLIN)).toBe(-ELOOP);
});

test('epoll_wait(2): a signal ends it with -EINTR; its time with 0', async () => {
  const host = testHost();
  const epfd = sysEpollCreate(host.task);
  const signal = new TestSignal();
  const waiting = sysEpollWait(host.task, epfd, [new EpollEvent()], -1, { signal });
  abort(signal);
  expect(await waiting).toBe(-EINTR);
  expect(await sysEpollWait(host.task, epfd, [new EpollEvent()], 20)).toBe(0);
  expect(host.world.now).toBe(20e6);
});

test('poll(2): several descriptors, one that is not open, one to skip', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  now(sysWrite(host.task, a, bytes('x')));
  const fds = [new PollFd(a, EPOLLIN), new PollFd(b, EPOLLIN), new PollFd(99, EPOLLIN), new PollFd(-1, EPOLLIN)];
  expect(sysPoll(host.task, fds, 0)).toBe(2);
  expect(fds.map((f) => f.revents)).toEqual([0, EPOLLIN, EPOLLNVAL, 0]);
});

test('poll(2) leaves nothing on the queues of the files that it asked', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const { wq } = testSock(host, b).skSocket!;
  const polling = sysPoll(host.task, [new PollFd(b, EPOLLIN)], -1);
  expect(wq.first).not.toBeNull();
  now(sysWrite(host.task, a, bytes('x')));
  await polling;
  expect(wq.first).toBeNull();
  now(sysRead(host.task, b, new Uint8Array(1)));
  expect(await sysPoll(host.task, [new PollFd(b, EPOLLIN)], 5)).toBe(0);
  expect(wq.first).toBeNull();
});

test('poll(2): closing a descriptor that is polled ends the poll with POLLNVAL', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const fds = [new PollFd(b, EPOLLIN)];
  const polling = sysPoll(host.task, fds, -1);
  now(sysClose(host.task, b));
  expect(await polling).toBe(1);
  expect(fds[0]?.revents).toBe(EPOLLNVAL);
  now(sysClose(host.task, a));
});

test('poll(2): a shutdown of both sides is POLLHUP, asked for or not', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysShutdown(host.task, b, SHUT_WR);
  const fds = [new PollFd(b, 0)];
  expect(sysPoll(host.task, fds, 0)).toBe(0);
  sysShutdown(host.task, a, SHUT_WR);
  expect(sysPoll(host.task, fds, 0)).toBe(1);
  expect(fds[0]?.revents).toBe(EPOLLHUP);
});
