// A table is booked on a small phone without a script, and answered at the counter; each page in each language.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openChain } from './chain.mjs';
import { fitsAThumb, fitsItsScreen, isAccessible, openBrowser, openPhone, shoot, tap } from './phone.mjs';

const narrow = { width: 360, height: 640 };

let chain, browser;
before(async () => {
  [chain, browser] = await Promise.all([openChain(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await chain?.close();
});

for (const [locale, colorScheme, who] of [['zh-CN', 'light', '王女士'], ['zh-HK', 'dark', '陳先生'], ['en-GB', 'light', 'Lin']]) {
  test(`a table is booked, changed, cancelled and answered: ${locale}, ${colorScheme}`, async () => {
    // axe is a script, which the pages' own policy would refuse.
    const phone = await openPhone(browser, { bypassCSP: true, viewport: narrow, locale, colorScheme });
    const { page } = phone;
    const look = async (name) => {
      await shoot(page, `${name}-${locale}-${colorScheme}`, { fullPage: true });
      await fitsItsScreen(page);
      await fitsAThumb(page, 'a.button, button, .link, .chip');
      await isAccessible(page);
    };
    const open = async (path, name) => {
      await page.goto(chain.portal + path);
      await look(name);
    };
    const send = page.locator('form[action^="/book"] button.button').last();
    await page.goto(`${chain.portal}/t/Q3UXJ5J5`);
    await tap(page.locator('a[href^="/book"]'));
    await look('book');
    await tap(page.locator('nav .chip', { hasText: /^4$/ }));
    await tap(page.locator('nav').nth(1).locator('.chip').nth(2));
    assert.match(page.url(), /party=4&day=/);
    await page.locator('.time', { hasText: '18:30' }).tap();
    await page.locator('#name').fill('13800138000');
    await tap(send);
    await look('book-refused');
    assert.equal(await page.locator('input[value$="T18:30:00"]').isChecked(), true, 'what was chosen stays');
    await page.locator('#name').fill(who);
    await tap(send);
    await look('booking-requested');
    const booking = new URL(page.url()).pathname;
    await tap(page.locator('a.other'));
    await look('booking-change');
    await page.locator('.time', { hasText: '19:00' }).tap();
    await tap(send);
    assert.match(await page.locator('.gift').innerText(), /19:00/);
    await tap(page.locator('button[value=cancel]'));
    await look('booking-cancelled');
    await tap(page.locator('button[value=undo]'));
    await open('/me', 'my-bookings');
    await open('/book?party=4000', 'book-too-many');

    await page.goto(`${chain.portal}/till`);
    await page.locator('[name=code]').fill(await chain.pairingCode());
    await tap(page.locator('button'));
    await page.locator('[name=pin]').fill(chain.staff.pin);
    await tap(page.locator('button'));
    await open('/counter', 'counter-with-bookings');
    await tap(page.locator('a[href="/counter/bookings"]'));
    await look('counter-bookings');
    const row = page.locator('.card', { hasText: who });
    await tap(row.locator('button[value=confirm]'));
    await look('counter-bookings-confirmed');
    await open(booking, 'booking-confirmed');
    await page.goto(`${chain.portal}/counter/bookings`);
    assert.equal(await row.locator('button[value=seat]').count(), 0, 'nobody is seated before the day');
    await tap(row.locator('button[value=undo]'));
    assert.equal(await row.locator('button[value=confirm]').count(), 1, 'a tap that was a mistake is taken back');
    await phone.close();
  });
}

test('guests sign up for an event, wait, move up and are checked in', async () => {
  // axe is a script, which the pages' own policy would refuse.
  const phones = await Promise.all(['en-GB', 'zh-CN', 'zh-HK'].map((locale) =>
    openPhone(browser, { bypassCSP: true, viewport: narrow, locale })));
  const look = async (page, name) => {
    await shoot(page, name, { fullPage: true });
    await fitsItsScreen(page);
    await fitsAThumb(page, 'a.button, button, .link, .chip');
    await isAccessible(page);
  };
  for (const [n, { page }] of phones.entries()) {
    await page.goto(`${chain.portal}/t/Q3UXJ5J5`);
    await tap(page.locator('a[href^="/events"]'));
    await look(page, `events-${n}`);
    await tap(page.locator('.card a.button'));
    await look(page, `event-${n}`);
    await page.locator('#name').fill('lin@example.cn');
    await tap(page.locator('form button'));
    await look(page, `event-refused-${n}`);
    await page.locator('#name').fill(`Guest ${n}`);
    await tap(page.locator('form button'));
    await look(page, `event-signed-up-${n}`);
  }
  const [first, , third] = phones.map(({ page }) => page);
  assert.match(await third.locator('h1').innerText(), /1/, 'the first who waits');
  assert.equal(await first.locator('section.card strong').filter({ hasText: /^[2-9A-Z]{4}-[2-9A-Z]{4}$/ }).count(), 2);
  await tap(first.locator('button[value=cancel]'));
  await look(first, 'event-cancelled');
  await third.reload();
  await look(third, 'event-moved-up');
  const code = await third.locator('.code').innerText();

  const { page: till, close } = await openPhone(browser, { bypassCSP: true, viewport: narrow, locale: 'en-GB' });
  await till.goto(`${chain.portal}/till`);
  await till.locator('[name=code]').fill(await chain.pairingCode());
  await tap(till.locator('button'));
  await till.locator('[name=pin]').fill(chain.staff.pin);
  await tap(till.locator('button'));
  await till.goto(`${chain.portal}/counter/bookings`);
  await tap(till.locator('a[href^="/counter/events"]'));
  await look(till, 'event-door');
  await till.locator('#code').fill('2222');
  await tap(till.locator('form.card button').first());
  await look(till, 'event-door-unknown');
  await till.locator('#code').fill(code.toLowerCase());
  await tap(till.locator('form.card button').first());
  await look(till, 'event-door-in');
  assert.match(await till.locator('[role=status]').innerText(), /Guest 2/);
  await third.reload();
  await look(third, 'event-checked-in');
  for (const { close: end } of phones) await end();
  await close();
});

test('a table is booked without a script, in large type, and no page is above 14 KB', async () => {
  const phone = await openPhone(browser, { javaScriptEnabled: false, viewport: narrow });
  const { page } = phone;
  const sizes = [];
  page.on('response', async (response) => sizes.push((await response.request().sizes()).responseBodySize));
  await page.goto(`${chain.portal}/book?type=large`);
  await shoot(page, 'book-large', { fullPage: true });
  await tap(page.locator('nav').nth(1).locator('.chip').last());
  await page.locator('.time', { hasText: '12:00' }).tap();
  await page.locator('#name').fill('Lin');
  await tap(page.locator('form button'));
  assert.match(page.url(), /\/book\/[0-9a-f]{32}/);
  await shoot(page, 'booking-large', { fullPage: true });
  assert.ok(Math.max(...sizes) < 14_336, `${sizes}`);
  await phone.close();
});
