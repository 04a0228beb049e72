/*
 * IP options that a user gives (IP_OPTIONS, IP_RETOPTS).
 */
import { EINVAL } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPH_OPTIONS } from './ip-header.ts';
import { IPOPT_END, IpOptions, MAX_IPOPTLEN, ipOptionsCompile } from './ip-options.ts';

/**
 * Checks options and pads them to 32 bits. Returns them, null for none, or -EINVAL.
 * Deviation: a source route is refused (RFC 1122 §3.2.1.8 wants hosts to be able to send one): no
 * router of today would follow it, and Linux's own refuses them by default.
 */
export function ipOptionsParse(net: Net, data: Uint8Array): Uint8Array | null | number {
  if (data.length > MAX_IPOPTLEN) return -EINVAL;
  if (data.length === 0) return null;
  const optlen = (data.length + 3) & ~3;
  const header = new Uint8Array(IPH_OPTIONS + optlen).fill(IPOPT_END);
  header.set(data, IPH_OPTIONS);
  const opt = new IpOptions();
  const error = ipOptionsCompile(net, new DataView(header.buffer), 0, optlen, 0, opt);
  if (error !== 0 || opt.srr !== 0) return -EINVAL;
  return header.slice(IPH_OPTIONS);
}
