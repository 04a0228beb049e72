// What TCP tells about itself: each field of TCP_INFO is asserted by a script, each counter is counted somewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linuxMibNames, tcpMibNames } from '../packages/tcp/src/tcp-mib.ts';
import { expect, test } from 'vitest';
import { root } from './support/workspace.ts';

function textsOf(directory: string, suffix: string): string[] {
  const names = readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(suffix) && !name.includes('node_modules'));
  return names.map((name) => readFileSync(join(root, directory, name), 'utf8'));
}

const scripts = textsOf('tests/packetdrill', '.pkt').join('\n');

/** The fields of Linux's struct tcp_info that it fills, AccECN's left out: there is none here. */
const fields = [...readFileSync(join(root, 'packages/packetdrill/src/linux/tcp-info.ts'), 'utf8').matchAll(/\['(?:u\d+|bits)', '([^']*)'\]/g)]
  .flatMap(([, names = '']) => names.split(' ')).map((name) => name.replace(/:\d+$/, ''));

test('the table of fields is read', () => {
  expect(fields.length).toBeGreaterThan(60);
});

test.each(fields)('TCP_INFO: tcpi_%s is asserted by a script', (field) => {
  expect(new RegExp(`assert [^\\n]*\\btcpi_${field}\\b`).test(scripts)).toBe(true);
});

/** Counters that nothing here adds to, and why; the helper's name is what Linux's nstat shows. */
const idle: ReadonlyMap<string, string> = new Map([
  ['PFMemallocDrop', 'no memory reserves: an sk_buff is had or not'],
  ['IPReversePathFilter', 'the drop has a reason (SKB_DROP_REASON_IP_RPFILTER), and IP has no business with TCP\'s counters'],
  ['BusyPollRxPackets', 'no busy polling: nothing to poll while an event loop runs'],
  ['TCPMigrateReqSuccess', 'a request stays with its listener: net.ipv4.tcp_migrate_req does nothing'],
  ['TCPMigrateReqFailure', 'as TCPMigrateReqSuccess'],
  ['TCPPLBRehash', 'no protective load balancing'],
  ['TCPBacklogCoalesce', 'segments of the backlog are not merged'],
  ['TCPSpuriousRtxHostQueues', 'a retransmission does not ask whether the first copy still waits in the host'],
  ['TcpDuplicateDataRehash', 'what comes twice does not change the flow\'s hash'],
]);

const source = textsOf('packages/tcp/src', '.ts').filter((text) => !text.includes('export const linuxMibNames')).join('\n');
const constants = [...readFileSync(join(root, 'packages/tcp/src/tcp-mib.ts'), 'utf8').matchAll(/export const (LINUX_MIB_\w+) = (\d+);/g)];

test('the constants are the places of the names', () => {
  expect(constants.map(([, , place]) => Number(place))).toEqual(linuxMibNames.map((_name, i) => i));
  expect(tcpMibNames).toHaveLength(15);
});

test.each(constants.map(([, constant = ''], i) => [linuxMibNames[i] ?? '', constant]))('TcpExt%s is counted, or it is said why not', (name, constant) => {
  // (An import is one mention, a use another.)
  const counted = [...source.matchAll(new RegExp(`\\b${constant}\\b`, 'g'))].length > 1;
  expect(counted, idle.get(name) ?? 'nothing counts it').toBe(!idle.has(name));
});
