// For this package's tests: a reader of pcapng, written from the specification and not from the writer.
// It takes either byte order, checks every length twice, and throws on what it does not understand.

/** One option, code and value. */
export interface ReadOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** One block: its body's fields are read by whoever knows the type. */
export interface ReadBlock {
  readonly type: number;
  readonly body: DataView;
  readonly options: ReadOption[];
}

/** A packet of an enhanced packet block. */
export interface ReadPacket {
  readonly interfaceId: number;
  readonly time: bigint;
  readonly original: number;
  readonly data: Uint8Array;
  readonly options: ReadOption[];
}

/** Length of the fixed part of each block's body; packet data comes after it. */
const FIXED: Readonly<Record<number, number>> = { 0x0a0d0d0a: 16, 1: 8, 5: 12, 6: 20 };

/** Puts the chunks of a sink together. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

/** All blocks of a little-endian file. */
export function readBlocks(file: Uint8Array): ReadBlock[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const blocks: ReadBlock[] = [];
  for (let at = 0; at < file.length;) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (length % 4 !== 0 || view.getUint32(at + length - 4, true) !== length) throw new Error(`block at ${at}: lengths disagree`);
    const body = new DataView(file.buffer, file.byteOffset + at + 8, length - 12);
    const fixed = FIXED[type];
    if (fixed === undefined) throw new Error(`block at ${at}: type ${type}`);
    const data = type === 6 ? (body.getUint32(12, true) + 3) & ~3 : 0;
    blocks.push({ type, body, options: readOptions(body, fixed + data) });
    at += length;
  }
  return blocks;
}

function readOptions(body: DataView, from: number): ReadOption[] {
  const options: ReadOption[] = [];
  for (let at = from; at < body.byteLength;) {
    const code = body.getUint16(at, true);
    const length = body.getUint16(at + 2, true);
    if (code === 0) {
      if (length !== 0 || at + 4 !== body.byteLength) throw new Error('opt_endofopt is not the end');
      return options;
    }
    options.push({ code, value: new Uint8Array(body.buffer, body.byteOffset + at + 4, length).slice() });
    at += 4 + ((length + 3) & ~3);
  }
  if (options.length > 0) throw new Error('options without opt_endofopt');
  return options;
}

/** The packets of a file, in order. */
export function readPackets(file: Uint8Array): ReadPacket[] {
  return readBlocks(file).filter((block) => block.type === 6).map(({ body, options }) => ({
    interfaceId: body.getUint32(0, true),
    time: (BigInt(body.getUint32(4, true)) << 32n) | BigInt(body.getUint32(8, true)),
    original: body.getUint32(16, true),
    data: new Uint8Array(body.buffer, body.byteOffset + 20, body.getUint32(12, true)).slice(),
    options,
  }));
}

/** The value of an option; throws if it is not there. */
export function option(block: { readonly options: readonly ReadOption[] }, code: number): Uint8Array {
  const found = block.options.find((one) => one.code === code);
  if (found === undefined) throw new Error(`no option ${code}`);
  return found.value;
}

/** The value of a text option. */
export function text(block: { readonly options: readonly ReadOption[] }, code: number): string {
  return decodeURIComponent([...option(block, code)].map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join(''));
}

/** The value of a 64-bit option, least significant octet first. */
export function uint64(value: Uint8Array): bigint {
  return [...value].reduceRight((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}
