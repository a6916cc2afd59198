// Programs that a test starts: they are ready when they say so, and are ended by the pid we got.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const root = fileURLToPath(new URL('../..', import.meta.url));

// The debug binary, which the tests before this one have built.
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
export const maitred = process.env.MAITRED ?? path.join(target, 'debug', 'maitred');

/** Runs a program to its end and returns what it printed; throws with its own words if it fails. */
export async function run(command, ...args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = end(child);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await ended;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ended with ${code}\n${err}`);
  return out;
}

/**
 * Starts a program and waits for its line `ready ...`; throws if it ends before. `said` has every line of
 * its output, and `line(pattern)` waits for one, on stdout or stderr.
 */
export async function start(command, ...args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = end(child);
  const said = [];
  let wake = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line);
      wake();
    });
  }
  let gone = false;
  ended.finally(() => {
    gone = true;
    wake();
  });
  const line = async (pattern) => {
    for (;;) {
      const found = said.find((line) => pattern.test(line));
      if (found) return found;
      if (gone) throw new Error(`${command} ended before it said ${pattern}:\n${said.join('\n')}`);
      await new Promise((resolve) => (wake = resolve));
    }
  };
  const stop = async () => {
    child.kill('SIGTERM');
    const code = await ended;
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${said.join('\n')}`);
  };
  const ready = await line(/^ready/);
  return { ready, said, line, stop };
}

/** The value of `name=` in a ready line. */
export function address(ready, name) {
  const found = ready.match(new RegExp(`\\b${name}=(\\S+)`));
  if (!found) throw new Error(`no ${name} in: ${ready}`);
  return found[1];
}

function end(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
}

async function text(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}
