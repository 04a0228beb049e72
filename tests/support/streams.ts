// What tests over web streams share: reading to the end, serving one body, fetching one.
import { createHash } from 'node:crypto';
import type { Connection, Host } from '@stack/host';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** All octets of a connection's readable side. */
export async function readAll({ readable }: Connection): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Answers every HTTP request on `port` with `body` until the host ends. */
export async function serveBody(host: Host, port: number, body: Uint8Array): Promise<void> {
  for await (const connection of host.listen({ port })) void answerBody(connection, body).catch(() => undefined);
}

async function answerBody({ readable, writable }: Connection, body: Uint8Array): Promise<void> {
  const writer = writable.getWriter();
  let request = '';
  for await (const chunk of readable.values({ preventCancel: true })) {
    request += new TextDecoder().decode(chunk);
    if (request.includes('\r\n\r\n')) break;
  }
  await writer.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`));
  await writer.write(body);
  await writer.close();
}

/** Fetches `path` by HTTP/1.0. Returns the body. */
export async function fetchBody(host: Host, server: string, port: number, path: string): Promise<Uint8Array> {
  const connection = await host.connect({ host: server, port });
  const writer = connection.writable.getWriter();
  await writer.write(Buffer.from(`GET ${path} HTTP/1.0\r\nHost: ${server}\r\n\r\n`));
  const answer = Buffer.from(await readAll(connection));
  await writer.close();
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4);
}

/** Sends `bytes` to an echo server and ends when all have come back. Returns what came. */
export async function echoThrough(host: Host, server: string, port: number, bytes: Uint8Array): Promise<Uint8Array> {
  const connection = await host.connect({ host: server, port });
  const writer = connection.writable.getWriter();
  const written = writer.write(bytes);
  const chunks: Uint8Array[] = [];
  let left = bytes.length;
  for await (const chunk of connection.readable) {
    chunks.push(chunk);
    left -= chunk.length;
    if (left <= 0) break;
  }
  await written;
  await writer.close();
  return Buffer.concat(chunks);
}
