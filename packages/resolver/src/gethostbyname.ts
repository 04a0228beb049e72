/*
 * gethostbyname(3) and gethostbyaddr(3): the hosts file first, then DNS, as `hosts: files dns` of nsswitch.conf(5) says.
 * nssFilesGethostbyname() is the first half alone, without a wait. lookup() is gethostbyname() for who wants an Error.
 * Deviation: IPv4 alone; gethostbyname_r(3) needs no place here, as each call makes its own hostent.
 */
import { EINTR, errnoException } from '@stack/kernel';
import { inetPton4 } from '@stack/inet-sock';
import { AF_INET, type SysOptions } from '@stack/socket';
import { T_A, T_CNAME, T_PTR, type DnsMessage, type DnsRecord } from './nameser.ts';
import { nsCanonical, nsReverseName, nsSameName } from './ns-name.ts';
import { HOST_NOT_FOUND, lookupException, NO_DATA, NO_RECOVERY, type Hostent } from './netdb.ts';
import { hErrnoOf, resNquery, resNsearch } from './res-query.ts';
import type { ResState } from './res-state.ts';

/** CNAMEs that are followed at most, so that a circle of them ends. */
const MAXALIASES = 16;

function makeHostent(hName: string, hAliases: readonly string[], hAddrList: readonly number[]): Hostent {
  return { hName, hAliases, hAddrtype: AF_INET, hLength: 4, hAddrList, hAddr: hAddrList[0] ?? 0 };
}

/** Without asking anybody: a dotted quad, a line of the hosts file, localhost (RFC 6761 §6.3). Null if it is none of these. */
export function nssFilesGethostbyname(res: ResState, name: string): Hostent | null {
  const address = inetPton4(name);
  if (address !== null) return makeHostent(name, [], [address]);
  const canonical = nsCanonical(name);
  if (canonical === null) return null;
  const addresses = res.hosts.get(canonical) ?? (canonical.endsWith('.localhost') ? res.hosts.get('localhost') : undefined);
  return addresses === undefined ? null : makeHostent(name, [], addresses);
}

/**
 * The host of this name, at once if no server must be asked. Null if there is none, or nobody who knows; res.hErrno then says
 * which: HOST_NOT_FOUND, NO_DATA, TRY_AGAIN, NO_RECOVERY.
 */
export function gethostbyname(res: ResState, name: string, options?: SysOptions): Hostent | null | Promise<Hostent | null> {
  const known = nssFilesGethostbyname(res, name);
  if (known === null && res.nsaddrList.length > 0) return dnsGethostbyname(res, name, options).then((got) => settle(res, got));
  return settle(res, known ?? HOST_NOT_FOUND);
}

/**
 * The name of this host (the hosts file, else the PTR record of its in-addr.arpa name); `hName` is the first, the others are
 * aliases. Null and res.hErrno as gethostbyname().
 */
export function gethostbyaddr(res: ResState, addr: number, options?: SysOptions): Hostent | null | Promise<Hostent | null> {
  const names = [...res.hosts].filter(([, addresses]) => addresses.includes(addr)).map(([name]) => name);
  const [hName] = names;
  if (hName !== undefined) return settle(res, makeHostent(hName, names.slice(1), [addr]));
  if (res.nsaddrList.length === 0) return settle(res, HOST_NOT_FOUND);
  return dnsGethostbyaddr(res, addr, options).then((got) => settle(res, got));
}

/** The host of this name, as Node's dns.lookup finds it: rejects with ENOTFOUND, EAI_AGAIN, EAI_FAIL, or EINTR if the signal fired. */
export async function lookup(res: ResState, name: string, options?: SysOptions): Promise<Hostent> {
  const got = nssFilesGethostbyname(res, name) ?? await dnsGethostbyname(res, name, options);
  if (options?.signal?.aborted === true) throw errnoException(EINTR, 'getaddrinfo', name);
  if (typeof got === 'number') throw lookupException(got, name, res.nsaddrList.length === 0 ? ": add it to the host's `hosts`, or give it name servers" : '');
  return got;
}

/** What the user gets of a hostent or an h_errno. */
function settle(res: ResState, got: Hostent | number): Hostent | null {
  res.hErrno = typeof got === 'number' ? got : 0;
  return typeof got === 'number' ? null : got;
}

/** A hostent, or an h_errno. */
async function dnsGethostbyname(res: ResState, name: string, options: SysOptions | undefined): Promise<Hostent | number> {
  if (res.nsaddrList.length === 0) return HOST_NOT_FOUND;
  if (nsCanonical(name) === null || name === '') return HOST_NOT_FOUND;
  const msg = await resNsearch(res, name, T_A, options);
  return typeof msg === 'number' ? msg : followAliases(res, msg, options);
}

/** The CNAME of `name` in the answer; null if it has none. */
function cnameOf(msg: DnsMessage, name: string): string | null {
  const record = msg.answer.find(({ name: owner, type }) => type === T_CNAME && nsSameName(owner, name));
  return typeof record?.data === 'string' ? record.data : null;
}

function addressesOf(msg: DnsMessage, name: string): number[] {
  const isAddress = (record: DnsRecord): boolean => record.type === T_A && nsSameName(record.name, name);
  return msg.answer.filter(isAddress).flatMap(({ data }) => (typeof data === 'number' ? [data] : []));
}

/** Goes from alias to alias to the addresses; asks again where a server left off. */
async function followAliases(res: ResState, first: DnsMessage, options: SysOptions | undefined): Promise<Hostent | number> {
  const aliases: string[] = [];
  let msg = first;
  let name = first.question[0]?.qname ?? '';
  let asked = true;
  while (aliases.length <= MAXALIASES) {
    const addresses = addressesOf(msg, name);
    if (addresses.length > 0) return makeHostent(name, aliases, addresses);
    const next = cnameOf(msg, name);
    if (next !== null) {
      aliases.push(name);
      name = next;
      asked = false;
    } else {
      if (asked) return NO_DATA;
      const more = await resNquery(res, name, T_A, options);
      const hErrno = hErrnoOf(more);
      if (typeof more === 'number' || hErrno !== 0) return hErrno;
      msg = more;
      asked = true;
    }
  }
  return NO_RECOVERY;
}

/** A hostent, or an h_errno. */
async function dnsGethostbyaddr(res: ResState, addr: number, options: SysOptions | undefined): Promise<Hostent | number> {
  const msg = await resNquery(res, nsReverseName(addr), T_PTR, options);
  const hErrno = hErrnoOf(msg);
  if (typeof msg === 'number' || hErrno !== 0) return hErrno;
  const names = msg.answer.flatMap(({ type, data }) => (type === T_PTR && typeof data === 'string' ? [data] : []));
  const [hName] = names;
  return hName === undefined ? NO_DATA : makeHostent(hName, names.slice(1), [addr]);
}
