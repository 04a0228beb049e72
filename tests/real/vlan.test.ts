// A VLAN with one end here and the other in Linux's own 8021q, in a guest: kernels of test machines often come without it.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertNothingOpen, createHost, tappedOn, vlanOn, type Host } from '@stack/host';
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { createStreamNic, streamAttach } from '@stack/nic-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/netns.ts';
import { collectReplies, sendEcho } from '../support/ping.ts';
import { bootGuest, guestModules, missingGuest, type Guest } from '../support/qemu.ts';
import { fetchBody, serveBody, sha256 } from '../support/streams.ts';

const OURS = '10.10.0.2';
const GUEST = '10.10.0.15';
/** Without a tag, on the same wire. */
const PLAIN = '10.0.2.2';
const modules = ['llc', 'stp', 'garp', 'mrp', '8021q'];
const ours = randomBytes(1_000_000);
const theirs = randomBytes(1_000_000);

const script = `
for module in ${modules.join(' ')}; do insmod /lib/$module.ko; done
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip link add link eth0 name eth0.10 type vlan id 10 || vconfig add eth0 10
ip address add ${GUEST}/24 dev eth0.10
ip link set eth0.10 up
echo "ping $(ping -c 3 -i 0.2 -s 1472 ${OURS} | grep received)"
echo "plain $(ping -c 2 -i 0.2 ${PLAIN} | grep received)"
echo "wget $(wget -q -O - http://${OURS}/file | sha256sum)"
httpd -p 80 -h /www
while ! grep -q :0050 /proc/net/tcp /proc/net/tcp6; do usleep 10000; done
echo "serving now"
sleep 200
`;

const path = join(tmpdir(), `stack-vlan-${process.pid}.sock`);
const world = createWorld({ clock: realClock(), debug: true });
/** Of each frame with an IPv4 packet within VLAN 10: the tag's eight octets from its type on, as text. */
const tags = new Set<string>();
let host: Host;
let server: Server;
let guest: Guest;

describe.skipIf(missingGuest !== '')('VLAN 10 between us and a Linux guest', () => {
  beforeAll(async () => {
    host = createHost({ world, name: 'ours' });
    const stream = host.addNic({ device: (net) => createStreamNic(net, null) });
    server = createServer((socket: Socket) => streamAttach(stream, socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const wire = host.addNic({
      device: tappedOn(stream, ({ octets }) => {
        if (octets[12] === 0x81) tags.add(Buffer.from(octets.subarray(12, 18)).toString('hex'));
      }),
      address: `${PLAIN}/24`,
    });
    host.addNic({ device: vlanOn(wire, 10), address: `${OURS}/24` });
    void serveBody(host, 80, ours);
    guest = bootGuest(path, script, { ...guestModules(...modules), 'www/file': theirs });
  }, 60_000);

  afterAll(async () => {
    guest.child.kill('SIGKILL');
    server.close();
    await host.close();
    rmSync(path, { force: true });
    assertNothingOpen(world);
  });

  test('it pings us at the full MTU, and beside it without a tag', async () => {
    expect(await guest.says('ping')).toContain('3 packets transmitted, 3 packets received, 0% packet loss');
    expect(await guest.says('plain')).toContain('2 packets transmitted, 2 packets received, 0% packet loss');
  });

  test('its wget fetches a megabyte from a server of ours, and our client one from its httpd', async () => {
    expect(await guest.says('wget')).toContain(sha256(ours));
    await guest.says('serving');
    expect(sha256(await fetchBody(host, GUEST, 80, '/file'))).toBe(sha256(theirs));
  });

  test('we ping it at the full MTU; all tags on the wire say VLAN 10, by either side', async () => {
    await guest.says('serving');
    const { replies, stop } = collectReplies(host.net);
    expect(sendEcho(host.net, GUEST, 1, new Uint8Array(1472))).toBe(0);
    await eventually('an answer', () => replies.length === 1);
    stop();
    expect([...tags].sort()).toEqual(['8100000a0800', '8100000a0806']);
  });
});
