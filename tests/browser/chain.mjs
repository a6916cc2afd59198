// A chain of one store as its people set it up: headquarters, a one-time token, a box that enrols with it.
// All are the real programs with their own files, on loopback and on ports that the system picks.

import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { address, maitred, root, run, start } from './programs.mjs';

/** A sticker of the chain that marks no place. */
export const blank = 'C6ACKWGQ';

export async function openChain() {
  const dir = await mkdtemp(path.join(tmpdir(), 'maitred-browser-'));
  const at = (...parts) => path.join(dir, ...parts);
  await writeChainFolder(at('chain'));

  const hqConfig = at('hq.toml');
  await writeFile(hqConfig, `
dir = "${at('hq')}"
chain_dir = "${at('chain')}"
sync = { listen = "127.0.0.1:0", url = "https://127.0.0.1:0" }
enroll = { listen = "127.0.0.1:0" }
console = { listen = "127.0.0.1:0" }
ops = { listen = "127.0.0.1:0" }
`);
  const asHq = (...args) => run(maitred, 'hq', '--config', hqConfig, ...args);
  const made = await run(maitred, 'hq', 'init', '--dir', at('hq'), '--name', '127.0.0.1');
  const [, login, password] = made.match(/console login: (\S+) +password: (\S+)/);
  const [, pin] = (await asHq('staff', 'add', '--store', 'SZ01', '--name', 'xiaochen')).match(/PIN: (\S+)/);
  const [, managerPin] = (await asHq('staff', 'add', '--store', 'SZ01', '--name', 'linjie', '--manager')).match(/PIN: (\S+)/);
  const hq = await start(maitred, 'hq', '--config', hqConfig);

  const [, token] = (await asHq('token', '--store', 'SZ01')).match(/token: (\S+)/);
  await run(maitred, 'enroll', '--hq', address(hq.ready, 'enroll'), '--pin', address(hq.ready, 'pin'),
    '--token', token, '--state', at('box'));
  const writeBox = (ops) => writeFile(at('gateway.toml'), `
state_dir = "${at('box')}"
portal = { listen = "127.0.0.1:0" }
ops = { listen = "${ops}" }
uplink = { batch_delay_ms = 100, views_delay_ms = 100 }
`);
  await writeBox('127.0.0.1:0');
  const box = await start(maitred, 'gateway', '--config', at('gateway.toml'));
  // `gateway --pair-till` asks the running box, and so has to know the port that it got.
  const ops = address(box.ready, 'ops');
  await writeBox(new URL(ops).host);
  const portal = address(box.ready, 'portal');
  await eventually(async () => (await fetch(`${ops}/readyz`)).ok || 'the box is not ready');

  const sheet = at('sheet.html');
  await run(maitred, 'qr', 'sheet', '--store-dir', at('chain', 'stores', 'SZ01'), '--out', sheet);
  return {
    portal,
    console: address(hq.ready, 'console'),
    admin: { login, password },
    staff: { name: 'xiaochen', pin },
    manager: { name: 'linjie', pin: managerPin },
    sheet,
    at,
    async pairingCode() {
      const said = await run(maitred, 'gateway', '--config', at('gateway.toml'), '--pair-till');
      return said.match(/pairing code: (\S+)/)[1];
    },
    async close() {
      await box.stop();
      await hq.stop();
      await rm(dir, { recursive: true });
    },
  };
}

/** The demo's chain with one store, a blank sticker, and the offers that are open at every hour of every year. */
async function writeChainFolder(folder) {
  const demo = path.join(root, 'deploy', 'demo', 'chain');
  await cp(demo, folder, {
    recursive: true,
    filter: (file) => !/SZ0[23]|quiet-hours|regulars/.test(path.relative(demo, file)),
  });
  await appendFile(path.join(folder, 'stores', 'SZ01', 'touchpoints.csv'), `${blank},table,\n`);
  // A tasting tonight, for two; the shop's own wall says which night it is.
  const tonight = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
  await writeFile(path.join(folder, 'stores', 'SZ01', 'events.toml'), `
[[event]]
id = "new-broth"
title = { zh = "新汤品鉴会", zh-Hant = "新湯品鑑會", en = "Tasting the new broth" }
text = { zh = "老林熬了一夜的新汤，请您先尝。", zh-Hant = "老林熬了一夜的新湯，請您先嚐。", en = "Lin has cooked it all night; you taste it first." }
at = "${tonight}T23:59"
places = 2
codes_per_guest = 2
`);
  for (const name of ['welcome', 'first-visit', 'brought-a-friend', 'table-of-three']) {
    const campaign = path.join(folder, 'campaigns', `${name}.toml`);
    const text = await readFile(campaign, 'utf8');
    await writeFile(campaign, text.replace(/^ends = .*$/m, 'ends = 2199-12-31'));
  }
}

/**
 * Asks again until `question` answers true, at most 200 times, and says its last answer if it never does.
 * Each question is a real request, so this waits for what it asks about and not for a time.
 */
export async function eventually(question, pauseMs = 50) {
  let answer;
  for (let asked = 0; asked < 200; asked += 1) {
    answer = await question();
    if (answer === true) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  throw new Error(`still not so: ${answer}`);
}
