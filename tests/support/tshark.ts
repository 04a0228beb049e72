// Reading captures with tshark, an implementation that is not ours: every checksum validated, every complaint heard.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Its checks that are off by default. */
const CHECKS = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap((name) => ['-o', `${name}:TRUE`]);

/** What the applications send is nobody's protocol, whatever it looks like. */
const PAYLOAD_IS_DATA = ['tcp', 'udp'].flatMap((name) => ['-d', `${name}.port==1-65535,data`]);

/** Bad (0) as against good (1), unverified (2), not present (3). */
const BAD = 'ip.checksum.status == 0 || icmp.checksum.status == 0';
const BAD_TRANSPORT = 'tcp.checksum.status == 0 || udp.checksum.status == 0';
const EXPERT_ERROR = '_ws.expert.severity == 0x00800000';

async function fields(file: string, filter: string, names: readonly string[]): Promise<string[]> {
  const args = ['-n', '-r', file, ...CHECKS, ...PAYLOAD_IS_DATA, '-Y', filter, '-T', 'fields', ...names.flatMap((name) => ['-e', name])];
  const { stdout } = await run('tshark', args, { encoding: 'utf8', maxBuffer: 256 << 20 });
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Each frame that is malformed, has a bad checksum or an expert error, a line each. With `offloads` the packets quoted in ICMP errors
 * are excused: a checksum that was left to the other side to finish is quoted unfinished, by Linux as by us.
 */
function faults(file: string, offloads = false): Promise<string[]> {
  const transport = offloads ? `(!icmp && (${BAD_TRANSPORT} || ${EXPERT_ERROR}))` : `${BAD_TRANSPORT} || ${EXPERT_ERROR}`;
  return fields(file, `_ws.malformed || ${BAD} || ${transport}`, ['frame.number', '_ws.col.Info', '_ws.expert.message']);
}

/** How many frames pass a display filter. */
async function count(file: string, filter: string): Promise<number> {
  return (await fields(file, filter, ['frame.number'])).length;
}

export const tshark = { faults, fields, count };
