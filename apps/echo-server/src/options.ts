/*
 * The command line: what it takes, what it checks. Everything wrong with it is one clear line and exit status 2.
 */
import { Command, InvalidArgumentError } from 'commander';
import { inetPton4 } from '@stack/inet-sock';

export interface Options {
  readonly port: number;
  readonly tap: string | null;
  readonly address: string;
  readonly mtu: number;
  readonly pcap: string | null;
  /** A filter of pcap-filter(7), empty for all packets; null: none is printed. */
  readonly capture: string | null;
  readonly trace: boolean;
  readonly selfTest: boolean;
  readonly json: boolean;
}

/** A mistake of the user's: its message is the one line that he reads. */
export class UsageError extends Error {}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function parseMtu(text: string): number {
  const mtu = Number(text);
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65535) throw new InvalidArgumentError('An MTU is a number from 68 to 65535.');
  return mtu;
}

/** `A.B.C.D/LEN`, of a host that is neither its network's own address nor its broadcast address. */
export function parseAddress(text: string): string {
  const [address = '', length = ''] = text.split('/');
  const bits = Number(length);
  if (inetPton4(address) === null || !/^\d{1,2}$/.test(length) || bits < 1 || bits > 30) {
    throw new InvalidArgumentError('An address is written A.B.C.D/LEN, with LEN from 1 to 30: 10.9.0.2/24.');
  }
  const host = (inetPton4(address) ?? 0) & ~(-1 << (32 - bits));
  if (host === 0 || host === ~(-1 << (32 - bits))) {
    throw new InvalidArgumentError(`${address} is the ${host === 0 ? 'network' : 'broadcast'} address of its own subnet; take one between.`);
  }
  return text;
}

/** Commander's message without its prefix, its suggestion on the same line. */
function oneLine(message: string): string {
  return message.replace(/^error: /, '').replace(/\s+/g, ' ').trim();
}

const EXAMPLES = `
Examples:
  npm start                                       then: nc 127.0.0.1 7007
  npm start -- --self-test                        echo 64 MiB in this process, verify every byte
  npm start -- --capture 'tcp port 7'             see the packets, as tcpdump prints them
  npm start -- --trace --pcap echo.pcapng         see each function a packet passes; open the file in Wireshark
  sudo npm start -- --tap tap0                    the kernel of this machine talks to it: nc 10.9.0.2 7`;

/** Parses `argv` (without node and script). Throws UsageError; `--help` prints and exits 0. */
export function parseOptions(argv: readonly string[]): Options {
  const program = new Command('npm start --')
    .description('An echo server (TCP and UDP, port 7) on a TCP/IP stack of its own, reachable from this machine.')
    .option('--port <n>', 'port on 127.0.0.1 that the gateway listens on; 0 takes a free one', parsePort, 7007)
    .option('--tap <name>', 'put the server on this TAP interface of the machine instead (Linux, root)')
    .option('--address <a/len>', "the server's address (default: 10.0.0.1/24; on a TAP 10.9.0.2/24)", parseAddress)
    .option('--mtu <n>', "the NICs' MTU", parseMtu, 1500)
    .option('--pcap <file>', 'write what every NIC sends and receives as pcapng')
    .option('--capture [filter]', "print a line, as tcpdump does, for each packet of the server's NIC that the filter wants")
    .option('--trace', 'print each function that a packet passes, a line each', false)
    .option('--self-test', 'echo 64 MiB in this process, verify every byte, print figures, exit', false)
    .option('--json', 'with --self-test: one line of JSON', false)
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new UsageError(`${oneLine(error.message)} (--help lists the options)`);
    })
    .configureOutput({ outputError: () => undefined });
  program.parse([...argv], { from: 'user' });
  const given = program.opts<{
    port: number; tap?: string; address?: string; mtu: number; pcap?: string; capture?: string | true; trace: boolean; selfTest: boolean; json: boolean;
  }>();
  if (given.json && !given.selfTest) throw new UsageError('--json goes with --self-test');
  const tap = given.tap ?? null;
  return {
    port: given.port,
    tap,
    address: given.address ?? (tap === null ? '10.0.0.1/24' : '10.9.0.2/24'),
    mtu: given.mtu,
    pcap: given.pcap ?? null,
    capture: given.capture === true ? '' : given.capture ?? null,
    trace: given.trace,
    selfTest: given.selfTest,
    json: given.json,
  };
}
