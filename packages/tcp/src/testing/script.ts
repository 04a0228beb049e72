/**
 * A host whose peer is the test: segments are given to it and taken from it as lines like packetdrill's, numbers counted
 * from each side's initial sequence number. In virtual time, on the channel of channel.ts, whose key 1 nobody answers.
 *
 *   const s = await scriptServer();         // or scriptClient()
 *   s.give('. 1:1001(1000) ack 1 win 1000');
 *   expect(s.take()).toEqual(['. 1:1(0) ack 1001 win 63']);
 */
import { createWorld, destroyNet, interrupt, openReport, sleep } from '@stack/kernel';
import type { World } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import { SOCK_STREAM, exitTask, sysAccept, sysBind, sysConnect, sysListen, sysSocket, sysWrite } from '@stack/socket';
import type { Sock } from '@stack/socket';
import { tcpSk } from '../tcp-sock.ts';
import type { TcpSock } from '../tcp-sock.ts';
import { AF_CHANNEL, Channel, Segment, SockAddrChannel, channelRcv } from '../tcp-channel.ts';
import { createChannelHost } from '../tcp-channel-family.ts';
import type { ChannelHost } from '../tcp-channel-family.ts';

const LOCAL = 2;
const PEER = 1;
const LOCAL_PORT = 8080;
const PEER_PORT = 40000;
/** The peer's initial sequence number: near the wrap, so that every test crosses it. */
const PEER_ISN = -500;

export interface ScriptOptions {
  /** Options of the peer's SYN, as `give` takes them. */
  readonly syn?: string;
  readonly win?: number;
  readonly sysctl?: Readonly<Record<string, number>>;
  readonly mtu?: number;
  /** ms between SYN and SYN-ACK, or SYN-ACK and ACK. */
  readonly rtt?: number;
}

const LETTERS = 'FSRP.UEW';

function flagBits(text: string): number {
  let bits = 0;
  for (const letter of text) bits |= 1 << LETTERS.indexOf(letter);
  return bits;
}

function flagText(bits: number): string {
  let text = '';
  for (let i = 0; i < 8; i++) if ((bits & (1 << i)) !== 0) text += LETTERS[i];
  return text;
}

export class Script {
  world: World;
  channel: Channel;
  host: ChannelHost;
  fd: number;
  lfd: number;
  /** The host's initial sequence number, as its SYN says. */
  isn: number;
  /** The host's port. */
  port: number;
  /** The offset of the host's timestamps: they are shown as ms since the World began. */
  tsOff: number;
  tsKnown: boolean;
  seen: number;
  /** The peer's port: a test that plays several peers changes it. */
  peerPort: number;

  constructor(options: ScriptOptions) {
    this.world = createWorld({ debug: true, seed: 7 });
    installSkbuff(this.world);
    this.channel = new Channel(this.world);
    this.channel.log = [];
    this.host = createChannelHost(this.channel, LOCAL);
    this.fd = -1;
    this.lfd = -1;
    this.isn = 0;
    this.port = LOCAL_PORT;
    this.tsOff = 0;
    this.tsKnown = false;
    this.seen = 0;
    this.peerPort = PEER_PORT;
    const tcp = this.host.net.tcp as unknown as Record<string, number>;
    for (const [name, value] of Object.entries(options.sysctl ?? {})) {
      if (!(name in tcp)) throw new Error(`no sysctl ${name}`);
      tcp[name] = value;
    }
  }

  /** The sock of the connection. */
  get sk(): TcpSock {
    for (let sk: Sock | null = this.host.net.socket.sockLast; sk !== null; sk = sk.skAllPrev) {
      const tcp = tcpSk(sk);
      if (tcp.inetDport === this.peerPort || this.lfd < 0) return tcp;
    }
    throw new Error('no connection');
  }

  /** Gives the host a segment: `FLAGS SEQ[:END(LEN)] [ack N] [win N] [urg N] [<options>]`. */
  give(line: string): void {
    const seg = this.parse(line);
    interrupt(this.host.net, (s: Segment) => channelRcv(this.host.net, s), seg);
  }

