// Debian's Chromium as a guest's phone, and what a test wants to know of a page on it.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { root, run } from './programs.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const iPhone = { width: 390, height: 844 };

/** Starts the browser, with `more` flags. Its own conversations with its maker are off; no name but loopback resolves. */
export async function openBrowser(...more) {
  const flags = [
    ...more,
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ];
  // Chromium's sandbox refuses to run for root.
  if (process.getuid() === 0) flags.push('--no-sandbox');
  // Playwright gives each browser a new, empty user data directory.
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
}

/**
 * A phone with its own cookies. It notes every request; `asked` holds them as `METHOD url`, and closing it
 * fails if one was meant for a host other than ours.
 */
export async function openPhone(browser, options = {}) {
  const context = await browser.newContext({
    viewport: iPhone, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: 'zh-CN', ...options,
  });
  const asked = [];
  context.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
  const page = await context.newPage();
  const close = async () => {
    const foreign = asked.filter((line) => !/^\w+ (http:\/\/127\.0\.0\.1:|file:|data:)/.test(line));
    assert.deepEqual(foreign, [], 'no page loads anything from another host');
    await context.close();
  };
  return { page, asked, close };
}

/** Deque's axe finds nothing serious on the page. */
export async function isAccessible(page) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const said = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`);
  assert.deepEqual(said, [], `what axe finds on ${page.url()}`);
}

/** Taps a button or link once, and waits until the page behind it is there. */
export async function tap(target) {
  await Promise.all([target.page().waitForEvent('load'), target.tap()]);
}

/** Taps a button whose answer takes the place of what is there: by script, or as a new page. */
export async function tapAndStay(target) {
  const page = target.page();
  await page.locator('main').evaluate((main) => main.setAttribute('data-before', ''));
  await target.tap();
  await page.locator('main:not([data-before])').waitFor();
}

// Kept, so that people can look at them: a test sees a page that is broken, not one that is ugly.
const shots = process.env.SHOTS ?? path.join(root, 'target', 'screenshots');

/** Saves what `what` (a page or an element) shows as `name.png`; the file. */
export async function shoot(what, name, options = {}) {
  await mkdir(shots, { recursive: true });
  const file = path.join(shots, `${name}.png`);
  await what.screenshot({ path: file, ...options });
  return file;
}

/** What an independent reader, zbar, sees on a screenshot of `what`: the text of its one QR symbol. */
export async function scan(what, name) {
  const file = await shoot(what, name);
  const read = await run('zbarimg', '--quiet', '--raw', '-Sdisable', '-Sqrcode.enable', file);
  const symbols = read.trim().split('\n');
  assert.equal(symbols.length, 1, `one symbol on ${name}, not: ${read}`);
  return symbols[0];
}

/** The page can be read without moving it sideways. */
export async function fitsItsScreen(page) {
  const [needed, there] = await page.evaluate(() => [
    document.documentElement.scrollWidth, document.documentElement.clientWidth,
  ]);
  assert.ok(needed <= there, `${page.url()} needs ${needed} px on a screen of ${there}`);
}

/** Every button and link that stands alone is at least 48 px high: a thumb hits it. */
export async function fitsAThumb(page, what = 'a.button, button, .link') {
  const targets = await page.locator(what).filter({ visible: true }).evaluateAll((found) =>
    found.map((it) => [it.textContent.trim(), it.getBoundingClientRect().height]));
  assert.ok(targets.length > 0, `${page.url()} has nothing to tap`);
  for (const [words, height] of targets) {
    assert.ok(height >= 48, `"${words}" on ${page.url()} is ${height} px high`);
  }
}
