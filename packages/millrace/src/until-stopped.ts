/** When a process in the foreground is to stop: Ctrl-C, SIGTERM, SIGHUP, or a failure it cannot live with. */

export interface Stopping {
  /** null when somebody asked for the stop. */
  readonly reason: Promise<Error | null>
  readonly fail: (error: Error) => void
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * A terminal sends Ctrl-C to all its processes, and npm passes it on to us once more: what comes this soon after the first is
 * the same wish.
 */
const echoMs = 500

/** The second signal ends the process at once. */
export function untilStopped(): Stopping {
  const { promise, resolve } = Promise.withResolvers<Error | null>()
  let firstMs: number | null = null
  for (const signal of signals)
    process.on(signal, () => {
      if (firstMs === null) {
        firstMs = performance.now()
        resolve(null)
      } else if (performance.now() - firstMs > echoMs) process.exit(1)
    })
  return { reason: promise, fail: resolve }
}
