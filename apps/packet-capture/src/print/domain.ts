/*
 * DNS (RFC 1035) and multicast DNS (RFC 6762): the header, the question, the answers; all sections under -vv.
 */
import { Truncated, has, say, sayTruncated, u16, u8, type Dissection } from './dissect.ts';
import { namePrint, skipName } from './domain-name.ts';
import { classText, extendedResponse, recordPrint, typeName } from './domain-record.ts';

const HEADER = 12;
const QR = 0x8000;
const IQUERY = 1;
const QU = 0x8000;

const operations = [
  '', ' inv_q', ' stat', ' op3', ' notify', ' update', ' op6', ' op7', ' op8', ' updateA', ' updateD', ' updateDA', ' updateM', ' updateMA',
  ' zoneInit', ' zoneRef',
];
const responses = [
  '', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused', ' YXDomain', ' YXRRSet', ' NXRRSet', ' NotAuth', ' NotZone', ' Resp11',
  ' Resp12', ' Resp13', ' Resp14', ' NoChange',
];

const extendedResponses: readonly string[] = [
  ' BadVers', ' BadKey', ' BadTime', ' BadMode', ' BadName', ' BadAlg', ' BadTrunc', ' BadCookie',
];

/** The response code, with the bits that an OPT record adds, where all records can be read. */
function responseText(nd: Dissection, start: number, low: number): string {
  let high = 0;
  try {
    let at = start + HEADER;
    for (let i = u16(nd, start + 4); i > 0; i--) at = skipName(nd, at) + 4;
    high = extendedResponse(nd, at, u16(nd, start + 6) + u16(nd, start + 8) + u16(nd, start + 10));
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
  }
  const code = (high << 4) | low;
  return (code < 16 ? responses[code] : extendedResponses[code - 16]) ?? ` Resp${code}`;
}

/** A message that is being told: where it begins, how far it is read. */
export interface Message {
  readonly start: number;
  readonly multicast: boolean;
  at: number;
}

function questionPrint(nd: Dissection, message: Message): void {
  const after = skipName(nd, message.at);
  const type = u16(nd, after);
  const field = u16(nd, after + 2);
  say(nd, ` ${typeName(type)}`);
  if (message.multicast) say(nd, (field & QU) === 0 ? ' (QM)' : ' (QU)');
  say(nd, `${classText(message.multicast ? field & ~QU : field)}? `);
  namePrint(nd, message.at, message.start);
  message.at = after + 4;
}

/** `count` things with commas between; throws Truncated where the packet ends before them. */
function each(nd: Dissection, count: number, message: Message, print: (nd: Dissection, message: Message) => void): void {
  for (let i = 0; i < count; i++) {
    if (i > 0) {
      if (!has(nd, message.at, 1)) throw new Truncated();
      say(nd, ',');
    }
    print(nd, message);
  }
}

function section(nd: Dissection, title: string, count: number, message: Message): void {
  if (count === 0) return;
  if (!has(nd, message.at, 1)) throw new Truncated();
  say(nd, title);
  each(nd, count, message, recordPrint);
}

function skipQuestion(nd: Dissection, message: Message): void {
  message.at = skipName(nd, message.at) + 4;
  if (!has(nd, message.at, 1)) throw new Truncated();
}

function responsePrint(nd: Dissection, message: Message, flags: number, id: number): void {
  const { start } = message;
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => u16(nd, start + at)) as [number, number, number, number];
  say(nd, `${id}${operations[(flags >> 11) & 15]}${responseText(nd, start, flags & 15)}`);
  say(nd, `${(flags & 0x400) === 0 ? '' : '*'}${(flags & 0x80) === 0 ? '-' : ''}${(flags & 0x200) === 0 ? '' : '|'}${(flags & 0x20) === 0 ? '' : '$'}`);
  if (questions !== 1) say(nd, ` [${questions}q]`);
  for (let i = 0; i < questions; i++) {
    if (i > 0) say(nd, ',');
    if (nd.options.verbose > 1) {
      say(nd, ' q:');
      questionPrint(nd, message);
    } else {
      skipQuestion(nd, message);
    }
  }
  say(nd, ` ${answers}/${authorities}/${additional}`);
  each(nd, answers, message, recordPrint);
  if (nd.options.verbose > 1) {
    section(nd, ' ns:', authorities, message);
    section(nd, ' ar:', additional, message);
  }
}

function queryPrint(nd: Dissection, message: Message, flags: number, id: number): void {
  const { start } = message;
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => u16(nd, start + at)) as [number, number, number, number];
  const operation = (flags >> 11) & 15;
  say(nd, `${id}${operations[operation]}${(flags & 0x100) === 0 ? '' : '+'}${(flags & 0x10) === 0 ? '' : '%'}`);
  if ((flags & 0x6cf) !== 0) say(nd, ` [b2&3=0x${flags.toString(16)}]`);
  if (operation === IQUERY) {
    if (questions !== 0) say(nd, ` [${questions}q]`);
    if (answers !== 1) say(nd, ` [${answers}a]`);
  } else {
    if (answers !== 0) say(nd, ` [${answers}a]`);
    if (questions !== 1) say(nd, ` [${questions}q]`);
  }
  if (authorities !== 0) say(nd, ` [${authorities}n]`);
  if (additional !== 0) say(nd, ` [${additional}au]`);
  each(nd, questions, message, questionPrint);
  if (nd.options.verbose > 1) {
    section(nd, '', answers, message);
    section(nd, ' ns:', authorities, message);
    section(nd, ' ar:', additional, message);
  }
}

/** A message of `length` octets. */
export function domainPrint(nd: Dissection, offset: number, length: number, multicast: boolean): void {
  nd.protocol = 'domain';
  if (length < HEADER) {
    say(nd, `domain [length ${length} < ${HEADER}] (invalid)`);
    return;
  }
  u8(nd, offset + HEADER - 1);
  const id = u16(nd, offset);
  const flags = u16(nd, offset + 2);
  const message: Message = { start: offset, multicast, at: offset + HEADER };
  try {
    if ((flags & QR) !== 0) responsePrint(nd, message, flags, id);
    else queryPrint(nd, message, flags, id);
    say(nd, ` (${length})`);
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
    sayTruncated(nd);
  }
}
