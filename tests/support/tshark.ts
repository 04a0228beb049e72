// tshark's opinion of a capture, with every checksum checked.
import { execFileSync } from 'node:child_process';
import { hasCommand } from '../../scripts/needs.mjs';

/** Why tshark cannot be asked; empty if it can. */
export const missingTshark = hasCommand('tshark') ? '' : 'tshark is not installed (apt-get install tshark)';

const CHECKS = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap((preference) => ['-o', `${preference}:TRUE`]);
/** What the applications send is nobody's protocol, whatever it looks like. */
const PAYLOAD_IS_DATA = ['tcp', 'udp'].flatMap((protocol) => ['-d', `${protocol}.port==1-65535,data`]);
const EXPERT_ERROR = 0x800000;

/** What is wrong with a frame: malformed, a checksum that does not fit (0 is bad), an expert's error. */
const WRONG = ['_ws.malformed', 'ip.checksum.status == 0', 'icmp.checksum.status == 0'].join(' || ');
/** Linux's skb_checksum_help writes 0xffff for 0, whatever the protocol: the same number to who adds it up. */
const TCP_CHECKSUM_WRONG = 'tcp.checksum.status == 0 && !(tcp.checksum == 0xffff && tcp.checksum_calculated == 0)';
const WRONG_WITHIN = [`(${TCP_CHECKSUM_WRONG})`, 'udp.checksum.status == 0', `_ws.expert.severity == ${EXPERT_ERROR}`].join(' || ');

function tshark(file: string, ...args: string[]): string {
  return execFileSync('tshark', ['-n', '-r', file, ...CHECKS, ...PAYLOAD_IS_DATA, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
}

/** The lines of `tshark -T fields`, one array of values a frame. */
export function frames(file: string, filter: string, ...fields: string[]): string[][] {
  const out = tshark(file, '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]));
  return out.split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
}

/**
 * The summary lines of the frames that something is wrong with: an empty array is what a capture should yield. With `quotesExcused`
 * the packets inside ICMP errors may be: a checksum that was left to the other side to finish is quoted unfinished, by Linux too. With `sender` only the frames of that address count.
 */
export function wrongFrames(file: string, quotesExcused = false, sender = ''): string[] {
  const within = quotesExcused ? `(!icmp && (${WRONG_WITHIN}))` : WRONG_WITHIN;
  const wrong = `${WRONG} || ${within}`;
  return tshark(file, '-Y', sender === '' ? wrong : `eth.src == ${sender} && (${wrong})`).split('\n').filter((line) => line !== '');
}

/** How many frames pass a display filter. */
export function countFrames(file: string, filter: string): number {
  return frames(file, filter, 'frame.number').length;
}
