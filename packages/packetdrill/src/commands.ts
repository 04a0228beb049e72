/*
 * The commands in backticks. A script's commands set the machine up; here each kind that the suite uses is done to the host:
 * sysctls, routes, TCP's memory of peers, the device's queue, the socket table. Any other is an error, not passed over.
 */
import { ipRouteAdd, ipRouteDel, type IpRouteSpec } from '@stack/ip';
import type { Host } from '@stack/host';
import { snmpSnapshot, sysctlRead, type CtlValue, type SnmpMib } from '@stack/kernel';
import {
  devGraftQdisc, fqChange, fqOps, NETIF_F_GRO, NETIF_F_GSO, NETIF_F_TSO, NETIF_F_TSO_ECN, netdevUpdateFeatures, pfifoOps, qdiscCreate, TCQ_F_CAN_BYPASS,
  type FqOptions,
} from '@stack/netdev';
import { O_CREAT, O_TRUNC, O_WRONLY, sysClose, sysOpen, sysUnlink, sysWrite } from '@stack/socket';
import { tcpMetricsFlush } from '@stack/tcp';
import { alternatives, commandLines, commandOf, sysctlWords } from './command-lines.ts';
import { FREEBSD_COMMANDS, linuxSettings } from './freebsd.ts';
import type { ScriptNic } from './nic.ts';
import { pipelineStages, runPipeline } from './pipeline.ts';

/** A command that failed or that is not known. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** What commands work on. */
export interface Machine {
  readonly host: Host;
  readonly nic: ScriptNic;
  /** The sysctls that `defaults.sh` sets. */
  readonly defaults: Readonly<Record<string, CtlValue>>;
  /** The counters as nstat has last seen them. */
  readonly nstatHistory: Map<string, number>;
}

function parseValue(text: string): CtlValue {
  const words = text.trim().split(/\s+/);
  if (words.length > 1 && words.every((one) => /^-?\d+$/.test(one))) return words.map(Number);
  return /^-?\d+$|^0x[0-9a-f]+$/i.test(text) ? Number(text) : text;
}

