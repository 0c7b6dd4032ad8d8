import type { ClientContexts } from '../client-context.ts'
import type { ProducerRecord, TopiclessRecord } from '../record.ts'
import { KafkaProducer } from './kafka-producer.ts'
import { producerOptions, type ProducerOptions } from './options.ts'
import { ProducerCore } from './producer-core.ts'
import type { Producer } from './producer.ts'

/** What may be a key or a value without a serializer. */
export type Unserialized = Uint8Array | string

/** The producer for `kafka.producer(options)`; see there. */
export function openProducer<K, V>(
  contexts: ClientContexts,
  options: ProducerOptions<K, V>,
): Producer<ProducerRecord<K, V>> & Producer<TopiclessRecord<K, V>> {
  const place = 'kafka.producer()'
  const context = contexts.open(producerOptions, options, place, 'producer-metrics')
  try {
    return new KafkaProducer(new ProducerCore(context, place)) as unknown as Producer<ProducerRecord<K, V>> &
      Producer<TopiclessRecord<K, V>>
  } catch (error) {
    void context.cluster[Symbol.asyncDispose]()
    throw error
  }
}
