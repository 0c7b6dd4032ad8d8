import { setTimeout as delay } from 'node:timers/promises'

/** Repeats a check until it passes, and returns what it did: metadata may follow a change a little later. @throws what it threw last. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(20)
    }
  }
}
