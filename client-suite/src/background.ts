// Writing and reading that goes on while brokers come and go.
import { serde } from '@millrace/client'
import { expectEqual } from '@millrace/interop/checking'
import type { Bench } from './bench.ts'
import { numbers, valuesOf } from './reading.ts'

/** Writes '0', '1', … to every partition, in order, 20 at a time, until it is stopped. */
export class BackgroundWriter {
  readonly #bench: Bench
  readonly #topic: string
  readonly #partitions: number
  /** By partition, in the order of the promises. */
  readonly acknowledged: string[][]
  readonly #failures: unknown[] = []
  readonly #writing: Promise<unknown>
  #isOver = false

  constructor(bench: Bench, topic: string, partitions: number) {
    this.#bench = bench
    this.#topic = topic
    this.#partitions = partitions
    this.acknowledged = Array.from({ length: partitions }, () => [])
    const kafka = bench.kafka({ reconnectBackoffMs: 20, reconnectBackoffMaxMs: 200 })
    const producer = bench.use(kafka.producer({ topic, value: serde.string, lingerMs: 2, acks: 'all' }))
    const write = async (partition: number) => {
      for (let next = 0; !this.#isOver && this.#failures.length === 0; next += 20) {
        await Promise.all(
          numbers(20, next).map((value) =>
            producer.send({ partition, value }).then(
              () => this.acknowledged[partition]!.push(value),
              (error: unknown) => this.#failures.push(error),
            ),
          ),
        )
        // Enough to be in the middle of something at any time, without keeping the machine busy.
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    this.#writing = Promise.all(this.acknowledged.map((_, partition) => write(partition)))
  }

  get count(): number {
    return this.acknowledged.reduce((sum, { length }) => sum + length, 0)
  }

  /** Resolves when `more` further records have been acknowledged. */
  async progress(more: number): Promise<void> {
    const goal = this.count + more
    while (this.count < goal) {
      if (this.#failures.length > 0) throw this.#failures[0]
      this.#bench.signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#writing
    if (this.#failures.length > 0) throw this.#failures[0]
  }

  /** @throws Error when anything was lost, doubled or reordered. */
  async verify(): Promise<string> {
    const values = await valuesOf(this.#bench, this.#topic, { partitions: this.#partitions })
    expectEqual(values, this.acknowledged, 'values by partition')
    return `${this.count} records`
  }
}
