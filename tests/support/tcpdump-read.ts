// What tcpdump reads of capture files: it writes them again, as classic pcap, which is easy to take apart.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A packet as tcpdump has it. */
export interface TcpdumpPacket {
  /** Seconds and microseconds as the file has them: some have more than a million of these. */
  readonly seconds: number;
  readonly microseconds: number;
  readonly wirelen: number;
  readonly data: Buffer;
}

/** What it could read of a file, and what it says where it could not. */
export interface TcpdumpRead {
  readonly file: string;
  readonly packets: readonly TcpdumpPacket[];
  readonly error: string;
}

/** Reads each of its arguments but the first two. One process for all: starting one from here is slow. */
const READ = 'out=$1; filter=$2; shift 2; n=0; for file in "$@"; do tcpdump -r "$file" -w "$out/$n" -- "$filter" 2>"$out/$n.err" || echo failed >>"$out/$n.err"; n=$((n+1)); done';

/** The packets of each file that `filter` selects. */
export function tcpdumpReads(files: readonly string[], filter: string): TcpdumpRead[] {
  const out = mkdtempSync(join(tmpdir(), 'tcpdump-'));
  try {
    spawnSync('sh', ['-c', READ, 'sh', out, filter, ...files]);
    return files.map((file, n) => {
      const lines = readFileSync(join(out, `${n}.err`), 'utf8').trim().split('\n');
      const error = lines.at(-1) === 'failed' ? lines.at(-2) ?? '' : '';
      return { file, packets: packetsOf(written(join(out, String(n)))), error: error.replace(/^tcpdump: (pcap_loop: )?/, '') };
    });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** What is in the file; nothing if tcpdump did not come as far as to make it. */
function written(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}

function packetsOf(bytes: Buffer): TcpdumpPacket[] {
  const packets: TcpdumpPacket[] = [];
  for (let at = 24; at < bytes.length;) {
    const caplen = bytes.readUInt32LE(at + 8);
    const data = bytes.subarray(at + 16, at + 16 + caplen);
    packets.push({ seconds: bytes.readUInt32LE(at), microseconds: bytes.readUInt32LE(at + 4), wirelen: bytes.readUInt32LE(at + 12), data });
    at += 16 + caplen;
  }
  return packets;
}

/** Microseconds since 1970. */
export function microsecondsOf(packet: TcpdumpPacket): bigint {
  return BigInt(packet.seconds) * 1_000_000n + BigInt(packet.microseconds);
}
