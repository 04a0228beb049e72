/*
 * gethostbyname(3) and gethostbyaddr(3) of a host: those of @stack/resolver with the resolver that createHost() gave it.
 */
import { gethostbyaddr as resGethostbyaddr, gethostbyname as resGethostbyname, type Hostent } from '@stack/resolver';
import type { Host } from './host.ts';

/**
 * Looks a name up: a dotted quad, a name of the host's `hosts`, one that a server of its `dns` knows. The answer is there at once
 * if no server must be asked. Null: none; host.resolver.hErrno says why.
 */
export function gethostbyname(host: Host, name: string): Hostent | null | Promise<Hostent | null> {
  return resGethostbyname(host.resolver, name);
}

/** The name of an address (int32), likewise. */
export function gethostbyaddr(host: Host, addr: number): Hostent | null | Promise<Hostent | null> {
  return resGethostbyaddr(host.resolver, addr);
}
