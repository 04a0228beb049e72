/*
 * Questions and their answers (res_query.c): resNquery() asks one, from what is remembered if it can; resNsearch() walks a
 * short name through the search list (resolv.conf(5): search, ndots).
 */
import { worldNow } from '@stack/kernel';
import type { SysOptions } from '@stack/socket';
import { DnsQuestion, NOERROR, nsRcode, NXDOMAIN, type DnsMessage } from './nameser.ts';
import { nsCanonical, nsNameLabels } from './ns-name.ts';
import { HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, TRY_AGAIN } from './netdb.ts';
import { cacheGet, cachePut } from './res-cache.ts';
import { isServerFailure, resNsend } from './res-send.ts';
import type { ResState } from './res-state.ts';

/**
 * The answer to one question about a whole name, from the cache or from a server: a message with rcode NOERROR or NXDOMAIN, or
 * an h_errno: TRY_AGAIN (nobody answered, or no server would), NO_RECOVERY (another error, or no name).
 */
export async function resNquery(res: ResState, name: string, type: number, options?: SysOptions): Promise<DnsMessage | number> {
  const qname = nsCanonical(name);
  if (qname === null) return NO_RECOVERY;
  const { world } = res.task.net;
  const known = cacheGet(res.cache, qname, type, worldNow(world));
  if (known !== null) return known;
  const { cache } = res;
  const msg = await resNsend(res, new DnsQuestion(qname, type), options);
  if (typeof msg === 'number') return TRY_AGAIN;
  const rcode = nsRcode(msg);
  if (rcode !== NOERROR && rcode !== NXDOMAIN) return isServerFailure(msg) ? TRY_AGAIN : NO_RECOVERY;
  cachePut(cache, qname, type, msg, worldNow(world));
  return msg;
}

/** What a message says if it has no records: the h_errno; 0 if it has some. */
export function hErrnoOf(msg: DnsMessage | number): number {
  if (typeof msg === 'number') return msg;
  if (nsRcode(msg) === NXDOMAIN) return HOST_NOT_FOUND;
  return msg.answer.length === 0 ? NO_DATA : 0;
}

/** The whole names that a name may stand for, in the order in which they are tried. */
export function searchNames(res: ResState, name: string): string[] {
  if (name.endsWith('.') || res.dnsrch.length === 0) return [name];
  const dots = (nsNameLabels(name)?.length ?? 1) - 1;
  const inDomains = res.dnsrch.map((domain) => `${name}.${domain}`).filter((whole) => nsNameLabels(whole) !== null);
  return dots >= res.ndots ? [name, ...inDomains] : [...inDomains, name];
}

/** Asks for a name as a user writes it. Resolves with the first message that has records, or an h_errno. */
export async function resNsearch(res: ResState, name: string, type: number, options?: SysOptions): Promise<DnsMessage | number> {
  let worst = HOST_NOT_FOUND;
  for (const whole of searchNames(res, name)) {
    const msg = await resNquery(res, whole, type, options);
    const hErrno = hErrnoOf(msg);
    if (hErrno === 0 || hErrno === NO_RECOVERY) return msg;
    // A name that is there, but not with this type, says more than one that is not; a server that failed, than both.
    if (hErrno === TRY_AGAIN || (hErrno === NO_DATA && worst === HOST_NOT_FOUND)) worst = hErrno;
    if (hErrno === TRY_AGAIN && options?.signal?.aborted === true) break;
  }
  return worst;
}
