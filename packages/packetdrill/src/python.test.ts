import { expect, test } from 'vitest';
import { runPython } from './python.ts';

const names = new Map([['a', 3], ['b', 5], ['big', 0xffffffff]]);

test.each([
  'assert a == 3', 'assert a + 2 == b, a', 'assert 1 < a <= 3 < b', 'assert a != b and not a > b', 'assert a == 4 or b == 5',
  'assert (a & 1) != 0', 'assert a | 4 == 7', 'assert big >> 28 == 15', 'assert -a == 0 - 3 and ~a == -4', 'assert b // 2 == 2 and b % 3 == 2',
  'c = 2 * b\nassert c == 10; assert c > a', 'assert (a == 3 and\n  b == 5)', 'assert a == 3 # and what follows is a comment',
  "assert a == 3, 'a=%d of %s' % (a, b)", 'assert a == 3;\\\nassert b == 5', 'assert 0x10 == 16',
])('holds: %s', (code) => {
  expect(() => runPython(code, names)).not.toThrow();
});

test.each([
  ['assert a == 4', 'assert a == 4 does not hold'],
  ['assert a == 4, a', 'assert a == 4, a does not hold: 3'],
  ["assert a > b, 'a=%d b=%x' % (a, 255)", 'does not hold: a=3 b=ff'],
  ['assert 1 < a < 2', 'does not hold'],
  ['assert nobody == 1', 'nothing is named nobody'],
  ['import os', 'an assertion or an assignment expected'],
  ['assert (a', "')' expected"],
  ['assert a $ b', 'not understood'],
])('does not: %s', (code, message) => {
  expect(() => runPython(code, names)).toThrow(message);
});
