// packet-capture as a person runs it: the built program, its output, its files, its exit status.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { assertNothingOpen, createFrameNic, createHost, tunOn, type Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { ETH_P_ARP, devGetByName, ethTypeTrans, netdevAllocSkb, netifRx } from '@stack/netdev';
import { captureNext, openCapture as openFile, type CaptureRecord } from '@stack/pcap';
import { skbPut } from '@stack/skbuff';
import { PF_INET, SOCK_DGRAM, sysSendto, sysSocket } from '@stack/socket';
import { openCapture, stopCapture, type CapturedPacket } from '../apps/packet-capture/src/index.ts';
import { hasCommand } from '../scripts/needs.mjs';
import { missingCaptures, sampleFiles } from './support/captures.ts';
import { root } from './support/workspace.ts';

const main = join(root, 'apps/packet-capture/dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'packet-capture-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: Uint8Array): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], { env: { ...process.env, TZ: 'UTC', ...env }, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end(input ?? new Uint8Array(0));
  });
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** What a capture file holds. */
function records(file: string): { records: CaptureRecord[]; names: (string | null)[]; filters: (string | null)[]; comments: string[] } {
  const reader = openFile(readFileSync(file));
  const found: CaptureRecord[] = [];
  for (let record = captureNext(reader); record !== null; record = captureNext(reader)) found.push(record);
  return { records: found, names: reader.interfaces.map(({ name }) => name), filters: reader.interfaces.map(({ filter }) => filter), comments: reader.comments };
}

/** The demo's conversation in a file, made once. */
const demo = join(folder, 'demo.pcapng');
const written = run(['-w', demo, '--comment', 'a conversation']);

