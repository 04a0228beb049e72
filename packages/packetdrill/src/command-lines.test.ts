import { expect, test } from 'vitest';
import { commandLines, sysctlWords } from './command-lines.ts';

test.each([
  ['sysctl -q a=1 && ip tcp_metrics flush', ['sysctl -q a=1', 'ip tcp_metrics flush']],
  ['sysctl -q a=1; sysctl -q b=2;', ['sysctl -q a=1', 'sysctl -q b=2']],
  ['sysctl -q a=1\\\n  b=2 &&\n  true', ['sysctl -q a=1   b=2', 'true']],
  ['grep "a;b && c" /proc/net/tcp | grep \'d;e\' # && f', ['grep "a;b && c" /proc/net/tcp | grep \'d;e\'']],
  ['echo 1 >/dev/null 2>&1 && true', ['echo 1 >/dev/null 2>&1', 'true']],
  ['../common/set_sysctls.py /proc/sys/net/ipv4/a=1\n  /proc/sys/net/ipv4/b=2', ['../common/set_sysctls.py /proc/sys/net/ipv4/a=1 /proc/sys/net/ipv4/b=2']],
])('commands of %j', (text, lines) => {
  expect(commandLines(text).map(({ line }) => line)).toEqual(lines);
});

test('a quoted value keeps its blanks, sums of numbers are done', () => {
  const [command] = commandLines('sysctl -q net.ipv4.tcp_rmem="4096 131072 $((32*1024*(1024 - 24) + 2))" \\\n \'net.ipv4.tcp_sack=0\'');
  expect(sysctlWords(command!.words)).toEqual([['net.ipv4.tcp_rmem', '4096 131072 32768002'], ['net.ipv4.tcp_sack', '0']]);
});
