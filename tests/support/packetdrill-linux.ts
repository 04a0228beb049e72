// Our packetdrill scripts against this machine's Linux, several at once: they mostly wait.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { parseScript, Result } from '@stack/packetdrill';
import type * as Linux from '@stack/packetdrill/linux';
import { root } from './workspace.ts';

/** Where the project's own scripts are. */
export const own = join(root, 'tests', 'packetdrill');

/** A script, and the reason why Linux need not do as it says; empty: it must. */
export interface OwnScript {
  readonly name: string;
  readonly text: string;
  readonly deviation: string;
  /** ms that it takes by its own account. */
  readonly length: number;
}

function lengthOf(script: ReturnType<typeof parseScript>): number {
  let micros = 0;
  for (const { when } of script.events) {
    const end = when.until ?? when.at;
    if (when.kind === 'relative') micros += end;
    else micros = Math.max(micros, end);
  }
  return micros / 1000;
}

export function ownScripts(parse: typeof parseScript): OwnScript[] {
  const names = readdirSync(own, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pkt')).sort();
  return names.map((name) => {
    const text = readFileSync(join(own, name), 'utf8');
    return { name, text, deviation: /^\/\/ Deviation: *(.*)$/m.exec(text)?.[1] ?? '', length: lengthOf(parse(text, name)) };
  });
}

/** The backend, and what reads scripts, in one file: a process that runs scripts imports that again. */
export async function loadLinux(): Promise<typeof Linux & { readonly parseScript: typeof parseScript }> {
  const folder = join(root, 'packages', 'packetdrill');
  const outfile = join(folder, '.cache', `linux-${process.pid}.mjs`);
  await build({
    stdin: { contents: "export * from './linux.ts';\nexport { parseScript } from './parse.ts';", resolveDir: join(folder, 'src'), loader: 'ts' },
    outfile, bundle: true, minify: true, format: 'esm', platform: 'node', target: 'node20', conditions: ['@stack/source'], external: ['koffi'], logLevel: 'error',
  });
  return (await import(pathToFileURL(outfile).href)) as Awaited<ReturnType<typeof loadLinux>>;
}

/** A function that has each task done with one of `free`, as soon as one is. */
export function pool<T>(free: T[]): <R>(task: (one: T) => Promise<R>) => Promise<R> {
  const waiting: ((one: T) => void)[] = [];
  return async (task) => {
    const one = free.pop() ?? await new Promise<T>((resolve) => waiting.push(resolve));
    try {
      return await task(one);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(one);
      else next(one);
    }
  };
}

/** A failure as a reader wants it; empty if there is none. */
export function describeFailure(name: string, { failure, log, late }: Result): string {
  if (failure === null) return '';
  const seconds = (failure.time / 1e6).toFixed(6);
  return [
    `tests/packetdrill/${name}:${failure.line}: at ${seconds} s (the run was ${(late / 1000).toFixed(1)} ms late at most)`, failure.text, failure.message, '', ...log,
  ].join('\n');
}
