import { expect, test } from 'vitest';
import { runPython } from './python.ts';

const names = new Map([['a', 3], ['b', 5], ['big', 0xffffffff]]);

test.each([
  'assert a == 3', 'assert a + 2 == b, a', 'assert 1 < a <= 3 < b', 'assert a != b and not a > b', 'assert a == 4 or b == 5',
  'assert (a & 1) != 0', 'assert a | 4 == 7', 'assert big >> 28 == 15', 'assert -a == 0 - 3 and ~a == -4', 'assert b // 2 == 2 and b % 3 == 2',
  'c = 2 * b\nassert c == 10; assert c > a', 'assert (a == 3 and\n  b == 5)', 'assert a == 3 # and what follows is a comment',
  "assert a == 3, 'a=%d of %s' % (a, b)", 'assert a == 3;\\\nassert b == 5', 'assert 0x10 == 16',
  'if a == 3:\n  assert b == 5\nelse:\n  assert a == 9', 'if a == 4: assert a == 9', ' if a == 4:\n   assert a == 9\n elif b == 5:\n   c = 1\n else:\n   c = 2\n assert c == 1',
  'if a == 3:\n  if b == 6:\n    assert a == 9\n  else:\n    c = 7\n  assert c == 7\nassert c == 7', "if a == 4: c = 1; assert a == 9\nelse: c = 2; print('c: %d; ' % c)\nassert c == 2",
  'if a > 3:\n    assert nobody == 1\npass', 'assert True and not False',
])('holds: %s', (code) => {
  expect(() => runPython(code, names)).not.toThrow();
});

test.each([
  ['assert a == 4', 'assert a == 4 does not hold'],
  ['assert a == 4, a', 'assert a == 4, a does not hold: 3'],
  ["assert a > b, 'a=%d b=%x' % (a, 255)", 'does not hold: a=3 b=ff'],
  ['assert 1 < a < 2', 'does not hold'],
  ['assert nobody == 1', 'nothing is named nobody'],
  ['if a == 3:\n  assert b == 4\nelse:\n  assert a == 9', 'assert b == 4 does not hold'],
  ['if a == 3\n  pass', "':' expected: if a == 3"],
  ['pass\nif a == 3:\npass', 'an indented block expected'],
  ['else:\n  pass', 'else without an if'],
  ['print(a', "')' expected"],
  ['import os', 'an assertion or an assignment expected'],
  ['assert (a', "')' expected"],
  ['assert a $ b', 'not understood'],
])('does not: %s', (code, message) => {
  expect(() => runPython(code, names)).toThrow(message);
});

test('print() gives its words, one line each time', () => {
  const lines: string[] = [];
  runPython("print('a is', a, 2 * b)\nif a == 3: print('%d;' % a); print()\nprint((a))", names, (text) => lines.push(text));
  expect(lines).toEqual(['a is 3 10', '3;', '', '3']);
});
