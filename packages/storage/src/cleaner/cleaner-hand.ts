/** Who does the work of a cleaner: a thread (thread-hand.ts), or this one, a little at a time. */
import type { Clock } from '@millrace/runtime'
import { Pace } from '../directories/pace.ts'
import type { LogServices } from '../log-services.ts'
import type { GroupJob, GroupResult, MapJob, MapResult } from './cleaning-jobs.ts'
import { SegmentCleaner, type CleaningSteps } from './segment-cleaner.ts'
import type { Throttle } from './throttle.ts'

/** One job at a time. Disposing of it ends the job under way, which rejects with CleaningStoppedError. */
export interface CleanerHand extends AsyncDisposable {
  buildMap(job: MapJob): Promise<MapResult>
  /** After `buildMap`, for each group. */
  cleanGroup(job: GroupJob): Promise<GroupResult>
}

export class CleaningStoppedError extends Error {
  override readonly name = 'CleaningStoppedError'
}

export interface CleanerHandOptions {
  readonly clock: Clock
  readonly throttle: Throttle
}

/** For disks that only this thread can see: what tests and embedded brokers keep in memory. */
export class LocalHand implements CleanerHand {
  readonly #options: CleanerHandOptions
  readonly #cleaner: SegmentCleaner
  readonly #stop = new AbortController()
  #underWay: Promise<unknown> = Promise.resolve()

  constructor(services: LogServices, options: CleanerHandOptions) {
    this.#options = options
    this.#cleaner = new SegmentCleaner(services)
  }

  buildMap(job: MapJob): Promise<MapResult> {
    return this.#run(this.#cleaner.buildMap(job))
  }

  cleanGroup(job: GroupJob): Promise<GroupResult> {
    return this.#run(this.#cleaner.cleanGroup(job))
  }

  #run<Result>(steps: CleaningSteps<Result>): Promise<Result> {
    const result = this.#drive(steps)
    this.#underWay = result.catch(() => {})
    return result
  }

  async #drive<Result>(steps: CleaningSteps<Result>): Promise<Result> {
    const { clock, throttle } = this.#options
    const { signal } = this.#stop
    const pace = new Pace(clock)
    try {
      for (;;) {
        signal.throwIfAborted()
        const step = steps.next()
        if (step.done === true) return step.value
        await throttle.spend(step.value, signal)
        if (pace.isDue) await pace.rest()
      }
    } finally {
      // What is open has to be closed when the work ends early.
      steps.return(undefined as never)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new CleaningStoppedError('the cleaner was stopped'))
    await this.#underWay
    this.#cleaner.forget()
  }
}
