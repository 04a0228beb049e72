// Names over a simulated Ethernet: the resolver of one host asks servers on others, ours and such as misbehave.
import { createDnsServer, type DnsServerOptions } from '@stack/dns';
import { assertNothingOpen, createHost, gethostbyaddr, gethostbyname, virtioOn, type Host, type ResolvConf } from '@stack/host';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { ipAddrAdd } from '@stack/ip';
import { createWorld, Random, randomRange, sleep, virtualClock, type World } from '@stack/kernel';
import { devGetByName } from '@stack/netdev';
import { createSwitch, type Impairments, type Switch } from '@stack/nic-virtio-sim';
import {
  DnsMessage, DnsQuestion, DnsRecord, Edns, FORMERR, HOST_NOT_FOUND, lookup, NO_DATA, NO_RECOVERY, NOTIMP, NS_AA, NS_QR, NS_RA, NS_RD, NS_TC,
  nsBuild, nsParse, nsRcode, NXDOMAIN, REFUSED, resNsend, SERVFAIL, T_A, T_ANY, T_AXFR, T_CNAME, T_HINFO, T_SOA, T_TXT, TRY_AGAIN,
} from '@stack/resolver';
import { MSG_DONTWAIT, PF_INET, SOCK_DGRAM, sysBind, sysConnect, sysRecv, sysRecvfrom, sysSendto, sysSocket, sysWrite } from '@stack/socket';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let lan: Switch;
let hosts: Host[];

beforeEach(() => {
  world = createWorld({ seed: 7, debug: true });
  lan = createSwitch(world);
  hosts = [];
});

afterEach(async () => {
  for (const host of hosts) await host.close();
  assertNothingOpen(world);
});

function addHost(name: string, address: string, dns: readonly string[] | ResolvConf = [], impairments: Impairments = {}): Host {
  const host = createHost({ world, name, dns, nics: [{ device: virtioOn(lan, { impairments, back: impairments }), address: `${address}/24` }] });
  hosts.push(host);
  return host;
}

/** A client and a server of ours with these zones. */
function pair(options: DnsServerOptions, conf: ResolvConf = {}): { client: Host; server: Host; dns: ReturnType<typeof createDnsServer> } {
  const server = addHost('server', '10.0.0.53');
  const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.53'], ...conf });
  return { client, server, dns: createDnsServer(server.task, options) };
}

type Reply = (query: DnsMessage, count: number) => readonly (DnsMessage | Uint8Array)[];

/** A server that answers as the test says; returns how many queries came, and from which ports. */
function fakeServer(host: Host, reply: Reply): { ports: number[]; ids: number[] } {
  const seen: { ports: number[]; ids: number[] } = { ports: [], ids: [] };
  const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
  expect(sysBind(host.task, fd, new SockAddrIn(0, 53))).toBe(0);
  void (async () => {
    const buf = new Uint8Array(1500);
    for (;;) {
      const from = new SockAddrIn();
      const n = await sysRecvfrom(host.task, fd, buf, 0, from);
      if (n < 0) return;
      const query = nsParse(buf.subarray(0, n));
      if (query === null) throw new Error('the resolver sent a bad query');
      seen.ports.push(from.sinPort);
      seen.ids.push(query.id);
      for (const out of reply(query, seen.ids.length)) await sysSendto(host.task, fd, out instanceof Uint8Array ? out : nsBuild(out), 0, from);
    }
  })();
  return seen;
}

/** The answer that a well-behaved server gives: these records. */
function answerTo(query: DnsMessage, flags: number, ...answer: DnsRecord[]): DnsMessage {
  const msg = new DnsMessage(query.id, NS_QR | NS_RD | NS_RA | flags);
  msg.question = query.question;
  msg.answer = answer;
  return msg;
}

const nameIn = (query: DnsMessage): string => query.question[0]?.qname ?? '';
const address = (query: DnsMessage, text: string): DnsRecord => new DnsRecord(nameIn(query), T_A, 60, inAton(text));
const addresses = (hostent: { hAddrList: readonly number[] } | null): string[] => (hostent?.hAddrList ?? []).map(inNtoa);

