/** What the producer's parts go by: the settings, with those resolved that depend on each other. Rules: Kafka's ProducerConfig and KafkaProducer. */
import { Compression } from '@millrace/protocol'
import type { PackingOptions } from './batches/producer-batch.ts'
import { producerOptions, type ProducerSettings } from './options.ts'

/** Leaders remember the last so many batches of a producer, to know duplicates. */
const MOST_IN_FLIGHT_OF_IDEMPOTENT = 5

export type ProducerConfiguration = Omit<ProducerSettings, 'acks' | 'enableIdempotence'> & {
  readonly acks: -1 | 0 | 1
  readonly isIdempotent: boolean
  readonly packing: PackingOptions
}

/** @throws TypeError for settings that contradict each other. */
export function producerConfiguration(settings: ProducerSettings, place: string): ProducerConfiguration {
  const acks = settings.acks === 'all' ? -1 : settings.acks
  return {
    ...settings,
    acks,
    isIdempotent: isIdempotent(settings, acks, place),
    deliveryTimeoutMs: deliveryTimeoutMs(settings, place),
    packing: packingOptions(settings),
  }
}

function isIdempotent(settings: ProducerSettings, acks: number, place: string): boolean {
  const { enableIdempotence, transactionalId, retries, maxInFlightRequestsPerConnection } = settings
  if (enableIdempotence === false) {
    if (transactionalId !== null)
      throw new TypeError(`${place}: transactionalId needs enableIdempotence, which is false`)
    return false
  }
  const isAsked = enableIdempotence === true
  const why = isAsked ? 'enableIdempotence' : 'transactionalId'
  const isNeeded = isAsked || transactionalId !== null
  if (retries === 0) {
    if (isNeeded) throw new TypeError(`${place}: ${why} needs retries, which is 0`)
    return false
  }
  if (acks !== -1) {
    if (isNeeded) throw new TypeError(`${place}: ${why} needs acks 'all', but it is ${acks}`)
    return false
  }
  if (maxInFlightRequestsPerConnection > MOST_IN_FLIGHT_OF_IDEMPOTENT)
    throw new TypeError(
      `${place}: maxInFlightRequestsPerConnection may be at most ${MOST_IN_FLIGHT_OF_IDEMPOTENT} for an idempotent producer, but is ${maxInFlightRequestsPerConnection}; lower it, or set enableIdempotence to false`,
    )
  return true
}

/** A default that is too low for what was set otherwise is raised. */
function deliveryTimeoutMs(
  { deliveryTimeoutMs: wanted, lingerMs, requestTimeoutMs }: ProducerSettings,
  place: string,
): number {
  const least = Math.min(lingerMs + requestTimeoutMs, 0x7fff_ffff)
  if (wanted >= least) return wanted
  if (wanted === producerOptions.deliveryTimeoutMs.default) return least
  throw new TypeError(
    `${place}: deliveryTimeoutMs should be at least lingerMs + requestTimeoutMs (${least}), but is ${wanted}`,
  )
}

function packingOptions(settings: ProducerSettings): PackingOptions {
  switch (settings.compressionType) {
    case 'gzip':
      return { compression: Compression.GZIP, compressionLevel: settings.compressionGzipLevel }
    case 'snappy':
      return { compression: Compression.SNAPPY, compressionLevel: undefined }
    case 'lz4':
      return { compression: Compression.LZ4, compressionLevel: settings.compressionLz4Level }
    case 'zstd':
      return { compression: Compression.ZSTD, compressionLevel: settings.compressionZstdLevel }
    default:
      return { compression: Compression.NONE, compressionLevel: undefined }
  }
}
