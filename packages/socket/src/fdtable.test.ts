import { EAFNOSUPPORT, EBADF, EFAULT, EINVAL, EMFILE, ENOTSOCK, ENOTTY } from '@stack/kernel';
import { expect, test } from 'vitest';
import { sysEpollCreate } from './eventpoll.ts';
import { MsgHdr } from './msghdr.ts';
import { Iovec } from './msghdr.ts';
import { sysRead, sysReadv, sysWrite } from './read-write.ts';
import { sysClose, sysDup, sysDup2, sysFcntl, sysIoctl } from './sys-file.ts';
import { sysRecv, sysSend, sysSendmsg } from './sys-message.ts';
import { sysGetsockname, sysGetsockopt, sysListen, sysShutdown, sysSocket } from './sys-socket.ts';
import { sysConnect } from './sys-connect.ts';
import { SockAddr } from './msghdr.ts';
import { bytes, now, testHost, testPair } from './test-rig.ts';
import { FD_CLOEXEC, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL, O_NONBLOCK, O_RDWR } from './uapi-fs.ts';
import { AF_UNIX, FIONBIO, FIONREAD, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from './uapi-socket.ts';

test('open(2): a new descriptor is the lowest that is free', () => {
  const host = testHost();
  expect(testPair(host)).toEqual([0, 1]);
  expect(testPair(host)).toEqual([2, 3]);
  now(sysClose(host.task, 1));
  now(sysClose(host.task, 0));
  expect(sysSocket(host.task, AF_UNIX, SOCK_STREAM, 0)).toBe(0);
  expect(sysDup(host.task, 3)).toBe(1);
  expect(sysDup(host.task, 3)).toBe(4);
});

test('dup2(2) closes what was there', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const [c] = testPair(host);
  expect(sysDup2(host.task, a, c)).toBe(c);
  expect(sysDup2(host.task, a, a)).toBe(a);
  expect(sysDup2(host.task, 9, a)).toBe(-EBADF);
  now(sysWrite(host.task, c, bytes('via c')));
  expect(now(sysRead(host.task, b, new Uint8Array(9)))).toBe(5);
});

test('fcntl(2)', () => {
  const host = testHost();
  const [a] = testPair(host);
  expect(sysFcntl(host.task, a, F_GETFL)).toBe(O_RDWR);
  expect(sysFcntl(host.task, a, F_SETFL, O_NONBLOCK)).toBe(0);
  expect(sysFcntl(host.task, a, F_GETFL)).toBe(O_RDWR | O_NONBLOCK);
  expect(sysFcntl(host.task, a, F_DUPFD, 10)).toBe(10);
  expect(sysFcntl(host.task, a, F_DUPFD_CLOEXEC, 10)).toBe(11);
  expect(sysFcntl(host.task, 11, F_GETFD)).toBe(FD_CLOEXEC);
  expect(sysFcntl(host.task, 10, F_GETFD)).toBe(0);
  sysFcntl(host.task, 10, F_SETFD, FD_CLOEXEC);
  expect(sysFcntl(host.task, 10, F_GETFD)).toBe(FD_CLOEXEC);
  expect(sysFcntl(host.task, a, 12345)).toBe(-EINVAL);
  expect(sysFcntl(host.task, 99, F_GETFL)).toBe(-EBADF);
});

test('socket(2): SOCK_NONBLOCK and SOCK_CLOEXEC, families and types that are none', () => {
  const host = testHost();
  const fd = sysSocket(host.task, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  expect(sysFcntl(host.task, fd, F_GETFL)).toBe(O_RDWR | O_NONBLOCK);
  expect(sysFcntl(host.task, fd, F_GETFD)).toBe(FD_CLOEXEC);
  expect(sysSocket(host.task, 40, SOCK_STREAM, 0)).toBe(-EAFNOSUPPORT);
  expect(sysSocket(host.task, -1, SOCK_STREAM, 0)).toBe(-EAFNOSUPPORT);
  expect(sysSocket(host.task, AF_UNIX, 15, 0)).toBe(-EINVAL);
  expect(sysSocket(host.task, AF_UNIX, SOCK_STREAM | 0o100000, 0)).toBe(-EINVAL);
});

test('-EMFILE at the limit, and no socket is left behind', () => {
  const host = testHost();
  host.task.rlimitNofile = 2;
  testPair(host);
  expect(sysSocket(host.task, AF_UNIX, SOCK_DGRAM, 0)).toBe(-EMFILE);
  expect(sysDup(host.task, 0)).toBe(-EMFILE);
  expect(host.net.socket.socksInUse).toBe(2);
  expect(host.world.refs).toBe(2);
});

test('-EBADF, -ENOTSOCK, -EFAULT, -EINVAL', () => {
  const host = testHost();
  const [a] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  const nothing = null as unknown as Uint8Array;
  for (const fd of [-1, 99, 1.5]) {
    expect(sysRead(host.task, fd, new Uint8Array(1))).toBe(-EBADF);
    expect(sysSend(host.task, fd, new Uint8Array(1), 0)).toBe(-EBADF);
    expect(sysGetsockname(host.task, fd, new SockAddr(0))).toBe(-EBADF);
  }
  expect(sysRecv(host.task, epfd, new Uint8Array(1), 0)).toBe(-ENOTSOCK);
  expect(sysListen(host.task, epfd, 1)).toBe(-ENOTSOCK);
  expect(sysConnect(host.task, epfd, new SockAddr(0))).toBe(-ENOTSOCK);
  expect(sysGetsockopt(host.task, epfd, SOL_SOCKET, 3)).toBe(-ENOTSOCK);
  expect(sysRead(host.task, epfd, new Uint8Array(1))).toBe(-EINVAL);
  expect(sysWrite(host.task, a, nothing)).toBe(-EFAULT);
  expect(sysRecv(host.task, a, nothing, 0)).toBe(-EFAULT);
  expect(sysReadv(host.task, a, [new Iovec(new Uint8Array(1), 2)])).toBe(-EINVAL);
  const msg = new MsgHdr();
  msg.msgIov = [new Iovec(new Uint8Array(1), -1)];
  msg.msgIovlen = 1;
  expect(sysSendmsg(host.task, a, msg, 0)).toBe(-EINVAL);
  expect(sysShutdown(host.task, a, 3)).toBe(-EINVAL);
});

test('ioctl(2): FIONBIO; -ENOTTY for a file that does not know', () => {
  const host = testHost();
  const [a] = testPair(host);
  const epfd = sysEpollCreate(host.task);
  expect(sysIoctl(host.task, a, FIONBIO, 1)).toBe(0);
  expect(sysFcntl(host.task, a, F_GETFL)).toBe(O_RDWR | O_NONBLOCK);
  expect(sysIoctl(host.task, a, FIONBIO, 0)).toBe(0);
  expect(sysFcntl(host.task, a, F_GETFL)).toBe(O_RDWR);
  expect(sysIoctl(host.task, epfd, FIONREAD)).toBe(-ENOTTY);
});

test('a read of nothing into no room returns 0 and does not sleep', () => {
  const host = testHost();
  const [a] = testPair(host);
  expect(sysRead(host.task, a, new Uint8Array(0))).toBe(0);
});
