// What tcpdump reads of a capture file: it writes it again, as classic pcap, which is easy to take apart.
import { spawnSync } from 'node:child_process';

/** A packet as tcpdump has it. */
export interface TcpdumpPacket {
  /** Seconds and microseconds as the file has them: some have more than a million of these. */
  readonly seconds: number;
  readonly microseconds: number;
  readonly wirelen: number;
  readonly data: Buffer;
}

/** The packets of `file` that `filter` selects, as far as tcpdump can read, and what it says where it cannot. */
export function tcpdumpPackets(file: string, filter: string): { packets: TcpdumpPacket[]; error: string } {
  const done = spawnSync('tcpdump', ['-r', file, '-w', '-', '--', filter], { maxBuffer: 1 << 28 });
  const out = done.stdout;
  const packets: TcpdumpPacket[] = [];
  for (let at = 24; at < out.length;) {
    const caplen = out.readUInt32LE(at + 8);
    const data = out.subarray(at + 16, at + 16 + caplen);
    packets.push({ seconds: out.readUInt32LE(at), microseconds: out.readUInt32LE(at + 4), wirelen: out.readUInt32LE(at + 12), data });
    at += 16 + caplen;
  }
  const error = done.status === 0 ? '' : done.stderr.toString().trim().split('\n').at(-1) ?? '';
  return { packets, error: error.replace(/^tcpdump: (pcap_loop: )?/, '') };
}

/** Microseconds since 1970. */
export function microsecondsOf(packet: TcpdumpPacket): bigint {
  return BigInt(packet.seconds) * 1_000_000n + BigInt(packet.microseconds);
}
