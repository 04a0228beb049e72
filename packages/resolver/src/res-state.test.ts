// The configuration, and what can be known without a network.
import { createNet, createWorld } from '@stack/kernel';
import { Task } from '@stack/socket';
import { describe, expect, test } from 'vitest';
import { gethostbyaddr, gethostbyname, lookup } from './gethostbyname.ts';
import { HOST_NOT_FOUND, hstrerror, NO_DATA, NO_RECOVERY, TRY_AGAIN } from './netdb.ts';
import { searchNames } from './res-query.ts';
import { resNinit, resSetservers, type HostsFile, type ResolvConf, type ResState } from './res-state.ts';

function state(conf?: ResolvConf, hosts?: HostsFile): ResState {
  return resNinit(new Task(createNet(createWorld()), 1, 'test'), conf, hosts);
}

describe('resolv.conf(5)', () => {
  test('defaults, and what is silently cut', () => {
    expect(state()).toMatchObject({ nsaddrList: [], dnsrch: [], ndots: 1, retrans: 5, retry: 2, rotate: false, edns0: false, useVc: false });
    const many = state({ nameservers: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'], ndots: 99, timeout: 99, attempts: 99 });
    expect(many).toMatchObject({ ndots: 15, retrans: 30, retry: 5 });
    expect(many.nsaddrList.map((server) => [server.sinAddr, server.sinPort])).toEqual([[0x0a000001, 53], [0x0a000002, 53], [0x0a000003, 53]]);
  });

  test('what is no address, no name, no number is an error that names it', () => {
    expect(() => state({ nameservers: ['ten'] })).toThrow('name server "ten" is not an IPv4 address');
    expect(() => state({ search: ['a..b'] })).toThrow('search domain "a..b" is not a domain name');
    expect(() => state({ timeout: 0 })).toThrow('timeout is 0');
    expect(() => state({ ndots: 1.5 })).toThrow('ndots is 1.5');
    expect(() => state({}, { server: '1.2.3' })).toThrow('hosts: server: "1.2.3" is not an IPv4 address');
    expect(() => state({}, { 'a b..': '1.2.3.4' })).toThrow('hosts: "a b.." is not a domain name');
    expect(() => state({}, { empty: [] })).toThrow('hosts: empty has no address');
  });

  test('ndots: a name with enough dots is tried first as it is, a short one last; one with a last dot alone', () => {
    const res = state({ search: ['a.test', 'b.test'], ndots: 2 });
    expect(searchNames(res, 'x')).toEqual(['x.a.test', 'x.b.test', 'x']);
    expect(searchNames(res, 'x.y')).toEqual(['x.y.a.test', 'x.y.b.test', 'x.y']);
    expect(searchNames(res, 'x.y.z')).toEqual(['x.y.z', 'x.y.z.a.test', 'x.y.z.b.test']);
    expect(searchNames(res, 'x.')).toEqual(['x.']);
    expect(searchNames(state(), 'x')).toEqual(['x']);
  });

  test('other servers forget what the old ones said', () => {
    const res = state({ nameservers: ['10.0.0.1'], search: ['a.test'] });
    const { cache } = res;
    resSetservers(res, ['10.0.0.9']);
    expect(res.nsaddrList[0]?.sinAddr).toBe(0x0a000009);
    expect(res.dnsrch).toEqual(['a.test']);
    expect(res.cache).not.toBe(cache);
  });
});

describe('hosts(5)', () => {
  const res = state({}, { server: '10.0.0.1', Both: ['10.0.0.2', '10.0.0.3'], alias: '10.0.0.1' });

  test('gethostbyname(3): names without case, several addresses, dotted quads, localhost', () => {
    expect(gethostbyname(res, 'SERVER')).toEqual({ hName: 'SERVER', hAliases: [], hAddrtype: 2, hLength: 4, hAddr: 0x0a000001, hAddrList: [0x0a000001] });
    expect(gethostbyname(res, 'both.')).toMatchObject({ hAddrList: [0x0a000002, 0x0a000003] });
    expect(gethostbyname(res, '192.0.2.1')).toMatchObject({ hName: '192.0.2.1', hAddr: 0xc0000201 | 0 });
    expect(gethostbyname(res, 'localhost')).toMatchObject({ hAddr: 0x7f000001 });
    expect(gethostbyname(res, 'any.localhost')).toMatchObject({ hAddr: 0x7f000001 });
    expect(res.hErrno).toBe(0);
  });

  test('gethostbyaddr(3): the first name, and the others', () => {
    expect(gethostbyaddr(res, 0x0a000001)).toMatchObject({ hName: 'server', hAliases: ['alias'], hAddr: 0x0a000001 });
  });

  test('without name servers a name that is not there is HOST_NOT_FOUND', async () => {
    expect(await gethostbyname(res, 'nowhere')).toBeNull();
    expect(res.hErrno).toBe(HOST_NOT_FOUND);
    expect(await gethostbyaddr(res, 1)).toBeNull();
    expect(await gethostbyname(res, 'no..name')).toBeNull();
    await expect(lookup(res, 'nowhere')).rejects.toMatchObject({
      message: "getaddrinfo ENOTFOUND nowhere: add it to the host's `hosts`, or give it name servers", code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: 'nowhere',
    });
  });

  test('hstrerror(3)', () => {
    expect([HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, NO_DATA, 99].map(hstrerror)).toEqual([
      'Unknown host', 'Host name lookup failure', 'Unknown server error', 'No address associated with name', 'Unknown resolver error',
    ]);
  });
});
