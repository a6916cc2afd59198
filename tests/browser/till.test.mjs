// The till as staff use it: a scanner that types, a camera, a sound, a party, a manager; and the counter beside it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { openChain } from './chain.mjs';
import { openBrowser, openPhone, shoot, tap, tapAndStay } from './phone.mjs';

const table = '/t/Q3UXJ5J5';

let chain, browser;
before(async () => {
  [chain, browser] = await Promise.all([
    openChain(),
    // A camera of moving colours, and nobody who has to allow it.
    openBrowser('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'),
  ]);
});
after(async () => {
  await browser?.close();
  await chain?.close();
});

/** A new guest's coupon. */
async function claim() {
  const guest = await openPhone(browser);
  await guest.page.goto(chain.portal + table);
  await tap(guest.page.locator('button'));
  const coupon = {
    code: await guest.page.locator('.code').innerText(),
    token: await guest.page.locator('.qr').getAttribute('data-token'),
  };
  await guest.close();
  return coupon;
}

/** A till with somebody signed in. `act` runs in each of its pages before our script. */
async function openTill(act, options = {}) {
  const till = await openPhone(browser, { viewport: { width: 360, height: 640 }, ...options });
  if (act) await till.page.addInitScript(act);
  await till.page.goto(`${chain.portal}/till`);
  await till.page.locator('[name=code]').fill(await chain.pairingCode());
  await tap(till.page.locator('button'));
  await signIn(till.page, chain.staff);
  return till;
}

async function signIn(page, { name, pin }) {
  await page.locator('[name=name]').selectOption(name);
  await page.locator('[name=pin]').fill(pin);
  await tap(page.locator('button'));
}

/** Types and presses Enter, as a USB scanner does, wherever the focus is. */
async function scanAsKeyboard(page, text) {
  await page.locator('main').evaluate((main) => main.setAttribute('data-before', ''));
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
  await page.locator('main:not([data-before])').waitFor();
}

for (const [name, javaScriptEnabled] of [['on', true], ['off', false]]) {
  test(`a scanner goes from coupon to coupon without a hand on the screen, JavaScript ${name}`, async () => {
    const till = await openTill(null, { javaScriptEnabled });
    const coupons = [await claim(), await claim()];
    for (const { token } of coupons) {
      await scanAsKeyboard(till.page, token);
      assert.match(await till.page.locator('.answer.yes').innerText(), /可以送出[^]*桌 A01 · \d+ 分钟前领取/);
    }
    await scanAsKeyboard(till.page, coupons[0].code);
    assert.match(await till.page.locator('.answer.no').innerText(), /已经用过/);
    // The whole page is the answer's colour.
    const colour = await till.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(colour, 'rgb(161, 29, 29)');
    const field = await till.page.locator('#code').boundingBox();
    assert.ok(field.y + field.height <= 640, 'the answer and the next field are on one screen');
    await till.close();
  });
}

test('green and red sound different', async () => {
  const till = await openTill(() => {
    globalThis.tones = [];
    const { createOscillator } = AudioContext.prototype;
    AudioContext.prototype.createOscillator = function () {
      const made = createOscillator.call(this);
      const { start } = made;
      made.start = (...when) => {
        globalThis.tones.push(made.frequency.value);
        start.apply(made, when);
      };
      return made;
    };
  });
  const { code } = await claim();
  const heard = async () => till.page.evaluate(() => globalThis.tones.splice(0));
  await scanAsKeyboard(till.page, code);
  assert.deepEqual(await heard(), [880, 1320]);
  await tapAndStay(till.page.locator('#party-4'));
  assert.deepEqual(await heard(), [], 'a word more about the party is no new answer');
  await scanAsKeyboard(till.page, code);
  assert.deepEqual(await heard(), [180, 140]);
  await till.close();
});

describe('the camera', () => {
  // Chromium on Linux has no BarcodeDetector: the camera is Chromium's own fake, the reader is ours.
  const reader = () => {
    globalThis.BarcodeDetector = class {
      async detect(video) {
        return video.videoWidth > 0 && globalThis.shown ? [{ rawValue: globalThis.shown }] : [];
      }
    };
  };

  test('redeems what it sees once, and the next after it', async () => {
    const till = await openTill(reader);
    const coupons = [await claim(), await claim()];
    await till.page.locator('#camera').tap();
    await till.page.locator('#finder').waitFor();
    for (const { token } of coupons) {
      till.asked.length = 0;
      await till.page.locator('main').evaluate((main) => main.setAttribute('data-before', ''));
      await till.page.evaluate((token) => (globalThis.shown = token), token);
      await till.page.locator('main:not([data-before]) .answer.yes').waitFor();
      // It stays in front of the camera for a while.
      await till.page.waitForFunction(() => {
        globalThis.looks = (globalThis.looks ?? 0) + 1;
        return globalThis.looks % 60 === 0;
      });
      assert.equal(till.asked.length, 1, `${till.asked}`);
    }
    await shoot(till.page, 'till-camera');
    await till.page.locator('#camera').tap();
    assert.equal(await till.page.locator('#finder').count(), 0);
    await till.close();
  });

  test('is not promised where the browser cannot read codes', async () => {
    const till = await openTill(() => delete globalThis.BarcodeDetector);
    assert.equal(await till.page.locator('#camera').isVisible(), false);
    assert.match(await till.page.locator('#no-camera').innerText(), /请输入券码/);
    await till.close();
  });
});

test('a party, its bill and a manager who takes it back', async () => {
  const till = await openTill();
  const { page } = till;
  const { code } = await claim();
  await scanAsKeyboard(page, code);
  await tapAndStay(page.locator('#party-4'));
  await page.locator('#amount').fill('128.5');
  await tapAndStay(page.locator('form:has(#amount) button'));
  assert.match(await page.locator('[role=status]').innerText(), /4 位 · ¥128\.50/);
  assert.equal(await page.locator('#party-4').getAttribute('aria-pressed'), 'true');
  await page.goto(`${chain.portal}/till`);
  await tap(page.locator('form[action="/till/sign-out"] button'));
  await signIn(page, chain.manager);
  await scanAsKeyboard(page, code);
  await tapAndStay(page.locator('form:has-text("撤销这次核销") button'));
  assert.match(await page.locator('[role=status]').innerText(), /需店长撤销/);
  await shoot(page, 'till-manager', { fullPage: true });
  await page.locator('#pin').fill(chain.manager.pin);
  await tapAndStay(page.locator('form[action="/till/undo/manager"] button'));
  assert.match(await page.locator('[role=status]').innerText(), /券可以再次使用/);
  await till.close();
});

test('guests are counted with one tap, and the page stays where it is', async () => {
  const till = await openTill();
  const { page } = till;
  await page.goto(`${chain.portal}/counter`);
  const more = page.locator('#covers button[id^=more]').first();
  await more.scrollIntoViewIfNeeded();
  for (const count of ['1', '2']) {
    await tapAndStay(more);
    assert.equal(await page.locator('#covers output').first().innerText(), count);
  }
  // A party of three comes in while the network is slow.
  let release;
  const held = new Promise((go) => (release = go));
  await page.route('**/counter/covers', async (route) => {
    await held;
    await route.continue();
  });
  for (let guest = 0; guest < 3; guest += 1) await more.tap();
  release();
  await page.locator('#covers output').first().and(page.getByText('5', { exact: true })).waitFor();
  await page.unroute('**/counter/covers');
  await tapAndStay(page.locator('#covers button[id^=fewer]').first());
  assert.match(await page.locator('#covers').innerText(), /客人 4 位/);
  await shoot(page, 'counter-covers', { fullPage: true });
  await till.close();
});
