// `npm start -- --tap`: the built program on a TAP of a namespace, and Linux talking to it as a person would.
import { mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNetns, deleteNetns, describeReal, nextLine, nsIpJson, nsRun, nsSpawn, type Netns } from '../support/netns.ts';
import { wrongFrames } from '../support/tshark.ts';
import { root } from '../support/workspace.ts';

const main = join(root, 'apps/echo-server/dist/main.js');

let ns: Netns;

/** Runs it to its end in the namespace: exit status and what it says on standard error. */
async function result(...args: string[]): Promise<{ code: number; stderr: string }> {
  return nsRun(ns, process.execPath, main, ...args).then(() => ({ code: 0, stderr: '' }), (error: unknown) => error as { code: number; stderr: string });
}

describeReal('the echo server on a TAP', () => {
  beforeEach(() => {
    ns = createNetns('echo-server');
  });
  afterEach(() => deleteNetns(ns));

  test.each([1500, 9000])('MTU %i: ping, TCP, UDP, a capture without faults, the counters at Ctrl-C', async (mtu) => {
    const file = join(root, '.cache', 'real', `echo-server-${mtu}.pcapng`);
    mkdirSync(join(root, '.cache', 'real'), { recursive: true });
    const server = nsSpawn(ns, process.execPath, main, '--tap', 'tap0', '--address', '10.9.0.2/24', '--mtu', String(mtu), '--pcap', file);
    expect(await nextLine(server, 30)).toContain('TAP interface tap0 at 10.9.0.2');
    while ((await nextLine(server)) !== 'Ctrl-C ends it.');
    expect(nsIpJson(ns, 'address', 'show', 'dev', 'tap0')[0]).toMatchObject({ mtu, addr_info: [{ local: '10.9.0.1', prefixlen: 24 }] });

    expect(await nsRun(ns, 'ping', '-q', '-c', '1', '-W', '5', '-M', 'do', '-s', String(mtu - 28), '10.9.0.2')).toContain(' 0% packet loss');
    expect(await nsRun(ns, 'sh', '-c', 'echo hello | ncat 10.9.0.2 7')).toBe('hello\n');
    const udp = nsSpawn(ns, 'ncat', '-u', '10.9.0.2', '7');
    udp.stdin?.write('datagram\n');
    expect(await nextLine(udp)).toBe('datagram');
    expect(await nsRun(ns, 'sh', '-c', 'head -c 1000000 /dev/zero | ncat 10.9.0.2 7 | wc -c')).toBe('1000000\n');

    server.kill('SIGINT');
    const [status] = (await once(server, 'close')) as [number];
    expect(status).toBe(0);
    let counters = '';
    for (let line = ''; !line.startsWith('capture'); line = await nextLine(server)) counters += `${line}\n`;
    expect(counters).toMatch(/TcpPassiveOpens +2\n/);
    expect(wrongFrames(file, true)).toEqual([]);
    expect(nsIpJson(ns, 'link', 'show').map(({ ifname }) => ifname)).toEqual(['lo']);
  });

  test('a TAP that another process has, and a name that is no TAP: one line, exit status 2', async () => {
    const server = nsSpawn(ns, process.execPath, main, '--tap', 'tap0');
    await nextLine(server, 30);
    const busy = await result('--tap', 'tap0');
    expect(busy.code).toBe(2);
    expect(busy.stderr).toMatch(/^echo-server: .*tap0.*another process.*\n$/);
    const wrong = await result('--tap', 'lo');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/^echo-server: .*lo.*\n$/);
  });
});
