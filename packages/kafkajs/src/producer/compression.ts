/** Codecs by KafkaJS's numbers, which are Kafka's. All are built in. */
import { KafkaJSNotImplemented } from '../errors.ts'

export const CompressionTypes = { None: 0, GZIP: 1, Snappy: 2, LZ4: 3, ZSTD: 4 } as const
export type CompressionTypes = (typeof CompressionTypes)[keyof typeof CompressionTypes]

/** Programs register codecs here that KafkaJS lacks. Nothing reads them: the client has its own. */
export const CompressionCodecs: Record<number, unknown> = {}

const names = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** @throws KafkaJSNotImplemented for a number that there is not. */
export function compressionName(type: CompressionTypes): (typeof names)[number] {
  const name = names[type]
  if (name === undefined) throw new KafkaJSNotImplemented(`there is no compression type ${type}`)
  return name
}
