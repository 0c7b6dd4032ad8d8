import { ApiVersions, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Api, Response } from '@millrace/protocol'

/** What the cluster has agreed to do, as of `epoch` (KIP-584). */
export interface FinalizedFeatures {
  /** -1n: the broker did not tell. */
  readonly epoch: bigint
  /** By the names of features, as `transaction.version`. One that is missing is at 0. */
  readonly levels: ReadonlyMap<string, number>
}

export const noFeatures: FinalizedFeatures = { epoch: -1n, levels: new Map() }

/** The versions of each API that a broker serves, and the features of its cluster, as it tells in answer to ApiVersions. */
export class VersionRanges {
  /** Before asking: every broker answers ApiVersions, though maybe not in the version asked. */
  static readonly onlyApiVersions = new VersionRanges([
    { apiKey: ApiVersions.key, minVersion: ApiVersions.versions[0], maxVersion: ApiVersions.versions[1] },
  ])

  readonly #ranges = new Map<number, readonly [oldest: number, newest: number]>()

  readonly features: FinalizedFeatures

  constructor(apiKeys: Response<typeof ApiVersions>['apiKeys'], features = noFeatures) {
    this.features = features
    for (const { apiKey, minVersion, maxVersion } of apiKeys) this.#ranges.set(apiKey, [minVersion, maxVersion])
  }

  /** null when the broker does not serve the API. */
  rangeOf(apiKey: number): readonly [oldest: number, newest: number] | null {
    return this.#ranges.get(apiKey) ?? null
  }

  /** The newest version that both sides know. @throws KafkaError UNSUPPORTED_VERSION when there is none. */
  newestOf(api: Api): number {
    const [oldest, newest] = api.versions
    const range = this.rangeOf(api.key)
    if (range === null) throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `the broker does not serve ${api.name}`)
    const version = Math.min(newest, range[1])
    if (version < oldest || version < range[0]) {
      throw new KafkaError(
        ErrorCode.UNSUPPORTED_VERSION,
        `${api.name}: the broker serves versions ${range[0]} to ${range[1]}, known here are ${oldest} to ${newest}`,
      )
    }
    return version
  }
}
