/** Between two heartbeats of a member while its group forms. */
const hurriedMs = 100

/**
 * How often members heartbeat. In a group that forms as often as they must, so that the broker's share of the time is seen and not
 * their own patience: with the five seconds that it asks for, a KIP-848 group of any broker needs two rounds of them.
 */
export class HeartbeatPace {
  #isHurried = true

  /** From now on as Kafka's consumers do. */
  calmDown(): void {
    this.#isHurried = false
  }

  /** Before the first heartbeat of a member: those that join at once do not stay in step. */
  firstIntervalMs(usualMs: number): number {
    return Math.random() * this.intervalMs(usualMs)
  }

  intervalMs(usualMs: number): number {
    return this.#isHurried ? Math.min(hurriedMs, usualMs) : usualMs
  }
}
