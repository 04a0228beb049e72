/*
 * --self-test: one connection through the whole house, 64 MiB there and back, every byte compared.
 */
import { performance } from 'node:perf_hooks';
import type { Host } from '@stack/host';

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;

export interface SelfTestResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
}

/** The octet at `offset` of the test's stream: a pattern whose period (65521, a prime) is that of no segment size. */
function fill(chunk: Uint8Array, offset: number): Uint8Array {
  for (let i = 0; i < chunk.length; i++) chunk[i] = ((offset + i) % 65521) & 0xff;
  return chunk;
}

/** Echoes `total` octets from `host` to the server and back. Rejects at the first octet that is not the one sent. */
export async function selfTest(host: Host, target: { host: string; port: number }, total = 64 * MIB): Promise<SelfTestResult> {
  const connection = await host.connect(target);
  const started = performance.now();
  const sent = send(connection.writable, total);
  const received = await verify(connection.readable, total);
  await sent;
  const seconds = (performance.now() - started) / 1000;
  return { bytes: received, seconds, bytesPerSecond: Math.round(received / seconds) };
}

async function send(writable: WritableStream<Uint8Array>, total: number): Promise<void> {
  const writer = writable.getWriter();
  const chunk = new Uint8Array(CHUNK);
  for (let offset = 0; offset < total; offset += CHUNK) await writer.write(fill(chunk, offset));
  await writer.close();
}

async function verify(readable: ReadableStream<Uint8Array>, total: number): Promise<number> {
  const expected = new Uint8Array(CHUNK);
  let offset = 0;
  for await (const chunk of readable) {
    const want = fill(expected.subarray(0, chunk.length), offset);
    if (Buffer.compare(chunk, want) !== 0) throw new Error(`self-test: wrong octets between ${offset} and ${offset + chunk.length}`);
    offset += chunk.length;
  }
  if (offset !== total) throw new Error(`self-test: ${offset} of ${total} octets came back`);
  return offset;
}
