// What stands for `vitest` where vitest does not run: its own runner and matchers, without its workers. Bundled in its place by
// tests/support/bundle.ts, so that the unit tests run unchanged in a page, on Deno and on Bun.
import {
  ASYMMETRIC_MATCHERS_OBJECT, GLOBAL_EXPECT, JestAsymmetricMatchers, JestChaiExpect, JestExtend, chai, customMatchers, getState, setState,
  type ExpectStatic,
} from '@vitest/expect';

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, onTestFinished, suite, test } from '@vitest/runner';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** vitest's expect(): chai's, with Jest's matchers. */
function makeExpect(): ExpectStatic {
  const expect = ((value: unknown, message?: string) => {
    setState({ assertionCalls: getState(expect).assertionCalls + 1 }, expect);
    return chai.expect(value, message);
  }) as unknown as ExpectStatic;
  Object.assign(expect, chai.expect);
  const asymmetric = (globalThis as unknown as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT];
  Object.assign(expect, asymmetric);
  expect.getState = () => getState(expect);
  expect.setState = (state) => setState(state, expect);
  Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true });
  setState({ assertionCalls: 0, isExpectingAssertions: false, isExpectingAssertionsError: null, expectedAssertionsNumber: null, expectedAssertionsNumberErrorGen: null }, expect);
  const { expect: ofChai } = chai as unknown as { expect: { extend(target: ExpectStatic, matchers: object): void } };
  expect.extend = (matchers) => ofChai.extend(expect, matchers);
  expect.extend(customMatchers);
  return expect;
}

export const expect = makeExpect();