/** What gethostbyname says, and h_errno. */
async function resolve(host: Host, name: string): Promise<string[] | number> {
  const hostent = await gethostbyname(host, name);
  return hostent === null ? host.resolver.hErrno : addresses(hostent);
}

/** Virtual seconds that `action` takes. */
async function secondsOf(action: () => Promise<unknown>): Promise<number> {
  const start = world.clock.now();
  await action();
  return Math.round((world.clock.now() - start) / 1e9);
}

describe('gethostbyname(3) and our server', () => {
  const zones = {
    test: {
      server: { A: ['10.0.0.53', '10.0.0.54'] },
      www: { CNAME: 'alias' },
      alias: { CNAME: 'server' },
      text: { TXT: 'only text' },
      big: { A: Array.from({ length: 100 }, (_, i) => `10.1.0.${i}`) },
    },
    '0.0.10.in-addr.arpa': { 53: { PTR: ['server.test.', 'www.test.'] } },
  };

  test('hostent: name, aliases, family, length, addresses', async () => {
    const { client } = pair({ zones });
    expect(await gethostbyname(client, 'WWW.test')).toEqual({
      hName: 'server.test', hAliases: ['www.test', 'alias.test'], hAddrtype: 2, hLength: 4,
      hAddr: inAton('10.0.0.53'), hAddrList: [inAton('10.0.0.53'), inAton('10.0.0.54')],
    });
    expect(client.resolver.hErrno).toBe(0);
  });

  test('gethostbyaddr(3): PTR', async () => {
    const { client } = pair({ zones });
    expect(await gethostbyaddr(client, inAton('10.0.0.53'))).toMatchObject({ hName: 'server.test', hAliases: ['www.test'], hAddr: inAton('10.0.0.53') });
    expect(await gethostbyaddr(client, inAton('10.0.0.99'))).toBeNull();
    expect(client.resolver.hErrno).toBe(HOST_NOT_FOUND);
  });

  test('h_errno: HOST_NOT_FOUND, NO_DATA, TRY_AGAIN (refused everywhere)', async () => {
    const { client, dns } = pair({ zones });
    expect(await resolve(client, 'nobody.test')).toBe(HOST_NOT_FOUND);
    expect(await resolve(client, 'text.test')).toBe(NO_DATA);
    expect(await resolve(client, 'elsewhere.example')).toBe(TRY_AGAIN);
    expect(dns.stats).toMatchObject({ refused: 2, nxdomain: 1 });
  });

  test('RFC 7766 §5: an answer that was cut is asked for over TCP', async () => {
    const { client, dns } = pair({ zones });
    expect((await resolve(client, 'big.test') as string[]).length).toBe(100);
    expect(dns.stats).toMatchObject({ queries: 2, tcp: 1, truncated: 1 });
  });

  test('RFC 6891 §6.2.3: with EDNS more fits a datagram, but not all', async () => {
    const { client, dns } = pair({ zones: { test: { some: { A: zones.test.big.A.slice(0, 60) }, big: zones.test.big } } }, { edns0: true });
    expect((await resolve(client, 'some.test') as string[]).length).toBe(60);
    expect(dns.stats).toMatchObject({ queries: 1, tcp: 0, truncated: 0 });
    expect((await resolve(client, 'big.test') as string[]).length).toBe(100);
    expect(dns.stats).toMatchObject({ queries: 3, tcp: 1, truncated: 1 });
  });

  test('resolv.conf(5): use-vc asks over TCP alone', async () => {
    const { client, dns } = pair({ zones }, { useVc: true });
    expect(await resolve(client, 'server.test')).toEqual(['10.0.0.53', '10.0.0.54']);
    expect(dns.stats).toMatchObject({ queries: 1, tcp: 1 });
  });

  test('the search list, by ndots', async () => {
    const { client, dns } = pair({ zones: { ...zones, 'b.test': { 'x.y': { A: '10.9.9.9' } } } }, { search: ['a.test', 'b.test', 'test'] });
    expect(await resolve(client, 'server')).toEqual(['10.0.0.53', '10.0.0.54']);
    expect(dns.stats.queries).toBe(3);
    expect(await resolve(client, 'x.y')).toEqual(['10.9.9.9']);
    expect(dns.stats.queries).toBe(7);
    expect(await resolve(client, 'server.')).toBe(TRY_AGAIN);
  });

  test('answers are kept as long as they live, in the World\'s time', async () => {
    const { client, dns } = pair({ zones: { test: { a: { A: '10.0.0.7', ttl: 30 }, '@': { SOA: { minimum: 20 } } } } });
    for (let i = 0; i < 3; i++) await resolve(client, 'a.test');
    expect(dns.stats.queries).toBe(1);
    await sleep(world, 31_000);
    await resolve(client, 'a.test');
    expect(dns.stats.queries).toBe(2);
    for (let i = 0; i < 3; i++) expect(await resolve(client, 'none.test')).toBe(HOST_NOT_FOUND);
    expect(dns.stats.queries).toBe(3);
    await sleep(world, 21_000);
    await resolve(client, 'none.test');
    expect(dns.stats.queries).toBe(4);
  });

  test('hosts(5) goes before DNS, and nobody is asked', async () => {
    const server = addHost('server', '10.0.0.53');
    const dns = createDnsServer(server.task, { zones });
    const client = createHost({ world, name: 'client', hosts: { 'server.test': '192.0.2.1' }, dns: ['10.0.0.53'], nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
    hosts.push(client);
    expect(gethostbyname(client, 'server.test')).toMatchObject({ hAddr: inAton('192.0.2.1') });
    expect(dns.stats.queries).toBe(0);
  });

  test('host.connect takes a name; what fails is Node\'s Error', async () => {
    const { client, server } = pair({ zones });
    server.listen({ port: 7 });
    const connection = await client.connect({ host: 'www.test', port: 7 });
    expect(connection.remoteAddress).toBe('10.0.0.53');
    connection.close();
    await expect(client.connect({ host: 'nobody.test', port: 7 })).rejects.toMatchObject({
      code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: 'nobody.test', message: 'getaddrinfo ENOTFOUND nobody.test',
    });
  });

  test('an AbortSignal ends the wait', async () => {
    const client = addHost('client', '10.0.0.1', ['10.0.0.99']);
    const abort = new AbortController();
    const waiting = lookup(client.resolver, 'a.test', { signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'EINTR', syscall: 'getaddrinfo' });
  });
});

describe('servers that fail (resolv.conf(5), RFC 5452)', () => {
  test('each server has its time, all are asked `attempts` times, then TRY_AGAIN', async () => {
    const silent = [addHost('s1', '10.0.0.2'), addHost('s2', '10.0.0.3')].map((host) => fakeServer(host, () => []));
    const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.2', '10.0.0.3'], timeout: 3, attempts: 2 });
    expect(await secondsOf(async () => expect(await resolve(client, 'a.test')).toBe(TRY_AGAIN))).toBe(12);
    expect(silent.map((seen) => seen.ids.length)).toEqual([2, 2]);
    await expect(lookup(client.resolver, 'a.test')).rejects.toMatchObject({ code: 'EAI_AGAIN', errno: -3001 });
  });

  test('ids and ports are new for every query, and the same for every run', async () => {
    const run = async (seed: number): Promise<string> => {
      world = createWorld({ seed, debug: true });
      lan = createSwitch(world);
      const seen = fakeServer(addHost('server', '10.0.0.2'), () => []);
      const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.2'], timeout: 1, attempts: 5 });
      await resolve(client, 'a.test');
      expect(new Set(seen.ids).size).toBe(5);
      expect(new Set(seen.ports).size).toBe(5);
      for (const host of hosts.splice(0)) await host.close();
      return JSON.stringify(seen);
    };
    const first = await run(3);
    expect(await run(3)).toBe(first);
    expect(await run(4)).not.toBe(first);
  });

  test('RFC 5452 §9.2: both are drawn from the clock\'s entropy where it has some', async () => {
    world = createWorld({ clock: { ...virtualClock(), entropy: (out) => out.fill(0x12).length > 0 }, seed: 1, debug: true });
    lan = createSwitch(world);
    const seen = fakeServer(addHost('server', '10.0.0.2'), (query) => [answerTo(query, 0, address(query, '10.7.7.7'))]);
    const client = addHost('client', '10.0.0.1', ['10.0.0.2']);
    expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']);
    expect(seen).toEqual({ ids: [0x1212], ports: [32768 + (0x1212 % (60999 - 32768 + 1))] });
  });

  test('one that nobody listens to says so by ICMP: the next is asked at once', async () => {
    addHost('closed', '10.0.0.2');
    fakeServer(addHost('server', '10.0.0.3'), (query) => [answerTo(query, 0, address(query, '10.7.7.7'))]);
    const client = addHost('client', '10.0.0.1', ['10.0.0.2', '10.0.0.3']);
    expect(await secondsOf(async () => expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']))).toBe(0);
  });

  test.each([['SERVFAIL', SERVFAIL], ['NOTIMP', NOTIMP], ['REFUSED', REFUSED]])('%s: the next is asked; if all do so, it is TRY_AGAIN', async (_name, rcode) => {
    const bad = fakeServer(addHost('bad', '10.0.0.2'), (query) => [answerTo(query, rcode)]);
    fakeServer(addHost('good', '10.0.0.3'), (query) => [answerTo(query, 0, address(query, '10.7.7.7'))]);
    const client = addHost('client', '10.0.0.1', ['10.0.0.2', '10.0.0.3']);
    expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']);
    const alone = addHost('alone', '10.0.0.4', { nameservers: ['10.0.0.2'], attempts: 1 });
    expect(await resolve(alone, 'a.test')).toBe(TRY_AGAIN);
    expect(bad.ids.length).toBe(2);
  });

  test('rotate spreads questions over the servers', async () => {
    const servers = ['10.0.0.2', '10.0.0.3', '10.0.0.4'];
    const seen = servers.map((text) => fakeServer(addHost(text, text), (query) => [answerTo(query, 0, address(query, text))]));
    const client = addHost('client', '10.0.0.1', { nameservers: servers, rotate: true });
    for (let i = 0; i < 6; i++) await resolve(client, `n${i}.test`);
    expect(seen.map(({ ids }) => ids.length)).toEqual([2, 2, 2]);
  });

  test('RFC 5452 §9: a wrong id, question, or sender, a query, and noise are passed over', async () => {
    const server = addHost('server', '10.0.0.2');
    fakeServer(server, (query) => {
      const good = answerTo(query, 0, address(query, '10.7.7.7'));
      const forged = (change: (msg: DnsMessage) => void): DnsMessage => {
        const msg = answerTo(query, 0, address(query, '10.6.6.6'));
        change(msg);
        return msg;
      };
      return [
        forged((msg) => (msg.id ^= 1)),
        forged((msg) => (msg.question = [new DnsQuestion('b.test', T_A)])),
        forged((msg) => (msg.question = [new DnsQuestion('a.test', T_TXT)])),
        forged((msg) => (msg.question = [])),
        forged((msg) => (msg.flags &= ~NS_QR)),
        Uint8Array.of(1, 2, 3),
        good,
      ];
    });
    const client = addHost('client', '10.0.0.1', ['10.0.0.2']);
    const stranger = addHost('stranger', '10.0.0.66');
    expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']);
    // Nor is a stranger heard, whatever he sends: the socket is connected.
    const fd = sysSocket(stranger.task, PF_INET, SOCK_DGRAM, 0);
    const silent = addHost('silent', '10.0.0.5');
    const seen = fakeServer(silent, (query) => {
      sysSendto(stranger.task, fd, nsBuild(answerTo(query, 0, address(query, '10.6.6.6'))), 0, new SockAddrIn(inAton('10.0.0.1'), seen.ports.at(-1)));
      return [];
    });
    const other = addHost('other', '10.0.0.6', { nameservers: ['10.0.0.5'], timeout: 1, attempts: 1 });
    expect(await resolve(other, 'a.test')).toBe(TRY_AGAIN);
  });

  test('RFC 6891 §7: a server that does not know EDNS is asked without', async () => {
    const withEdns: boolean[] = [];
    fakeServer(addHost('old', '10.0.0.2'), (query) => {
      withEdns.push(query.edns !== null);
      return [query.edns === null ? answerTo(query, 0, address(query, '10.7.7.7')) : new DnsMessage(query.id, NS_QR | FORMERR)];
    });
    const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.2'], edns0: true });
    expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']);
    expect(withEdns).toEqual([true, false]);
  });

  test('an alias whose end the answer leaves out is asked for; a circle of aliases ends', async () => {
    const next: Record<string, string> = { 'a.test': 'b.test', 'b.test': 'c.test', 'x.test': 'y.test', 'y.test': 'x.test' };
    fakeServer(addHost('server', '10.0.0.2'), (query) => {
      const target = next[nameIn(query)];
      return [answerTo(query, 0, target === undefined ? address(query, '10.7.7.7') : new DnsRecord(nameIn(query), T_CNAME, 60, target))];
    });
    const client = addHost('client', '10.0.0.1', ['10.0.0.2']);
    expect(await gethostbyname(client, 'a.test')).toMatchObject({ hName: 'c.test', hAliases: ['a.test', 'b.test'], hAddr: inAton('10.7.7.7') });
    expect(await resolve(client, 'x.test')).toBe(NO_RECOVERY);
  });

  test('TC without TCP: what fitted is better than nothing', async () => {
    fakeServer(addHost('server', '10.0.0.2'), (query) => [answerTo(query, NS_TC, address(query, '10.7.7.7'))]);
    const client = addHost('client', '10.0.0.1', ['10.0.0.2']);
    expect(await resolve(client, 'a.test')).toEqual(['10.7.7.7']);
  });

  test('a wire that loses a third of the frames: every name is found', async () => {
    const server = addHost('server', '10.0.0.53', [], { loss: 0.3 });
    createDnsServer(server.task, { zones: { test: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`n${i}`, { A: `10.2.0.${i}` }])) } });
    const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.53'], timeout: 1, attempts: 5 });
    let found = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) if (Array.isArray(await resolve(client, `n${i}.test`))) found++;
    }
    expect(found).toBeGreaterThan(50);
  });
});

