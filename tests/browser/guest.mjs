// A guest in the lab of network namespaces: does the steps of the first argument ([["open", URL], ["tap",
// words], …]) in Chromium and prints what is on the screen then. The phone's own network decides what resolves.

import { chromium } from 'playwright-core';

import { iPhone, shoot, tap } from './phone.mjs';

const steps = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    // The lab's only user is root, for whom Chromium's sandbox refuses to run.
    '--disable-component-update', '--disable-sync', '--no-sandbox',
  ],
});
try {
  const page = await browser.newPage({
    viewport: iPhone, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: 'zh-CN',
  });
  page.setDefaultTimeout(20_000);
  for (const [verb, what] of steps) {
    if (verb === 'open') await page.goto(what);
    else if (verb === 'tap') await tap(page.getByRole('button', { name: what }).or(page.getByRole('link', { name: what })));
    else throw new Error(`a guest cannot ${verb}`);
  }
  if (process.env.SHOTS) await shoot(page, `lab-${process.pid}`);
  console.log(JSON.stringify({ url: page.url(), text: await page.innerText('body') }));
} finally {
  await browser.close();
}
