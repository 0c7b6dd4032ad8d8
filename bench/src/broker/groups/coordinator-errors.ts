// Answers of a coordinator that is not there yet.
import { setTimeout as delay } from 'node:timers/promises'

const loadInProgress = 14
const notAvailable = 15
const notCoordinator = 16
const retryMs = 5

export const isRetriable = (errorCode: number): boolean =>
  [loadInProgress, notAvailable, notCoordinator].includes(errorCode)

export const retryDelay = (): Promise<void> => delay(retryMs)

/** Asks again while the coordinator is not there, or answers `again`. @throws Error for any other error. */
export async function untilCoordinated(what: string, ask: () => Promise<number>, again?: number): Promise<void> {
  for (;;) {
    const errorCode = await ask()
    if (errorCode === 0) return
    if (errorCode !== again && !isRetriable(errorCode)) throw new Error(`${what}: error ${errorCode}`)
    if (errorCode !== again) await retryDelay()
  }
}
