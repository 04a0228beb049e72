// DNS against Linux: dig at our server, our resolver at dnsmasq.
import { createDnsServer, type DnsServer } from '@stack/dns';
import { gethostbyaddr, gethostbyname } from '@stack/host';
import { inAton, inNtoa } from '@stack/inet-sock';
import { HOST_NOT_FOUND, NO_DATA } from '@stack/resolver';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRealWith, eventually, nsRun, nsSpawn, nsText } from '../support/netns.ts';
import { OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

let real: RealHost;

describeRealWith(['dig'], 'dig at our server', () => {
  let dns: DnsServer;

  beforeEach(() => {
    real = realHost('dig');
    dns = createDnsServer(real.host.task, {
      zones: {
        'example.test': {
          '@': { SOA: { serial: 42, minimum: 60 }, NS: 'ns', MX: { preference: 10, exchange: 'mail' }, TXT: 'v=spf1 -all' },
          ns: { A: OURS },
          mail: { A: '10.99.0.25', AAAA: '2001:db8::25' },
          www: { CNAME: 'mail' },
          big: { A: Array.from({ length: 70 }, (_, i) => `10.1.0.${i}`) },
          '_sip._tcp': { SRV: { priority: 1, weight: 2, port: 5060, target: 'mail' } },
        },
        '0.99.10.in-addr.arpa': { 25: { PTR: 'mail.example.test.' } },
      },
      hosts: [real.host],
      domain: 'sim',
    });
  });

  afterEach(() => real.close());

  /** Runs dig; returns all that it prints. */
  const dig = (...args: string[]): Promise<string> => nsRun(real.ns, 'dig', `@${OURS}`, '+time=2', '+tries=1', '+nocookie', ...args);
  const short = async (...args: string[]): Promise<string[]> => (await dig('+short', ...args)).trim().split('\n');

  test('A, AAAA, CNAME, MX, TXT, NS, SRV, PTR', async () => {
    expect(await short('mail.EXAMPLE.test', 'A')).toEqual(['10.99.0.25']);
    expect(await short('mail.example.test', 'AAAA')).toEqual(['2001:db8::25']);
    expect(await short('www.example.test', 'A')).toEqual(['mail.example.test.', '10.99.0.25']);
    expect(await short('example.test', 'MX')).toEqual(['10 mail.example.test.']);
    expect(await short('example.test', 'TXT')).toEqual(['"v=spf1 -all"']);
    expect(await short('example.test', 'NS')).toEqual(['ns.example.test.']);
    expect(await short('example.test', 'SOA')).toEqual(['ns.example.test. hostmaster.example.test. 42 3600 600 86400 60']);
    expect(await short('_sip._tcp.example.test', 'SRV')).toEqual(['1 2 5060 mail.example.test.']);
    expect(await short('-x', '10.99.0.25')).toEqual(['mail.example.test.']);
  });

  test("the host's own name, without a zone file", async () => {
    expect(await short('ours.sim', 'A')).toEqual([OURS]);
  });

  test('over TCP; a cut answer over UDP is asked for again over TCP', async () => {
    expect(await short('+tcp', 'mail.example.test', 'A')).toEqual(['10.99.0.25']);
    expect(await dig('+noedns', '+ignore', 'big.example.test', 'A')).toMatch(/flags: qr aa tc rd;/);
    expect((await short('+noedns', 'big.example.test', 'A')).length).toBe(70);
    expect(dns.stats.tcp).toBe(2);
  });

  test('EDNS: 1232 octets over UDP, BADVERS for a version that is none', async () => {
    const text = await dig('+bufsize=4096', '+notcp', 'big.example.test', 'A');
    expect(text).toMatch(/EDNS: version: 0, flags:; udp: 1232/);
    expect(text).toMatch(/MSG SIZE {2}rcvd: 11\d\d/);
    expect(await dig('+edns=1', '+noednsneg', 'mail.example.test', 'A')).toMatch(/status: BADVERS/);
  });

  test('NXDOMAIN and NODATA with the SOA; ANY gets HINFO; transfers and strangers are refused', async () => {
    const none = await dig('nobody.example.test', 'A');
    expect(none).toMatch(/status: NXDOMAIN/);
    expect(none).toMatch(/^example\.test\.\s+60\s+IN\s+SOA\s/m);
    const empty = await dig('ns.example.test', 'AAAA');
    expect(empty).toMatch(/status: NOERROR/);
    expect(empty).toMatch(/ANSWER: 0, AUTHORITY: 1/);
    expect(await dig('example.test', 'ANY')).toMatch(/IN\s+HINFO\s+"RFC8482" ""/);
    expect(await dig('example.test', 'AXFR')).toMatch(/Transfer failed/);
    expect(await dig('example.org', 'A')).toMatch(/status: REFUSED/);
    expect(await dig('version.bind', 'CH', 'TXT')).toMatch(/status: REFUSED/);
  });
});

describeRealWith(['dnsmasq'], 'our resolver at dnsmasq', () => {
  beforeEach(async () => {
    real = realHost('resolver', { dns: { nameservers: [PEER], search: ['lan.test'], timeout: 2 } });
    nsSpawn(real.ns, 'dnsmasq', '--keep-in-foreground', '--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--listen-address=${PEER}`,
      '--bind-interfaces', '--user=root', '--pid-file=', '--local=/test/', '--domain-needed', '--auth-ttl=60',
      '--address=/wild.test/10.99.0.77', '--host-record=server.lan.test,10.99.0.8', '--cname=www.lan.test,server.lan.test',
      '--txt-record=text.lan.test,words', ...Array.from({ length: 60 }, (_, i) => `--host-record=big.lan.test,10.1.0.${i}`));
    await eventually('dnsmasq listens', () => nsText(real.ns, 'ss', '-ulnH', 'sport', '=', ':53').includes(PEER));
  });

  afterEach(() => real.close());

  test('A through the search list, CNAME, PTR, what is not there, and TCP for what is cut', async () => {
    const { host } = real;
    expect(await gethostbyname(host, 'server')).toMatchObject({ hName: 'server.lan.test', hAddr: inAton('10.99.0.8') });
    expect(await gethostbyname(host, 'www')).toMatchObject({ hName: 'server.lan.test', hAliases: ['www.lan.test'] });
    expect(await gethostbyname(host, 'any.wild.test')).toMatchObject({ hAddr: inAton('10.99.0.77') });
    expect(await gethostbyaddr(host, inAton('10.99.0.8'))).toMatchObject({ hName: 'server.lan.test' });
    expect(await gethostbyname(host, 'nobody.test')).toBeNull();
    expect(host.resolver.hErrno).toBe(HOST_NOT_FOUND);
    expect(await gethostbyname(host, 'text.lan.test')).toBeNull();
    expect(host.resolver.hErrno).toBe(NO_DATA);
    const big = await gethostbyname(host, 'big.lan.test');
    expect(big?.hAddrList.map(inNtoa).sort()).toEqual(Array.from({ length: 60 }, (_, i) => `10.1.0.${i}`).sort());
  });
});
