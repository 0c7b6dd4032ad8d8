/**
 * Features (KIP-584): what brokers and clients may do only when the whole cluster can. A broker supports a range of levels of each; the
 * cluster has finalized one of them, 0 being off. Kafka's other features (metadata.version, kraft.version, …) are about its own
 * controllers, or not served here.
 */

export interface LevelRange {
  readonly min: number
  readonly max: number
}

const supported = {
  /** 1: the consumer protocol of KIP-848. */
  'group.version': { min: 0, max: 1 },
  /** 1: transaction logs in a flexible format; 2: an epoch for each transaction. Both KIP-890. */
  'transaction.version': { min: 0, max: 2 },
  /** 1: share groups (KIP-932). */
  'share.version': { min: 0, max: 1 },
} satisfies Record<string, LevelRange>

export type FeatureName = keyof typeof supported

export const SUPPORTED_FEATURES: ReadonlyMap<string, LevelRange> = new Map(Object.entries(supported))

/** The newest levels, but for those given. */
export function newestLevels(others: Readonly<Partial<Record<FeatureName, number>>> = {}): ReadonlyMap<string, number> {
  const levels = new Map<string, number>()
  for (const [name, { max }] of SUPPORTED_FEATURES) {
    const level = others[name as FeatureName] ?? max
    if (level > 0) levels.set(name, level)
  }
  return levels
}

/** The finalized levels. */
export class FeaturesImage {
  /** Rises with every change. −1: not known yet. */
  readonly epoch: number
  /** Only what is above 0. */
  readonly levels: ReadonlyMap<string, number>

  constructor(epoch: number, levels: ReadonlyMap<string, number>) {
    this.epoch = epoch
    this.levels = levels
  }

  /** 0 when the feature is off, or nothing is known yet. */
  level(name: FeatureName): number {
    return this.levels.get(name) ?? 0
  }
}

export const UNKNOWN_FEATURES: FeaturesImage = new FeaturesImage(-1, new Map())
