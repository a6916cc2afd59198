// The path of one tap, as a guest, a cashier and a manager see it, each with a browser of their own:
// a printed code, the page behind it, one tap, a coupon, the till, and the figures at headquarters.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { eventually, openChain } from './chain.mjs';
import { fitsItsScreen, openBrowser, openPhone, scan, shoot, tap, tapAndStay } from './phone.mjs';

let chain, browser;
before(async () => {
  [chain, browser] = await Promise.all([openChain(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await chain?.close();
});

for (const [name, javaScriptEnabled] of [['on', true], ['off', false]]) {
  describe(`with JavaScript ${name}`, () => {
    let guest, cashier, manager, code, figures;
    before(async () => {
      [guest, cashier, manager] = await Promise.all(
        [0, 1, 2].map(() => openPhone(browser, { javaScriptEnabled })));
      await signInAsManager(manager.page);
      figures = await readFigures(manager.page);
    });
    after(async () => {
      for (const phone of [guest, cashier, manager]) await phone?.close();
    });

    test('a guest scans the code on a table and lands on its page', async () => {
      const url = new URL(await scanTable(`sheet-js-${name}`));
      assert.match(url.href, /^https:\/\/sz01\.sw\.cn\/t\/[0-9A-Z]{8}$/);
      // In the shop the router answers for sz01.sw.cn. Here its port is open on loopback only, and no flag
      // of Chromium turns https into http, so the printed path is opened on the portal's own address.
      await guest.page.goto(new URL(url.pathname, chain.portal).href);
      await shoot(guest.page, `landing-js-${name}`);
      assert.match(await guest.page.locator('header').innerText(), /桌 A01/);
      assert.match(await guest.page.locator('h1').innerText(), /凉拌黄瓜/);
    });

    test('one tap on the one button gives a coupon with a code and a QR', async () => {
      const button = guest.page.locator('button');
      assert.equal(await button.count(), 1, 'the page has one button');
      guest.asked.length = 0;
      await tap(button);
      assert.equal(guest.asked.length, 2, `one form and one page: ${guest.asked}`);
      assert.equal(guest.asked[0], `POST ${chain.portal}/claim`);
      code = await guest.page.locator('.code').innerText();
      assert.match(code, /^[0-9A-Z]{4,5}$/);
      await shoot(guest.page, `coupon-js-${name}`, { fullPage: true });
      assert.match(await scan(guest.page.locator('.qr svg'), `coupon-qr-js-${name}`), /^M1:/);
      assert.equal(await guest.page.locator('input[name=marketing]').isChecked(), false, 'nothing is ticked');
    });

    test('the same guest finds the same coupon behind the code', async () => {
      const coupon = guest.page.url();
      await guest.page.goto(new URL(new URL(await scanTable('sheet-again')).pathname, chain.portal).href);
      await tap(guest.page.locator('a.button:not(.other)'));
      assert.equal(guest.page.url(), coupon);
      assert.equal(await guest.page.locator('.code').innerText(), code);
    });

    test('a cashier pairs the till and signs in with a PIN', async () => {
      const { page } = cashier;
      await page.goto(`${chain.portal}/till`);
      await page.locator('[name=code]').fill(await chain.pairingCode());
      await tap(page.locator('button'));
      await page.locator('[name=name]').selectOption(chain.staff.name);
      await page.locator('[name=pin]').fill(chain.staff.pin);
      await tap(page.locator('button'));
      assert.match(await page.locator('header').innerText(), /xiaochen/);
      await shoot(page, `till-js-${name}`);
    });

    test('the coupon is redeemed once, and the second time the till says why not', async () => {
      await redeem();
      await shoot(cashier.page, `till-yes-js-${name}`, { fullPage: true });
      assert.match(await answer('.yes'), /可以送出[^]*凉拌黄瓜/);
      await guest.page.reload();
      assert.equal(await guest.page.locator('.stamp').innerText(), '已使用');

      await redeem();
      await shoot(cashier.page, `till-no-js-${name}`, { fullPage: true });
      assert.match(await answer('.no'), /不能核销[^]*已经用过，时间：/);
    });

    test('a redemption that was a mistake is taken back, and the coupon is good again', async () => {
      // The newest slip is on top.
      await tapAndStay(cashier.page.locator('form[action="/till/undo"] button').first());
      assert.match(await cashier.page.locator('[role=status]').innerText(), /已撤销/);
      await redeem();
      assert.match(await answer('.yes'), /可以送出/);
    });

    test('the manager finds it all at headquarters', async () => {
      await eventually(async () => {
        await manager.page.reload();
        const now = await readFigures(manager.page);
        const more = (what) => now[what] - figures[what];
        // Redeemed, taken back, redeemed: one.
        const isSo = more('到访（页面打开）') >= 2 && more('领取') === 1 && more('核销') === 1;
        return isSo || JSON.stringify(now);
      });
      await fitsItsScreen(manager.page);
      await shoot(manager.page, `console-js-${name}`, { fullPage: true });
    });

    /** Types the guest's short code at the till. */
    async function redeem() {
      await cashier.page.locator('[name=code]').fill(code);
      await tapAndStay(cashier.page.locator('form[action="/till/redeem"] button'));
    }

    async function answer(colour) {
      assert.equal(await cashier.page.locator('.answer').count(), 1);
      return cashier.page.locator(`.answer${colour}`).innerText();
    }
  });
}

/** Opens the sheet that a store prints and reads the label of its first table, as a camera would. */
async function scanTable(shot) {
  const desk = await openPhone(browser, { viewport: { width: 1000, height: 1400 }, isMobile: false });
  await desk.page.goto(`file://${chain.sheet}`);
  await shoot(desk.page, `${shot}-whole`);
  const read = await scan(desk.page.locator('.label').first(), shot);
  await desk.close();
  return read;
}

async function signInAsManager(page) {
  await page.goto(chain.console);
  await page.locator('[name=login]').fill(chain.admin.login);
  await page.locator('[name=password]').fill(chain.admin.password);
  await tap(page.locator('button.main'));
}

/** Today's figures of the store, by the words above them. */
async function readFigures(page) {
  const row = page.locator('tbody tr', { has: page.locator('th', { hasText: 'SZ01' }) }).first();
  const cells = await row.locator('td').evaluateAll((found) =>
    found.map((cell) => [cell.dataset.label, Number.parseInt(cell.textContent, 10)]));
  return Object.fromEntries(cells);
}
