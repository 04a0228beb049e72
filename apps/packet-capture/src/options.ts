/*
 * The command line: tcpdump's letters where they mean the same. Everything wrong with it is one clear line and exit status 2.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { inetPton4 } from '@stack/inet-sock';
import { MAXIMUM_SNAPLEN } from './capture.ts';
import type { PrintOptions } from './print/dissect.ts';
import type { TimeForm } from './print/timestamp.ts';

export interface Options {
  /** `DEVICE` or `HOST/DEVICE`; null: the source's first. */
  readonly interface: string | null;
  readonly listInterfaces: boolean;
  /** A file, or `-`. */
  readonly read: string | null;
  readonly write: string | null;
  readonly tap: string | null;
  readonly address: string;
  readonly filter: string;
  readonly maxCount: number;
  readonly snaplen: number;
  readonly comment: string;
  readonly countOnly: boolean;
  readonly lineBuffered: boolean;
  readonly timeForm: TimeForm;
  readonly print: PrintOptions;
}

/** A mistake of the user's: its message is the one line that he reads. */
export class UsageError extends Error {}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('A count of packets is a whole number from 1.');
  return count;
}

function parseSnaplen(text: string): number {
  const length = Number(text);
  if (!Number.isInteger(length) || length < 0 || length > MAXIMUM_SNAPLEN) {
    throw new InvalidArgumentError(`A snapshot length is a number of octets from 1 to ${MAXIMUM_SNAPLEN}; 0 takes whole packets.`);
  }
  return length === 0 ? MAXIMUM_SNAPLEN : length;
}

/** `A.B.C.D/LEN`, of a host that is neither its network's own address nor its broadcast address. */
function parseAddress(text: string): string {
  const [address = '', length = ''] = text.split('/');
  const bits = Number(length);
  const value = inetPton4(address);
  if (value === null || !/^\d{1,2}$/.test(length) || bits < 1 || bits > 30) {
    throw new InvalidArgumentError('An address is written A.B.C.D/LEN, with LEN from 1 to 30: 10.9.0.2/24.');
  }
  const host = value & ~(-1 << (32 - bits));
  if (host === 0 || host === ~(-1 << (32 - bits))) throw new InvalidArgumentError(`${address} is no host's address in its subnet.`);
  return text;
}

const more = (_value: string, before: number | undefined): number => (before ?? 0) + 1;

/** Commander's message without its prefix, its suggestion on the same line. */
function oneLine(message: string): string {
  return message.replace(/^error: /, '').replace(/\s+/g, ' ').trim();
}

const HELP = `
The filter is in the words of pcap-filter(7); each packet is printed as tcpdump -n prints it. Without -r the packets come from
a PF_PACKET socket on a host of this stack: on a simulated segment (--demo), or on a TAP of this machine (--tap).
Ctrl-C ends a capture and prints its counts. tcpdump's -p, -U, -K and -N are taken and change nothing.

Examples:
  npm run capture                                      a conversation to watch: ARP, DNS, ICMP, UDP, TCP with a loss
  npm run capture -- -v 'icmp or (udp and port 53)'    a part of it, in more words
  npm run capture -- -w demo.pcapng                    into a file; open it in Wireshark
  npm run capture -- -r demo.pcapng -X 'tcp[tcpflags] & tcp-syn != 0'
  sudo npm run capture -- --tap tap0                   this machine is the peer: ping 10.9.0.2`;

/** Letters of tcpdump's that are often typed along and have nothing to change here. */
const WITHOUT_EFFECT = ['-p', '-U', '-K', '-N'];

