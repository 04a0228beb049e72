// Conditions: the tests of a filter and how they are combined, before they are a program.
//
// gen-*.ts makes them: test() loads something and compares it, and(), or(), not() combine. link() lays them out as a program in which
// each test jumps to the next one that matters, so that what follows is not evaluated where the outcome is known.

import { BPF_INSN, BPF_JMP, BPF_RET, INSN_CODE, INSN_JF, INSN_JT, INSN_K } from './bpf.ts';

/** An instruction within a block. In a prologue it may be a jump: over so many of the next. */
export interface Statement {
  readonly code: number;
  readonly k: number;
  readonly jt?: number;
  readonly jf?: number;
}

/** Statements, then a jump: true or false. */
export interface Test {
  readonly kind: 'test';
  readonly statements: readonly Statement[];
  readonly code: number;
  readonly k: number;
}

interface Combined {
  readonly kind: 'and' | 'or';
  readonly left: Condition;
  readonly right: Condition;
}

interface Negated {
  readonly kind: 'not';
  readonly operand: Condition;
}

export type Condition = Test | Combined | Negated;

/** Runs `statements`, then compares the accumulator: `jump` is BPF_JEQ and such, with BPF_K and `k`, or with BPF_X. */
export function test(statements: readonly Statement[], jump: number, k: number): Condition {
  return { kind: 'test', statements, code: BPF_JMP | jump, k: k | 0 };
}

/** `right` is evaluated only where `left` is true. */
export function and(left: Condition, right: Condition): Condition {
  return { kind: 'and', left, right };
}

/** `right` is evaluated only where `left` is false. */
export function or(left: Condition, right: Condition): Condition {
  return { kind: 'or', left, right };
}

export function not(operand: Condition): Condition {
  return { kind: 'not', operand };
}

/** `first` or any of `more`. */
export function anyOf(first: Condition, more: readonly Condition[]): Condition {
  return more.reduce(or, first);
}

/** A test and where it leads; at the ends of all paths are two that return. */
class Block {
  statements: readonly Statement[];
  code: number;
  k: number;
  jt: Block | null;
  jf: Block | null;
  /** Index of its first instruction, counted back from the program's end; -1: not placed yet. */
  fromEnd: number;

  constructor(statements: readonly Statement[], code: number, k: number, jt: Block | null, jf: Block | null) {
    this.statements = statements;
    this.code = code;
    this.k = k;
    this.jt = jt;
    this.jf = jf;
    this.fromEnd = -1;
  }
}

/** The program of `condition`: returns `keep` bytes where it is true, 0 where it is not. `prologue` runs before all else. */
export function link(condition: Condition | null, keep: number, prologue: readonly Statement[]): Int32Array {
  const yes = new Block([], BPF_RET, keep, null, null);
  const root = condition === null ? yes : blockOf(condition, yes, new Block([], BPF_RET, 0, null, null));
  root.statements = [...prologue, ...root.statements];
  const placed: Block[] = [];
  const instructions = place(root, placed);
  const program = new Int32Array(instructions * BPF_INSN);
  for (const block of placed) emit(program, block, instructions);
  return program;
}

/** The block that decides `condition` and goes on to `yes` or `no`. */
function blockOf(condition: Condition, yes: Block, no: Block): Block {
  switch (condition.kind) {
    case 'not': return blockOf(condition.operand, no, yes);
    case 'and': return blockOf(condition.left, blockOf(condition.right, yes, no), no);
    case 'or': return blockOf(condition.left, yes, blockOf(condition.right, yes, no));
    default: return new Block(condition.statements, condition.code, condition.k, yes, no);
  }
}

/**
 * Places the blocks from the program's end: before each what it leads to, the false branch last. Returns the instructions placed. A filter
 * of thousands of hosts is a chain as long, so that this is no recursion.
 */
function place(root: Block, placed: Block[]): number {
  let instructions = 0;
  for (const open = [root]; open.length > 0;) {
    const block = open.at(-1)!;
    const before = [block.jf, block.jt].find((branch) => branch !== null && branch.fromEnd < 0);
    if (before !== null && before !== undefined) {
      open.push(before);
      continue;
    }
    open.pop();
    if (block.fromEnd >= 0) continue;
    placed.push(block);
    instructions += block.statements.length + 1;
    block.fromEnd = instructions;
  }
  return instructions;
}

function emit(program: Int32Array, block: Block, instructions: number): void {
  let at = (instructions - block.fromEnd) * BPF_INSN;
  for (const { code, k, jt, jf } of block.statements) {
    const next = at + BPF_INSN;
    program[at + INSN_CODE] = code;
    program[at + INSN_K] = k;
    if (jt !== undefined) program[at + INSN_JT] = next + jt * BPF_INSN;
    if (jf !== undefined) program[at + INSN_JF] = next + jf * BPF_INSN;
    at = next;
  }
  program[at + INSN_CODE] = block.code;
  program[at + INSN_K] = block.k;
  if (block.jt === null || block.jf === null) return;
  program[at + INSN_JT] = (instructions - block.jt.fromEnd) * BPF_INSN;
  program[at + INSN_JF] = (instructions - block.jf.fromEnd) * BPF_INSN;
}
