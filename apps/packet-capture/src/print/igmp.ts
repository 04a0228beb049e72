/*
 * IGMP (RFC 1112, RFC 2236, RFC 3376), and the names of what else uses its number (DVMRP, PIM version 1).
 */
import { has, need, say, u16, u32, u8, type Dissection } from './dissect.ts';
import { checksum } from './checksum.ts';
import { ip4, nameOf } from './text.ts';

const recordTypes: Readonly<Record<number, string>> = {
  1: 'is_in', 2: 'is_ex', 3: 'to_in', 4: 'to_ex', 5: 'allow', 6: 'block',
};

const dvmrpTypes: Readonly<Record<number, string>> = {
  1: 'Probe', 2: 'Report', 3: 'Ask-neighbors', 4: 'Neighbors', 5: 'Ask-neighbors2', 6: 'Neighbors2', 7: 'Prune', 8: 'Graft', 9: 'Graft-ACK',
};

const pimTypes: Readonly<Record<number, string>> = {
  0: 'Query', 1: 'Register', 2: 'Register-Stop', 3: 'Join/Prune', 4: 'RP-reachable', 5: 'Assert', 6: 'Graft', 7: 'Graft-ACK',
};

/** Sources, all of them under -vv. */
function sourcesPrint(nd: Dissection, offset: number, count: number): void {
  if (nd.options.verbose <= 1) {
    say(nd, `, ${count} source(s)`);
    return;
  }
  say(nd, ' {');
  for (let i = 0; i < count; i++) say(nd, ` ${ip4(nd, offset + 4 * i)}`);
  say(nd, ' }');
}

/** RFC 3376 §4.1.1: tenths of a second. */
function maxRespTime(code: number): number {
  return code < 128 ? code : ((code & 0xf) | 0x10) << (((code >> 4) & 7) + 3);
}

function tenthsText(tenths: number): string {
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  return `${Math.floor(tenths / 600)}m${tenths % 600 === 0 ? '' : `${Math.floor((tenths % 600) / 10)}s`}`;
}

function queryV3Print(nd: Dissection, offset: number, length: number): void {
  if ((length & 3) !== 0) {
    say(nd, ` [invalid len ${length}]`);
    return;
  }
  need(nd, offset, 12);
  const code = u8(nd, offset + 1);
  if (code !== 100) say(nd, ` [max resp time ${tenthsText(maxRespTime(code))}]`);
  if (u32(nd, offset + 4) === 0) return;
  say(nd, ` [gaddr ${ip4(nd, offset + 4)}`);
  const count = u16(nd, offset + 10);
  if (count > 0) {
    if (length < 12 + 4 * count) say(nd, ` [invalid number of sources]`);
    else sourcesPrint(nd, offset + 12, count);
  }
  say(nd, ']');
}

function queryPrint(nd: Dissection, offset: number, length: number): void {
  say(nd, 'igmp query v');
  if (length >= 12) {
    say(nd, '3');
    queryV3Print(nd, offset, length);
    return;
  }
  const code = u8(nd, offset + 1);
  say(nd, code === 0 ? '1' : '2');
  if (code !== 0 && code !== 100) say(nd, ` [max resp time ${code}]`);
  if (u32(nd, offset + 4) !== 0) say(nd, ` [gaddr ${ip4(nd, offset + 4)}]`);
}

function recordsPrint(nd: Dissection, offset: number, length: number, count: number): void {
  let record = 8;
  for (let i = 0; i < count; i++) {
    if (length < record + 8) {
      say(nd, ' [invalid number of groups]');
      return;
    }
    const sources = u16(nd, offset + record + 2);
    say(nd, ` [gaddr ${ip4(nd, offset + record + 4)} ${nameOf(recordTypes, u8(nd, offset + record), ' [v3-report-#%d]')}`);
    if (length < record + 8 + 4 * sources) {
      say(nd, ` [invalid number of sources ${sources}]`);
      return;
    }
    sourcesPrint(nd, offset + record + 8, sources);
    say(nd, ']');
    record += 8 + 4 * sources;
  }
}

function reportV3Print(nd: Dissection, offset: number, length: number): void {
  say(nd, 'igmp v3 report');
  if (length < 16 || (length & 3) !== 0) {
    say(nd, ` [invalid len ${length}]`);
    return;
  }
  const count = u16(nd, offset + 6);
  say(nd, `, ${count} group record(s)`);
  if (nd.options.verbose > 0) recordsPrint(nd, offset, length, count);
}

/** Traces of multicast routes: 0x1f asks, 0x1e answers. */
function tracePrint(nd: Dissection, offset: number, length: number, name: string): void {
  if (length < 24) {
    say(nd, ` [invalid len ${length}]`);
    return;
  }
  const reply = ip4(nd, offset + 16);
  say(nd, `${name} ${u32(nd, offset + 20) & 0xffffff}: ${ip4(nd, offset + 8)} to ${ip4(nd, offset + 12)} reply-to ${reply}`);
  if (u8(nd, offset + 16) >> 4 === 0xe) say(nd, ` with-ttl ${u8(nd, offset + 20)}`);
}

function messagePrint(nd: Dissection, offset: number, length: number): void {
  const type = u8(nd, offset);
  switch (type) {
    case 0x11: queryPrint(nd, offset, length); break;
    case 0x12: say(nd, `igmp v1 report ${ip4(nd, offset + 4)}`); break;
    case 0x13: say(nd, `igmp dvmrp ${nameOf(dvmrpTypes, u8(nd, offset + 1), '[type %d]')}`); break;
    case 0x14: say(nd, `igmp pimv1 ${nameOf(pimTypes, u8(nd, offset + 1), '[type %d]')}`); break;
    case 0x16: say(nd, `igmp v2 report ${ip4(nd, offset + 4)}`); break;
    case 0x17: say(nd, `igmp leave ${ip4(nd, offset + 4)}`); break;
    case 0x1e: tracePrint(nd, offset, length, 'mresp'); break;
    case 0x1f: tracePrint(nd, offset, length, 'mtrace'); break;
    case 0x22: reportV3Print(nd, offset, length); break;
    default: say(nd, `igmp-${type}`);
  }
}

export function igmpPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'igmp';
  if (nd.options.quiet) {
    say(nd, 'igmp');
    return;
  }
  messagePrint(nd, offset, length);
  if (nd.options.verbose === 0 || !has(nd, offset, length)) return;
  if (checksum(nd, offset, length) !== 0) say(nd, ` bad igmp cksum ${u16(nd, offset + 2).toString(16)}!`);
}
