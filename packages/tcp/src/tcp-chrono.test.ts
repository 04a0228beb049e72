import { MSG_DONTWAIT, SOL_SOCKET, SO_SNDBUF, sysSend, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpGetInfoChronoStats } from './tcp-chrono.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

function times(): number[] {
  const { tcpiBusyTime, tcpiRwndLimited, tcpiSndbufLimited } = tcpGetInfoChronoStats(s.sk);
  return [tcpiBusyTime / 1000, tcpiRwndLimited / 1000, tcpiSndbufLimited / 1000];
}

test('busy from the first byte written to the last one acknowledged', async () => {
  s = await scriptServer();
  await s.wait(5);
  expect(times()).toEqual([0, 0, 0]);
  await s.write(100);
  await s.wait(10);
  expect(times()).toEqual([10, 0, 0]);
  s.give('. 1 ack 101');
  await s.wait(50);
  expect(times()).toEqual([10, 0, 0]);
});

test('limited by the window of the peer while that holds data back, and busy all the while', async () => {
  s = await scriptServer();
  s.give('. 1 ack 1 win 0');
  await s.write(100);
  await s.wait(10);
  expect(times()).toEqual([10, 10, 0]);
  s.give('. 1 ack 1 win 1000');
  await s.wait(5);
  s.give('. 1 ack 101');
  expect(times()).toEqual([15, 10, 0]);
});

test('limited by the send buffer when all is sent, the window is open, and the writer found no room', async () => {
  s = await scriptServer({ win: 4000 });
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 1);
  s.give('. 1 ack 1 win 0');
  const n = sysSend(s.host.task, s.fd, new Uint8Array(100_000), MSG_DONTWAIT);
  await s.wait(10);
  expect(times()).toEqual([10, 10, 0]);
  s.give('. 1 ack 1 win 4000');
  await s.wait(10);
  expect(times()).toEqual([20, 10, 10]);
  s.give(`. 1 ack ${Number(n) + 1} win 4000`);
  await s.wait(10);
  expect(times()).toEqual([20, 10, 10]);
});
