// A page in headless Chromium that loads a bundle. Nothing listens on a port: the page's requests are answered here.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { chromium as driver, type Browser } from 'playwright-core';
import { chromium } from '../../scripts/needs.mjs';

const ORIGIN = 'https://page.test';
const LIMIT_MS = 240_000;

/** Runs a bundle's default export in a page and gives what it resolves to. Errors of the page, uncaught ones too, are thrown. */
export async function runInPage(folder: string): Promise<unknown> {
  const browser = await driver.launch({ executablePath: chromium() ?? '', args: ['--no-sandbox'] });
  try {
    return await load(browser, folder);
  } finally {
    await browser.close();
  }
}

async function load(browser: Browser, folder: string): Promise<unknown> {
  const page = await browser.newPage();
  const errors: Error[] = [];
  page.on('pageerror', (error) => errors.push(error));
  await page.route(`${ORIGIN}/**`, (route) => {
    const name = basename(new URL(route.request().url()).pathname);
    if (name === '') return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>tests</title>' });
    return route.fulfill({ contentType: 'text/javascript', body: readFileSync(join(folder, name)) });
  });
  await page.goto(`${ORIGIN}/`);
  let last = '';
  page.on('console', (message) => {
    last = message.text();
  });
  const tooLong = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error(`the page took longer than ${LIMIT_MS / 1000} s; the last it said: ${last}`)), LIMIT_MS).unref();
  });
  const result: unknown = await Promise.race([page.evaluate("import('/entry.js').then((entry) => entry.default())"), tooLong]);
  if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.stack ?? error.message).join('\n'));
  return result;
}
