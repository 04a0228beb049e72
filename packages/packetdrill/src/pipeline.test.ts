import { expect, test } from 'vitest';
import { runPipeline, shellWords, type Sources } from './pipeline.ts';

function sources(counters: Readonly<Record<string, number>>): Sources {
  return { counters: new Map(Object.entries(counters)), history: new Map(), read: (path) => (path === '/proc/net/tcp' ? ['0: 0A 1F90', '1: 01 1F90'] : null) };
}

test('words: quotes are taken off, redirections are none', () => {
  expect(shellWords(`grep -q " 3 " 'a b' c\\ d > /dev/null 2>&1`)).toEqual(['grep', '-q', ' 3 ', 'a b', 'c d']);
});

test.each([
  ['nstat | grep TcpExtBeyondWindow | grep -q " 3 "', 0],
  ['nstat | grep TcpExtBeyondWindow | grep -q " 4 "', 1],
  ['nstat | grep -q TcpExtTCPTimeouts', 1],
  ['nstat -z | grep -q TcpExtTCPTimeouts', 0],
  ["nstat -az 'TcpExtTCP*' | grep -vq TcpExtTCP", 0],
  ["nstat | grep -E '^(TcpExtBeyondWindow|None) +3'", 0],
  ["nstat | grep '^\\(TcpExtBeyondWindow\\|None\\) \\+3'", 0],
  ['/usr/bin/nstat | grep -c beyond', 1],
  ['nstat | grep -ci beyond', 0],
  ['grep " 0A " /proc/net/tcp /proc/net/tcp6 | grep ":1F90"', 1],
  ['grep " 0A " /proc/net/tcp /proc/net/tcp6 | grep "1F90"', 0],
  ['cat /proc/nothing', 1],
  ['cat /proc/net/tcp | wc -l', 0],
])('%s', (line, status) => {
  expect(runPipeline(sources({ TcpExtBeyondWindow: 3, TcpExtTCPTimeouts: 0, TcpCurrEstab: 1 }), line)).toEqual({ status, unknown: null });
});

test('nstat shows what has come since; -s does not count as a look, -n shows nothing', () => {
  const s = sources({ TcpRetransSegs: 2 });
  expect(runPipeline(s, 'nstat -s | grep -q TcpRetransSegs').status).toBe(0);
  expect(runPipeline(s, 'nstat -n | grep -q TcpRetransSegs').status).toBe(1);
  expect(runPipeline(s, 'nstat | grep -q TcpRetransSegs').status).toBe(1);
  expect(runPipeline(s, 'nstat -a | grep -q TcpRetransSegs').status).toBe(0);
});

test('a stage that is none of ours is named', () => {
  expect(runPipeline(sources({}), 'nstat | awk 1').unknown).toBe('awk');
});
