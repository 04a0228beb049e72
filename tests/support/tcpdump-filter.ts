// What tcpdump makes of a filter: the program that its libpcap compiles (`tcpdump -ddd` prints it), and a machine that runs it, which
// knows nothing of @stack/pcap-filter. So a filter is compared on every packet of every capture without a process for each.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

/** One struct bpf_insn. */
export interface BpfInsn {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** libpcap's program, or what it says is wrong. */
export type Compiled = { readonly program: readonly BpfInsn[]; readonly error: '' } | { readonly program: null; readonly error: string };

const FILE_HEADER = 24;

let directory = '';

/** A file of `linkType` without packets: what a filter is compiled for. */
function emptyCapture(linkType: number): string {
  if (directory === '') {
    directory = mkdtempSync(join(tmpdir(), 'tcpdump-'));
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  }
  const file = join(directory, `${linkType}.pcap`);
  const header = Buffer.alloc(FILE_HEADER);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(linkType, 20);
  writeFileSync(file, header);
  return file;
}

/** libpcap itself, as tcpdump calls it; loaded with the first filter. */
const libpcap = (() => {
  let bound: ReturnType<typeof bind> | null = null;
  const bind = () => {
    const library = koffi.load('libpcap.so.0.8');
    koffi.struct('bpf_insn', { code: 'uint16_t', jt: 'uint8_t', jf: 'uint8_t', k: 'uint32_t' });
    const program = koffi.struct('bpf_program', { bf_len: 'uint', bf_insns: 'bpf_insn *' });
    return {
      openOffline: library.func('pcap_open_offline', 'void *', ['str', koffi.out('uint8_t *')]) as (file: string, error: Uint8Array) => unknown,
      compile: library.func('pcap_compile', 'int', ['void *', koffi.out(koffi.pointer(program)), 'str', 'int', 'uint32_t']) as (
        (pcap: unknown, program: BpfProgram, text: string, optimize: number, netmask: number) => number),
      freecode: library.func('pcap_freecode', 'void', [koffi.pointer(program)]) as (program: BpfProgram) => void,
      geterr: library.func('pcap_geterr', 'str', ['void *']) as (pcap: unknown) => string,
      close: library.func('pcap_close', 'void', ['void *']) as (pcap: unknown) => void,
    };
  };
  return () => bound ??= bind();
})();

interface BpfProgram {
  bf_len: number;
  bf_insns: unknown;
}

/** libpcap's programs of `filters` for a file of `linkType`; `optimized` as tcpdump has them unless -O is given. */
export function tcpdumpPrograms(filters: readonly string[], linkType: number, optimized: boolean): Compiled[] {
  return filters.map((text) => {
    const { openOffline, compile, freecode, geterr, close } = libpcap();
    const pcap = openOffline(emptyCapture(linkType), new Uint8Array(256));
    try {
      const compiled: BpfProgram = { bf_len: 0, bf_insns: null };
      if (compile(pcap, compiled, text, optimized ? 1 : 0, 0) < 0) return refused(geterr(pcap));
      const program = koffi.decode(compiled.bf_insns, 'bpf_insn', compiled.bf_len) as BpfInsn[];
      freecode(compiled);
      return { program, error: '' };
    } finally {
      close(pcap);
    }
  });
}

function refused(error: string): Compiled {
  // That is what the optimizer calls a program that only says no.
  if (error.includes('expression rejects all packets')) return { program: [{ code: 6, jt: 0, jf: 0, k: 0 }], error: '' };
  return { program: null, error };
}

/** What a program says of a packet: no, yes, or no because a load was outside it, or a divisor 0. */
export const NO = 0;
export const YES = 1;
export const FAILED = 2;

const cells = new Uint32Array(16);

/** The machine, after the paper: 32-bit unsigned A and X, 16 cells. */
export function runBpf(program: readonly BpfInsn[], packet: Uint8Array, wirelen: number): number {
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc]!;
    const kind = code & 7;
    const mode = code & 0xe0;
    if (kind === 0 || kind === 1) {
      let value: number;
      if (mode === 0x00) value = k;
      else if (mode === 0x60) value = cells[k]!;
      else if (mode === 0x80) value = wirelen;
      else {
        const at = mode === 0x40 ? x + k : k;
        const bytes = (code & 0x18) === 0 ? 4 : (code & 0x18) === 8 ? 2 : 1;
        if (at + bytes > packet.length) return FAILED;
        let loaded = 0;
        for (let i = at; i < at + bytes; i++) loaded = loaded * 256 + packet[i]!;
        value = mode === 0xa0 ? (loaded & 0xf) * 4 : loaded;
      }
      if (kind === 0) a = value;
      else x = value;
    } else if (kind === 2) cells[k] = a;
    else if (kind === 3) cells[k] = x;
    else if (kind === 4) {
      const operand = (code & 8) !== 0 ? x : k;
      const result = alu(code & 0xf0, a, operand);
      if (result === null) return FAILED;
      a = result;
    } else if (kind === 5) {
      const operand = (code & 8) !== 0 ? x : k;
      const test = code & 0xf0;
      if (test === 0) pc += k;
      else pc += (test === 0x10 ? a === operand : test === 0x20 ? a > operand : test === 0x30 ? a >= operand : (a & operand) !== 0) ? jt : jf;
    } else if (kind === 6) return k !== 0 ? YES : NO;
    else if ((code & 0xf8) === 0x80) a = x;
    else x = a;
  }
  throw new Error('the program does not return');
}

function alu(op: number, a: number, b: number): number | null {
  const [left, right] = [BigInt(a), BigInt(b)];
  if ((op === 0x30 || op === 0x90) && b === 0) return null;
  const result = op === 0x00 ? left + right : op === 0x10 ? left - right : op === 0x20 ? left * right : op === 0x30 ? left / right
    : op === 0x40 ? left | right : op === 0x50 ? left & right : op === 0x60 ? (b < 32 ? left << right : 0n) : op === 0x70 ? left >> right
      : op === 0x80 ? -left : op === 0x90 ? left % right : left ^ right;
  return Number(BigInt.asUintN(32, result));
}
