// 802.11, bare or behind a radiotap header: headers whose length each frame says.
//
// Where the 802.11 header begins, and where the payload, is computed once, at the front of the program (wlanPrologue), into the
// scratch cells that the loads of gen-state.ts then add. Only data frames have a payload; which address is whose depends on the
// way between stations and access points. Read first: IEEE 802.11 §9.2.4 (frame control, addresses), radiotap.org.

import {
  BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LSH, BPF_MEM, BPF_MISC, BPF_OR, BPF_ST,
  BPF_TAX, BPF_TXA, BPF_W, BPF_X,
} from './bpf.ts';
import { and, not, or, type Condition, type Statement } from './condition.ts';
import { anyBit, equals, octetsAt, snap, stmt, OR_LINKHDR, OR_LLC, type Gen } from './gen-state.ts';
import { LINKTYPE_IEEE802_11_RADIOTAP } from './link-types.ts';
import { ETHERTYPE_ATALK, LLCSAP_IP, LLCSAP_IPX, LLCSAP_ISONS, LLCSAP_NETBEUI } from './names.ts';

const ETHERMTU = 1500;

/** Frame control: type control, type data, QoS; the second octet: to and from the distribution system. */
const FC_CTL = 0x04;
const FC_DATA = 0x08;
const FC_QOS = 0x80;
const FC_TO_DS = 0x01;
const FC_FROM_DS = 0x02;

const WLAN_HLEN = 24;
const QOS_LEN = 2;

/** Radiotap, its presence word read from the front, so with its octets exchanged: a time stamp, flags, another word; in the flags: padding. */
const RADIOTAP_TSFT = 0x01000000;
const RADIOTAP_FLAGS = 0x02000000;
const RADIOTAP_EXT = 0x00000080;
const RADIOTAP_F_DATAPAD = 0x20;

/** A data frame, the only one that has a payload. */
export function dataFrame(gen: Gen): Condition {
  return and(not(anyBit(gen, OR_LINKHDR, 0, BPF_B, FC_CTL)), anyBit(gen, OR_LINKHDR, 0, BPF_B, FC_DATA));
}

/** Whether a data frame's 802.2 header says this type. */
export function wlanType(gen: Gen, type: number): Condition {
  return and(dataFrame(gen), llcType(gen, type));
}

function llcType(gen: Gen, type: number): Condition {
  switch (type) {
    case LLCSAP_IP:
    case LLCSAP_ISONS:
    case LLCSAP_NETBEUI: return equals(gen, OR_LLC, 0, BPF_H, (type << 8) | type);
    case LLCSAP_IPX: return equals(gen, OR_LLC, 0, BPF_B, type);
    case ETHERTYPE_ATALK: return snap(gen, 0x080007, type);
    default: return type <= ETHERMTU ? equals(gen, OR_LLC, 0, BPF_B, type) : equals(gen, OR_LLC, 6, BPF_H, type);
  }
}

/** Whether the frame is from the station `octets`: in its second address, or, come from afar, in the third or fourth. */
export function wlanSource(gen: Gen, octets: readonly number[]): Condition {
  const bit = (flag: number): Condition => anyBit(gen, OR_LINKHDR, 1, BPF_B, flag);
  const at = (offset: number): Condition => octetsAt(gen, OR_LINKHDR, offset, octets);
  const relayed = and(bit(FC_FROM_DS), or(and(not(bit(FC_TO_DS)), at(16)), and(bit(FC_TO_DS), at(24))));
  return ofStation(gen, () => at(10), or(and(not(bit(FC_FROM_DS)), at(10)), relayed));
}

/** Whether what `is` says is true of the place of the destination: the first address, or, for afar, the third. */
export function wlanDestination(gen: Gen, is: (offset: number) => Condition): Condition {
  const toDs = (): Condition => anyBit(gen, OR_LINKHDR, 1, BPF_B, FC_TO_DS);
  return ofStation(gen, () => is(4), or(and(not(toDs()), is(4)), and(toDs(), is(16))));
}

/** Control frames have no such address, management frames it in one place, data frames where their way says. */
function ofStation(gen: Gen, management: () => Condition, data: Condition): Condition {
  const isData = (): Condition => anyBit(gen, OR_LINKHDR, 0, BPF_B, FC_DATA);
  return and(not(anyBit(gen, OR_LINKHDR, 0, BPF_B, FC_CTL)), or(and(not(isData()), management()), and(isData(), data)));
}

/** What computes the cells that the filter has used: the length of the radiotap header, and the place of the payload. */
export function wlanPrologue(linkType: number, headerCell: number, payloadCell: number): Statement[] {
  const radiotap = linkType === LINKTYPE_IEEE802_11_RADIOTAP;
  const front: Statement[] = [];
  if (radiotap && headerCell >= 0) {
    front.push(
      stmt(BPF_LD | BPF_B | BPF_ABS, 3), stmt(BPF_ALU | BPF_LSH | BPF_K, 8), stmt(BPF_MISC | BPF_TAX), stmt(BPF_LD | BPF_B | BPF_ABS, 2),
      stmt(BPF_ALU | BPF_OR | BPF_X), stmt(BPF_ST, headerCell), stmt(BPF_MISC | BPF_TAX),
    );
  } else if (payloadCell >= 0) {
    front.push(stmt(BPF_LDX | BPF_IMM, 0));
  }
  return payloadCell < 0 ? front : [...front, ...payloadOffset(payloadCell, radiotap)];
}

/** X is where the 802.11 header begins: 24 octets behind it is the payload, 2 more in a QoS frame, rounded up where radiotap says so. */
function payloadOffset(cell: number, radiotap: boolean): Statement[] {
  const pad = radiotap ? padding(cell) : [];
  const rest = pad.length;
  return [
    stmt(BPF_MISC | BPF_TXA), stmt(BPF_ALU | BPF_ADD | BPF_K, WLAN_HLEN), stmt(BPF_ST, cell), stmt(BPF_LD | BPF_B | BPF_IND, 0),
    skip(FC_DATA, 0, 5 + rest), skip(FC_CTL, 4 + rest, 0), skip(FC_QOS, 0, 3),
    stmt(BPF_LD | BPF_MEM, cell), stmt(BPF_ALU | BPF_ADD | BPF_K, QOS_LEN), stmt(BPF_ST, cell), ...pad,
  ];
}

function padding(cell: number): Statement[] {
  return [
    stmt(BPF_LD | BPF_W | BPF_ABS, 4), skip(RADIOTAP_FLAGS, 0, 10), skip(RADIOTAP_EXT, 9, 0), skip(RADIOTAP_TSFT, 0, 2),
    stmt(BPF_LD | BPF_B | BPF_ABS, 16), skip(RADIOTAP_F_DATAPAD, 2, 6), stmt(BPF_LD | BPF_B | BPF_ABS, 8), skip(RADIOTAP_F_DATAPAD, 0, 4),
    stmt(BPF_LD | BPF_MEM, cell), stmt(BPF_ALU | BPF_ADD | BPF_K, 3), stmt(BPF_ALU | BPF_AND | BPF_K, ~3), stmt(BPF_ST, cell),
  ];
}

/** Passes over `jt` statements if any of `bits` is set, else over `jf`. */
function skip(bits: number, jt: number, jf: number): Statement {
  return { code: BPF_JMP | BPF_JSET | BPF_K, k: bits, jt, jf };
}
