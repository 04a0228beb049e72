/*
 * A script's text into its events: options, the first commands, then a time and what happens at it, again and again.
 */
import { parseExpr, type Defines } from './parse-expr.ts';
import { parsePacket } from './parse-packet.ts';
import { accept, atEnd, expect, fail, lineOf, looking, match, rawUntil, Scanner, skipBlanks, word } from './scanner.ts';
import type { Action, Event, Expr, Script, When } from './script.ts';

const OPTION = /--(\w+)(?:=("[^"\n]*"|[^\s`]+))?/y;

/** packetdrill's options. Those that say how it is to reach its device or another machine mean nothing here. */
const OPTIONS = new Set([
  'ip_version', 'local_ip', 'remote_ip', 'mtu', 'mss', 'tolerance_usecs', 'tcp_ts_tick_usecs',
  'bind_port', 'connect_port', 'gateway_ip', 'netmask_ip', 'speed', 'init_scripts', 'tolerance_percent', 'tcp_ts_ecr_scaled', 'strict_segments', 'non_fatal', 'dry_run',
  'is_anyip', 'send_omit_free', 'udp_encaps', 'define', 'verbose', 'debug', 'code_command', 'code_format', 'code_sockopt', 'so_filename', 'so_flags',
  'wire_client', 'wire_server', 'wire_server_ip', 'wire_server_port', 'wire_client_dev', 'wire_server_dev', 'tun_dev', 'persistent_tun_dev',
]);
const SECONDS = /\d+(?:\.\d+)?|\.\d+/y;

function microseconds(s: Scanner): number {
  const found = match(s, SECONDS) ?? fail(s, 'a time in seconds: 0.5, +.1, *');
  return Math.round(Number(found[0]) * 1e6);
}

function parseWhen(s: Scanner): When {
  if (accept(s, '*')) return { kind: 'any', at: 0 };
  const kind = accept(s, '+') ? 'relative' : 'absolute';
  const at = microseconds(s);
  const range = accept(s, '...') || accept(s, '~');
  if (!range) return { kind, at };
  accept(s, '+');
  return { kind, at, until: microseconds(s) };
}

function parseCall(s: Scanner, defines: Defines): Action {
  const name = word(s, 'a system call');
  expect(s, '(');
  const args: Expr[] = [];
  while (!accept(s, ')')) {
    args.push(parseExpr(s, defines));
    if (!accept(s, ',') && !looking(s, ')')) fail(s, "',' or ')'");
  }
  expect(s, '=');
  const result = parseExpr(s, defines);
  const errno = match(s, /E[A-Z]+\b/y)?.[0] ?? null;
  if (looking(s, '(')) {
    s.pos++;
    rawUntil(s, ')');
  }
  return { kind: 'call', name, args, result, errno };
}

function parseAction(s: Scanner, defines: Defines): Action {
  if (accept(s, '`')) return { kind: 'command', text: rawUntil(s, '`') };
  if (accept(s, '%{')) return { kind: 'code', text: rawUntil(s, '}%') };
  if (accept(s, '<')) return { kind: 'packet', inbound: true, packet: parsePacket(s, defines) };
  if (accept(s, '>')) return { kind: 'packet', inbound: false, packet: parsePacket(s, defines) };
  return parseCall(s, defines);
}

/** What the value of an option must be, where it means something here. */
const VALUES: ReadonlyMap<string, { readonly pattern: RegExp; readonly what: string }> = new Map([
  ...['mtu', 'mss', 'tolerance_usecs', 'tcp_ts_tick_usecs'].map((name) => [name, { pattern: /^\d+$/, what: 'a number' }] as const),
  ...['local_ip', 'remote_ip'].map((name) => [name, { pattern: /^\d+\.\d+\.\d+\.\d+$/, what: 'an IPv4 address' }] as const),
  ['ip_version', { pattern: /^ipv4/, what: 'ipv4 (there is no other)' }],
]);

const ANY_VALUE = { pattern: /^/, what: '' };

function parseOptions(s: Scanner): Map<string, string> {
  const options = new Map<string, string>();
  for (let found = match(s, OPTION); found !== null; found = match(s, OPTION)) {
    const [all, name = '', value = 'true'] = found;
    const { pattern, what } = VALUES.get(name) ?? ANY_VALUE;
    if (!OPTIONS.has(name) || !pattern.test(value)) {
      s.pos -= all.length;
      fail(s, OPTIONS.has(name) ? `${what} for --${name}` : 'an option that packetdrill has');
    }
    options.set(name, value.replace(/^"(.*)"$/, '$1'));
  }
  return options;
}

/**
 * Parses a script. Throws a ScriptError that points at the first word that it does not understand.
 *
 * @param file its name, for errors
 * @param defines what names stand for (-D)
 */
export function parseScript(text: string, file = 'script', defines: Defines = new Map()): Script {
  const s = new Scanner(text, file);
  const options = parseOptions(s);
  const init = accept(s, '`') ? rawUntil(s, '`') : null;
  const events: Event[] = [];
  let cleanup: string | null = null;
  while (!atEnd(s)) {
    if (accept(s, '`')) {
      cleanup = rawUntil(s, '`');
      continue;
    }
    skipBlanks(s);
    const start = s.pos;
    const when = parseWhen(s);
    const action = parseAction(s, defines);
    events.push({ when, action, line: lineOf(s, start), text: text.slice(start, s.pos).replace(/(\s|\/\/[^\n]*(\n|$))*$/, '') });
  }
  return { options, init, cleanup, events };
}
