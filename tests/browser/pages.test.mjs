// Each page on a small phone: nothing sticks out, a thumb hits everything, in each language, light and dark, and in
// large type. The pictures stay in $SHOTS, or in target/screenshots, to be looked at.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openChain } from './chain.mjs';
import { fitsAThumb, fitsItsScreen, isAccessible, openBrowser, openPhone, scan, shoot, tap, tapAndStay } from './phone.mjs';

// The narrowest phone that is still sold.
const narrow = { width: 360, height: 640 };

// Table A01 of the demo's chain.
const table = '/t/Q3UXJ5J5';
const feedback = '/feedback/Q3UXJ5J5';

let chain, browser;
before(async () => {
  [chain, browser] = await Promise.all([openChain(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await chain?.close();
});

/** Does something on a phone of its own, with the options of a browser context. */
async function onPhone(options, act) {
  // axe is a script, which the pages' own policy would refuse.
  const phone = await openPhone(browser, { bypassCSP: true, ...options });
  await act(phone.page, phone);
  await phone.close();
}

const tags = { 'zh-CN': 'zh-CN', 'zh-HK': 'zh-Hant', 'en-GB': 'en' };
const claimedWords = { 'zh-CN': '领券', 'zh-HK': '領券', 'en-GB': 'Coupons claimed' };

for (const locale of Object.keys(tags)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`every page fits 360 px and a thumb: ${locale}, ${colorScheme}`, async () => {
      await onPhone({ viewport: narrow, locale, colorScheme }, async (page) => {
        const look = async (name) => {
          await shoot(page, `${name}-${locale}-${colorScheme}`, { fullPage: true });
          assert.equal(await page.locator('html').getAttribute('lang'), tags[locale]);
          await fitsItsScreen(page);
          await fitsAThumb(page);
          await isReadable(page);
          await isAccessible(page);
        };
        const open = async (path, name) => {
          await page.goto(chain.portal + path);
          await look(name);
        };
        await open(`${table}?look=1`, 'just-looking');
        await open('/t/22222222', 'unknown-code');
        await open('/c/22222222222222222222222222', 'unknown-coupon');
        await open('/notice', 'notice');
        await open('/me', 'my-coupons-none');
        await open('/', 'wifi');
        await open(table, 'landing');
        await tap(page.locator('button'));
        await look('coupon');
        const code = await page.locator('.code').innerText();
        await tap(page.locator('button[value=follow]'));
        await look('invite');
        const read = await scan(page.locator('.qr svg'), `invite-qr-${locale}-${colorScheme}`);
        assert.equal(read, 'https://weixin.example.cn/r/shiwei');
        await open(table, 'landing-held');
        await open(`${table}/table`, 'together');
        if (await page.locator('form button').count() > 0) {
          // All of these phones have one address, and are one device: the others find themselves counted.
          await tap(page.locator('form button'));
        }
        await open('/me', 'my-coupons');
        assert.equal(await page.locator('section.card a.button').count(), 1, 'the coupon that was claimed');
        await tap(page.locator('section.card a.button'));
        await page.locator('input[name=marketing]').check();
        await tap(page.locator('form[action*=consent] button'));
        await open('/me', 'my-agreement');
        await open('/me/erase', 'erase');
        await page.goto(`${chain.portal}/me`);
        await tap(page.locator('form[action^="/me/withdraw"] button'));
        await look('withdrawn');

        await open('/vip', 'vip-none');
        await tap(page.locator('form[action^="/vip"] button'));
        await look('vip');
        const card = await page.locator('.code').innerText();
        assert.equal(await scan(page.locator('.qr svg'), `vip-qr-${locale}-${colorScheme}`), card);
        await page.locator('#birthday').fill('1990-08-15');
        await tap(page.locator('form:has(#birthday) button'));
        await look('vip-birthday-refused');
        assert.equal(await page.locator('#birthday').inputValue(), '1990-08-15', 'what was typed is kept');
        await page.locator('#birthday').fill('08-15');
        await tap(page.locator('form:has(#birthday) button'));
        await look('vip-birthday');

        await open(feedback, 'feedback');
        await tap(page.locator('button[value=waiter]'));
        await look('called');
        await open(feedback, 'feedback-called');
        // The words beside a radio button are what a thumb hits.
        await page.locator('.star', { hasText: '1' }).tap();
        await page.locator('textarea').fill('13800138000');
        await tap(page.locator('form[action="/feedback"] button'));
        await look('feedback-refused');
        assert.equal(await page.locator('[name=rating][value="1"]').isChecked(), true, 'what was chosen stays');
        await page.locator('textarea').fill('The soup was cold. 汤是凉的。');
        await tap(page.locator('form[action="/feedback"] button'));
        await look('said');

        await open('/till', 'till-pair');
        await page.locator('[name=code]').fill(await chain.pairingCode());
        await tap(page.locator('button'));
        await look('till-sign-in');
        await page.locator('[name=pin]').fill(chain.staff.pin);
        await tap(page.locator('button'));
        await look('till');
        await page.locator('[name=code]').fill('2222');
        await tapAndStay(page.locator('form[action="/till/redeem"] button'));
        await look('till-no');
        await page.locator('#code').fill(code);
        await tapAndStay(page.locator('form[action="/till/redeem"] button'));
        await look('till-yes');
        await page.locator('#amount').fill('abc');
        await tapAndStay(page.locator('form:has(#amount) button'));
        assert.equal(await page.locator('#amount').inputValue(), 'abc', 'what was typed is kept');
        await look('till-bad-amount');
        await page.locator('#code').fill(code);
        await tapAndStay(page.locator('form[action="/till/redeem"] button'));
        await look('till-used');
        await open('/counter/slip', 'slip-ask');
        await tap(page.locator('form[action="/counter/slip"] button'));
        await look('slip');
        await open('/counter/inbox?hold', 'inbox');
        assert.match(await page.locator('.alert').first().innerText(), /汤是凉的/, 'a bad rating stands on top');
        await tap(page.locator('.alert a.button').first());
        await look('answer');
        await page.locator('textarea').fill('A new bowl is on its way. 马上换一碗。');
        await tap(page.locator('main > form button'));
        await look('inbox-answered');
        assert.equal(await page.locator('.alert').count(), 0);
        await open(feedback, 'feedback-answered');
        assert.match(await page.locator('main').innerText(), /马上换一碗/, 'the guest reads the answer');
        await tap(page.locator('a[href^="/feedback/said/"]'));
        await look('said-answered');
        await page.locator('textarea').fill('Now it is hot. 现在热了。');
        await tap(page.locator('main form button'));
        await look('said-back');
        await open('/counter/inbox?hold', 'inbox-back');
        assert.match(await page.locator('.alert').first().innerText(), /现在热了/, 'somebody should look again');
        await tap(page.locator('.alert button[value=done]').first());
        await open(`/counter/guest?code=${card}`, 'guest');
        await tap(page.locator('button[value=vip]'));
        await look('guest-vip');
        await page.locator('summary').tap();
        await look('guest-end');
        await open('/counter/guest?code=2222222', 'guest-unknown');
        await open('/vip', 'vip-is');
        await page.goto(`${chain.portal}/r`);
        await tap(page.locator('form button').first());
        await look('referral');
        const friend = await scan(page.locator('.qr svg'), `referral-qr-${locale}-${colorScheme}`);
        await open(new URL(friend).pathname, 'referral-own');
        await open('/counter/places', 'places');
        await open('/counter', 'counter');
        const claimed = page.locator('tr', { hasText: claimedWords[locale] }).first();
        assert.ok(Number(await claimed.locator('td').first().innerText()) > 0, 'the coupon of this phone is counted');
      });
    });

    // The console speaks two languages.
    if (locale === 'zh-HK') continue;
    test(`the console fits 360 px and a desk: ${locale}, ${colorScheme}`, async () => {
      await onPhone({ viewport: narrow, locale, colorScheme }, async (page) => {
        const look = async (name, where = page) => {
          await shoot(where, `${name}-${locale}-${colorScheme}`, { fullPage: true });
          await fitsItsScreen(where);
          await fitsAThumb(where, 'a, button, input');
          await isReadable(where);
          await isAccessible(where);
        };
        await page.goto(chain.console);
        await look('console-login');
        await page.locator('[name=login]').fill(chain.admin.login);
        await page.locator('[name=password]').fill(chain.admin.password);
        await tap(page.locator('button.main'));
        await look('console-phone');
        await page.goto(new URL('/promos', chain.console).href);
        await look('console-promos');
        await page.goto(chain.console);
        await page.setViewportSize({ width: 1280, height: 800 });
        await look('console-desk');
        await tap(page.locator('th a.tap').first());
        await look('console-places-desk');
        await page.setViewportSize(narrow);
        await look('console-places-phone');
        await page.goto(`${chain.console}/persons`);
        await look('console-persons-phone');
      });
    });
  }
}

for (const locale of Object.keys(tags)) {
  test(`a guest's pages fit 360 px in large type: ${locale}`, async () => {
    await onPhone({ viewport: narrow, locale }, async (page) => {
      const look = async (name) => {
        await shoot(page, `${name}-${locale}-large`, { fullPage: true });
        assert.equal(await page.locator('body').evaluate((body) => getComputedStyle(body).fontSize), '24.0012px');
        await fitsItsScreen(page);
        await fitsAThumb(page);
        await isAccessible(page);
      };
      await page.goto(chain.portal + table);
      await tap(page.locator('footer .link').first());
      await look('landing');
      await tap(page.locator('button'));
      await look('coupon');
      await tap(page.locator('button[value=follow]'));
      await look('invite');
      for (const [path, name] of [['/', 'wifi'], ['/me', 'my-coupons'], ['/notice', 'notice'], ['/t/22222222', 'unknown-code']]) {
        await page.goto(chain.portal + path);
        await look(name);
      }
      await tap(page.locator('footer .link').first());
      assert.equal(await page.locator('body').evaluate((body) => getComputedStyle(body).fontSize), '18px');
    });
  });
}

// What each window says of itself.
const windows = {
  apple: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  android: 'Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240705.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36',
  wechat: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49',
  alipay: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 AlipayClient/10.6.10',
};

for (const [name, userAgent] of Object.entries(windows)) {
  test(`the pages know what works in the window of ${name}`, async () => {
    await onPhone({ viewport: narrow, userAgent }, async (page) => {
      const isPassing = name === 'apple' || name === 'android';
      await page.goto(`${chain.portal}/`);
      await tap(page.locator('form[action="/claim"] button:not([formaction])'));
      await shoot(page, `coupon-in-${name}`, { fullPage: true });
      const code = await page.locator('.code').innerText();
      assert.equal(await page.locator('.now').count(), isPassing ? 1 : 0, 'a window that forgets says so');
      assert.equal(await page.locator('button[value=follow]').count(), name === 'alipay' ? 0 : 1);
      await isAccessible(page);
      if (name !== 'alipay') {
        await tap(page.locator('button[value=follow]'));
        await shoot(page, `invite-in-${name}`, { fullPage: true });
        assert.equal(await page.locator('a[rel=noreferrer]').count(), isPassing ? 0 : 1, 'a link that opens');
        await page.goBack();
      }
      await tap(page.locator('form[action="/admit"] button').first());
      await shoot(page, `online-in-${name}`, { fullPage: true });
      assert.equal(await page.locator('.code').innerText(), code, 'the code is there after the window closes');
      await fitsItsScreen(page);
      await fitsAThumb(page);
      await isAccessible(page);
    });
  });
}

test('on the Wi-Fi page the way to the Internet is as large as the offer, and both are in sight', async () => {
  await onPhone({}, async (page) => {
    await page.goto(`${chain.portal}/`);
    const claim = await page.locator('form[action="/claim"] button:not([formaction])').boundingBox();
    const onward = await page.locator('button[formaction="/admit"]').boundingBox();
    assert.deepEqual([onward.width, onward.height], [claim.width, claim.height]);
    for (const button of [claim, onward]) {
      assert.ok(button.y + button.height <= page.viewportSize().height, 'it is seen without scrolling');
    }
    await tap(page.locator('button[formaction="/admit"]'));
    assert.equal(page.url(), `${chain.portal}/online`);
    assert.match(await page.locator('h1').innerText(), /已连接/);
  });
});

test('the list of calls comes again by itself, also without a script', async () => {
  await onPhone({ javaScriptEnabled: false }, async (page, { asked }) => {
    await page.goto(chain.portal + feedback);
    await tap(page.locator('button[value=bill]'));
    await page.goto(`${chain.portal}/till`);
    await page.locator('[name=code]').fill(await chain.pairingCode());
    await tap(page.locator('button'));
    await page.locator('[name=pin]').fill(chain.staff.pin);
    await tap(page.locator('button'));
    const [list] = await Promise.all([
      page.waitForResponse(`${chain.portal}/counter/inbox`),
      page.goto(`${chain.portal}/counter/inbox`),
    ]);
    assert.equal(list.headers().refresh, '15');
    asked.length = 0;
    // The whole page, so that the next step does not cross it on its way.
    await page.waitForEvent('load', { timeout: 30_000 });
    assert.deepEqual(asked, [`GET ${chain.portal}/counter/inbox`]);
    await page.goto(`${chain.portal}/counter/inbox?hold`);
    const call = page.locator('.card', { hasText: '请结账' });
    await tap(call.locator('button[value=done]').first());
    await page.goto(`${chain.portal}/counter/inbox?hold`);
    assert.equal(await page.locator('button[value=open]').count() > 0, true, 'what was a mistake can be taken back');
  });
});

test('a landing page is one request and no script', async () => {
  await onPhone({}, async (page, { asked }) => {
    await page.goto(chain.portal + table, { waitUntil: 'networkidle' });
    assert.deepEqual(asked, [`GET ${chain.portal}${table}`]);
    assert.equal(await page.locator('script').count(), 0);
  });
});

test('English is one tap away, and stays', async () => {
  await onPhone({}, async (page) => {
    await page.goto(chain.portal + table);
    await tap(page.locator('footer .link[lang=en]'));
    assert.equal(await page.locator('button').innerText(), 'Claim it');
    await tap(page.locator('button'));
    assert.match(await page.locator('header').innerText(), /Your coupon/);
  });
});

test('a guest who ticks nothing has agreed to nothing, and who agrees can take it back', async () => {
  await onPhone({}, async (page) => {
    await page.goto(chain.portal + table);
    await tap(page.locator('button'));
    const box = page.locator('input[name=marketing]');
    const save = page.locator('form[action$="/consent"] button');
    assert.equal(await box.isChecked(), false);
    await tap(save);
    assert.equal(await box.isChecked(), false, 'the question is still open');
    await box.check();
    await tap(save);
    assert.equal(await box.count(), 0);
    await tap(save);
    assert.equal(await box.isChecked(), false);
  });
});

/** Words stand out from what is behind them by 4.5 to 1 (WCAG 2.2, 1.4.3), in light and in dark. */
async function isReadable(page) {
  const faint = await page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    // A canvas turns every notation of a colour into its parts.
    const parts = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => parts(colour).slice(0, 3)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
      for (let it = element; it; it = it.parentElement) {
        const colour = getComputedStyle(it).backgroundColor;
        if (parts(colour)[3] === 255) return colour;
      }
      return 'white';
    };
    const words = [...document.querySelectorAll('body *')].filter((element) =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim()));
    return words
      .map((element) => {
        const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
        return { words: element.textContent.trim(), contrast: (pair[0] + 0.05) / (pair[1] + 0.05) };
      })
      .filter(({ contrast }) => contrast < 4.5);
  });
  assert.deepEqual(faint, [], `words on ${page.url()} are hard to read`);
}
