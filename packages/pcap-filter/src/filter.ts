// A filter: words in, a predicate on packets out.
//
// compileFilter() parses (parser.ts), generates (gen.ts) and links (condition.ts); the predicate runs the program (bpf.ts). Packets
// are judged exactly as libpcap judges them: a load past a packet's stored bytes is false for the filter as a whole, under `not`, too.

import { bpfFilter, BPF_MEMWORDS } from './bpf.ts';
import { link } from './condition.ts';
import { generate } from './gen.ts';
import { Gen } from './gen-state.ts';
import { wlanPrologue } from './gen-wlan.ts';
import { LINKTYPE_ETHERNET } from './link-types.ts';
import { parse } from './parser.ts';
import type { FilterNames } from './resolve.ts';

/** As tcpdump keeps it: all of a packet. */
const SNAPLEN = 262_144;

/** What a filter is for. */
export interface FilterOptions extends FilterNames {
  /** LINKTYPE_* of the packets; default Ethernet. Of one that is not known only lengths and octets can be tested. */
  readonly linkType?: number;
  /** Bytes to keep of a packet that is wanted: what the program returns; default 262144. */
  readonly snaplen?: number;
  /** The network's mask, for `ip broadcast`; default 0, as for a file: not known. */
  readonly netmask?: number;
  /** The file was written by a machine of big-endian order: LINKTYPE_NULL's header is in its order. */
  readonly bigEndian?: boolean;
}

/**
 * Whether a packet is wanted: its `caplen` stored bytes begin at `off` in `buf`, and it had `wirelen` on the wire. Allocates nothing,
 * never throws.
 */
export type FilterPredicate = (buf: Uint8Array, off: number, caplen: number, wirelen: number) => boolean;

/** A compiled filter. */
export interface Filter {
  readonly text: string;
  readonly linkType: number;
  /** Classic BPF, four words an instruction (bpf.ts); bpfImage() shows it. */
  readonly program: Int32Array;
  readonly match: FilterPredicate;
}

/**
 * Compiles an expression of pcap-filter(7); an empty one wants every packet. Throws a FilterError, which points at the wrong word,
 * and says what was expected.
 */
export function compileFilter(text: string, options: FilterOptions = {}): Filter {
  const linkType = options.linkType ?? LINKTYPE_ETHERNET;
  const tree = parse(text);
  const gen = new Gen(text, linkType, options.netmask ?? 0, options.bigEndian ?? false, options);
  const { varLinkhdr, varLinkpl } = gen;
  const condition = tree === null ? null : generate(gen, tree);
  const prologue = wlanPrologue(linkType, varLinkhdr === null ? -1 : varLinkhdr.register, varLinkpl === null ? -1 : varLinkpl.register);
  const program = link(condition, options.snaplen ?? SNAPLEN, prologue);
  const mem = new Int32Array(BPF_MEMWORDS);
  const match: FilterPredicate = (buf, off, caplen, wirelen) => bpfFilter(program, mem, buf, off, caplen, wirelen) !== 0;
  return { text, linkType, program, match };
}
