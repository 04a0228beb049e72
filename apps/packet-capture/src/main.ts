#!/usr/bin/env node
/*
 * npm run capture: reads a file or captures on a host, filters, and prints, writes or counts. A mistake of the user's is one clear
 * line (a bad filter: two more, that point at the word) and status 2.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { CaptureError } from '@stack/pcap';
import { FilterError } from '@stack/pcap-filter';
import {
  MAXIMUM_SNAPLEN, interfaceName, linkTypeOf, openCapture, stopCapture, type Capture, type CaptureCounts, type CapturedPacket,
} from './capture.ts';
import { demoSource } from './demo.ts';
import { parseOptions, UsageError, type Options } from './options.ts';
import { linkTypeText, nextPacket, openFile, type FilteredFile } from './read.ts';
import { countSink, pcapngSink, textSink, type LiveInterface, type Sink } from './sink.ts';
import { tapSource, type Source } from './source.ts';

/** Errors that the user can mend: their message is the whole output. */
const USER_ERRORS = new Set(['EACCES', 'EPERM', 'EBUSY', 'ENOENT', 'EISDIR', 'ENOTDIR', 'ENODEV', 'EINVAL', 'EADDRNOTAVAIL', 'ENOSPC']);
const FLUSH_AT = 1 << 16;

const complain = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Standard output: gathered, unless somebody watches. */
class Output {
  pending = '';
  prompt: boolean;

  constructor(prompt: boolean) {
    this.prompt = prompt;
  }
}

function write(output: Output, text: string): void {
  output.pending += text;
  if (output.prompt || output.pending.length >= FLUSH_AT) flush(output);
}

function flush(output: Output): void {
  if (output.pending !== '') process.stdout.write(output.pending);
  output.pending = '';
}

interface Opened {
  readonly sink: Sink;
  readonly close: () => void;
}

/** The sink that the options ask for; `live` names the interface of a capture. */
function openSink(options: Options, live: LiveInterface | null): Opened {
  const output = new Output(options.lineBuffered || process.stdout.isTTY === true);
  const colours = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
  if (options.write !== null) return openPcapng(options, options.write, live);
  const print = (text: string): void => write(output, text);
  const sink = options.countOnly ? countSink(print) : textSink(options.print, options.timeForm, colours, print);
  return { sink, close: () => flush(output) };
}

function openPcapng(options: Options, path: string, live: LiveInterface | null): Opened {
  const described = { comment: options.comment, filter: options.filter, snaplen: options.snaplen };
  if (path === '-') return { sink: pcapngSink(described, live, (chunk) => void process.stdout.write(chunk)), close: () => undefined };
  const fd = openSync(path, 'w');
  const whole = (chunk: Uint8Array): void => {
    for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
  };
  return { sink: pcapngSink(described, live, whole), close: () => closeSync(fd) };
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** -r. What stands before damage in the file is told. */
async function readFile(options: Options, path: string): Promise<void> {
  const file = openFile(path === '-' ? await standardInput() : readFileSync(path), options.filter);
  const [first] = file.reader.interfaces;
  const { sink, close } = openSink(options, null);
  const link = first === undefined ? '' : `, link-type ${linkTypeText(first.linkType)}, snapshot length ${first.snapLen === 0 ? MAXIMUM_SNAPLEN : first.snapLen}`;
  complain(`reading from file ${path}${link}`);
  try {
    sendAll(file, sink, options);
  } finally {
    sink.end(null);
    close();
  }
}

function sendAll(file: FilteredFile, sink: Sink, { maxCount, snaplen }: Options): void {
  for (let count = 0; count < maxCount; count++) {
    const packet = nextPacket(file);
    if (packet === null) return;
    sink.packet(packet.caplen > snaplen ? cut(packet, snaplen) : packet);
  }
}

function cut(packet: CapturedPacket, snaplen: number): CapturedPacket {
  const { linkType, time, wirelen, data, offset, interfaceName: name, flags, dropCount, comments } = packet;
  return { linkType, time, caplen: snaplen, wirelen, data, offset, interfaceName: name, flags, dropCount, comments };
}

function deviceNames(source: Source): string[] {
  return source.hosts.flatMap((host) => [...host.net.netdev.devList].map((dev) => `${host.name}/${dev.name}`));
}

/** `-i`: DEVICE of the source's host, or HOST/DEVICE. */
function findInterface(source: Source, wanted: string | null): [Source['host'], string] {
  if (wanted === null) return [source.host, source.device];
  const [device = '', name] = wanted.split('/').reverse();
  const host = name === undefined ? source.host : source.hosts.find((one) => one.name === name);
  const known = host !== undefined && (device === 'any' || [...host.net.netdev.devList].some((dev) => dev.name === device));
  if (host === undefined || !known) throw new UsageError(`no device ${wanted}: there are ${deviceNames(source).join(', ')}`);
  return [host, device];
}

/** Captures until the source is done, enough packets have come, or a signal. */
async function captureLive(options: Options): Promise<void> {
  const source = options.tap === null ? demoSource() : tapSource(options.tap, options.address);
  if (options.listInterfaces) {
    process.stdout.write(`${deviceNames(source).join('\n')}\n`);
    await source.close();
    return;
  }
  const [host, device] = findInterface(source, options.interface);
  const counts = await watch(options, source, host, device);
  complain(`${counts.captured} packet${counts.captured === 1 ? '' : 's'} captured`);
  complain(`${counts.received} packet${counts.received === 1 ? '' : 's'} received by filter`);
  complain(`${counts.dropped} packet${counts.dropped === 1 ? '' : 's'} dropped by kernel`);
  await source.close();
}

async function watch(options: Options, source: Source, host: Source['host'], device: string): Promise<CaptureCounts> {
  let opened: Opened | null = null;
  let enough = (): void => undefined;
  const counted = new Promise<void>((resolve) => {
    enough = resolve;
  });
  let count = 0;
  const onPacket = (packet: CapturedPacket): void => {
    if (count >= options.maxCount) return;
    opened?.sink.packet(packet);
    if (++count >= options.maxCount) enough();
  };
  const capture: Capture = openCapture(host.net, device, { filter: options.filter, snaplen: options.snaplen, onPacket });
  opened = openSink({ ...options, lineBuffered: true }, { name: interfaceName(capture), linkType: linkTypeOf(capture.dev) });
  complain(`listening on ${interfaceName(capture)} (${source.what}), link-type ${linkTypeText(linkTypeOf(capture.dev))}, snapshot length ${options.snaplen} bytes`);
  await Promise.race([counted, signalled(), ...(source.run === null ? [] : [source.run()])]);
  const counts = stopCapture(capture);
  const told = { ...counts, captured: Math.min(counts.captured, count) };
  opened.sink.end(told);
  opened.close();
  return told;
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      if (process.stderr.isTTY === true) process.stderr.write('\n');
      resolve();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  });
}

function isUserError(error: unknown): error is Error {
  if (error instanceof UsageError || error instanceof FilterError || error instanceof CaptureError) return true;
  return error instanceof Error && USER_ERRORS.has(String(Reflect.get(error, 'code')));
}

function fail(error: unknown): never {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  complain(isUserError(error) ? `packet-capture: ${error.message}` : text);
  process.exit(isUserError(error) ? 2 : 1);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  fail(error);
});

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.read === null) await captureLive(options);
  else await readFile(options, options.read);
  process.exit(0);
} catch (error) {
  if (error instanceof Error && Reflect.get(error, 'exitCode') === 0) process.exit(0);
  fail(error);
}
