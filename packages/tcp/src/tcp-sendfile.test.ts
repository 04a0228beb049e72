import { EINVAL, ENOENT } from '@stack/kernel';
import { O_CREAT, O_RDWR, SOL_SOCKET, SO_SNDBUF, sysOpen, sysRead, sysSendfile, sysSetsockopt, sysUnlink, sysWrite } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

function file(size: number): number {
  const fd = sysOpen(s.host.task, '/tmp/a', O_RDWR | O_CREAT);
  sysWrite(s.host.task, fd, new Uint8Array(size).map((_byte, i) => i));
  return fd;
}

test('sendfile(2): a piece of a file, from an offset or from its position', async () => {
  s = await scriptServer();
  const fd = file(100);
  expect(sysSendfile(s.host.task, s.fd, fd, 10, 5)).toBe(5);
  expect(s.takeBare()).toEqual(['P. 1:6(5) ack 1']);
  expect([...(s.channel.log?.at(-1)?.data ?? [])]).toEqual([10, 11, 12, 13, 14]);
  const again = sysOpen(s.host.task, '/tmp/a');
  expect(sysSendfile(s.host.task, s.fd, again, null, 60)).toBe(60);
  expect(sysSendfile(s.host.task, s.fd, again, null, 60)).toBe(40);
  expect(sysSendfile(s.host.task, s.fd, again, null, 60)).toBe(0);
  expect(sysRead(s.host.task, again, new Uint8Array(1))).toBe(0);
});

test('on a blocking socket it returns when all is queued', async () => {
  s = await scriptServer({ win: 4000 });
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 1);
  const sending = sysSendfile(s.host.task, s.fd, file(9000), 0, 9000);
  expect(sending).toBeInstanceOf(Promise);
  for (let i = 0; i < 20; i++) {
    s.give(`. 1 ack ${s.sk.bytesSent + 1} win 4000`);
    await s.wait(1);
  }
  expect(await sending).toBe(9000);
});

test('what is not there, and what is no file, is refused', async () => {
  s = await scriptServer();
  expect(sysOpen(s.host.task, '/tmp/b')).toBe(-ENOENT);
  expect(sysSendfile(s.host.task, s.fd, s.fd, null, 1)).toBe(-EINVAL);
  file(1);
  expect([sysUnlink(s.host.task, '/tmp/a'), sysUnlink(s.host.task, '/tmp/a')]).toEqual([0, -ENOENT]);
});
