// The server
export { createDnsServer, DnsStats, type DnsServer, type DnsServerOptions } from './server.ts';

// What it serves
export type { ZoneFile, ZoneNode } from './zone.ts';
export type { NamedHost } from './zone-hosts.ts';
