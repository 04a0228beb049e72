// Runs a set of test files that a bundle holds, wherever the bundle is loaded, and says what became of each test.
import { startTests, type File, type Task, type VitestRunner } from '@vitest/runner';

/** What became of one test. */
export interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly state: 'pass' | 'fail' | 'skip';
  readonly error: string;
}

/** How a test file of the bundle is loaded, by its path. */
export type TestFiles = Readonly<Record<string, () => Promise<unknown>>>;

const config: VitestRunner['config'] = {
  root: '/', setupFiles: [], name: undefined, passWithNoTests: true, testNamePattern: undefined, allowOnly: false,
  sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' }, chaiConfig: undefined, maxConcurrency: 5, testTimeout: 60_000, hookTimeout: 60_000,
  retry: 0, includeTaskLocation: false, tags: [], tagsFilter: undefined, strictTags: false,
};

/** Runs all files, one after the other. */
export async function runFiles(files: TestFiles): Promise<Outcome[]> {
  const runner: VitestRunner = {
    config,
    importFile: (path) => files[path]?.(),
    onBeforeRunTask: (test) => console.log(`${test.file.filepath} > ${test.name}`), // the last line, if the run hangs
  };
  const done = await startTests(Object.keys(files), runner);
  return done.flatMap((file) => outcomes(file, file, ''));
}

/** The outcomes of a task and all below it. A file or suite that failed by itself (it did not load) is one failed test. */
function outcomes(task: Task, file: File, above: string): Outcome[] {
  const name = task === file ? '' : above === '' ? task.name : `${above} > ${task.name}`;
  const errors = (task.result?.errors ?? []).map((error) => error.stack ?? error.message).join('\n');
  if (task.type === 'suite') {
    const below = task.tasks.flatMap((child) => outcomes(child, file, name));
    return errors === '' ? below : [...below, { file: file.filepath, name: name === '' ? '(the file)' : name, state: 'fail', error: errors }];
  }
  const skipped = task.mode === 'skip' || task.mode === 'todo' || task.result?.state === 'skip';
  return [{ file: file.filepath, name, state: skipped ? 'skip' : task.result?.state === 'pass' ? 'pass' : 'fail', error: errors }];
}
