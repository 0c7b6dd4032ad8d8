/**
 * Hearts in a thread of their own, with connections of their own, so that nothing the application does keeps them from beating. One thread
 * for all consumers of a `Kafka`: started with the first heart, ended with the last; it does not keep the process alive.
 *
 * The thread's code is the file `heartbeat-thread` beside this one, with the same extension: `.ts` when running from sources, `.js` from a
 * build. A bundler has to emit `heartbeat-thread.js` as a second entry beside the bundle this file ends up in. When the file is missing, or
 * the thread cannot start or dies, hearts beat in the application's loop, and a line in the log says so.
 */
import type { Worker } from 'node:worker_threads'
import { sameLoopHost } from './same-loop-host.ts'
import type { Heart, HeartbeatHost, HeartEvent, HeartOptions, LeaveOptions, Vitals } from './heart.ts'
import { plainSettings, type FromThread, type ToThread } from './thread-messages.ts'
import { TokenSupply } from './token-supply.ts'

export interface ThreadHostOptions {
  /** Where the thread's code is, when it is not beside this file. */
  readonly entry?: URL
}

/** Invariant: `#thread` is set while one runs or starts; every heart in `#hearts` has been opened in it. */
export class ThreadHost implements HeartbeatHost {
  readonly #entry: URL
  readonly #hearts = new Map<number, RemoteHeart>()
  #thread: Worker | null = null
  #nextId = 0
  /** Why no more threads are started. */
  #trouble: Error | null = null
  readonly #up = Promise.withResolvers<void>()

  constructor({ entry }: ThreadHostOptions = {}) {
    const file = import.meta.url.endsWith('.ts') ? './heartbeat-thread.ts' : './heartbeat-thread.js'
    this.#entry = entry ?? new URL(file, import.meta.url)
  }

