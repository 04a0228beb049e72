// The classic Berkeley Packet Filter: the instructions that a filter compiles to, and the machine that runs them.
//
// A program is an Int32Array of four words an instruction: code, k, and the indices of the instruction to go on with where
// a jump's test holds and where it does not. (Deviation: struct bpf_insn has 8-bit distances; indices need no long jumps.)
// bpfFilter() runs a program on a packet. Read first: McCanne and Jacobson, "The BSD Packet Filter", 1993.

export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;

export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;

export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

export const BPF_K = 0x00;
export const BPF_X = 0x08;

export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

/** Cells of scratch memory. */
export const BPF_MEMWORDS = 16;

/** Words of an instruction in a program, and where they are. */
export const BPF_INSN = 4;
export const INSN_CODE = 0;
export const INSN_K = 1;
export const INSN_JT = 2;
export const INSN_JF = 3;

/**
 * Runs `program` on the packet whose `caplen` stored bytes begin at `off` in `buf`, and which had `wirelen` on the wire; `mem` is
 * BPF_MEMWORDS of scratch memory. Returns what the program returns: bytes to keep, 0 for a packet that is not wanted. A
 * load past `caplen`, or a division by zero, ends the program with 0, whatever it was about to say.
 */
export function bpfFilter(program: Int32Array, mem: Int32Array, buf: Uint8Array, off: number, caplen: number, wirelen: number): number {
  let a = 0;
  let x = 0;
  for (let pc = 0; ;) {
    const code = program[pc]!;
    const k = program[pc + INSN_K]!;
    switch (code) {
      case BPF_RET | BPF_K: return k;
      case BPF_JMP | BPF_JEQ | BPF_K: pc = program[pc + (a === k ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JGT | BPF_K: pc = program[pc + (a >>> 0 > k >>> 0 ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JGE | BPF_K: pc = program[pc + (a >>> 0 >= k >>> 0 ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JSET | BPF_K: pc = program[pc + ((a & k) !== 0 ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JGT | BPF_X: pc = program[pc + (a >>> 0 > x >>> 0 ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JGE | BPF_X: pc = program[pc + (a >>> 0 >= x >>> 0 ? INSN_JT : INSN_JF)]!; continue;
      case BPF_JMP | BPF_JA: pc = program[pc + INSN_JT]!; continue;
      case BPF_LD | BPF_W | BPF_ABS: {
        if (k < 0 || k + 4 > caplen) return 0;
        const at = off + k;
        a = (buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!;
        break;
      }
      case BPF_LD | BPF_H | BPF_ABS:
        if (k < 0 || k + 2 > caplen) return 0;
        a = (buf[off + k]! << 8) | buf[off + k + 1]!;
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        if (k < 0 || k >= caplen) return 0;
        a = buf[off + k]!;
        break;
      case BPF_LD | BPF_W | BPF_IND: {
        const at = (x >>> 0) + (k >>> 0);
        if (at + 4 > caplen) return 0;
        a = (buf[off + at]! << 24) | (buf[off + at + 1]! << 16) | (buf[off + at + 2]! << 8) | buf[off + at + 3]!;
        break;
      }
      case BPF_LD | BPF_H | BPF_IND: {
        const at = (x >>> 0) + (k >>> 0);
        if (at + 2 > caplen) return 0;
        a = (buf[off + at]! << 8) | buf[off + at + 1]!;
        break;
      }
      case BPF_LD | BPF_B | BPF_IND: {
        const at = (x >>> 0) + (k >>> 0);
        if (at >= caplen) return 0;
        a = buf[off + at]!;
        break;
      }
      case BPF_LDX | BPF_MSH | BPF_B:
        if (k < 0 || k >= caplen) return 0;
        x = (buf[off + k]! & 0xf) << 2;
        break;
      case BPF_LD | BPF_IMM: a = k; break;
      case BPF_LDX | BPF_IMM: x = k; break;
      case BPF_LD | BPF_MEM: a = mem[k]!; break;
      case BPF_LDX | BPF_MEM: x = mem[k]!; break;
      case BPF_LD | BPF_LEN: a = wirelen; break;
      case BPF_ST: mem[k] = a; break;
      case BPF_STX: mem[k] = x; break;
      case BPF_MISC | BPF_TAX: x = a; break;
      case BPF_MISC | BPF_TXA: a = x; break;
      default: {
        const operand = (code & BPF_X) !== 0 ? x : k;
        if (operand === 0 && divides(code)) return 0;
        a = bpfAlu(code & 0xf0, a, operand);
      }
    }
    pc += BPF_INSN;
  }
}

function divides(code: number): boolean {
  return (code & 0xf0) === BPF_DIV || (code & 0xf0) === BPF_MOD;
}

/** `a op operand` in unsigned 32-bit arithmetic, as int32; the operand of a division is not 0. */
export function bpfAlu(op: number, a: number, operand: number): number {
  switch (op) {
    case BPF_ADD: return (a + operand) | 0;
    case BPF_SUB: return (a - operand) | 0;
    case BPF_MUL: return Math.imul(a, operand);
    case BPF_DIV: return ((a >>> 0) / (operand >>> 0)) | 0;
    case BPF_MOD: return ((a >>> 0) % (operand >>> 0)) | 0;
    case BPF_AND: return a & operand;
    case BPF_OR: return a | operand;
    case BPF_XOR: return a ^ operand;
    case BPF_LSH: return operand >>> 0 < 32 ? a << operand : 0;
    case BPF_RSH: return operand >>> 0 < 32 ? (a >>> operand) | 0 : 0;
    default: return -a | 0; // BPF_NEG
  }
}
