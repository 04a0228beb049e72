/*
 * Cells run in processes of their own, so many at a time. One that dies or hangs costs its cell alone.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cell, Span } from './cell.ts';
import type { Result } from './report.ts';

/** What is to be run. */
export interface Job {
  readonly cell: Cell;
  readonly span: Span;
}

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));
/** Wall time that a cell may take, ms. */
const PATIENCE = 600_000;

/** Runs all, in order as processes come free; calls `done` with each result. */
export async function runAll(jobs: readonly Job[], processes: number, done: (result: Result) => void): Promise<void> {
  const left = [...jobs];
  const lane = async (): Promise<void> => {
    let child: ChildProcess | null = null;
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      child ??= fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      const result = await runOne(child, job);
      if (result.reason !== undefined) {
        child.kill('SIGKILL');
        child = null;
      }
      done(result);
    }
    child?.kill();
  };
  await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, lane));
}

function runOne(child: ChildProcess, job: Job): Promise<Result> {
  return new Promise((resolve) => {
    const finish = (result: Result): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(result);
    };
    const timer = setTimeout(() => finish({ ...job, cpu: 0, reason: `took longer than ${PATIENCE / 1000} s` }), PATIENCE);
    child.once('message', (result: Result) => finish(result));
    child.once('exit', (code, signal) => finish({ ...job, cpu: 0, reason: `its process ended with ${signal ?? `status ${code}`}` }));
    child.send(job);
  });
}
