// TCP against Linux: its clients at our servers, ours at its, and what `ss` says of the connections.
import type { Connection } from '@stack/host';
import { NF_ACCEPT, NF_INET_POST_ROUTING, NF_IP_PRI_LAST, NFPROTO_IPV4, nfRegisterNetHook, nfUnregisterNetHook, type NfHookOps } from '@stack/netfilter';
import { skbChecksumHelp } from '@stack/skbuff';
import { TCPI_OPT_SACK, TCPI_OPT_TIMESTAMPS, TCPI_OPT_WSCALE } from '@stack/tcp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeReal, eventually, nextLine, nsPeer, nsRun, nsSpawn, nsText } from '../support/netns.ts';
import { OURS, OUR_MAC, PEER, realHost, type RealHost, type RealOptions } from '../support/real-host.ts';
import { countFrames, wrongFrames } from '../support/tshark.ts';

const variants: [string, RealOptions][] = [
  ['MTU 1500', {}],
  ['MTU 1500, no offloads', { offloads: false }],
  ['MTU 9000', { mtu: 9000 }],
];

let real: RealHost;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Answers every octet on `port` until the host ends. */
async function serveEcho(port: number): Promise<void> {
  const open: Promise<void>[] = [];
  for await (const { readable, writable } of real.host.listen({ port, backlog: 1024 })) open.push(readable.pipeTo(writable).catch(() => undefined));
}

/** Answers every request on `port` with its own first line and body. */
async function serveHttp(port: number, body: string): Promise<void> {
  for await (const connection of real.host.listen({ port })) void answerHttp(connection, body);
}

async function answerHttp({ readable, writable }: Connection, body: string): Promise<void> {
  const writer = writable.getWriter();
  let request = '';
  for await (const chunk of readable.values({ preventCancel: true })) {
    request += new TextDecoder().decode(chunk);
    if (!request.includes('\r\n\r\n')) continue;
    await writer.write(bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`));
    break;
  }
  await writer.close();
}

/** Sends `text` and ends once `length` octets have come back, or all. Returns them. */
async function exchange({ readable, writable }: Connection, text: string, length: number): Promise<string> {
  const writer = writable.getWriter();
  const written = writer.write(bytes(text));
  let answer = '';
  for await (const chunk of readable.values({ preventCancel: true })) {
    answer += new TextDecoder().decode(chunk);
    if (answer.length >= length) break;
  }
  await written;
  await writer.close();
  await readable.cancel();
  return answer;
}

/** Offset of the checksum in a TCP header (RFC 9293 §3.1). */
const TCP_CHECK = 16;

/** 1 MiB of text of which no two lines are equal. */
const page = Array.from({ length: 65536 }, (_, i) => `line ${String(i).padStart(10)}`).join('\n');

describeReal.each(variants)('TCP, %s', (variant, options) => {
  beforeEach(({ task }) => {
    real = realHost(`${variant}, ${task.name}`, options);
  });
  afterEach(() => real.close());

  test('ncat at our echo server: a line, and 1 MiB', async () => {
    void serveEcho(7);
    expect(await nsRun(real.ns, 'sh', '-c', `echo hello | ncat ${OURS} 7`)).toBe('hello\n');
    const file = `/tmp/stack-${process.pid}`;
    const script = `head -c 1048576 /dev/urandom >${file}; ncat ${OURS} 7 <${file} | cmp - ${file} && echo same; rm ${file}`;
    expect((await nsRun(real.ns, 'sh', '-c', script)).trim()).toBe('same');
  });

  test('curl at our HTTP server', async () => {
    void serveHttp(80, page);
    expect(await nsRun(real.ns, 'curl', '-sS', '--max-time', '20', `http://${OURS}/`)).toBe(page);
  });

  test('our client at ncat, which echoes', async () => {
    nsSpawn(real.ns, 'ncat', '-l', '-k', '7', '-e', '/bin/cat');
    await eventually('ncat listens', () => nsText(real.ns, 'ss', '-Htln').includes(':7 '));
    const connection = await real.host.connect({ host: PEER, port: 7 });
    expect(await exchange(connection, 'hello\n', 6)).toBe('hello\n');
  });

  test('our client at an echo server of theirs: 1 MiB', async () => {
    await nextLine(nsPeer(real.ns, 'tcp-echo', 7));
    const connection = await real.host.connect({ host: PEER, port: 7 });
    expect(await exchange(connection, page, page.length) === page).toBe(true);
  });

  test('our client at an HTTP server of theirs', async () => {
    await nextLine(nsPeer(real.ns, 'http', 80));
    const connection = await real.host.connect({ host: PEER, port: 80 });
    const answer = await exchange(connection, `GET / HTTP/1.1\r\nHost: ${PEER}\r\nConnection: close\r\n\r\n`, Infinity);
    expect(answer.startsWith('HTTP/1.1 200 OK\r\n')).toBe(true);
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4) === 'x'.repeat(1_000_000)).toBe(true);
  });

  test('RFC 9293 §3.5.2: a closed port answers with RST, both ways', async () => {
    const refused = await nsRun(real.ns, 'sh', '-c', `ncat ${OURS} 81 2>&1 || true`);
    expect(refused).toContain('Connection refused');
    await expect(real.host.connect({ host: PEER, port: 81 })).rejects.toMatchObject({
      code: 'ECONNREFUSED', syscall: 'connect', address: PEER, port: 81,
    });
    expect(countFrames(real.file, `tcp.flags.reset == 1 && eth.src == ${OUR_MAC}`)).toBe(1);
    expect(countFrames(real.file, `tcp.flags.reset == 1 && eth.src != ${OUR_MAC}`)).toBe(1);
  });
});

