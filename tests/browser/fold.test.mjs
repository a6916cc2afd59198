// The linter's estimate of where "continue" stands on the page of the Wi-Fi, held to what a phone shows: what it lets
// pass is on the first screen, and it does not refuse what is well inside it.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openBrowser, openPhone } from './phone.mjs';
import { maitred } from './programs.mjs';

const narrow = { width: 360, height: 640 };
const playbook = new URL('../../templates/playbooks/side-dish.toml', import.meta.url);

let browser;
const dir = mkdtempSync(join(tmpdir(), 'fold-'));
before(async () => {
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true });
});

const words = { zh: '新菜上桌送一份，', en: 'A dish with each new one. ' };
const old = { zh: /zh = "尝新送小菜"/, en: /en = "A side dish with the new dish"/ };

/** Writes the side dish with `count` times the words in its title. */
function written(language, count) {
  const file = join(dir, `${language}-${count}.toml`);
  const title = words[language].repeat(count);
  const text = readFileSync(playbook, 'utf8').replace(old[language], `${language} = "${title}"`);
  writeFileSync(file, text);
  return file;
}

const passes = (file) => spawnSync(maitred, ['campaign', 'check', file]).status === 0;

async function bottom(page, file, language) {
  const html = execFileSync(maitred, ['campaign', 'page', '--language', language, file], { encoding: 'utf8' });
  await page.setContent(html);
  const box = await page.locator('button[formaction^="/admit"]').boundingBox();
  return box.y + box.height;
}

for (const language of Object.keys(words)) {
  test(`what the linter lets pass shows "continue" on the first screen: ${language}`, async () => {
    const phone = await openPhone(browser, { viewport: narrow });
    let most = 1;
    while (passes(written(language, most + 1))) most += 1;
    const [last, first] = [written(language, most), written(language, most + 1)];
    const [shown, refused] = [await bottom(phone.page, last, language), await bottom(phone.page, first, language)];
    console.log(`${language}: ${most} times passes at ${shown} px, one more is refused at ${refused} px`);
    assert.ok(shown <= narrow.height, `${most} times the words end at ${shown}`);
    assert.ok(refused >= narrow.height - 80, `${most + 1} times the words end at ${refused}`);
    await phone.close();
  });
}