describe('the server', () => {
  /** What it answers to a question. */
  async function ask(client: Host, name: string, type: number, change: (q: DnsQuestion) => void = () => undefined): Promise<DnsMessage> {
    const question = new DnsQuestion(name, type);
    change(question);
    client.resolver.retry = 1;
    const msg = await resNsend(client.resolver, question);
    if (typeof msg === 'number') throw new Error(`no answer: ${msg}`);
    return msg;
  }

  /** Sends these octets and returns what comes back: a message, or null for nothing. */
  async function sendRaw(client: Host, bytes: Uint8Array): Promise<DnsMessage | null> {
    const fd = sysSocket(client.task, PF_INET, SOCK_DGRAM, 0);
    sysConnect(client.task, fd, new SockAddrIn(inAton('10.0.0.53'), 53));
    sysWrite(client.task, fd, bytes);
    const buf = new Uint8Array(1500);
    await sleep(world, 100);
    const n = await sysRecv(client.task, fd, buf, MSG_DONTWAIT);
    return n < 0 ? null : nsParse(buf.subarray(0, n));
  }

  test('ANY gets HINFO RFC8482; transfers, other classes and other people\'s names are refused', async () => {
    const { client } = pair({ zones: { test: { a: { A: '10.0.0.7', TXT: 'x' } } } });
    const any = await ask(client, 'a.test', T_ANY);
    expect(any.answer.map(({ type, data }) => [type, data])).toEqual([[T_HINFO, ['RFC8482', '']]]);
    expect(nsRcode(await ask(client, 'b.test', T_ANY))).toBe(NXDOMAIN);
    expect(nsRcode(await ask(client, 'test', T_AXFR))).toBe(REFUSED);
    expect(nsRcode(await ask(client, 'a.test', T_A, (q) => (q.qclass = 3)))).toBe(REFUSED);
    expect(nsRcode(await ask(client, 'a.example', T_A))).toBe(REFUSED);
  });

  test('malformed queries get FORMERR, answers and scraps nothing; all are counted', async () => {
    const { client, dns } = pair({ zones: { test: {} } });
    const query = new DnsMessage(77, NS_RD);
    query.question.push(new DnsQuestion('a.test', T_A));
    const good = nsBuild(query);
    expect(await sendRaw(client, good.subarray(0, 11))).toBeNull();
    expect(await sendRaw(client, good.subarray(0, 15))).toMatchObject({ id: 77, flags: NS_QR | NS_RD | FORMERR });
    expect(await sendRaw(client, nsBuild({ ...query, question: [...query.question, ...query.question] }))).toMatchObject({ flags: NS_QR | NS_RD | FORMERR });
    expect(await sendRaw(client, nsBuild({ ...query, flags: NS_QR }))).toBeNull();
    expect(await sendRaw(client, nsBuild({ ...query, flags: 0x2800 }))).toMatchObject({ flags: NS_QR | 0x2800 | NOTIMP });
    const versioned = await sendRaw(client, nsBuild({ ...query, edns: new Edns(1232, 1) }));
    expect(versioned === null ? -1 : nsRcode(versioned)).toBe(16);
    expect(dns.stats).toMatchObject({ queries: 4, dropped: 2, formerr: 2 });
  });

  test('noise: whatever comes, the server lives, and counts it', async () => {
    const { client, server, dns } = pair({ zones: { test: { a: { A: '10.0.0.7' }, b: { CNAME: 'a' }, '*': { TXT: 'x' } } }, hosts: [], forwarders: ['10.0.0.53'] });
    const seed = 5;
    const random = new Random(seed);
    const query = new DnsMessage(1, NS_RD);
    query.question.push(new DnsQuestion('b.a.test', T_A));
    query.edns = new Edns(1232);
    const good = nsBuild(query);
    const fd = sysSocket(client.task, PF_INET, SOCK_DGRAM, 0);
    for (let sent = 0; sent < 2000; sent++) {
      const noise = good.slice(0, randomRange(random, 0, good.length));
      for (let i = randomRange(random, 0, 4); i > 0 && noise.length > 0; i--) noise[randomRange(random, 0, noise.length - 1)] = randomRange(random, 0, 255);
      sysSendto(client.task, fd, noise, 0, new SockAddrIn(inAton('10.0.0.53'), 53));
      if (sent % 50 === 0) await sleep(world, 10);
    }
    await sleep(world, 60_000);
    expect(server.net.panicked, `seed ${seed}`).toBeNull();
    expect(dns.stats.queries + dns.stats.dropped).toBeGreaterThan(2000);
    expect(await resolve(client, 'b.test')).toEqual(['10.0.0.7']);
  });

  test('the names of hosts are there without a zone file, as they are now', async () => {
    const server = addHost('ns', '10.0.0.53');
    const client = addHost('client', '10.0.0.1', { nameservers: ['10.0.0.53'], search: ['sim'] });
    createDnsServer(server.task, { hosts: [server, client], domain: 'sim' });
    expect(await resolve(client, 'ns')).toEqual(['10.0.0.53']);
    expect(await gethostbyaddr(client, inAton('10.0.0.1'))).toMatchObject({ hName: 'client.sim' });
    const dev = devGetByName(server.net, 'eth0');
    if (dev !== null) ipAddrAdd(dev, '10.0.5.5/24');
    await sleep(world, 11_000);
    expect(await resolve(client, 'ns')).toEqual(['10.0.0.53', '10.0.5.5']);
  });

  test('forwarders answer for the rest, and for the end of an alias; what they said is kept', async () => {
    const root = addHost('root', '10.0.0.2');
    const upstream = createDnsServer(root.task, { zones: { example: { far: { A: '192.0.2.7' }, '@': { SOA: { minimum: 5 } } } } });
    const { client, dns } = pair({ zones: { test: { away: { CNAME: 'far.example.' } } }, forwarders: ['10.0.0.2'] });
    expect(await resolve(client, 'far.example')).toEqual(['192.0.2.7']);
    expect(await gethostbyname(client, 'away.test')).toMatchObject({ hName: 'far.example', hAliases: ['away.test'] });
    expect(await resolve(client, 'none.example')).toBe(HOST_NOT_FOUND);
    expect(upstream.stats.queries).toBe(2);
    expect(dns.stats).toMatchObject({ queries: 3, forwarded: 3 });
    const msg = await ask(client, 'far.example', T_A);
    expect(msg.flags & (NS_AA | NS_RA)).toBe(NS_RA);
    expect((await ask(client, 'away.test', T_A)).flags & NS_AA).toBe(NS_AA);
    upstream.close();
    client.resolver.retrans = 30;
    expect(nsRcode(await ask(client, 'other.example', T_A))).toBe(SERVFAIL);
  });

  test('servers that forward to one another do not ask for ever', async () => {
    const { client, dns } = pair({ forwarders: ['10.0.0.54'] }, { timeout: 30, attempts: 1 });
    const other = createDnsServer(addHost('other', '10.0.0.54').task, { forwarders: ['10.0.0.53'] });
    const asked = ['a.test', 'A.test', 'b.test'].map((name) => resolve(client, name));
    expect(await Promise.all(asked)).toEqual([TRY_AGAIN, TRY_AGAIN, TRY_AGAIN]);
    expect(dns.stats.queries + other.stats.queries).toBeLessThan(20);
  });

  test('an answer leaves from the address that was asked', async () => {
    const { client, server } = pair({ zones: { test: { a: { A: '10.0.0.7' } } } }, { nameservers: ['10.0.0.99'] });
    const dev = devGetByName(server.net, 'eth0');
    if (dev !== null) ipAddrAdd(dev, '10.0.0.99/24');
    expect(await resolve(client, 'a.test')).toEqual(['10.0.0.7']);
  });

  test('the SOA says how long nothing is true', async () => {
    const { client } = pair({ zones: { test: { '@': { SOA: { minimum: 17 } } } } });
    const msg = await ask(client, 'none.test', T_A);
    expect(msg.authority.map(({ type, ttl }) => [type, ttl])).toEqual([[T_SOA, 17]]);
  });

  test('close() gives the port back; a taken one is EADDRINUSE', async () => {
    const { client, server, dns } = pair({ zones: { test: { a: { A: '10.0.0.7' } } } });
    expect(() => createDnsServer(server.task)).toThrow('bind EADDRINUSE 0.0.0.0:53');
    dns.close();
    dns.close();
    client.resolver.retry = 1;
    expect(await resolve(client, 'a.test')).toBe(TRY_AGAIN);
    createDnsServer(server.task, { zones: { test: { a: { A: '10.0.0.8' } } } });
    expect(await resolve(client, 'a.test')).toEqual(['10.0.0.8']);
  });

  test('RFC 7766 §6.2.3: a connection that says nothing is closed', async () => {
    const { client, server } = pair({ zones: {} });
    const connection = await client.connect({ host: '10.0.0.53', port: 53 });
    expect(await secondsOf(async () => {
      for await (const chunk of connection.readable) void chunk;
    })).toBe(10);
    connection.close();
    expect(server.show.sockets().filter((row) => row.state === 'ESTAB')).toEqual([]);
  });
});
