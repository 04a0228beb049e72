// docs/kernel-map.md: each row leads from a symbol of the kernel to the file that has it here, and the chapter is all there.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { chapterConstants, chapterFields, chapterFunctions, chapterStructs } from './support/chapter.ts';
import { root } from './support/workspace.ts';

/** A row: the names in Linux 2.6 (the chapter's) and today, the name here (`Struct.member` for a field), the file. */
interface Row {
  readonly old: string;
  readonly today: string;
  readonly here: string;
  readonly file: string;
}

const document = join(root, 'docs', 'kernel-map.md');

/** The rows of all tables: `| \`old\` | \`today\` | \`here\` | [text](file) |`; an empty cell for today means: as in 2.6. */
function readRows(): Row[] {
  if (!existsSync(document)) return [];
  return readFileSync(document, 'utf8').split('\n').filter((line) => line.startsWith('| `')).map((line) => {
    const cells = line.split('|').slice(1, -1).map((cell) => cell.trim().replace(/^`|`$/g, ''));
    const [old = '', today = '', here = '', link = ''] = cells;
    return { old, today: today === '' ? old : today, here, file: resolve(root, 'docs', /\(([^)#]+)/.exec(link)?.[1] ?? '') };
  });
}

/** What a source file declares at its top level: every name, and for classes and interfaces `Name.member` too. */
const declared = new Map<string, Set<string>>();

function declarationsOf(file: string): Set<string> {
  let names = declared.get(file);
  if (names === undefined) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
    names = new Set(source.statements.flatMap(namesOf));
    declared.set(file, names);
  }
  return names;
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ''));
  if (ts.isFunctionDeclaration(statement)) return [statement.name?.text ?? ''];
  if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) return [];
  const name = statement.name?.text ?? '';
  const members = [...statement.members].flatMap((member) => (member.name !== undefined && ts.isIdentifier(member.name) ? [`${name}.${member.name.text}`] : []));
  return [name, ...members];
}

/** A name without what camelCase changes. */
function plain(name: string): string {
  return name.replace(/_/g, '').toLowerCase();
}

const rows = readRows();

test('every identifier of the chapter has a row', () => {
  const known = new Set(rows.map(({ old }) => old));
  const wanted = [...chapterFunctions, ...chapterStructs, ...chapterFields, ...chapterConstants];
  expect(wanted.filter((name) => !known.has(name))).toEqual([]);
});

describe('each row', () => {
  test('names a file that has the symbol', () => {
    const missing = rows.filter(({ here, file }) => !existsSync(file) || !declarationsOf(file).has(here));
    expect(missing.map(({ old, here, file }) => `${old}: no ${here} in ${file}`)).toEqual([]);
  });

  test('has the kernel\'s name here too, in camelCase; a leading __ stays', () => {
    const renamed = rows.filter(({ old, today, here }) => {
      if (here.includes('.')) return false;
      return ![old, today].some((name) => plain(name) === plain(here) && name.startsWith('__') === here.startsWith('__'));
    });
    expect(renamed.map(({ old, today, here }) => `${old} (${today}) is ${here}`)).toEqual([]);
  });

  test('stands once', () => {
    const seen = rows.map(({ old, here }) => `${old} ${here}`);
    expect(seen.filter((row, index) => seen.indexOf(row) !== index)).toEqual([]);
  });
});
