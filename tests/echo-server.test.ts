// The echo server as a person runs it: the built program, real connections through its gateway, its output, its exit status.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { root } from './support/workspace.ts';

const main = join(root, 'apps/echo-server/dist/main.js');
const run = promisify(execFile);

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly output: () => string;
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** Starts the server on a free port and waits until it says what to type. */
async function start(...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [main, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  for (;;) {
    const port = /nc 127\.0\.0\.1 (\d+)/.exec(text)?.[1];
    if (port !== undefined && text.includes('Ctrl-C')) return { child, port: Number(port), output: () => text };
    await once(child.stdout, 'data');
  }
}

/** Ends it as Ctrl-C does; resolves with its exit status. */
async function interrupt({ child }: Running): Promise<number | null> {
  child.kill('SIGINT');
  const [status] = (await once(child, 'close')) as [number | null];
  return status;
}

/** Sends `text` and closes, as `nc` does at the end of its input; resolves with all that comes back. */
async function nc(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setEncoding('utf8').end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

/** Runs it to its end: exit status and output. */
async function result(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...await run(process.execPath, [main, ...args]) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('connections through the gateway', () => {
  test.each([1, 100, 1000])('%i at once, each gets its own octets back', async (count) => {
    const server = await start();
    const texts = Array.from({ length: count }, (_, i) => `connection ${i} of ${count}\n`.repeat(50));
    expect(await Promise.all(texts.map((text) => nc(server.port, text)))).toEqual(texts);
    expect(await interrupt(server)).toBe(0);
    expect(server.output()).toMatch(new RegExp(`gateway +${count} connections \\(0 still open\\)`));
  });

  test('Ctrl-C with a connection open closes it and prints the counters', async () => {
    const server = await start();
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    socket.write('hello');
    await once(socket, 'data');
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    expect(await interrupt(server)).toBe(0);
    await closed;
    expect(server.output()).toMatch(/TcpPassiveOpens +0 +1/);
  });
});

test('--self-test --json prints one line of JSON and exits 0', async () => {
  const { code, stdout } = await result('--self-test', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ bytes: 64 * 1024 * 1024 });
  expect(stdout.trim().split('\n')).toHaveLength(1);
});

test('--trace prints a line for each function that a packet passes', async () => {
  const server = await start('--trace');
  await nc(server.port, 'Hello World !');
  await interrupt(server);
  const lines = server.output().split('\n');
  expect(lines[0]).toMatch(/seconds +host +function +skb +data +tail +len +mac +network +transport/);
  expect(lines).toContainEqual(expect.stringMatching(/ gateway +ip_queue_xmit +#\d+ +\d+ +\d+ +45 +- +- +\d+$/));
  expect(lines).toContainEqual(expect.stringMatching(/ server +tcp_v4_rcv +#\d+ /));
});

test('--pcap writes pcapng of every NIC', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'echo-'));
  const file = join(folder, 'echo.pcapng');
  const server = await start('--pcap', file);
  await nc(server.port, 'captured octets');
  await interrupt(server);
  const bytes = readFileSync(file);
  expect(bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
  for (const text of ['gateway/eth0', 'server/eth0', 'captured octets']) expect(bytes.includes(text), text).toBe(true);
  rmSync(folder, { recursive: true });
});

describe('a mistake is one clear line and exit status 2', () => {
  test.each([
    ['an unknown option', ['--prot', '7'], /unknown option '--prot'/],
    ['a port that is none', ['--port', '70000'], /0 to 65535/],
    ['an address that is none', ['--address', '10.0.0.300/24'], /A\.B\.C\.D\/LEN/],
    ['a broadcast address', ['--address', '10.0.0.255/24'], /broadcast address/],
    ['--json without --self-test', ['--json'], /--self-test/],
    ['a capture file that cannot be', ['--pcap', '/nowhere/at/all.pcapng'], /ENOENT.*\/nowhere/],
  ])('%s', async (_what, args, message) => {
    const { code, stdout, stderr } = await result(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await result('--port', String(port));
    other.close();
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^echo-server: .*EADDRINUSE.*\n$/)]);
  });
});

test('--help says what it does, lists the options, gives examples', async () => {
  const { code, stdout } = await result('--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/echo server.*[\s\S]*--tap[\s\S]*Examples:/);
});