function setSysctl(machine: Machine, name: string, value: CtlValue): void {
  try {
    machine.host.sysctl(name, value);
  } catch (error) {
    throw new CommandError(`sysctl ${name}=${String(value)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function defaults(machine: Machine): void {
  const { net } = machine.host;
  for (const [name, value] of Object.entries(machine.defaults)) if (sysctlRead(net, name) !== null) setSysctl(machine, name, value);
  tcpMetricsFlush(net);
}

function assignments(machine: Machine, words: readonly string[], notes: string[]): void {
  for (const [name, value] of sysctlWords(words)) {
    for (const [of, set] of linuxSettings(name, value, notes)) setSysctl(machine, of, parseValue(set));
  }
}

function ipCommand(machine: Machine, words: readonly string[]): void {
  const { net } = machine.host;
  if (words[0] === 'tcp_metrics') {
    tcpMetricsFlush(net);
    return;
  }
  if (words[0] !== 'route' || words[1] !== 'change') throw new CommandError(`ip ${words.join(' ')}: only route change and tcp_metrics flush are known`);
  const spec: Record<string, string | number> = { dst: words[2] ?? '' };
  const names: Readonly<Record<string, string>> = { via: 'gateway', dev: 'dev', mtu: 'mtu', advmss: 'advmss', initcwnd: 'initcwnd', initrwnd: 'initrwnd' };
  for (let i = 3; i < words.length; i += 2) {
    const name = names[words[i] ?? ''];
    if (name !== undefined) spec[name] = parseValue(words[i + 1] ?? '') as string | number;
  }
  ipRouteDel(net, spec as unknown as IpRouteSpec);
  const error = ipRouteAdd(net, spec as unknown as IpRouteSpec);
  if (error < 0) throw new CommandError(`ip ${words.join(' ')}: error ${-error}`);
}

const RATES: Readonly<Record<string, number>> = { bit: 1 / 8, kbit: 125, mbit: 125_000, gbit: 125e6, bps: 1, kbps: 1000, mbps: 1e6, gbps: 1e9 };

/** A number as tc has it: octets, or a rate in octets per second. */
function tcNumber(text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+)(\w*)$/.exec(text) ?? [];
  return Number(digits) * (RATES[unit.toLowerCase()] ?? (unit.toLowerCase() === 'k' ? 1024 : 1));
}

/** What `tc … fq …` says. */
function fqOptions(words: readonly string[]): FqOptions {
  const names: Readonly<Record<string, string>> = {
    limit: 'limit', flow_limit: 'flowLimit', quantum: 'quantum', initial_quantum: 'initialQuantum', maxrate: 'maxrate',
  };
  const options: Record<string, number | boolean> = {};
  words.forEach((word, i) => {
    const name = names[word];
    if (name !== undefined) options[name] = tcNumber(words[i + 1] ?? '');
    if (word === 'nopacing') options['pacing'] = false;
  });
  return options;
}

/** `tc qdisc replace dev tun0 root pfifo|fq limit N …` */
function tc(machine: Machine, words: readonly string[]): void {
  const { dev } = machine.nic;
  const limit = words.indexOf('limit');
  const fq = words.includes('fq');
  const qdisc = qdiscCreate(fq ? fqOps : pfifoOps, dev);
  if (qdisc === null) throw new CommandError(`tc ${words.join(' ')}: no qdisc`);
  if (fq && fqChange(qdisc, fqOptions(words)) < 0) throw new CommandError(`tc ${words.join(' ')}: not an fq`);
  if (limit >= 0) qdisc.limit = Number(words[limit + 1]);
  if (qdisc.limit === 0) qdisc.flags &= ~TCQ_F_CAN_BYPASS;
  devGraftQdisc(dev, qdisc);
}

const STATES: Readonly<Record<string, number>> = {
  ESTAB: 1, 'SYN-SENT': 2, 'SYN-RECV': 3, 'FIN-WAIT-1': 4, 'FIN-WAIT-2': 5, 'TIME-WAIT': 6, UNCONN: 7, 'CLOSE-WAIT': 8, 'LAST-ACK': 9, LISTEN: 10, CLOSING: 11,
};

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');

/** An address as /proc/net/tcp has it: its octets backwards, and the port. */
function procEnd(address: string, port: number): string {
  return `${address.split('.').reverse().map((part) => hex(Number(part), 2)).join('')}:${hex(port, 4)}`;
}

/** A line of /proc/net/tcp for each socket: what grep looks through. */
function procNetTcp(host: Host): string[] {
  return host.show.sockets().filter(({ netid }) => netid === 'tcp').map((row, i) => (
    `${String(i).padStart(4)}: ${procEnd(row.localAddress, row.localPort)} ${procEnd(row.peerAddress, row.peerPort)} ${hex(STATES[row.state] ?? 7, 2)} `
  ));
}

/** A group of counters as /proc/net/snmp and /proc/net/netstat have it: a line of names, and one of values. */
function procMib({ prefix, names, values }: SnmpMib): string[] {
  return [`${prefix}: ${names.join(' ')}`, `${prefix}: ${[...values].join(' ')}`];
}

/** The lines of a file under /proc. */
function readProc({ host }: Machine, path: string): readonly string[] | null {
  const extended = path === '/proc/net/netstat';
  if (extended || path === '/proc/net/snmp') return [...host.net.snmp.values()].filter(({ prefix }) => prefix.endsWith('Ext') === extended).flatMap(procMib);
  if (path === '/proc/net/tcp') return procNetTcp(host);
  const value = path.startsWith('/proc/sys/') ? sysctlRead(host.net, path.slice('/proc/sys/'.length).replaceAll('/', '.')) : null;
  return value === null ? null : [Array.isArray(value) ? value.join('\t') : String(value)];
}

function pipeline(machine: Machine, line: string): void {
  const counters = new Map(Object.entries(snmpSnapshot(machine.host.net)));
  const { status, unknown } = runPipeline({ counters, history: machine.nstatHistory, read: (path) => readProc(machine, path) }, line);
  if (unknown !== null) throw new CommandError(`${line}: ${unknown} is not known here in a pipeline; there are ${Object.keys(pipelineStages).join(', ')}`);
  if (status !== 0) throw new CommandError(`${line}: status ${status}`);
}

/** `dd bs=N count=M of=FILE`: a file of zeros. */
function dd(machine: Machine, words: readonly string[]): void {
  const args = new Map(words.map((word) => word.split('=') as [string, string]));
  const { task } = machine.host;
  const fd = sysOpen(task, args.get('of') ?? '', O_WRONLY | O_CREAT | O_TRUNC);
  void sysWrite(task, fd, new Uint8Array(Number(args.get('bs') ?? 512) * Number(args.get('count') ?? 1)));
  sysClose(task, fd);
}

const FEATURES: Readonly<Record<string, number>> = { tso: NETIF_F_TSO | NETIF_F_TSO_ECN, gso: NETIF_F_GSO, gro: NETIF_F_GRO };

/** `ethtool -K DEVICE FEATURE on|off …` */
function ethtool(machine: Machine, words: readonly string[]): void {
  const { dev } = machine.nic;
  for (let i = 2; i + 1 < words.length; i += 2) {
    const bits = FEATURES[words[i] ?? ''] ?? 0;
    if (words[i + 1] === 'off') dev.wantedFeatures &= ~bits;
    else dev.wantedFeatures |= bits;
  }
  netdevUpdateFeatures(dev);
}

type Command = (machine: Machine, words: readonly string[], line: string, notes: string[]) => void;
const nothing: Command = () => undefined;

/** By the last part of the command's path. */
const commands: Readonly<Record<string, Command>> = {
  'defaults.sh': (machine) => defaults(machine),
  'set_sysctls.py': (machine, words, _line, notes) => assignments(machine, words, notes),
  sysctl: (machine, words, _line, notes) => assignments(machine, words, notes),
  ip: (machine, words) => ipCommand(machine, words),
  ethtool: (machine, words) => ethtool(machine, words),
  tc: (machine, words) => tc(machine, words),
  dd: (machine, words) => dd(machine, words),
  rm: (machine, words) => words.forEach((word) => sysUnlink(machine.host.task, word)),
  /* Parameters of Linux's modules, written to /sys: what they switch on is on here. */
  echo: nothing,
  sync: nothing,
  true: nothing,
  ':': nothing,
  cd: nothing,
  set: nothing,
  false: (_machine, _words, line) => {
    throw new CommandError(`${line}: status 1`);
  },
};

function runCommand(machine: Machine, line: string, notes: string[]): void {
  const { name, words } = commandOf(line);
  if (pipelineStages[name] !== undefined) {
    pipeline(machine, line);
    return;
  }
  if (FREEBSD_COMMANDS.has(name)) {
    notes.push(`# ${line}: passed over`);
    return;
  }
  const command = commands[name];
  if (command === undefined) {
    throw new CommandError(`${line}: no such command here; there are ${[...Object.keys(commands), ...Object.keys(pipelineStages)].join(', ')}. A host of the house has no shell: --linux has one`);
  }
  command(machine, words, line, notes);
}

/** `! COMMAND`, `COMMAND || COMMAND`. */
function runLine(machine: Machine, line: string, notes: string[]): void {
  const [first = '', ...others] = alternatives(line);
  const inverted = /^!\s+(.*)$/s.exec(first)?.[1];
  try {
    runCommand(machine, inverted ?? first, notes);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (inverted !== undefined) return;
    if (others.length === 0) throw error;
    runLine(machine, others.join(' || '), notes);
    return;
  }
  if (inverted === undefined) return;
  if (others.length === 0) throw new CommandError(`${line}: status 0, which ! makes a failure`);
  runLine(machine, others.join(' || '), notes);
}

const VARIABLE = /^(?:export\s+)?([A-Za-z_]\w*)=(\S*|"[^"]*"|'[^']*')$/;

/** Runs a block of commands; throws a CommandError at the first that fails. Returns notes for the log: what it passed over. */
export function runCommands(machine: Machine, text: string): string[] {
  const notes: string[] = [];
  const variables = new Map<string, string>();
  for (const { line } of commandLines(text)) {
    const expanded = line.replace(/\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})/g, (_all, bare?: string, braced?: string, otherwise = '') => variables.get(bare ?? braced ?? '') ?? otherwise);
    const [, name, value = ''] = VARIABLE.exec(expanded) ?? [];
    if (name === undefined) runLine(machine, expanded, notes);
    else variables.set(name, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return notes;
}
