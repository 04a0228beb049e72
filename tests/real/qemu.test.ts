// A Linux guest in QEMU at the other end of a stream: a real peer for which nobody need be root. It boots in seconds without KVM.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertNothingOpen, createHost, type Host } from '@stack/host';
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { netifCarrierOk, type NetDevice } from '@stack/netdev';
import { createStreamNic, streamAttach, streamClosed } from '@stack/nic-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectReplies, sendEcho } from '../support/ping.ts';
import { eventually } from '../support/netns.ts';
import { bootGuest, missingGuest, type Guest } from '../support/qemu.ts';
import { echoThrough, fetchBody, serveBody, sha256 } from '../support/streams.ts';

const OURS = '10.0.2.2';
const GUEST = '10.0.2.15';
const ours = randomBytes(1_000_000);
const theirs = randomBytes(1_000_000);

const script = `
ip address add ${GUEST}/24 dev eth0
ip link set eth0 up
echo "ping $(ping -c 5 -i 0.2 -s 1400 ${OURS} | grep received)"
echo "wget $(wget -q -O - http://${OURS}/file | sha256sum)"
httpd -p 80 -h /www
nc -ll -p 7 -e cat &
while ! grep -q :0007 /proc/net/tcp /proc/net/tcp6; do usleep 10000; done
echo "serving now"
while [ ! -e /stop ]; do nc -l -p 9 >/stop; done
`;

const path = join(tmpdir(), `stack-${process.pid}.sock`);
const world = createWorld({ clock: realClock(), debug: true });
let host: Host;
let dev: NetDevice;
let server: Server;
let guest: Guest;

const title = 'a Linux guest in QEMU over -netdev stream';

describe.skipIf(missingGuest !== '')(missingGuest === '' ? title : `${title}: SKIPPED, ${missingGuest}`, () => {
  beforeAll(async () => {
    host = createHost({ world, name: 'ours' });
    dev = host.addNic({ device: (net) => createStreamNic(net, null), address: `${OURS}/24` });
    server = createServer((socket: Socket) => streamAttach(dev, socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    void serveBody(host, 80, ours);
    guest = bootGuest(path, script, { 'www/file': theirs });
  }, 60_000);

  afterAll(async () => {
    guest.child.kill('SIGKILL');
    server.close();
    await host.close();
    rmSync(path, { force: true });
    assertNothingOpen(world);
  });

  test('it pings us: five times 1400 octets', async () => {
    expect(await guest.says('ping')).toContain('5 packets transmitted, 5 packets received, 0% packet loss');
  });

  test('its wget fetches a megabyte from a server of ours', async () => {
    expect(await guest.says('wget')).toContain(sha256(ours));
  });

  test('our client fetches a megabyte from its httpd', async () => {
    await guest.says('serving');
    expect(sha256(await fetchBody(host, GUEST, 80, '/file'))).toBe(sha256(theirs));
  });

  test('its nc echoes a megabyte of ours', async () => {
    await guest.says('serving');
    expect(sha256(await echoThrough(host, GUEST, 7, ours))).toBe(sha256(ours));
  });

  test('we ping it', async () => {
    await guest.says('serving');
    const { replies, stop } = collectReplies(host.net);
    for (let i = 1; i <= 3; i++) sendEcho(host.net, GUEST, i, ours.subarray(0, 1000 * i));
    await eventually('three replies', () => replies.length === 3);
    stop();
    expect(replies.map(({ from, payload }) => [from, payload.length])).toEqual([[GUEST, 1000], [GUEST, 2000], [GUEST, 3000]]);
  });

  test('when it powers off, our link goes down', async () => {
    await guest.says('serving');
    const closed = streamClosed(dev);
    const connection = await host.connect({ host: GUEST, port: 9 });
    await connection.writable.getWriter().close();
    expect(await closed).toBe(null);
    expect(netifCarrierOk(dev)).toBe(false);
    expect(dev.stats).toMatchObject({ rxErrors: 0, txErrors: 0 });
  });
});
