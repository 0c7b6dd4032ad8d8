/** Dispatches the records of a coordinator's topic to what applies them, by type. */
import type { Decoded, RecordType, Shape } from '@millrace/protocol'
import type { RecordOrigin } from './coordinator-shard.ts'

/** A record as it is read from the log. `value` null is a tombstone. */
export interface LoadedRecord {
  readonly type: RecordType
  readonly key: unknown
  readonly value: unknown
}

type Apply = (key: never, value: never, origin: RecordOrigin) => void

export class Replayers {
  readonly #byType = new Map<number, Apply>()

  on<K extends Shape, V extends Shape>(
    type: RecordType<K, V>,
    apply: (key: Decoded<K>, value: Decoded<V> | null, origin: RecordOrigin) => void,
  ): this {
    this.#byType.set(type.id, apply as Apply)
    return this
  }

  /** @throws Error for a type that nothing applies: a declared type without replay would be lost at a restart. */
  apply({ type, key, value }: LoadedRecord, origin: RecordOrigin): void {
    const apply = this.#byType.get(type.id)
    if (apply === undefined) throw new Error(`nothing replays ${type.name}`)
    apply(key as never, value as never, origin)
  }
}
