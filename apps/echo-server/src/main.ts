#!/usr/bin/env node
/*
 * npm start: the chapter's main job. Builds the segment, starts the service, says what it built and what to type, and
 * ends in order at Ctrl-C. A mistake of the user's (a port in use, no permission, a bad address) is one line and status 2.
 */
import { setImmediate } from 'node:timers/promises';
import { FilterError } from '@stack/pcap-filter';
import { parseOptions, UsageError, type Options } from './options.ts';
import { buildSegment, type Segment } from './segment.ts';
import { ECHO_PORT, serveTcp, serveUdp } from './echo.ts';
import { openGateway } from './gateway.ts';
import { captureTo, type CaptureFile } from './capture.ts';
import { watch, type Watch } from './watch.ts';
import { traceTo } from './trace.ts';
import { selfTest } from './self-test.ts';
import { banner, countersTable, selfTestLines } from './report.ts';

/** Errors that the user can mend: their message is the whole output. */
const USER_ERRORS = new Set(['EADDRINUSE', 'EACCES', 'EPERM', 'EBUSY', 'ENOENT', 'EISDIR', 'EADDRNOTAVAIL', 'ENODEV', 'EINVAL']);

async function main(options: Options): Promise<void> {
  const segment = buildSegment(options);
  const capture = options.pcap === null ? null : captureTo(options.pcap, segment);
  const seen = options.capture === null ? null : watch(segment, options.capture, (text) => process.stdout.write(text));
  if (options.trace) traceTo(segment, (line) => process.stdout.write(`${line}\n`));
  serveTcp(segment.server.task, ECHO_PORT, (error) => console.error(error.message));
  serveUdp(segment.server.task, ECHO_PORT);
  if (options.selfTest) await runSelfTest(options, segment);
  else await serve(options, segment, capture, seen);
  seen?.stop();
  await segment.close();
  capture?.close();
}

async function runSelfTest(options: Options, segment: Segment): Promise<void> {
  if (segment.gateway === null) throw new UsageError('--self-test runs on the simulated segment: leave --tap out');
  const result = await selfTest(segment.gateway, { host: segment.address, port: ECHO_PORT });
  const lines = options.json ? [JSON.stringify(result)] : selfTestLines(result, segment);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Serves until a signal. */
async function serve(options: Options, segment: Segment, capture: CaptureFile | null, seen: Watch | null): Promise<void> {
  const gateway = segment.gateway === null
    ? null
    : await openGateway(segment.gateway, options.port, { host: segment.address, port: ECHO_PORT });
  process.stdout.write(`${banner(options, segment, gateway).join('\n')}\n`);
  await signalled();
  await gateway?.close();
  process.stdout.write(`\n${countersTable(segment, gateway, capture, seen?.stop() ?? null).join('\n')}\n`);
}

/** Resolves at Ctrl-C, after what had ended before it is closed, which takes node:net a turn of the event loop or two. */
async function signalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  for (let turn = 0; turn < 2; turn++) await setImmediate();
}

function fail(error: unknown): never {
  const known = error instanceof UsageError || error instanceof FilterError || (error instanceof Error && USER_ERRORS.has(String(Reflect.get(error, 'code'))));
  process.stderr.write(`${known ? `echo-server: ${error.message}` : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(known ? 2 : 1);
}

try {
  await main(parseOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  if (error instanceof Error && Reflect.get(error, 'exitCode') === 0) process.exit(0);
  fail(error);
}

