import { EAGAIN, EINVAL } from '@stack/kernel';
import { SPLICE_F_NONBLOCK, sysPipe, sysRead, sysSplice } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

async function open(): Promise<[number, number]> {
  s = await scriptServer();
  const ends = sysPipe(s.host.task);
  if (typeof ends === 'number') throw new Error(`pipe: ${ends}`);
  return ends;
}

test('what the peer sent goes from the socket to the pipe, and from there to the reader', async () => {
  const [rd, wr] = await open();
  s.give('P. 1:101(100) ack 1');
  expect(sysSplice(s.host.task, s.fd, wr, 60)).toBe(60);
  expect(sysSplice(s.host.task, s.fd, wr, 60)).toBe(40);
  expect(sysSplice(s.host.task, s.fd, wr, 60, SPLICE_F_NONBLOCK)).toBe(-EAGAIN);
  expect(sysRead(s.host.task, rd, new Uint8Array(200))).toBe(100);
});

test('a splice that finds nothing sleeps until something comes, or the end', async () => {
  const [, wr] = await open();
  const one = sysSplice(s.host.task, s.fd, wr, 1000);
  s.give('P. 1:11(10) ack 1');
  expect(await one).toBe(10);
  s.give('F. 11 ack 1');
  expect(sysSplice(s.host.task, s.fd, wr, 1000)).toBe(0);
});

test('a pipe that is full takes no more; neither of two sockets is a pipe', async () => {
  const [rd, wr] = await open();
  let from = 1;
  for (let n = 0; n < 65536; n += 1000) {
    s.give(`P. ${from}:${from + 1000}(1000) ack 1`);
    from += 1000;
    const got = sysSplice(s.host.task, s.fd, wr, 1000);
    if (got !== 1000) expect(got).toBe(536);
  }
  expect(sysSplice(s.host.task, s.fd, wr, 1000)).toBe(-EAGAIN);
  expect(sysRead(s.host.task, rd, new Uint8Array(70000))).toBe(65536);
  expect(sysSplice(s.host.task, s.fd, wr, 1000)).toBe(464);
  expect(sysSplice(s.host.task, s.fd, s.fd, 10)).toBe(-EINVAL);
});
