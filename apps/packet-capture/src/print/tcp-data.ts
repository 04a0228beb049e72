/*
 * What a TCP segment carries, by port: the first line of a protocol of text, all lines under -v; DNS behind its length.
 * Segments are told one by one: nothing is put together.
 */
import { available, has, say, sayTruncated, u16, u8, type Dissection } from './dissect.ts';
import { domainPrint } from './domain.ts';

interface TextProtocol {
  readonly name: string;
  readonly ports: readonly number[];
  /** The words that a message begins with; null: any. */
  readonly commands: ReadonlySet<string> | null;
}

const HTTP = new Set((
  'GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY BDELETE CONNECT '
  + 'OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY MKWORKSPACE UNSUBSCRIBE '
  + 'RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL').split(' '));
const RTSP = new Set('OPTIONS DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD'.split(' '));

const textProtocols: readonly TextProtocol[] = [
  { name: 'FTP', ports: [21], commands: null },
  { name: 'SMTP', ports: [25], commands: null },
  { name: 'WHOIS', ports: [43], commands: null },
  { name: 'HTTP', ports: [80, 8080, 3128], commands: HTTP },
  { name: 'RTSP', ports: [554, 8554], commands: RTSP },
];

const SSH = 22;
const DNS = 53;

interface Line {
  readonly text: string;
  /** Where the next begins. */
  readonly next: number;
  /** The packet ends before the line does. */
  readonly cut: boolean;
}

/** The line at `offset`, or null where it has octets that are no text. */
function lineAt(nd: Dissection, offset: number, end: number): Line | null {
  let text = '';
  for (let at = offset; at < end && has(nd, at, 1); at++) {
    const octet = u8(nd, at);
    if (octet === 0x0a) return { text, next: at + 1, cut: false };
    if (octet === 0x0d) {
      if (at + 1 >= end || !has(nd, at + 1, 1)) return { text, next: at + 1, cut: true };
      if (u8(nd, at + 1) === 0x0a) return { text, next: at + 2, cut: false };
      return null;
    }
    if (octet !== 9 && (octet < 0x20 || octet > 0x7e)) return null;
    text += String.fromCharCode(octet);
  }
  return { text, next: end, cut: true };
}

/** A request begins with a command, a reply has a status of three digits as its second word. */
function isMessage(nd: Dissection, offset: number, length: number, commands: ReadonlySet<string>): boolean {
  const octets = nd.buf.subarray(offset, offset + Math.min(length, available(nd, offset), 256));
  const [first = '', second = ''] = String.fromCharCode(...octets).split(/[ \t\r\n]+/);
  return commands.has(first.toUpperCase()) || /^\d{3}$/.test(second);
}

function textPrint(nd: Dissection, offset: number, length: number, { name, commands }: TextProtocol): void {
  nd.protocol = name.toLowerCase();
  const message = commands === null || isMessage(nd, offset, length, commands);
  say(nd, ` ${name}`);
  if (!message) return;
  const verbose = nd.options.verbose > 0;
  if (verbose) say(nd, `, length: ${length}`);
  const end = offset + length;
  for (let at = offset; at < end;) {
    const line = lineAt(nd, at, end);
    if (line === null) return;
    say(nd, `${verbose ? '\n\t' : ': '}${line.text}`);
    if (line.cut) sayTruncated(nd);
    if (line.cut || !verbose) return;
    at = line.next;
  }
}

function overTcpPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'domain';
  if (length < 2) {
    say(nd, ` [DNS over TCP: length ${length} < 2] (invalid)`);
    return;
  }
  const prefix = u16(nd, offset);
  if (prefix > length - 2) {
    say(nd, ` [prefix length(${prefix}) != length(${length - 2})] (invalid)`);
    return;
  }
  say(nd, ' ');
  domainPrint(nd, offset + 2, length - 2, false);
}

function sshPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'ssh';
  u8(nd, offset);
  const line = lineAt(nd, offset, offset + length);
  if (line === null || !line.text.startsWith('SSH-')) return;
  say(nd, `: SSH: ${line.text}`);
}

/** What follows `length N`. */
export function tcpDataPrint(nd: Dissection, offset: number, length: number, ports: readonly [number, number]): void {
  const onPort = (port: number): boolean => ports.includes(port);
  const text = textProtocols.find((protocol) => protocol.ports.some(onPort));
  if (text !== undefined) {
    say(nd, ':');
    textPrint(nd, offset, length, text);
  } else if (onPort(SSH)) {
    sshPrint(nd, offset, length);
  } else if (onPort(DNS)) {
    overTcpPrint(nd, offset, length);
  }
}