  private parse(line: string): Segment {
    const match = /^([FSRP.UEW]+) (-?\d+)(?::-?\d+\((\d+)\))?(?: ack (-?\d+))?(?: win (\d+))?(?: urg (\d+))?(?: <(.*)>)?$/.exec(line);
    if (match === null) throw new Error(`not a segment: ${line}`);
    const [, flags = '', seq = '0', len = '0', ack, win = '1000', urg = '0', options = ''] = match;
    const seg = new Segment();
    seg.from = PEER;
    seg.to = LOCAL;
    seg.sport = this.peerPort;
    seg.dport = this.port;
    seg.flags = flagBits(flags);
    seg.seq = (PEER_ISN + Number(seq)) | 0;
    seg.ack = ack === undefined ? 0 : (this.isn + Number(ack)) | 0;
    seg.win = Number(win);
    seg.urg = Number(urg);
    seg.options = this.parseOptions(options);
    seg.data = new Uint8Array(Number(len)).fill(120);
    return seg;
  }

  private parseOptions(text: string): Uint8Array {
    const bytes: number[] = [];
    const put32 = (n: number): void => {
      bytes.push((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
    };
    for (const option of text === '' ? [] : text.split(',')) {
      const [kind = '', ...rest] = option.trim().split(' ');
      if (kind === 'nop') bytes.push(1);
      else if (kind === 'mss') bytes.push(2, 4, Number(rest[0]) >> 8, Number(rest[0]) & 255);
      else if (kind === 'wscale') bytes.push(3, 3, Number(rest[0]));
      else if (kind === 'sackOK') bytes.push(4, 2);
      else if (kind === 'TS') {
        bytes.push(8, 10);
        put32(Number(rest[1]));
        put32(rest[3] === '0' ? 0 : (Number(rest[3]) + this.tsOff) | 0);
      } else if (kind === 'sack') {
        bytes.push(5, 2 + 8 * rest.length);
        for (const block of rest) for (const n of block.split(':')) put32((this.isn + Number(n)) | 0);
      } else if (kind === 'raw') bytes.push(...rest.map(Number));
      else throw new Error(`no option ${kind}`);
    }
    while (bytes.length % 4 !== 0) bytes.push(1);
    return Uint8Array.from(bytes);
  }

  /** What the host has sent since the last call. */
  take(): string[] {
    const log = this.channel.log ?? [];
    const lines = log.slice(this.seen).map((seg) => this.text(seg));
    this.seen = log.length;
    return lines;
  }

  /** `take` without windows and timestamps. */
  takeBare(): string[] {
    return this.take().map((line) => line.replace(/ win \d+/, '').replace(/nop,nop,TS val \d+ ecr \d+,?/, '').replace(/ <>$/, ''));
  }

  /** `take` with the time of each, ms since `since`. */
  takeTimed(since = 0): string[] {
    const log = this.channel.log ?? [];
    const from = this.seen;
    return this.take().map((line, i) => `${(log[from + i]!.time - since * 1e6) / 1e6} ${line}`);
  }

  private text(seg: Segment): string {
    if ((seg.flags & 2) !== 0) {
      this.isn = seg.seq;
      this.port = seg.sport;
    }
    const seq = (seg.seq - this.isn) | 0;
    const end = seq + seg.data.length + ((seg.flags & 2) !== 0 ? 1 : 0) + ((seg.flags & 1) !== 0 ? 1 : 0);
    let line = `${flagText(seg.flags)} ${seq}:${(seg.flags & 3) === 0 ? end : seq + seg.data.length}(${seg.data.length})`;
    if ((seg.flags & 16) !== 0) line += ` ack ${(seg.ack - PEER_ISN) | 0}`;
    line += ` win ${seg.win}`;
    if ((seg.flags & 32) !== 0) line += ` urg ${seg.urg}`;
    const options = this.optionsText(seg);
    return options === '' ? line : `${line} <${options}>`;
  }

  private optionsText(seg: Segment): string {
    const view = new DataView(seg.options.buffer, seg.options.byteOffset, seg.options.length);
    const words: string[] = [];
    for (let i = 0; i < seg.options.length; ) {
      const kind = view.getUint8(i);
      if (kind === 1) {
        words.push('nop');
        i++;
        continue;
      }
      const len = view.getUint8(i + 1);
      if (kind === 2) words.push(`mss ${view.getUint16(i + 2)}`);
      else if (kind === 3) words.push(`wscale ${view.getUint8(i + 2)}`);
      else if (kind === 4) words.push('sackOK');
      else if (kind === 8) words.push(this.tstampText(view, i));
      else if (kind === 5) {
        const blocks: string[] = [];
        for (let at = i + 2; at < i + len; at += 8) blocks.push(`${(view.getInt32(at) - PEER_ISN) | 0}:${(view.getInt32(at + 4) - PEER_ISN) | 0}`);
        words.push(`sack ${blocks.join(' ')}`);
      } else words.push(`kind ${kind}`);
      i += len;
    }
    return words.join(',');
  }

  private tstampText(view: DataView, at: number): string {
    const val = view.getInt32(at + 2);
    if (!this.tsKnown) {
      this.tsOff = (val - Math.floor(this.world.now / 1e6)) | 0;
      this.tsKnown = true;
    }
    return `TS val ${(val - this.tsOff) | 0} ecr ${view.getInt32(at + 6)}`;
  }

  /** ms since the World began. */
  now(): number {
    return this.world.now / 1e6;
  }

  /** Lets virtual time pass. */
  async wait(ms: number): Promise<void> {
    await sleep(this.world, ms);
  }

  /** A non-blocking or blocking write of n bytes; its result, or a promise. */
  write(n: number): number | Promise<number> {
    return sysWrite(this.host.task, this.fd, new Uint8Array(n).fill(120)) as number | Promise<number>;
  }

  /** Ends the host; throws if anything is left. */
  end(): void {
    exitTask(this.host.task);
    destroyNet(this.host.net);
    const open = openReport(this.world);
    const leaks = leakReport(this.world);
    if (open.length !== 0 || leaks.length !== 0) throw new Error(`left: ${JSON.stringify(open)} ${JSON.stringify(leaks)}`);
  }
}

const SYN_OPTIONS = 'mss 1000,nop,nop,sackOK,nop,wscale 7';

/** A host that listens on port 8080. */
export function scriptListening(options: ScriptOptions = {}, backlog = 16): Script {
  const s = new Script(options);
  s.lfd = sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0) as number;
  sysBind(s.host.task, s.lfd, new SockAddrChannel(0, LOCAL_PORT));
  sysListen(s.host.task, s.lfd, backlog);
  return s;
}

/** A host in ESTABLISHED by passive open; the peer announces MSS 1000, SACK and a window scale of 7 (and no timestamps). */
export async function scriptServer(options: ScriptOptions = {}): Promise<Script> {
  const s = scriptListening(options);
  s.give(`S 0 win 65535 <${options.syn ?? SYN_OPTIONS}>`);
  s.take();
  await s.wait(options.rtt ?? 100);
  const ts = s.tsKnown ? ` <nop,nop,TS val 1000 ecr ${Math.floor(s.now()) - (options.rtt ?? 100)}>` : '';
  s.give(`. 1 ack 1 win ${options.win ?? 1000}${ts}`);
  s.fd = (await sysAccept(s.host.task, s.lfd)) as number;
  s.take();
  return s;
}

/** A host in ESTABLISHED by active open. */
export async function scriptClient(options: ScriptOptions = {}): Promise<Script> {
  const s = new Script(options);
  s.fd = sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0) as number;
  const connected = sysConnect(s.host.task, s.fd, new SockAddrChannel(PEER, PEER_PORT));
  s.take();
  await s.wait(options.rtt ?? 100);
  s.give(`S. 0 ack 1 win 65535 <${options.syn ?? SYN_OPTIONS}>`);
  const err = await connected;
  if (err !== 0) throw new Error(`connect: ${err}`);
  s.take();
  return s;
}

/** A host that has sent its SYN, and what connect() will return. */
export function scriptConnecting(options: ScriptOptions = {}): { s: Script; connected: number | Promise<number> } {
  const s = new Script(options);
  s.fd = sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0) as number;
  const connected = sysConnect(s.host.task, s.fd, new SockAddrChannel(PEER, PEER_PORT)) as number | Promise<number>;
  return { s, connected };
}
