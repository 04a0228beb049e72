// A filter's program as tcpdump -d prints it: an instruction a line.

import {
  BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_DIV, BPF_H, BPF_IMM, BPF_IND, BPF_INSN, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_LD, BPF_LDX,
  BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MOD, BPF_MSH, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TXA, BPF_W, BPF_X, BPF_XOR,
  INSN_CODE, INSN_JF, INSN_JT, INSN_K,
} from './bpf.ts';

const LOADS: ReadonlyMap<number, string> = new Map([[BPF_W, 'ld'], [BPF_H, 'ldh'], [BPF_B, 'ldb']]);
const ALU: ReadonlyMap<number, string> = new Map([
  [BPF_ADD, 'add'], [BPF_SUB, 'sub'], [BPF_MUL, 'mul'], [BPF_DIV, 'div'], [BPF_MOD, 'mod'], [BPF_AND, 'and'], [BPF_OR, 'or'], [BPF_XOR, 'xor'],
  [BPF_LSH, 'lsh'], [BPF_RSH, 'rsh'], [BPF_NEG, 'neg'],
]);
const JUMPS: ReadonlyMap<number, string> = new Map([[BPF_JEQ, 'jeq'], [BPF_JGT, 'jgt'], [BPF_JGE, 'jge'], [BPF_JSET, 'jset']]);

/** The lines of a program. */
export function bpfImage(program: Int32Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < program.length; at += BPF_INSN) lines.push(`(${String(at / BPF_INSN).padStart(3, '0')}) ${line(program, at)}`);
  return lines;
}

function line(program: Int32Array, at: number): string {
  const code = program[at + INSN_CODE]!;
  const [name, operand] = instruction(code, program[at + INSN_K]!);
  const text = operand === '' ? name : `${name.padEnd(8)} ${operand}`;
  if ((code & 0x07) !== BPF_JMP || (code & 0xf0) === BPF_JA) return text.trimEnd();
  return `${text.padEnd(25)} jt ${program[at + INSN_JT]! / BPF_INSN}\tjf ${program[at + INSN_JF]! / BPF_INSN}`;
}

function instruction(code: number, k: number): [name: string, operand: string] {
  const hex = `#0x${(k >>> 0).toString(16)}`;
  switch (code & 0x07) {
    case BPF_LD: return [LOADS.get(code & 0x18) ?? 'ld', loadOperand(code & 0xe0, k, hex)];
    case BPF_LDX: return (code & 0xe0) === BPF_MSH ? ['ldxb', `4*([${k}]&0xf)`] : ['ldx', loadOperand(code & 0xe0, k, hex)];
    case BPF_ST: return ['st', `M[${k}]`];
    case BPF_STX: return ['stx', `M[${k}]`];
    case BPF_ALU: return aluInstruction(code, k, hex);
    case BPF_JMP: return (code & 0xf0) === BPF_JA ? ['ja', String(k)] : [JUMPS.get(code & 0xf0) ?? 'j', (code & BPF_X) !== 0 ? 'x' : hex];
    case BPF_RET: return ['ret', `#${k}`];
    case BPF_MISC: return [(code & 0xf8) === BPF_TXA ? 'txa' : 'tax', ''];
    default: return ['unimp', hex];
  }
}

function aluInstruction(code: number, k: number, hex: string): [name: string, operand: string] {
  const op = code & 0xf0;
  if (op === BPF_NEG) return ['neg', ''];
  if ((code & BPF_X) !== 0) return [ALU.get(op) ?? 'alu', 'x'];
  const bits = op === BPF_AND || op === BPF_OR || op === BPF_XOR;
  return [ALU.get(op) ?? 'alu', bits ? hex : `#${k}`];
}

function loadOperand(mode: number, k: number, hex: string): string {
  switch (mode) {
    case BPF_ABS: return `[${k}]`;
    case BPF_IND: return `[x + ${k}]`;
    case BPF_MEM: return `M[${k}]`;
    case BPF_LEN: return '#pktlen';
    case BPF_IMM: return hex;
    default: return '?';
  }
}
