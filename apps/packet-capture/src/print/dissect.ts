/*
 * What a printer works on: one captured packet, the options of the user, and the line as far as it is written. Every
 * printer is a function (nd, offset, length): the header at `offset`, `length` octets of it said to be there, of which the
 * capture may hold fewer. Reading past what it holds throws Truncated, once, to the one who prints the line, who ends it
 * with `[|protocol]`. The words are those of `tcpdump -n` 4.99.3.
 */

/** The user's wishes; each is one of tcpdump's letters. */
export interface PrintOptions {
  /** -e: the link header too. */
  readonly link: boolean;
  /** -q: less of the protocols. */
  readonly quiet: boolean;
  /** -v, -vv, -vvv: 1 to 3. */
  readonly verbose: number;
  /** -S: sequence numbers as they are on the wire. */
  readonly absolute: boolean;
  /** -x: 1; -xx: 2. */
  readonly hex: number;
  /** -X: 1; -XX: 2. */
  readonly hexAscii: number;
  /** -A: 1; -AA: 2. */
  readonly ascii: number;
}

export const PLAIN: PrintOptions = { link: false, quiet: false, verbose: 0, absolute: false, hex: 0, hexAscii: 0, ascii: 0 };

/** The packet ended before its header did. */
export class Truncated extends Error {}

/** The first sequence numbers of a conversation, by which later ones are printed relative. */
export class Conversation {
  seq: number;
  ack: number;

  constructor(seq: number, ack: number) {
    this.seq = seq;
    this.ack = ack;
  }
}

export class Dissection {
  readonly options: PrintOptions;
  /** Lives as long as the capture does: relative numbers need the packets before. */
  readonly conversations: Map<string, Conversation>;
  buf: Uint8Array;
  view: DataView;
  /** Where the captured octets end, or those that the innermost length field admits. */
  end: number;
  /** Said in `[|protocol]`. */
  protocol: string;
  text: string;
  /** The packet is a first fragment: lengths inside it cannot fit, checksums cannot be checked. */
  fragmented: boolean;
  /** Octets of link header that -x leaves out. */
  linkLength: number;

  constructor(options: PrintOptions) {
    this.options = options;
    this.conversations = new Map();
    this.buf = new Uint8Array(0);
    this.view = new DataView(this.buf.buffer);
    this.end = 0;
    this.protocol = '';
    this.text = '';
    this.fragmented = false;
    this.linkLength = 0;
  }
}

/** Begins a packet: `caplen` octets from `offset` of `buf`. */
export function dissect(nd: Dissection, buf: Uint8Array, offset: number, caplen: number): void {
  if (nd.buf !== buf) {
    nd.buf = buf;
    nd.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  }
  nd.end = offset + caplen;
  nd.protocol = '';
  nd.text = '';
  nd.fragmented = false;
  nd.linkLength = 0;
}

export function say(nd: Dissection, text: string): void {
  nd.text += text;
}

/** Ends what a printer says where the packet ends. */
export function sayTruncated(nd: Dissection): void {
  nd.text += ` [|${nd.protocol}]`;
}

/** Whether `length` octets at `offset` were captured. */
export function has(nd: Dissection, offset: number, length: number): boolean {
  return offset + length <= nd.end;
}

/** Octets captured from `offset` on. */
export function available(nd: Dissection, offset: number): number {
  return Math.max(0, nd.end - offset);
}

/** Throws Truncated unless `length` octets at `offset` were captured. */
export function need(nd: Dissection, offset: number, length: number): void {
  if (offset + length > nd.end) throw new Truncated();
}

export function u8(nd: Dissection, offset: number): number {
  need(nd, offset, 1);
  return nd.view.getUint8(offset);
}

export function u16(nd: Dissection, offset: number): number {
  need(nd, offset, 2);
  return nd.view.getUint16(offset);
}

export function u32(nd: Dissection, offset: number): number {
  need(nd, offset, 4);
  return nd.view.getUint32(offset);
}

/** Runs `print` with the captured octets cut at `end`, where an inner length field says that they end. */
export function within(nd: Dissection, end: number, print: () => void): void {
  const outer = nd.end;
  nd.end = Math.min(outer, end);
  print();
  nd.end = outer;
}
