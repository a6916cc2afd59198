// Stickers on a small phone: bound by scanning, walked past, printed; and where headquarters sees them.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { blank, openChain } from './chain.mjs';
import { fitsAThumb, fitsItsScreen, isAccessible, openBrowser, openPhone, scan, shoot, tap } from './phone.mjs';

const narrow = { width: 360, height: 640 };

// Table A01 of the demo's chain.
const table = '/t/Q3UXJ5J5';

let chain, browser;
before(async () => {
  [chain, browser] = await Promise.all([openChain(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await chain?.close();
});

/** Signs in at the till of the shop. */
async function signIn(page) {
  await page.goto(`${chain.portal}/till`);
  await page.locator('[name=code]').fill(await chain.pairingCode());
  await tap(page.locator('form[action="/till/pair"] button'));
  await page.locator('[name=pin]').fill(chain.staff.pin);
  await tap(page.locator('form[action="/till/sign-in"] button'));
}

for (const [locale, colorScheme] of [['zh-CN', 'light'], ['en-GB', 'dark']]) {
  const look = async (page, name, what) => {
    await shoot(page, `${name}-${locale}-${colorScheme}`, { fullPage: true });
    await fitsItsScreen(page);
    await fitsAThumb(page, what);
    await isAccessible(page);
  };

  test(`stickers are bound, walked past and printed on a phone: ${locale}, ${colorScheme}`, async () => {
    // axe is a script, which the pages' own policy would refuse.
    const phone = await openPhone(browser, { bypassCSP: true, viewport: narrow, locale, colorScheme });
    const { page } = phone;
    const open = async (path, name) => {
      await page.goto(chain.portal + path);
      await look(page, name);
    };
    await open(`/t/${blank}`, 'sticker-blank-not-signed-in');
    await signIn(page);
    await open(`/t/${blank}`, 'sticker-blank');
    await page.locator('#label').fill('A01');
    await tap(page.locator('form:has(#label) button'));
    await look(page, 'sticker-taken');
    await tap(page.locator('button[value=stay]'));
    await look(page, 'sticker-bound');
    await open('/counter/stickers', 'stickers');

    await open('/counter/walk', 'walk-before');
    await tap(page.locator('form[action="/counter/walk/begin"] button'));
    await open(table, 'walk-seen');
    assert.match(await page.locator('h1').innerText(), /✓ A01/);
    await open('/t/22222222', 'walk-wrong');
    await open('/counter/walk', 'walk');
    await tap(page.locator('form[action="/counter/walk/finish"] button'));
    await look(page, 'walk-finished');

    await page.goto(`${chain.portal}/counter/stickers/${blank}`);
    await tap(page.locator('form[action$="/free"] button'));
    await open('/counter/sheets', 'sheets');
    await page.locator('#to').fill('A01');
    await tap(page.locator('form[action="/counter/sheets/print"] button'));
    const read = await scan(page.locator('svg.label').first(), `sheet-a01-${locale}`);
    assert.ok(read.endsWith(table), read);
    await phone.close();
  });

  test(`headquarters sees stickers and prints them: ${locale}, ${colorScheme}`, async () => {
    const phone = await openPhone(browser, { bypassCSP: true, viewport: narrow, locale, colorScheme });
    const { page } = phone;
    const targets = 'a, button, input:not([type=hidden],[type=checkbox]), select, summary';
    await page.goto(`${chain.console}/login`);
    await page.locator('[name=login]').fill(chain.admin.login);
    await page.locator('[name=password]').fill(chain.admin.password);
    await tap(page.locator('button.main'));
    await page.goto(`${chain.console}/sheets`);
    await look(page, 'console-sheets', targets);
    await page.setViewportSize({ width: 1280, height: 800 });
    await look(page, 'console-sheets-desk', targets);
    await page.setViewportSize(narrow);
    await page.locator('#format').selectOption('html');
    await tap(page.locator('form:has(#which) button'));
    const file = page.locator('a[href$="/1"]');
    // The page asks again by itself until the sheet is ready.
    await file.waitFor();
    await look(page, 'console-sheet-ready', targets);
    const [download] = await Promise.all([page.waitForEvent('download'), file.tap()]);
    assert.equal(download.suggestedFilename(), 'SZ01-a4-2x4.html');
    assert.match(await readFile(await download.path(), 'utf8'), /aria-label="A01"/);
    await phone.close();
  });
}