describeReal('TCP', () => {
  beforeEach(({ task }) => {
    real = realHost(`TCP, ${task.name}`);
  });
  afterEach(() => real.close());

  /** What `ss -ti` says of the one connection that Linux has. */
  function ssInfo(): string {
    const [, info = ''] = nsText(real.ns, 'ss', '-Htino', 'state', 'established').split('\n');
    return info;
  }

  /** Both sides have timestamps and SACK, and each scales as the other expects. */
  function expectAgreed(): void {
    const ours = real.host.show.sockets().find(({ state }) => state === 'ESTAB');
    if (ours?.netid !== 'tcp' || ours.info === null) throw new Error('we have no connection');
    const { tcpiOptions, tcpiSndWscale, tcpiRcvWscale } = ours.info;
    expect(tcpiOptions & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE)).toBe(TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    expect(ssInfo()).toMatch(/\bts sack\b/);
    expect(ssInfo()).toContain(` wscale:${tcpiRcvWscale},${tcpiSndWscale} `);
    expect(Math.min(tcpiRcvWscale, tcpiSndWscale)).toBeGreaterThan(0);
    expect(ssInfo()).toContain(' mss:1448 ');
  }

  test('ss -ti on Linux shows timestamps, SACK and window scaling agreed, whoever connects', async () => {
    void serveEcho(7);
    const client = nsSpawn(real.ns, 'ncat', OURS, '7');
    client.stdin?.write('hello\n');
    await nextLine(client);
    expectAgreed();
    client.stdin?.end();
    await eventually('it has ended', () => ssInfo() === '');

    await nextLine(nsPeer(real.ns, 'tcp-echo', 8));
    const connection = await real.host.connect({ host: PEER, port: 8 });
    await eventually('it is established', () => ssInfo() !== '');
    expectAgreed();
    connection.close();
  });

  test('options that we refuse are not used: no timestamps, no SACK, no window scaling', async () => {
    for (const name of ['timestamps', 'sack', 'window_scaling']) real.host.sysctl(`net.ipv4.tcp_${name}`, 0);
    await nextLine(nsPeer(real.ns, 'tcp-echo', 8));
    const connection = await real.host.connect({ host: PEER, port: 8 });
    await eventually('it is established', () => ssInfo() !== '');
    expect(ssInfo()).not.toMatch(/\bts\b|\bsack\b|wscale/);
    expect(ssInfo()).toContain(' mss:1460 ');
    expect(await exchange(connection, page, page.length) === page).toBe(true);
  });

  test('500 connections of Linux at once', async () => {
    void serveEcho(7);
    const clients = nsPeer(real.ns, 'tcp-clients', OURS, 7, 500);
    expect(await nextLine(clients, 30)).toBe('open');
    await eventually('we see them all', () => real.host.show.sockets().filter(({ state }) => state === 'ESTAB').length === 500);
    expect(nsText(real.ns, 'ss', '-Htn', 'state', 'established').trim().split('\n')).toHaveLength(500);
    clients.stdin?.write('go\n');
    expect(await nextLine(clients, 30)).toBe('500');
  });

  test('500 connections of ours at once', async () => {
    await nextLine(nsPeer(real.ns, 'tcp-echo', 8));
    const connecting = Array.from({ length: 500 }, () => real.host.connect({ host: PEER, port: 8 }));
    const connections = await Promise.all(connecting);
    await eventually('Linux sees them all', () => nsText(real.ns, 'ss', '-Htn', 'state', 'established').trim().split('\n').length === 500);
    const answers = await Promise.all(connections.map((connection, i) => exchange(connection, `line ${i}\n`, `line ${i}\n`.length)));
    expect(answers).toEqual(connections.map((_, i) => `line ${i}\n`));
  });

  test('a reset is an error to both: ours at Linux, Linux\'s at us', async () => {
    const ends: unknown[] = [];
    void (async () => {
      for await (const { readable } of real.host.listen({ port: 7 })) void readable.getReader().read().catch((error: unknown) => ends.push(error));
    })();
    const client = nsPeer(real.ns, 'tcp-resetter', OURS, 7);
    expect(await nextLine(client)).toBe('reset');
    await eventually('we hear of it', () => ends.length === 1);
    expect(ends[0]).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });

    const server = nsPeer(real.ns, 'tcp-witness', 8);
    await nextLine(server);
    const connection = await real.host.connect({ host: PEER, port: 8 });
    const said = nextLine(server);
    await connection.writable.abort();
    expect(await said).toBe('ECONNRESET');
  });

  test('one segment corrupted on purpose: tshark reports it, Linux drops it, and the data arrives all the same', async () => {
    const { net } = real.host;
    await nextLine(nsPeer(real.ns, 'tcp-echo', 8));
    const connection = await real.host.connect({ host: PEER, port: 8 });
    let corrupted = 0;
    const hook: NfHookOps = {
      pf: NFPROTO_IPV4, hooknum: NF_INET_POST_ROUTING, priority: NF_IP_PRI_LAST, priv: null,
      hook: (_priv, skb) => {
        if (corrupted > 0 || skb.len < 1000) return NF_ACCEPT;
        corrupted++;
        skbChecksumHelp(skb);
        const at = skb.transportHeader + TCP_CHECK;
        skb.view.setUint16(at, skb.view.getUint16(at) ^ 1);
        return NF_ACCEPT;
      },
    };
    nfRegisterNetHook(net, hook);
    const text = page.slice(0, 1200); // one segment: what is cut afterwards has new checksums
    expect(await exchange(connection, text, text.length) === text).toBe(true);
    nfUnregisterNetHook(net, hook);
    expect(corrupted).toBe(1);
    expect(nsText(real.ns, 'nstat', '-az', 'TcpInCsumErrors')).toMatch(/TcpInCsumErrors +1 /);
    expect(real.host.show.counters()['TcpRetransSegs']).toBe(1);
    expect(wrongFrames(real.file)).toHaveLength(1);
    expect(wrongFrames(real.file)[0]).toContain('TCP CHECKSUM INCORRECT');
    real.expectWrong = 1;
  });
});
