// Named checks of one SDK: `check` declares them, `run` executes all at once and prints a JSON line for each.
import assert from "node:assert/strict";

const checks = [];

export function check(name, body) {
  checks.push({ name, body });
}

export async function rejects(promise, kind, fields = {}) {
  let failure;
  try {
    await promise;
  } catch (error) {
    failure = error;
  }
  assert(failure, `expected ${kind.name}, but nothing was thrown`);
  assert(failure instanceof kind, `expected ${kind.name}, got ${failure.constructor.name}: ${failure.message}`);
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof RegExp) assert.match(String(failure[name]), value);
    else assert.equal(failure[name], value);
  }
  return failure;
}

export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

export async function run() {
  if (process.env.E2E_LIST) {
    for (const { name } of checks) console.log(JSON.stringify({ name }));
    return;
  }
  await Promise.all(checks.map(async ({ name, body }) => {
    let error = null;
    try {
      await body();
    } catch (failure) {
      error = failure.stack ?? String(failure);
    }
    console.log(JSON.stringify({ name, error }));
  }));
  process.exit(0);
}