function createProgram(): Command {
  const program = new Command('npm run capture --')
    .usage('[options] [filter]')
    .description('Captures packets on a TCP/IP stack of its own, or reads a capture file, and prints a line for each.')
    .argument('[filter...]', 'which packets: pcap-filter(7)')
    .option('-r, --read <file>', 'read packets from this pcap or pcapng file; - is standard input')
    .option('-w, --write <file>', 'write packets as pcapng instead of printing them; - is standard output')
    .option('--comment <text>', 'with -w: a comment for the file')
    .option('-c <n>', 'end after this many packets', parseCount)
    .option('--count', 'print only how many packets there are')
    .option('-s, --snapshot-length <n>', 'octets kept of a packet; 0: all', parseSnaplen, MAXIMUM_SNAPLEN)
    .option('-e', 'print the link header too')
    .option('-v', 'print more; -vv and -vvv yet more', more)
    .option('-q', 'print less of the protocols')
    .option('-S', 'print absolute sequence numbers')
    .option('-x', 'print the octets in hex; -xx with the link header', more)
    .option('-X', 'in hex and as text; -XX with the link header', more)
    .option('-A', 'as text; -AA with the link header', more)
    .option('-t', 'no time; -tt since 1970, -ttt since the line before, -tttt with the date, -ttttt since the first', more)
    .option('-n', 'addresses and ports as numbers: always so')
    .option('-l, --line-buffered', 'hand on each line at once')
    .option('-i, --interface <name>', 'the device, as DEVICE or HOST/DEVICE; any: all of a host')
    .option('-D, --list-interfaces', 'list the devices that -i takes')
    .option('--demo', 'capture on the simulated segment (the default)')
    .option('--tap <name>', 'capture on a host on this TAP interface of the machine (Linux, root)')
    .option('--address <a/len>', "the address of the host on the TAP (default: 10.9.0.2/24)", parseAddress)
    .addHelpText('after', HELP)
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new UsageError(`${oneLine(error.message)} (--help lists the options)`);
    })
    .configureOutput({ outputError: () => undefined });
  for (const letter of WITHOUT_EFFECT) program.addOption(new Option(letter).hideHelp());
  return program;
}

interface Given {
  read?: string; write?: string; comment?: string; c?: number; count?: boolean; snapshotLength: number; e?: boolean; v?: number; q?: boolean;
  S?: boolean; x?: number; X?: number; A?: number; t?: number; lineBuffered?: boolean; interface?: string; listInterfaces?: boolean;
  demo?: boolean; tap?: string; address?: string;
}

/** What cannot be wanted together. */
function check(given: Given): void {
  const live = given.demo === true || given.tap !== undefined || given.interface !== undefined || given.listInterfaces === true;
  if (given.demo === true && given.tap !== undefined) throw new UsageError('--demo and --tap are two sources: give one');
  if (given.read !== undefined && live) throw new UsageError('-r reads a file: leave --demo, --tap, -i and -D out');
  if (given.address !== undefined && given.tap === undefined) throw new UsageError('--address goes with --tap');
  if (given.comment !== undefined && given.write === undefined) throw new UsageError('--comment goes with -w');
  if (given.count === true && given.write !== undefined) throw new UsageError('--count and -w: give one');
  if ((given.t ?? 0) > 5) throw new UsageError('-t is given at most five times');
}

/** Parses `argv` (without node and script). Throws UsageError; `--help` prints and exits 0. */
export function parseOptions(argv: readonly string[]): Options {
  const program = createProgram();
  program.parse([...argv], { from: 'user' });
  const given = program.opts<Given>();
  check(given);
  return {
    interface: given.interface ?? null,
    listInterfaces: given.listInterfaces === true,
    read: given.read ?? null,
    write: given.write ?? null,
    tap: given.tap ?? null,
    address: given.address ?? '10.9.0.2/24',
    filter: program.args.join(' '),
    maxCount: given.c ?? Infinity,
    snaplen: given.snapshotLength,
    comment: given.comment ?? '',
    countOnly: given.count === true,
    lineBuffered: given.lineBuffered === true,
    timeForm: (given.t ?? 0) as TimeForm,
    print: {
      link: given.e === true, quiet: given.q === true, verbose: given.v ?? 0, absolute: given.S === true, hex: given.x ?? 0, hexAscii: given.X ?? 0, ascii: given.A ?? 0,
    },
  };
}
