// What tcpdump prints of capture files, packet by packet, and which protocol each packet is of, by a reading of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CaptureRecord } from '@stack/pcap';

/** One process for all files: starting one from here is slow. A file that takes long is a failure of tcpdump's own. */
const PRINT = 'options=$1; out=$2; while read -r number file; do timeout 60 tcpdump -n --number $options -r "$file" > "$out/$number" 2>/dev/null; done < "$out/files"';

/** The text of each packet of each file, as `tcpdump -n` with `options` prints it; octets that are no UTF-8 as Latin-1. Times are UTC. */
export function tcpdumpTexts(files: readonly string[], options: string): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'tcpdump-lines-'));
  try {
    writeFileSync(join(folder, 'files'), files.map((file, i) => `${i} ${file}\n`).join(''));
    spawnSync('sh', ['-c', PRINT, 'sh', options, folder], { env: { ...process.env, TZ: 'UTC' }, stdio: 'ignore' });
    return files.map((_, i) => splitPackets(readFileSync(join(folder, String(i)), 'latin1')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A packet begins where the next number stands. */
function splitPackets(output: string): string[] {
  const packets: string[] = [];
  for (const line of output.split('\n')) {
    const found = /^ *(\d+) {2}(.*)$/s.exec(line);
    if (found !== null && Number(found[1]) === packets.length + 1) packets.push(found[2] ?? '');
    else if (packets.length > 0) packets.push(`${packets.pop() ?? ''}\n${line}`);
  }
  if (packets.length > 0) packets.push((packets.pop() ?? '').replace(/\n$/, ''));
  return packets;
}

/** A packet's protocol, and the ports of TCP and UDP. */
export interface Kind {
  readonly protocol: 'arp' | 'icmp' | 'igmp' | 'tcp' | 'udp' | 'other';
  readonly ports: readonly number[];
}

const OTHER: Kind = { protocol: 'other', ports: [] };
const TAGS = new Set([0x8100, 0x88a8, 0x9100, 0x9200]);

/** Where the network header of a record lies, and its ethertype. */
function network({ linkType, data, offset, caplen }: CaptureRecord): { type: number; at: number } {
  const view = new DataView(data.buffer, data.byteOffset + offset, caplen);
  const u16 = (at: number): number => (at + 2 <= caplen ? view.getUint16(at) : 0);
  if (linkType === 1) {
    let at = 12;
    while (TAGS.has(u16(at))) at += 4;
    return { type: u16(at), at: at + 2 };
  }
  if (linkType === 113) return { type: u16(14), at: 16 };
  if (linkType === 0) return { type: caplen > 4 && view.getUint8(4) >> 4 === 4 ? 0x0800 : 0, at: 4 };
  if (linkType === 101 || linkType === 228) return { type: caplen > 0 && view.getUint8(0) >> 4 === 4 ? 0x0800 : 0, at: 0 };
  return { type: 0, at: 0 };
}

export function kindOf(record: CaptureRecord): Kind {
  const { type, at } = network(record);
  if (type === 0x0806 || type === 0x8035) return { protocol: 'arp', ports: [] };
  if (type !== 0x0800 || at + 20 > record.caplen) return OTHER;
  const view = new DataView(record.data.buffer, record.data.byteOffset + record.offset, record.caplen);
  const protocol = ({ 1: 'icmp', 2: 'igmp', 6: 'tcp', 17: 'udp' } as const)[view.getUint8(at + 9)];
  const transport = at + (view.getUint8(at) & 15) * 4;
  const ports = transport + 4 <= record.caplen ? [view.getUint16(transport), view.getUint16(transport + 2)] : [];
  return protocol === undefined ? OTHER : { protocol, ports };
}
