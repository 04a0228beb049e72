/** The windows that we offer. */
import { SOL_SOCKET, SO_RCVBUF, sysRead, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpSelectInitialWindow } from './tcp-output-window.ts';
import { scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

test('the first window is whole segments; RFC 7323 §2.2: its scale is what tcp_rmem may ever need', async () => {
  s = await scriptServer();
  const { sk } = s;
  s.host.net.tcp.mem.sysctlRmem[2] = 6 << 20;
  const w = tcpSelectInitialWindow(sk, 65536, 1460, 0, true, 0);
  expect([w.rcvWnd, w.rcvWscale, w.windowClamp]).toEqual([64240, 7, 65535 << 7]);
  const bare = tcpSelectInitialWindow(sk, 65536, 1460, 0, false, 0);
  expect([bare.rcvWnd, bare.rcvWscale, bare.windowClamp]).toEqual([64240, 0, 65535]);
  expect(tcpSelectInitialWindow(sk, 65536, 1460, 20000, true, 0).rcvWnd).toBe(18980);
  expect(tcpSelectInitialWindow(sk, 65536, 1460, 0, true, 10).rcvWnd).toBe(14600);
});

test('RFC 7323 §2.3: the scale is 14 at most', async () => {
  s = await scriptServer();
  s.host.net.tcp.mem.sysctlRmem[2] = 0x7fffffff;
  expect(tcpSelectInitialWindow(s.sk, 65536, 1460, 0, true, 0).rcvWscale).toBe(14);
});

test('SO_RCVBUF before connect bounds the window', () => {
  s = scriptConnecting({ sysctl: { sysctlTcpWindowScaling: 0 } }).s;
  expect(s.take()[0]).toMatch(/ win 64768 /);
});

test('RFC 9293 §3.8.6.2.2: a reader that takes little by little does not cause little windows', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_RCVBUF, 200000);
  for (let at = 1; s.sk.rcvWnd > 0 && at < 500_000; at = s.sk.rcvNxt + 500) {
    const len = Math.min(1400, (s.sk.rcvWup + s.sk.rcvWnd - s.sk.rcvNxt) | 0);
    s.give(`. ${at}:${at + len}(${len}) ack 1 win 1000`);
    await s.wait(40);
  }
  s.take();
  expect(s.sk.rcvWnd).toBe(0);
  const edges: number[] = [];
  for (let i = 0; i < 40; i++) {
    sysRead(s.host.task, s.fd, new Uint8Array(500));
    for (const line of s.take()) edges.push(Number(/ win (\d+)/.exec(line)?.[1]) * 1024);
  }
  // 20,000 bytes read in pieces of 500: the window opened once or twice, by much.
  expect(edges.length).toBeLessThan(4);
  for (const win of edges) expect(win).toBeGreaterThanOrEqual(1400);
});
