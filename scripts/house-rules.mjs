// The rules of lint of our own.
// unchecked-twin: a name may begin with `__` (the kernel's mark of the unchecked form) only where its package exports the
// twin without it, the form that checks (a few that the kernel has alone are listed). screen: a function fits a screen; a struct's constructor may be longer, since it
// sets every field, a line each.
import { builtinRules } from 'eslint/use-at-your-own-risk';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @type {Map<string, Set<string>>} exported names by source folder */
const exportsOf = new Map();

/**
 * The names that the files of a folder declare with `export`.
 * @param {string} folder
 */
function exportedNames(folder) {
  let names = exportsOf.get(folder);
  if (names !== undefined) return names;
  names = new Set();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, name] of text.matchAll(/^export (?:function|const|class) (\w+)/gm)) names.add(/** @type {string} */ (name));
  }
  exportsOf.set(folder, names);
  return names;
}

/**
 * Names of the kernel whose twin takes a lock or a reference besides, which nobody here needs: only the form that does the work.
 */
const kernelOnly = new Set([
  '__inetInheritPort', '__inetLookup', '__inetLookupEstablished', '__inetLookupListener', '__ipSelectIdent',
]);

/** @type {import('eslint').Rule.RuleModule} */
const uncheckedTwin = {
  meta: { type: 'problem', schema: [], messages: { alone: "'{{name}}' has no exported twin '{{twin}}': `__` marks the unchecked form of a function that checks." } },
  create(context) {
    const names = exportedNames(dirname(context.filename));
    /** @param {import('estree').Node | null} id */
    const check = (id) => {
      if (id?.type !== 'Identifier' || !id.name.startsWith('__') || kernelOnly.has(id.name)) return;
      const twin = id.name.slice(2);
      if (!names.has(twin)) context.report({ node: id, messageId: 'alone', data: { name: id.name, twin } });
    };
    return {
      FunctionDeclaration: (node) => check(node.id),
      VariableDeclarator: (node) => check(node.id),
    };
  },
};

const maxLines = /** @type {import('eslint').Rule.RuleModule} */ (builtinRules.get('max-lines-per-function'));

/** @type {import('eslint').Rule.RuleModule} */
const screen = {
  ...maxLines,
  create(context) {
    const listeners = maxLines.create(context);
    const measure = /** @type {(node: import('estree').Node) => void} */ (listeners['FunctionExpression']);
    /** @param {import('estree').FunctionExpression & import('eslint').Rule.NodeParentExtension} node */
    const unlessConstructor = (node) => {
      if (node.parent.type !== 'MethodDefinition' || node.parent.kind !== 'constructor') measure(node);
    };
    return { ...listeners, FunctionExpression: unlessConstructor };
  },
};

export const houseRules = { 'unchecked-twin': uncheckedTwin, 'screen-hint': screen, screen };
