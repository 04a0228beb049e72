/** Pacing by the engine itself; the scripts pacing-*.pkt have what leaves when. */
import { SK_PACING_FQ, SK_PACING_NEEDED, SK_PACING_NONE, SOL_SOCKET, SO_MAX_PACING_RATE, sysClose, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpPacingCheck, tcpPacingDelay } from './tcp-output-pacing.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

function pace(rate: number): void {
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_MAX_PACING_RATE, rate);
}

test('a sock that nobody paces has nothing for it', async () => {
  s = await scriptServer();
  s.write(20000);
  expect([s.sk.skPacingStatus, s.sk.rare, tcpPacingCheck(s.sk), tcpPacingDelay(s.sk)]).toEqual([SK_PACING_NONE, null, false, 0]);
  // All bits set is no limit.
  pace(-1);
  expect(s.sk.skPacingStatus).toBe(SK_PACING_NONE);
});

test('a segment is as old as its departure: the RTT of a paced one is that of any', async () => {
  s = await scriptServer();
  pace(1_000_000);
  s.write(1000);
  await s.wait(10);
  s.give('. 1 ack 1001 win 1000');
  expect(s.sk.rttMin.v0).toBe(10_000);
});

test('the next departure is the length at the rate later; timers wait so much longer', async () => {
  s = await scriptServer();
  pace(100_000);
  s.write(10_000);
  // The eleventh segment: 10 ms after the one before, which went at once.
  s.give('. 1 ack 10001 win 1000');
  s.take();
  s.write(4000);
  expect(s.take()).toEqual([]);
  expect([s.sk.skPacingStatus, tcpPacingCheck(s.sk), tcpPacingDelay(s.sk)]).toEqual([SK_PACING_NEEDED, true, 10]);
  await s.wait(10);
  expect(s.take()).toHaveLength(1);
});

test('an fq below holds what the engine then need not', async () => {
  s = await scriptServer();
  pace(100_000);
  s.sk.skPacingStatus = SK_PACING_FQ;
  s.write(10_000);
  expect([tcpPacingCheck(s.sk), tcpPacingDelay(s.sk)]).toEqual([false, 10]);
});

test('a connection that ends while it waits gives the timer back', async () => {
  s = await scriptServer();
  pace(10_000);
  s.write(20_000);
  s.give('. 1 ack 10001 win 1000');
  expect(tcpPacingCheck(s.sk)).toBe(true);
  s.give('R 1');
  sysClose(s.host.task, s.fd);
});