describe('the built-in conversation', () => {
  test('shows ARP, DNS, ICMP, UDP, fragments, a closed port, and TCP with a loss and its repair', async () => {
    const { code, stdout, stderr } = await run(['-t']);
    expect(code).toBe(0);
    const text = lines(stdout);
    expect(text.slice(0, 2)).toEqual([
      'ARP, Request who-has 192.0.2.20 tell 192.0.2.10, length 28',
      expect.stringMatching(/^ARP, Reply 192\.0\.2\.20 is-at [\da-f:]{17}, length 46$/),
    ]);
    for (const pattern of [
      /\.53: \d+\+ A\? server\.example\.net\. \(36\)$/, /\.53 > .*: \d+\*- 1\/0\/0 A 192\.0\.2\.20 \(52\)$/,
      /ICMP echo request, id 1, seq 1, length 64$/, /ICMP echo reply, id 1, seq 1, length 64$/, /\.7: UDP, length 13$/,
      /ICMP echo request, id 2, seq 2, length 1480$/, /192\.0\.2\.20 > 192\.0\.2\.10: ip-proto-1$/,
      /ICMP 192\.0\.2\.20 udp port 9 unreachable, length 44$/, /Flags \[S\], seq \d+, win \d+, options \[mss 1460,sackOK,TS val \d+ ecr 0,nop,wscale \d+\], length 0$/,
    ]) expect(text).toContainEqual(expect.stringMatching(pattern));
    const lost = /seq (4345:5793), ack 1/;
    expect(text.filter((line) => lost.test(line))).toHaveLength(2);
    expect(text).toContainEqual(expect.stringMatching(/ack 4345, .*sack 1 \{5793:/));
    expect(stderr).toMatch(/^listening on client\/eth0 \(a simulated segment\), link-type EN10MB \(Ethernet\), snapshot length 262144 bytes\n/);
    expect(stderr).toMatch(new RegExp(`\n${text.length} packets captured\n${text.length} packets received by filter\n0 packets dropped by kernel\n$`));
  });

  test('is the same on every run', async () => {
    expect((await run(['-XX'])).stdout).toBe((await run(['-XX'])).stdout);
  });

  test('-c N ends after N packets; -i takes devices of both hosts, -D lists them', async () => {
    const { stdout, stderr } = await run(['-c', '3', '-i', 'server/eth0', 'icmp']);
    expect(lines(stdout)).toHaveLength(3);
    expect(stderr).toMatch(/listening on server\/eth0 .*\n3 packets captured\n/);
    expect(lines((await run(['-D'])).stdout)).toEqual(expect.arrayContaining(['client/eth0', 'server/eth0', 'client/lo']));
  });

  test('nothing is coloured unless a terminal shows it', async () => {
    expect((await run([])).stdout).not.toContain('\u001b');
  });
});

describe('files', () => {
  test('-w writes pcapng with interface names, the filter, comments and counts; -r reads it back', async () => {
    expect((await written).code).toBe(0);
    const file = records(demo);
    expect(file.names).toEqual(['client/eth0']);
    expect(file.comments).toEqual(['a conversation']);
    const { stdout, stderr } = await run(['-r', demo]);
    expect(stdout).toBe((await run([])).stdout);
    expect(lines(stdout)).toHaveLength(file.records.length);
    expect(stderr).toBe(`reading from file ${demo}, link-type EN10MB (Ethernet), snapshot length 262144\n`);
  });

  test('-r FILE -w FILE keeps what the filter selects, names and comments of packets included', async () => {
    await written;
    const part = join(folder, 'part.pcapng');
    await run(['-r', demo, '-w', part, 'tcp[tcpflags]', '&', '(tcp-syn|tcp-fin)', '!=', '0']);
    const file = records(part);
    expect(file.names).toEqual(['client/eth0']);
    expect(file.filters).toEqual(['tcp[tcpflags] & (tcp-syn|tcp-fin) != 0']);
    expect(file.records).toHaveLength(4);
  });

  test('- is standard input and output; -s cuts, --count counts', async () => {
    await written;
    const bytes = readFileSync(demo);
    const all = records(demo).records.length;
    expect((await run(['-r', '-', '--count'], {}, bytes)).stdout).toBe(`${all} packets\n`);
    expect((await run(['-r', '-', '-c', '1', '--count'], {}, bytes)).stdout).toBe('1 packet\n');
    const cut = spawnSync(process.execPath, [main, '-r', '-', '-w', '-', '-s', '60'], { input: bytes, maxBuffer: 1 << 26 });
    const file = join(folder, 'cut.pcapng');
    writeFileSync(file, cut.stdout);
    expect(records(file).records.map(({ caplen, wirelen }) => [caplen, wirelen])).toEqual(records(demo).records.map(({ caplen, wirelen }) => [Math.min(60, caplen), wirelen]));
  });

  test('what stands before a cut end is printed, then what is wrong, status 2', async () => {
    await written;
    const file = join(folder, 'damaged.pcapng');
    writeFileSync(file, readFileSync(demo).subarray(0, 2000));
    const { code, stdout, stderr } = await run(['-r', file]);
    expect(code).toBe(2);
    expect(lines(stdout).length).toBeGreaterThan(5);
    expect(lines(stderr).at(-1)).toMatch(/^packet-capture: /);
  });

  test('times are local ones: -tttt under TZ', async () => {
    await written;
    const time = async (zone: string): Promise<string> => (await run(['-r', demo, '-c', '1', '-tttt'], { TZ: zone })).stdout.slice(0, 26);
    expect(await time('UTC')).toBe('2000-01-01 00:00:00.000000');
    expect(await time('America/New_York')).toBe('1999-12-31 19:00:00.000000');
  });
});

describe.skipIf(!hasCommand('tcpdump') || missingCaptures !== '')('the selection of tcpdump', () => {
  const captures = missingCaptures === '' ? sampleFiles() : [];
  const named = (name: string): string => captures.find((file) => file.endsWith(`/${name}`)) ?? name;

  test.each([
    ['dhcp.pcap', 'udp port 67'],
    ['eapon1.pcap', 'arp or icmp'],
    ['QinQpacket.pcap', 'vlan 200 and udp'],
    ['of10_s4810.pcap', 'tcp[tcpflags] & tcp-push != 0 and greater 200'],
    ['afs.pcap', 'not (host 131.151.1.59 and portrange 7000-7005)'],
    ['dnssec.pcap', 'udp[10] & 0x80 != 0'],
  ])('%s: %s', async (name, filter) => {
    const file = named(name);
    const { stdout } = await run(['-t', '-x', '-r', file, filter]);
    const theirs = spawnSync('tcpdump', ['-n', '-t', '-x', '-r', file, filter], { encoding: 'latin1', maxBuffer: 1 << 26 });
    const dumps = (text: string): string[] => lines(text).filter((line) => line.startsWith('\t0x'));
    expect(dumps(stdout)).toEqual(dumps(theirs.stdout));
    expect(dumps(stdout).length).toBeGreaterThan(0);
  });
});

describe('the socket', () => {
  /** A host with a UDP socket of its own to send to. */
  function loopback(): { host: Host; send: (count: number) => void } {
    const host = createHost({ name: 'alone' });
    const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
    const send = (count: number): void => {
      for (let i = 0; i < count; i++) void sysSendto(host.task, fd, new Uint8Array(1000), 0, new SockAddrIn(inAton('127.0.0.1'), 7));
    };
    return { host, send };
  }

  test('each packet of the loopback device is shown once', async () => {
    const { host, send } = loopback();
    const seen: CapturedPacket[] = [];
    const capture = openCapture(host.net, 'lo', { filter: 'udp', snaplen: 100, onPacket: (packet) => seen.push(packet) });
    send(3);
    await host.idle();
    stopCapture(capture);
    expect(seen.map(({ caplen, wirelen, interfaceName }) => [caplen, wirelen, interfaceName])).toEqual(Array(3).fill([100, 1042, 'alone/lo']));
    await host.close();
  });

  test('what found no room is counted: in the counts, and before the next packet', async () => {
    const { host, send } = loopback();
    const seen: CapturedPacket[] = [];
    const capture = openCapture(host.net, 'lo', { filter: 'udp', snaplen: 100, onPacket: (packet) => seen.push(packet) });
    send(5000);
    await host.idle();
    send(1);
    await host.idle();
    const counts = stopCapture(capture);
    expect(counts.dropped).toBeGreaterThan(0);
    expect(counts.received).toBeGreaterThanOrEqual(counts.captured + counts.dropped);
    expect(seen.reduce((sum, { dropCount }) => sum + dropCount, 0)).toBe(counts.dropped);
    expect(stopCapture(capture).captured).toBe(counts.captured);
    await host.close();
  });

  test('any: each packet has the name of its own device', async () => {
    const host = createHost({ name: 'two', nics: [{ device: (net) => createFrameNic(net, null, { name: 'cable0' }), address: '10.0.0.1/24' }] });
    const seen: CapturedPacket[] = [];
    const capture = openCapture(host.net, 'any', { filter: 'udp or arp', snaplen: 100, onPacket: (packet) => seen.push(packet) });
    const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
    await sysSendto(host.task, fd, new Uint8Array(10), 0, new SockAddrIn(inAton('127.0.0.1'), 7));
    const frame = netdevAllocSkb(devGetByName(host.net, 'cable0')!, 42)!;
    frame.buf.fill(0xff, skbPut(frame, 42), frame.tail);
    frame.view.setUint16(frame.data + 12, ETH_P_ARP);
    frame.protocol = ethTypeTrans(frame, frame.dev!);
    netifRx(frame);
    await host.idle();
    stopCapture(capture);
    expect(seen.map(({ interfaceName }) => interfaceName).sort()).toEqual(['two/cable0', 'two/lo']);
    await host.close();
  });

  test.each([['udp', ['two/lo', 'two/tun0']], ['ether host 00:00:00:00:00:00', ['two/lo']]])('any with a device of bare IP: %s', async (filter, names) => {
    const wire = new TransformStream<Uint8Array, Uint8Array>();
    const host = createHost({ name: 'two', nics: [{ device: tunOn({ readable: new ReadableStream(), writable: wire.writable }), address: '10.0.0.1/24' }] });
    const seen: CapturedPacket[] = [];
    const capture = openCapture(host.net, 'any', { filter, snaplen: 100, onPacket: (packet) => seen.push(packet) });
    const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
    await sysSendto(host.task, fd, new Uint8Array(10), 0, new SockAddrIn(inAton('127.0.0.1'), 7));
    await sysSendto(host.task, fd, new Uint8Array(10), 0, new SockAddrIn(inAton('10.0.0.2'), 7));
    await host.idle();
    stopCapture(capture);
    expect([...new Set(seen.filter(({ wirelen }) => wirelen < 60).map(({ interfaceName }) => interfaceName))].sort()).toEqual(names);
    await host.close();
  });

  test('a device that is not there, and a filter that is wrong: an error, and nothing is left open', async () => {
    const { host } = loopback();
    const options = { filter: '', snaplen: 100, onPacket: () => undefined };
    expect(() => openCapture(host.net, 'eth7', options)).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(() => openCapture(host.net, 'lo', { ...options, filter: 'tcp prt 7' })).toThrow(/prt/);
    await host.close();
    assertNothingOpen(host.world);
  });
});

describe('a mistake is one clear line and exit status 2', () => {
  test.each([
    ['an unknown option', ['--colour'], /unknown option '--colour'/],
    ['a count that is none', ['-c', 'many'], /whole number/],
    ['a snapshot length that is none', ['-s', '-1'], /snapshot length/i],
    ['no such device', ['-i', 'eth9'], /no device eth9: there are client\/lo/],
    ['no such file', ['-r', '/nowhere/at/all'], /ENOENT.*\/nowhere/],
    ['a file that is no capture', ['-r', main], /unknown file format/],
    ['a file and a device', ['-r', main, '-i', 'eth0'], /leave/],
    ['--comment without -w', ['--comment', 'x'], /goes with -w/],
    ['an address without a TAP', ['--address', '10.0.0.1/24'], /goes with --tap/],
    ['a broadcast address', ['--tap', 'x', '--address', '10.0.0.255/24'], /no host's address/],
  ])('%s', async (_what, args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(lines(stderr)).toHaveLength(1);
  });

  test('a bad filter: the line, the filter, and a mark below the wrong word', async () => {
    const { code, stdout, stderr } = await run(['icmp or tcp prt 80']);
    expect([code, stdout]).toEqual([2, '']);
    const [said, filter, mark] = lines(stderr);
    expect(said).toMatch(/^packet-capture: .*prt/);
    expect(filter?.slice(mark?.indexOf('^'))).toMatch(/^prt/);
    expect(mark?.trim()).toBe('^^^');
  });
});

test('npm start -- --capture with a bad filter: the same mark, the same status', () => {
  const done = spawnSync(process.execPath, [join(root, 'apps/echo-server/dist/main.js'), '--capture', 'tcp prt 7'], { encoding: 'utf8' });
  expect([done.status, done.stdout]).toEqual([2, '']);
  expect(done.stderr).toMatch(/^echo-server: .*prt.*\n {2}tcp prt 7\n {6}\^\^\^\n$/);
});

test('Ctrl-C ends a capture and prints its counts', async () => {
  const child = spawn(process.execPath, [join(root, 'apps/echo-server/dist/main.js'), '--port', '0', '--capture', 'arp or tcp'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  while (!text.includes('Ctrl-C')) await once(child.stdout, 'data');
  const port = Number(/nc 127\.0\.0\.1 (\d+)/.exec(text)?.[1]);
  const client = spawn(process.execPath, ['-e', `require('net').connect(${port}, '127.0.0.1').end('hello').resume()`]);
  await once(client, 'close');
  while (!text.includes('Flags [F.]')) await once(child.stdout, 'data');
  child.kill('SIGINT');
  const [status] = (await once(child, 'close')) as [number | null];
  expect(status).toBe(0);
  expect(text).toMatch(/\d\d:\d\d:\d\d\.\d{6} IP 10\.0\.0\.2\.\d+ > 10\.0\.0\.1\.7: Flags \[S\], seq/);
  expect(text).toMatch(/\.7: Flags \[P\.\], seq 1:6, ack 1, .*, length 5\n/);
  expect(text).toMatch(/packets +\d+ captured, \d+ received by filter, 0 dropped by kernel\n/);
});

test('--help says what it does, lists the options, gives examples', async () => {
  const { code, stdout } = await run(['--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Captures packets[\s\S]*--tap[\s\S]*pcap-filter\(7\)[\s\S]*Examples:/);
});
