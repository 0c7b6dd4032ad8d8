/**
 * The state of a group shard at every length of its log: the same whenever the log is that long, and when a shard reads that much of it anew.
 * For tests.
 */
import assert from 'node:assert/strict'
import type { GroupShard } from '../group-shard.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export class LoggedStates {
  readonly #under: GroupShardUnderTest
  readonly #stateOf: (shard: GroupShard) => string
  readonly #byLength = new Map<number, string>()

  /** @param stateOf all that is in the log, as text that is the same for the same state */
  constructor(under: GroupShardUnderTest, stateOf: (shard: GroupShard) => string) {
    this.#under = under
    this.#stateOf = stateOf
  }

  /** To be called after every step. */
  check(): void {
    const { shard, logLength } = this.#under
    const state = this.#stateOf(shard)
    const before = this.#byLength.get(logLength)
    if (before !== undefined) assert.equal(state, before, 'the state has changed, and the log has not')
    this.#byLength.set(logLength, state)
  }

  /** The end of the log may have been lost. */
  forgetLost(): void {
    for (const length of this.#byLength.keys()) if (length > this.#under.logLength) this.#byLength.delete(length)
  }

  checkReloads(): void {
    for (const [length, state] of this.#byLength)
      assert.equal(
        this.#stateOf(this.#under.reloaded(length)),
        state,
        `the log's first ${length} entries give another state`,
      )
  }
}
