/** Which changes of finalized feature levels are allowed. Source: Kafka's FeatureControlManager. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { LevelRange } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'

export const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const

export interface FeatureUpdate {
  readonly feature: string
  readonly maxVersionLevel: number
  /** One of UpgradeType; anything else is refused. */
  readonly upgradeType: number
}

const UNSUPPORTED: LevelRange = { min: 0, max: 0 }

/**
 * The finalized levels after all updates; the present ones themselves when they change nothing. One that is refused refuses all.
 * @throws KafkaError INVALID_UPDATE_VERSION.
 */
export function planLevels(
  updates: readonly FeatureUpdate[],
  image: MetadataImage,
  controllerId: number,
): ReadonlyMap<string, number> {
  // The last one counts for a feature that is named twice, as in Kafka.
  const lasting = new Map(updates.map((update) => [update.feature, update]))
  const levels = new Map(image.features.levels)
  let isChanged = false
  for (const update of lasting.values()) {
    const current = levels.get(update.feature) ?? 0
    assertAllowed(update, current, image, controllerId)
    if (update.maxVersionLevel === current) continue
    isChanged = true
    if (update.maxVersionLevel === 0) levels.delete(update.feature)
    else levels.set(update.feature, update.maxVersionLevel)
  }
  return isChanged ? levels : image.features.levels
}

function assertAllowed(
  { feature, maxVersionLevel: level, upgradeType }: FeatureUpdate,
  current: number,
  image: MetadataImage,
  controllerId: number,
): void {
  const refuse = (reason: string): never => {
    throw new KafkaError(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid update version ${level} for feature ${feature}. ${reason}`,
    )
  }
  const isDowngrade = upgradeType === UpgradeType.SAFE_DOWNGRADE || upgradeType === UpgradeType.UNSAFE_DOWNGRADE
  if (upgradeType !== UpgradeType.UPGRADE && !isDowngrade)
    refuse('The controller does not support the given upgrade type.')
  if (level < 0) refuse('A feature version cannot be less than 0.')

  assertSupported(`Local controller ${controllerId}`, SUPPORTED_FEATURES.get(feature), level, refuse)
  for (const { id, features } of image.brokers.values())
    assertSupported(`Broker ${id}`, features.get(feature), level, refuse)

  if (level < current && !isDowngrade)
    refuse(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    )
  if (level > current && isDowngrade) refuse("Can't downgrade to a newer version.")
}

function assertSupported(
  what: string,
  { min, max }: LevelRange = UNSUPPORTED,
  level: number,
  refuse: (reason: string) => never,
): void {
  if (level >= min && level <= max) return
  refuse(
    max === 0
      ? `${what} does not support this feature.`
      : `${what} only supports versions ${min === max ? min : `${min}-${max}`}`,
  )
}
