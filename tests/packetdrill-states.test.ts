// RFC 9293 §3.10: every event in every state has its script, or a word on why the one cannot meet the other.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/workspace.ts';

interface Row {
  readonly event: string;
  readonly section: string;
  /** By state: the name of a script, or of several; else why there is none. */
  readonly cells: Readonly<Record<string, string | readonly string[]>>;
}

interface Table {
  readonly states: readonly string[];
  readonly rows: readonly Row[];
  /** Scripts of what is in no cell: of more than one state, or of a state that only Linux has. */
  readonly beyond: readonly string[];
}

const directory = join(root, 'tests', 'packetdrill', 'states');
const table = JSON.parse(readFileSync(join(directory, 'cells.json'), 'utf8')) as Table;
const scripts = readdirSync(directory).filter((name) => name.endsWith('.pkt')).map((name) => name.slice(0, -'.pkt'.length));

/** The scripts of a cell; none if it is a reason. */
function scriptsOf(cell: string | readonly string[]): readonly string[] {
  if (typeof cell !== 'string') return cell;
  return cell.startsWith('rfc') ? [cell] : [];
}

test('RFC 9293 §3.3.2: the table has the eleven states', () => {
  expect(table.states).toEqual([
    'CLOSED', 'LISTEN', 'SYN-SENT', 'SYN-RECEIVED', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT',
  ]);
});

test.each(table.rows)('RFC 9293 §$section, $event: a cell for each state', ({ cells }) => {
  expect(Object.keys(cells)).toEqual(table.states);
  for (const [state, cell] of Object.entries(cells)) {
    const names = scriptsOf(cell);
    if (names.length === 0) expect(cell, `${state}: a reason`).toMatch(/^[a-z].*[a-z ]{10}/);
    for (const name of names) expect(scripts, state).toContain(name);
  }
});

test('no script is in no cell', () => {
  const named = [...table.rows.flatMap(({ cells }) => Object.values(cells).flatMap(scriptsOf)), ...table.beyond];
  expect(scripts.filter((name) => !named.includes(name))).toEqual([]);
  expect(table.beyond.filter((name) => !scripts.includes(name))).toEqual([]);
});
