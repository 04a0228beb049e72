/*
 * TCP (RFC 9293). Sequence numbers are relative to the first that the capture has of a conversation, one entry for both
 * directions, unless -S.
 */
import { Conversation, has, say, sayTruncated, u16, u32, u8, type Dissection } from './dissect.ts';
import { checksum4, checksum6, checksumShouldBe } from './checksum.ts';
import { portsText, type NetworkHeader } from './network.ts';
import { tcpDataPrint } from './tcp-data.ts';
import { tcpOptionsPrint } from './tcp-options.ts';
import { bitNames, hex, safeText } from './text.ts';

const HEADER = 20;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const URG = 32;

const flagNames: readonly (readonly [number, string])[] = [
  [FIN, 'F'], [SYN, 'S'], [RST, 'R'], [8, 'P'], [ACK, '.'], [URG, 'U'], [64, 'E'], [128, 'W'],
];

/** A segment's numbers as they are to be printed. */
export interface Numbers {
  readonly seq: number;
  readonly ack: number;
  /** What SACK blocks are printed relative to. */
  readonly sackBase: number;
}

function relative(nd: Dissection, offset: number, network: NetworkHeader, flags: number): Numbers {
  const seq = u32(nd, offset + 4);
  const ack = u32(nd, offset + 8);
  if (nd.options.absolute || (flags & ACK) === 0) return { seq, ack, sackBase: 0 };
  const ports: [number, number] = [u16(nd, offset), u16(nd, offset + 2)];
  const one = `${network.source}.${ports[0]}`;
  const other = `${network.destination}.${ports[1]}`;
  const reverse = isReverse(nd, network, ports);
  const key = reverse ? `${other}>${one}` : `${one}>${other}`;
  const known = nd.conversations.get(key);
  if (known === undefined || (flags & SYN) !== 0) {
    const began = reverse ? new Conversation(ack - 1, seq) : new Conversation(seq, ack - 1);
    nd.conversations.set(key, began);
    return { seq, ack, sackBase: reverse ? began.seq : began.ack };
  }
  const [base, otherBase] = reverse ? [known.ack, known.seq] : [known.seq, known.ack];
  return { seq: (seq - base) >>> 0, ack: (ack - otherBase) >>> 0, sackBase: otherBase };
}

/** A conversation is filed under the end with the smaller port (of equal ones: with the smaller address): whether that is the destination. */
function isReverse(nd: Dissection, network: NetworkHeader, [source, destination]: readonly [number, number]): boolean {
  if (source !== destination) return source > destination;
  const [from, size] = network.version === 4 ? [network.offset + 12, 4] : [network.offset + 8, 16];
  for (let i = 0; i < size; i++) {
    const difference = u8(nd, from + i) - u8(nd, from + size + i);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function checksumPrint(nd: Dissection, offset: number, length: number, network: NetworkHeader): void {
  if (!has(nd, offset, length)) return;
  const sum = network.version === 4
    ? checksum4(nd, network.offset, network.checksumDestination, 6, offset, length)
    : checksum6(nd, network.offset, 6, offset, length);
  const found = u16(nd, offset + 16);
  say(nd, `, cksum 0x${hex(found, 4)} `);
  say(nd, sum === 0 ? '(correct)' : `(incorrect -> 0x${hex(checksumShouldBe(found, sum), 4)})`);
}

/** What a host says about why it resets (RFC 9293 §3.5.3). */
function resetPrint(nd: Dissection, offset: number, length: number): void {
  const shown = Math.min(length, 64);
  say(nd, ` [RST${length > shown ? '+' : ''} `);
  say(nd, safeText(nd, offset, shown));
  say(nd, ']');
}

function segmentPrint(nd: Dissection, offset: number, length: number, headerLength: number, network: NetworkHeader): void {
  const flags = u8(nd, offset + 13);
  const numbers = relative(nd, offset, network, flags);
  say(nd, `Flags [${bitNames(flagNames, flags, '', 'none')}]`);
  if (headerLength > length) {
    say(nd, ` [bad hdr length ${headerLength} - too long, > ${length}]`);
    return;
  }
  if (nd.options.verbose > 0 && !nd.fragmented) checksumPrint(nd, offset, length, network);
  const data = length - headerLength;
  if (nd.options.verbose > 1 || data > 0 || (flags & (SYN | FIN | RST)) !== 0) {
    say(nd, `, seq ${numbers.seq}${data > 0 ? `:${(numbers.seq + data) >>> 0}` : ''}`);
  }
  if ((flags & ACK) !== 0) say(nd, `, ack ${numbers.ack}`);
  say(nd, `, win ${u16(nd, offset + 14)}`);
  if ((flags & URG) !== 0) say(nd, `, urg ${u16(nd, offset + 18)}`);
  if (headerLength > HEADER && !tcpOptionsPrint(nd, offset + HEADER, headerLength - HEADER, flags, numbers.sackBase)) return;
  say(nd, `, length ${data}`);
  if (data === 0) return;
  if ((flags & RST) !== 0 && nd.options.verbose > 0) resetPrint(nd, offset + headerLength, data);
  else tcpDataPrint(nd, offset + headerLength, data, [u16(nd, offset), u16(nd, offset + 2)]);
}

export function tcpPrint(nd: Dissection, offset: number, length: number, network: NetworkHeader): void {
  nd.protocol = 'tcp';
  if (!has(nd, offset, 4)) {
    say(nd, `${network.source} > ${network.destination}:`);
    sayTruncated(nd);
    return;
  }
  say(nd, portsText(network, 6, [u16(nd, offset), u16(nd, offset + 2)]));
  if (!has(nd, offset, HEADER)) {
    sayTruncated(nd);
    return;
  }
  const headerLength = (u8(nd, offset + 12) >> 4) * 4;
  if (headerLength < HEADER) {
    say(nd, ` tcp ${(length - headerLength) >>> 0} [bad hdr length ${headerLength} - too short, < ${HEADER}]`);
    return;
  }
  if (nd.options.quiet) {
    say(nd, `tcp ${(length - headerLength) >>> 0}`);
    if (headerLength > length) say(nd, ` [bad hdr length ${headerLength} - too long, > ${length}]`);
    return;
  }
  segmentPrint(nd, offset, length, headerLength, network);
}
