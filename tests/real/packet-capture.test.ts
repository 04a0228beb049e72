// `npm run capture -- --tap`: the built program on a TAP of a namespace, Linux as the peer, and tcpdump on Linux's end of the same wire.
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNetns, deleteNetns, describeRealWith, nextLine, nsRun, nsSpawn, type Netns } from '../support/netns.ts';
import { root } from '../support/workspace.ts';

const main = join(root, 'apps/packet-capture/dist/main.js');

let ns: Netns;

describeRealWith(['tcpdump'], 'packet-capture on a TAP', () => {
  beforeEach(() => {
    ns = createNetns('packet-capture');
  });
  afterEach(() => deleteNetns(ns));

  test('ping, a closed port, fragments: the lines of tcpdump on the other end of the wire; the counts at Ctrl-C', async () => {
    const ours = nsSpawn(ns, process.execPath, main, '--tap', 'tap0', '-t', '-l', '-v', 'arp or icmp or tcp');
    while (!(await nsRun(ns, 'ip', '-o', 'address', 'show')).includes('10.9.0.1/24'));
    const theirs = nsSpawn(ns, 'sh', '-c', "exec tcpdump -n -t -l -v -i tap0 'arp or icmp or tcp' 2>&1");
    while (!(await nextLine(theirs)).includes('listening on'));
    const said: string[] = [];
    const until = async (child: typeof ours, last: RegExp): Promise<string[]> => {
      const lines: string[] = [];
      while (!last.test(lines.at(-1) ?? '')) lines.push(await nextLine(child));
      return lines;
    };
    expect(await nsRun(ns, 'ping', '-q', '-c', '2', '-i', '0.2', '-s', '2000', '10.9.0.2')).toContain(' 0% packet loss');
    await nsRun(ns, 'ncat', '10.9.0.2', '9').catch(() => said.push('refused'));
    expect(said).toEqual(['refused']);
    const last = /Flags \[R\.?\]/;
    expect(await until(ours, last)).toEqual(await until(theirs, last));
    ours.kill('SIGINT');
    const [status] = (await once(ours, 'close')) as [number];
    expect(status).toBe(0);
  });
});
