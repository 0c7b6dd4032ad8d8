/** What Kafka has no name for. */
import { atLeast } from '../config-checks.ts'
import { int } from '../config-definition.ts'

export const millraceConfigs = {
  'millrace.batch.max.decompressed.bytes': int({
    default: 104_857_600,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Most bytes one compressed record batch may unpack to. A batch that would need more is refused.',
  }),
}
