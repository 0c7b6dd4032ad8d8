/**
 * The heart itself, wherever it runs: sends heartbeats when they are due, watches that the application asks for records, and leaves the group
 * when it does not.
 */
import { KafkaError } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { BeatResult, Pulse, PulseOptions } from './beat.ts'
import { ClassicPulse, leaveClassic } from './classic-pulse.ts'
import { EpochPulse, leaveByEpoch } from './epoch-pulse.ts'
import type { Heart, HeartListener, HeartPlan, LeaveOptions, Vitals } from './heart.ts'
import { PollWatch } from './poll-stamp.ts'

/** How often it is looked whether the application asks: so many times in maxPollIntervalMs, within bounds. */
const LOOKS_PER_INTERVAL = 20
const SHORTEST_LOOK_MS = 10
const LONGEST_LOOK_MS = 1000

export interface BeatingHeartOptions {
  /** The heart's own, and disposed with it. */
  readonly cluster: Cluster
  readonly plan: HeartPlan
  readonly listener: HeartListener
}

/** One beat, from `beat` to its end. */
interface Beat {
  readonly pulse: Pulse
  readonly vitals: Vitals
  readonly ending: AbortController
  /** Ends the pause before the next heartbeat. */
  wake: (() => void) | null
}

/** Invariant: `#beat` is the only one that sends or tells; those before have been ended. */
export class BeatingHeart implements Heart {
  readonly #cluster: Cluster
  readonly #plan: HeartPlan
  readonly #listener: HeartListener
  readonly #pollWatch: PollWatch
  #beat: Beat | null = null
  #look: Timer | null = null

  constructor({ cluster, plan, listener }: BeatingHeartOptions) {
    this.#cluster = cluster
    this.#plan = plan
    this.#listener = listener
    this.#pollWatch = new PollWatch(plan.pollMemory, this.#nowMs())
    // Brokers to ask for the coordinator when those of the beginning are gone.
    cluster.metadata.refreshSoon()
  }

  beat(vitals: Vitals): void {
    this.stop()
    const options: PulseOptions = { cluster: this.#cluster, plan: this.#plan }
    const pulse = vitals.protocol === 'classic' ? new ClassicPulse(options, vitals) : new EpochPulse(options, vitals)
    const beat: Beat = { pulse, vitals, ending: new AbortController(), wake: null }
    this.#beat = beat
    this.#pollWatch.reset(this.#nowMs())
    this.#lookLater(beat)
    void this.#run(beat)
  }

  update(vitals: Vitals): void {
    this.#beat?.pulse.update(vitals)
    if (this.#beat?.pulse.hasNews === true) this.#beat.wake?.()
  }

  stop(): void {
    this.#beat?.ending.abort(new Error('the heart has stopped'))
    this.#beat?.wake?.()
    this.#beat = null
    this.#look?.cancel()
  }

  async leave(leaving: LeaveOptions): Promise<void> {
    this.stop()
    const { clock } = this.#cluster.world
    const deadline = new AbortController()
    const timer = clock.after(leaving.timeoutMs, () => deadline.abort(new Error('leaving took too long')))
    const farewell = leaving.protocol === 'classic' ? leaveClassic : leaveByEpoch
    try {
      await farewell({ cluster: this.#cluster, plan: this.#plan }, leaving, deadline.signal)
    } catch (error) {
      // The coordinator will find out when the session is over.
      this.#cluster.settings.logger.info('the coordinator could not be told that a member leaves', {
        groupId: this.#plan.groupId,
        error,
      })
    } finally {
      timer.cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    await this.#cluster[Symbol.asyncDispose]()
  }

  async #run(beat: Beat): Promise<void> {
    const { signal } = beat.ending
    let failures = 0
    await this.#pause(beat, beat.pulse.firstMs)
    while (!signal.aborted) {
      const begunAtMs = this.#nowMs()
      const result = await this.#send(beat)
      if (signal.aborted || result === null) return
      if (result.kind !== 'again') this.#listener({ kind: 'answered', latencyMs: this.#nowMs() - begunAtMs })
      failures = result.kind === 'again' ? failures + 1 : 0
      if (result.kind === 'stopped') this.stop()
      if (result.kind !== 'again' && result.event !== null) this.#listener(result.event)
      if (result.kind === 'again') await this.#pause(beat, this.#backoffMs(failures))
      else if (result.kind === 'troubled') await this.#pause(beat, result.pauseMs)
      else if (result.kind === 'alive' && !beat.pulse.hasNews) await this.#pause(beat, result.nextMs)
    }
  }

  /** Null when the beat was ended meanwhile. */
  async #send({ pulse, ending: { signal } }: Beat): Promise<BeatResult | null> {
    try {
      return await pulse.send(signal)
    } catch (error) {
      if (signal.aborted) return null
      pulse.lost()
      if (error instanceof KafkaError && error.retriable) return { kind: 'again' }
      const { code, message } = error instanceof KafkaError ? error : { code: -1, message: (error as Error).message }
      return { kind: 'stopped', event: { kind: 'failed', code, message } }
    }
  }

  #pause(beat: Beat, durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#cluster.world.clock.after(durationMs, done)
      beat.wake = done
      function done(): void {
        beat.wake = null
        timer.cancel()
        resolve()
      }
      if (beat.ending.signal.aborted) done()
    })
  }

  #lookLater(beat: Beat): void {
    const { maxPollIntervalMs } = this.#plan
    const lookMs = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, maxPollIntervalMs / LOOKS_PER_INTERVAL))
    this.#look = this.#cluster.world.clock.after(lookMs, () => {
      const silentMs = this.#pollWatch.silentMs(this.#nowMs())
      if (silentMs <= maxPollIntervalMs) this.#lookLater(beat)
      else this.#giveUp(beat, silentMs)
    })
  }

  /** As Kafka: a static member does not leave a classic group, but is silent from now on; its session ends, if it does not come back. */
  #giveUp({ vitals }: Beat, silentMs: number): void {
    const { protocol, memberId } = vitals
    this.#listener({ kind: 'poll-exceeded', silentMs, handling: this.#pollWatch.handling })
    if (protocol === 'classic' && this.#plan.groupInstanceId !== null) this.stop()
    else {
      const reason = 'consumer poll timeout has expired.'
      void this.leave({
        memberId,
        protocol,
        reason,
        isForGood: false,
        timeoutMs: this.#cluster.settings.requestTimeoutMs,
      })
    }
  }

  #backoffMs(failures: number): number {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#cluster.settings
    return backoffMs(failures, {
      initialMs: retryBackoffMs,
      maxMs: retryBackoffMaxMs,
      random: this.#cluster.world.random,
    })
  }

  #nowMs(): number {
    return this.#cluster.world.clock.monotonicMs()
  }
}
