/** How much users and clients may ask of the brokers. */
import { AlterClientQuotas, DescribeClientQuotas } from '@millrace/protocol'
import { refuseUnknownNames } from './known-names.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { check, outcome, unanswered, type AdminRequests, type CallOptions } from './requests.ts'
import { toAny } from './routing.ts'

/**
 * Whom a quota is for: `{ user: 'alice' }`, `{ 'client-id': 'etl' }`, both, or `{ ip: '10.0.0.1' }` (for `connection_creation_rate`). Null: the default for
 * those who have none of their own.
 */
export type QuotaEntity = Readonly<Record<string, string | null>>

export interface QuotaFilterComponent {
  /** `user`, `client-id` or `ip`. */
  readonly entityType: string
  /** Null: the default. Left out: any. */
  readonly name?: string | null
}

export interface QuotaFilter {
  readonly components: readonly QuotaFilterComponent[]
  /** Only entities that have no other components. Default false. */
  readonly strict?: boolean
}

export interface DescribedQuota {
  readonly entity: QuotaEntity
  /** Such as `producer_byte_rate`. */
  readonly quotas: Readonly<Record<string, number>>
}

export interface QuotaChanges {
  readonly entity: QuotaEntity
  readonly set?: Readonly<Record<string, number>>
  readonly delete?: readonly string[]
}

export interface QuotaAdmin {
  /** All quotas, when no filter is given. */
  describeClientQuotas(filter?: QuotaFilter, options?: CallOptions): Promise<readonly DescribedQuota[]>
  alterClientQuotas<Changes extends readonly unknown[]>(
    changes: ListOf<Changes, QuotaChanges>,
    options?: CallOptions & { readonly validateOnly?: boolean },
  ): Promise<EachOf<Changes, { readonly entity: QuotaEntity }>>
}

const changeNames: Record<keyof QuotaChanges, true> = { entity: true, set: true, delete: true }

const match = { exact: 0, default: 1, any: 2 } as const

export function quotaAdmin(requests: AdminRequests): QuotaAdmin {
  return {
    describeClientQuotas: ({ components, strict = false } = { components: [] }, options = {}) =>
      requests.one('describeClientQuotas', options, async ({ send }) => {
        const answer = await send('any', DescribeClientQuotas, {
          components: components.map(({ entityType, name }) => ({
            entityType,
            matchType: name === undefined ? match.any : name === null ? match.default : match.exact,
            match: name ?? null,
          })),
          strict,
        })
        check('describeClientQuotas', answer)
        return (answer.entries ?? []).map(({ entity, values }) => ({
          entity: entityOf(entity),
          quotas: Object.fromEntries(values.map(({ key, value }) => [key, value])),
        }))
      }),
    alterClientQuotas: (changes, { validateOnly = false, ...options } = {}) =>
      requests.each(
        {
          operation: 'alterClientQuotas',
          routing: toAny,
          ask: async ({ send }, destination, asked: readonly QuotaChanges[]) => {
            for (const change of asked) refuseUnknownNames('a change of quotas', change, changeNames)
            const { entries } = await send(destination, AlterClientQuotas, {
              entries: asked.map(({ entity, set = {}, delete: deleted = [] }) => ({
                entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
                ops: [
                  ...Object.entries(set).map(([key, value]) => ({ key, value, remove: false })),
                  ...deleted.map((key) => ({ key, value: 0, remove: true })),
                ],
              })),
              validateOnly,
            })
            const answers = new Map(entries.map((entry) => [keyOf(entityOf(entry.entity)), entry]))
            return asked.map(({ entity }) => {
              const about = `quotas of ${JSON.stringify(entity)}`
              const answer = answers.get(keyOf(entity))
              return answer === undefined ? unanswered(about) : outcome(about, answer, () => ({ entity }))
            })
          },
        },
        changes,
        options,
      ),
  }
}

function entityOf(
  components: readonly { readonly entityType: string; readonly entityName: string | null }[],
): QuotaEntity {
  return Object.fromEntries(components.map(({ entityType, entityName }) => [entityType, entityName]))
}

/** Components have no order. */
function keyOf(entity: QuotaEntity): string {
  return JSON.stringify(Object.entries(entity).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
