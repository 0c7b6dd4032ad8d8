import { confluentKafka, kafkaPython } from './python.ts'
import type { ForeignClient } from './foreign-client.ts'
import { franzGo, kafkaGo, sarama } from './go.ts'
import { java } from './java.ts'
import { kafkajs, platformatic } from './javascript.ts'
import { kcat } from './kcat.ts'

/** In the order they run and are reported. */
export const foreignClients: readonly ForeignClient[] = [
  java,
  confluentKafka,
  kcat,
  kafkaPython,
  sarama,
  franzGo,
  kafkaGo,
  kafkajs,
  platformatic,
]
