// Draws deploy/screenshot.png, the README's picture: what a guest and a manager see while the demo runs.
// By hand, after a change of the pages, with the optimised binary, which has more guests:
// MAITRED=../../target/release/maitred npm run poster (it takes half a minute).

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { eventually } from './chain.mjs';
import { maitred, root, start } from './programs.mjs';
import { openBrowser, openPhone, tap } from './phone.mjs';

const picture = path.join(root, 'deploy', 'screenshot.png');
const mostBytes = 150_000;

const dir = await mkdtemp(path.join(tmpdir(), 'maitred-poster-'));
const demo = await start(maitred, 'demo', '--state', path.join(dir, 'demo'));
const browser = await openBrowser();
try {
  // Until then a shop day takes two seconds.
  await demo.line(/everything stays up/);
  const shots = { landing: path.join(dir, 'landing.png'), coupon: path.join(dir, 'coupon.png'), console: path.join(dir, 'console.png') };
  const landing = (await demo.line(/^landing page of a table:/)).match(/http\S+/)[0];
  const [, address, login, password] = (await demo.line(/^console:/)).match(/(http\S+) +login (\S+) +password (\S+)/);

  const guest = await openPhone(browser, { locale: 'en-GB' });
  await guest.page.goto(landing);
  await guest.page.screenshot({ path: shots.landing });
  await tap(guest.page.locator('button'));
  await guest.page.screenshot({ path: shots.coupon });
  await guest.close();

  const manager = await openPhone(browser, { locale: 'en-GB', isMobile: false, viewport: { width: 1180, height: 844 } });
  await manager.page.goto(address);
  await manager.page.locator('[name=login]').fill(login);
  await manager.page.locator('[name=password]').fill(password);
  await tap(manager.page.locator('button.main'));
  // A whole day on which the quiet hours were on, once every store's page views are in: they travel later
  // than captures. The offer alternates by a coin for each pair of days, so three days back are enough.
  await eventually(async () => {
    await tap(manager.page.locator('a[rel=prev]'));
    const sums = await manager.page.locator('tfoot td').allInnerTexts();
    return Number(sums[4]) > 0 || `no quiet hours: ${sums}`;
  });
  await eventually(async () => {
    await manager.page.reload();
    const rows = await manager.page.locator('table').first().locator('tbody tr').evaluateAll((rows) =>
      rows.map((row) => [...row.querySelectorAll('td')].map((cell) => Number.parseInt(cell.textContent, 10))));
    return rows.every(([came, claimed]) => came >= claimed) || JSON.stringify(rows);
  }, 100);
  await manager.page.screenshot({ path: shots.console });
  await manager.close();

  await writeFile(path.join(dir, 'poster.html'), `<!doctype html>
<style>
body { margin: 0; padding: 24px; display: flex; gap: 24px; background: #cfc8be; }
img { height: 500px; border-radius: 14px; border: 1px solid #8f877c; }
</style>
<img src="landing.png"><img src="coupon.png"><img src="console.png">`);
  const poster = await openPhone(browser, { isMobile: false, deviceScaleFactor: 1, viewport: { width: 1262, height: 550 } });
  await poster.page.goto(`file://${dir}/poster.html`);
  await poster.page.screenshot({ path: picture });
  await poster.close();
} finally {
  await browser.close();
  await demo.stop();
  await rm(dir, { recursive: true });
}
const { size } = await stat(picture);
console.log(`${picture}: ${size} bytes`);
if (size > mostBytes) throw new Error(`the picture is larger than ${mostBytes} bytes`);
