// tshark's opinion of a capture, with every checksum checked.
import { execFileSync } from 'node:child_process';
import { hasCommand } from '../../scripts/needs.mjs';

/** Why tshark cannot be asked; empty if it can. */
export const missingTshark = hasCommand('tshark') ? '' : 'tshark is not installed (apt-get install tshark)';

const CHECKS = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap((preference) => ['-o', `${preference}:TRUE`]);
const EXPERT_ERROR = 0x800000;

/** What is wrong with a frame: malformed, a checksum that does not fit, an expert's error. */
const WRONG = [
  '_ws.malformed', 'ip.checksum.status == 0', 'tcp.checksum.status == 0', 'udp.checksum.status == 0', 'icmp.checksum.status == 0',
  `_ws.expert.severity == ${EXPERT_ERROR}`,
].join(' || ');

function tshark(file: string, ...args: string[]): string {
  return execFileSync('tshark', ['-r', file, ...CHECKS, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
}

/** The lines of `tshark -T fields`, one array of values a frame. */
export function frames(file: string, filter: string, ...fields: string[]): string[][] {
  const out = tshark(file, '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]));
  return out.split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
}

/** The summary lines of the frames that something is wrong with: an empty array is what a capture should yield. */
export function wrongFrames(file: string): string[] {
  return tshark(file, '-Y', WRONG).split('\n').filter((line) => line !== '');
}
