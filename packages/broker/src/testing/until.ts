import assert from 'node:assert/strict'

/** Far longer than a busy machine needs for anything. */
const patienceMs = 60_000

/** Asks until it is so; each question goes to the broker and back. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + patienceMs
  while (!(await isSo())) assert.ok(performance.now() < endMs, 'it never came to be')
}
