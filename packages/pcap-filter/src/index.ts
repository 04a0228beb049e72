// Compiling a filter.
export { compileFilter, type Filter, type FilterOptions, type FilterPredicate } from './filter.ts';
export { FilterError } from './error.ts';
export type { FilterNames } from './resolve.ts';

// Its program.
export { BPF_INSN, BPF_MEMWORDS, INSN_CODE, INSN_JF, INSN_JT, INSN_K, bpfFilter } from './bpf.ts';
export { bpfImage } from './bpf-image.ts';
