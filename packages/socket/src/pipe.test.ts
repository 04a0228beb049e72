import { EAGAIN, EPIPE } from '@stack/kernel';
import { expect, test } from 'vitest';
import { sysPipe } from './pipe.ts';
import { sysRead, sysWrite } from './read-write.ts';
import { PollFd, sysPoll } from './select.ts';
import { sysClose, sysFcntl } from './sys-file.ts';
import { testHost } from './test-rig.ts';
import type { TestHost } from './test-rig.ts';
import { F_SETFL, O_NONBLOCK, POLLHUP, POLLIN, POLLOUT } from './uapi-fs.ts';

function open(host: TestHost): [number, number] {
  const ends = sysPipe(host.task);
  if (typeof ends === 'number') throw new Error(`pipe: ${ends}`);
  return ends;
}

test('pipe(7): bytes come out in order; a reader of an empty pipe sleeps', async () => {
  const host = testHost();
  const [rd, wr] = open(host);
  const buf = new Uint8Array(4);
  const reading = sysRead(host.task, rd, buf);
  expect(sysWrite(host.task, wr, Uint8Array.of(1, 2, 3))).toBe(3);
  expect(await reading).toBe(3);
  expect([...buf]).toEqual([1, 2, 3, 0]);
});

test('pipe(7): a write of at most PIPE_BUF goes in whole or not; a larger one in part', () => {
  const host = testHost();
  const [rd, wr] = open(host);
  sysFcntl(host.task, wr, F_SETFL, O_NONBLOCK);
  expect(sysWrite(host.task, wr, new Uint8Array(64000))).toBe(64000);
  expect(sysWrite(host.task, wr, new Uint8Array(4096))).toBe(-EAGAIN);
  expect(sysWrite(host.task, wr, new Uint8Array(5000))).toBe(1536);
  expect(sysRead(host.task, rd, new Uint8Array(70000))).toBe(65536);
});

test('pipe(7): the end of file when all writers are gone, EPIPE when all readers are', async () => {
  const host = testHost();
  const [rd, wr] = open(host);
  const reading = sysRead(host.task, rd, new Uint8Array(1));
  sysClose(host.task, wr);
  expect(await reading).toBe(0);
  const pfd = new PollFd(rd, POLLIN);
  expect([sysPoll(host.task, [pfd], 0), pfd.revents]).toEqual([1, POLLHUP]);
  const [rd2, wr2] = open(host);
  const out = new PollFd(wr2, POLLOUT);
  expect([sysPoll(host.task, [out], 0), out.revents]).toEqual([1, POLLOUT]);
  sysClose(host.task, rd2);
  expect(sysWrite(host.task, wr2, new Uint8Array(1))).toBe(-EPIPE);
});