  open(options: HeartOptions): Heart {
    const thread = (this.#thread ??= this.#start())
    if (thread === null) {
      warnOf(options, this.#trouble)
      return sameLoopHost.open(options)
    }
    const id = this.#nextId++
    const heart = new RemoteHeart(id, options, {
      post: (message) => this.#thread?.postMessage(message),
      closed: () => this.#forget(id),
    })
    this.#hearts.set(id, heart)
    return heart
  }

  /** For tests: resolves when the thread runs, or does not any more. */
  get ready(): Promise<void> {
    return this.#up.promise
  }

  #start(): Worker | null {
    if (this.#trouble !== null) return null
    // Loaded here, as producers never need it.
    const workerThreads = process.getBuiltinModule('node:worker_threads')
    let thread: Worker
    try {
      thread = new workerThreads.Worker(this.#entry, { name: 'kafka-heartbeats' })
    } catch (error) {
      this.#trouble = error as Error
      return null
    }
    thread.unref()
    thread.on('message', (message: FromThread) => {
      if (message.kind === 'up') this.#up.resolve()
      else if (thread === this.#thread) this.#hearts.get(message.id)?.received(message)
    })
    thread.on('error', (error: Error) => this.#bury(thread, error))
    thread.on('exit', (code) => this.#bury(thread, new Error(`the thread of the heartbeats exited with code ${code}`)))
    return thread
  }

  async #forget(id: number): Promise<void> {
    this.#hearts.delete(id)
    if (this.#hearts.size > 0) return
    const thread = this.#thread
    this.#thread = null
    await thread?.terminate()
  }

  /** Whatever killed it may do so again: no second thread. */
  #bury(thread: Worker, error: Error): void {
    if (thread !== this.#thread) return
    this.#thread = null
    this.#trouble = error
    this.#up.resolve()
    for (const heart of this.#hearts.values()) heart.moveToSameLoop(error)
    this.#hearts.clear()
  }
}

interface ThreadDoor {
  readonly post: (message: ToThread) => void
  readonly closed: () => Promise<void>
}

/** A heart that beats elsewhere. `#local` takes over when the thread is gone. */
class RemoteHeart implements Heart {
  readonly #id: number
  readonly #options: HeartOptions
  readonly #door: ThreadDoor
  readonly #tokens: TokenSupply | null
  readonly #leaves = new Map<number, () => void>()
  readonly #closing = Promise.withResolvers<void>()
  #vitals: Vitals | null = null
  #beat = 0
  #nextLeave = 0
  #isClosed = false
  #local: Heart | null = null

  constructor(id: number, options: HeartOptions, door: ThreadDoor) {
    this.#id = id
    this.#options = options
    this.#door = door
    const { settings, world, plan } = options
    door.post({ kind: 'open', id, settings: plainSettings(settings), plan })
    this.#tokens =
      settings.sasl?.mechanism === 'OAUTHBEARER'
        ? new TokenSupply({
            world,
            logger: settings.logger,
            provider: settings.sasl.token,
            put: (token) => door.post({ kind: 'token', id, token }),
          })
        : null
  }

  beat(vitals: Vitals): void {
    this.#vitals = vitals
    this.#beat++
    if (this.#local !== null) this.#local.beat(vitals)
    else this.#door.post({ kind: 'beat', id: this.#id, beat: this.#beat, vitals })
  }

  update(vitals: Vitals): void {
    if (this.#vitals === null) return
    this.#vitals = vitals
    if (this.#local !== null) this.#local.update(vitals)
    else this.#door.post({ kind: 'update', id: this.#id, vitals })
  }

  stop(): void {
    this.#vitals = null
    this.#beat++
    if (this.#local !== null) this.#local.stop()
    else this.#door.post({ kind: 'stop', id: this.#id })
  }

  async leave(leaving: LeaveOptions): Promise<void> {
    this.#vitals = null
    this.#beat++
    using _awake = this.#options.world.clock.holdProcess()
    if (this.#local !== null) {
      await this.#local.leave(leaving)
      return
    }
    // Nobody would answer.
    if (this.#isClosed) return
    const leave = this.#nextLeave++
    await new Promise<void>((resolve) => {
      this.#leaves.set(leave, resolve)
      this.#door.post({ kind: 'leave', id: this.#id, leaving, leave })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#vitals = null
    this.#tokens?.[Symbol.dispose]()
    using _awake = this.#options.world.clock.holdProcess()
    if (this.#local !== null) await this.#local[Symbol.asyncDispose]()
    else {
      this.#door.post({ kind: 'close', id: this.#id })
      await this.#closing.promise
      this.#endLeaves()
      await this.#door.closed()
    }
  }

  received(message: Exclude<FromThread, { kind: 'up' }>): void {
    switch (message.kind) {
      case 'event':
        if (message.beat === this.#beat) this.#understand(message.event)
        break
      case 'left':
        this.#leaves.get(message.leave)?.()
        this.#leaves.delete(message.leave)
        break
      case 'closed':
        this.#closing.resolve()
        break
      case 'token-wanted':
        this.#tokens?.fetch()
        break
      case 'log':
        this.#options.settings.logger[message.level](message.message, message.fields)
        break
    }
  }

  /** The thread is gone. */
  moveToSameLoop(error: Error): void {
    warnOf(this.#options, error)
    this.#tokens?.[Symbol.dispose]()
    this.#endLeaves()
    this.#closing.resolve()
    if (this.#isClosed) return
    this.#local = sameLoopHost.open(this.#options)
    if (this.#vitals !== null) this.#local.beat(this.#vitals)
  }

  /** Whoever leaves is told no more: the session ends by itself. */
  #endLeaves(): void {
    for (const resolve of this.#leaves.values()) resolve()
    this.#leaves.clear()
  }

  #understand(event: HeartEvent): void {
    // For the one who takes over when the thread dies.
    if (event.kind === 'refused' || event.kind === 'failed' || event.kind === 'poll-exceeded') this.#vitals = null
    else if (event.kind === 'epoch' && this.#vitals !== null && this.#vitals.protocol !== 'classic')
      this.#vitals = { ...this.#vitals, memberId: event.memberId, memberEpoch: event.memberEpoch }
    this.#options.listener(event)
  }
}

function warnOf({ settings, plan }: HeartOptions, error: Error | null): void {
  settings.logger.warn(
    'heartbeats go without a thread of their own: a handler that keeps the event loop busy stops them',
    {
      groupId: plan.groupId,
      error,
    },
  )
}
