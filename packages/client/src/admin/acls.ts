/** Who may do what to what. */
import { CreateAcls, DeleteAcls, DescribeAcls, ErrorCode } from '@millrace/protocol'
import {
  aclOperations,
  aclPatternTypes,
  aclPermissionTypes,
  aclResourceTypes,
  type AclOperation,
  type AclPatternType,
  type AclPermissionType,
  type AclResourceType,
} from './acl-names.ts'
import type { Unknown } from './enumeration.ts'
import { unsupported } from './kafka-versions.ts'
import { refuseUnknownNames } from './known-names.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { check, failure, outcome, unanswered, type AdminRequests, type CallOptions } from './requests.ts'
import { toAny } from './routing.ts'

export interface AclBinding {
  readonly resourceType: AclResourceType
  /** `*` stands for all. Of the cluster: `kafka-cluster`. */
  readonly resourceName: string
  /** `PREFIXED` (since Kafka 2.0): all names that begin so. Default `LITERAL`. */
  readonly patternType?: AclPatternType
  /** Such as `User:alice`; `User:*` stands for everybody. */
  readonly principal: string
  /** Default `*`. */
  readonly host?: string
  readonly operation: AclOperation
  /** Default `ALLOW`. */
  readonly permissionType?: AclPermissionType
}

/** As a broker tells. */
export interface DescribedAcl {
  readonly resourceType: AclResourceType | Unknown
  readonly resourceName: string
  readonly patternType: AclPatternType | Unknown
  readonly principal: string
  readonly host: string
  readonly operation: AclOperation | Unknown
  readonly permissionType: AclPermissionType | Unknown
}

/** What is left out matches everything. */
export interface AclFilter {
  readonly resourceType?: AclResourceType
  readonly resourceName?: string
  /** `MATCH` (since Kafka 2.0): whatever concerns a resource of `resourceName`, prefixes and `*` included. */
  readonly patternType?: AclPatternType | 'MATCH'
  readonly principal?: string
  readonly host?: string
  readonly operation?: AclOperation
  readonly permissionType?: AclPermissionType
}

export interface AclAdmin {
  createAcls<Acls extends readonly unknown[]>(
    acls: ListOf<Acls, AclBinding>,
    options?: CallOptions,
  ): Promise<EachOf<Acls, AclBinding>>
  describeAcls(filter?: AclFilter, options?: CallOptions): Promise<readonly DescribedAcl[]>
  /** For each filter what it has deleted. */
  deleteAcls<Filters extends readonly unknown[]>(
    filters: ListOf<Filters, AclFilter>,
    options?: CallOptions,
  ): Promise<EachOf<Filters, { readonly deleted: readonly DescribedAcl[] }>>
}

export function aclAdmin(requests: AdminRequests): AclAdmin {
  return {
    createAcls: (acls, options = {}) =>
      requests.each(
        {
          operation: 'createAcls',
          routing: toAny,
          retried: notController,
          ask: async ({ send }, destination, asked: readonly AclBinding[]) => {
            const { results } = await send(destination, CreateAcls, (version) => ({
              creations: asked.map((acl) => creation(acl, version)),
            }))
            // Answers have no names: they come in the order of the request.
            return asked.map((acl, index) => {
              const result = results[index]
              return result === undefined ? unanswered(aboutAcl(acl)) : outcome(aboutAcl(acl), result, () => acl)
            })
          },
        },
        acls,
        options,
      ),
    describeAcls: (filter = {}, options = {}) =>
      requests.one('describeAcls', options, async ({ send }) => {
        const answer = await send('any', DescribeAcls, (version) => filterFields(filter, version))
        check('describeAcls', answer)
        return answer.resources.flatMap(({ acls, ...resource }) =>
          acls.map((acl) => described({ ...resource, ...acl })),
        )
      }),
    deleteAcls: (filters, options = {}) =>
      requests.each(
        {
          operation: 'deleteAcls',
          routing: toAny,
          retried: notController,
          ask: async ({ send }, destination, asked: readonly AclFilter[]) => {
            const { filterResults } = await send(destination, DeleteAcls, (version) => ({
              filters: asked.map((filter) => filterFields(filter, version)),
            }))
            return asked.map((filter, index): Outcome<{ readonly deleted: readonly DescribedAcl[] }> => {
              const about = `ACLs that match ${JSON.stringify(filter)}`
              const result = filterResults[index]
              if (result === undefined) return unanswered(about)
              if (result.errorCode !== ErrorCode.NONE) return { error: failure(about, result) }
              const kept = result.matchingAcls.find(({ errorCode }) => errorCode !== ErrorCode.NONE)
              if (kept !== undefined) return { error: failure(`${about}: ${aboutAcl(described(kept))}`, kept) }
              return { value: { deleted: result.matchingAcls.map(described) } }
            })
          },
        },
        filters,
        options,
      ),
  }
}

const notController: ReadonlySet<number> = new Set([ErrorCode.NOT_CONTROLLER])

const aclNames: Record<keyof AclBinding, true> = {
  resourceType: true,
  resourceName: true,
  patternType: true,
  principal: true,
  host: true,
  operation: true,
  permissionType: true,
}

function creation(acl: AclBinding, version: number) {
  refuseUnknownNames('an ACL', acl, aclNames)
  const { patternType = 'LITERAL', host = '*', permissionType = 'ALLOW' } = acl
  if (version === 0 && patternType !== 'LITERAL') throw unsupported(`an ACL with patternType ${patternType}`, '2.0')
  return {
    resourceType: aclResourceTypes.codeOf(acl.resourceType),
    resourceName: acl.resourceName,
    resourcePatternType: aclPatternTypes.codeOf(patternType),
    principal: acl.principal,
    host,
    operation: aclOperations.codeOf(acl.operation),
    permissionType: aclPermissionTypes.codeOf(permissionType),
  }
}

function filterFields(filter: AclFilter, version: number) {
  refuseUnknownNames('a filter of ACLs', filter, aclNames)
  const { patternType = 'ANY' } = filter
  if (version === 0 && patternType !== 'ANY' && patternType !== 'LITERAL')
    throw unsupported(`a filter of ACLs with patternType ${patternType}`, '2.0')
  return {
    resourceTypeFilter: aclResourceTypes.codeOf(filter.resourceType ?? 'ANY'),
    resourceNameFilter: filter.resourceName ?? null,
    // All ACLs of brokers that know no patterns are literal.
    patternTypeFilter: aclPatternTypes.codeOf(version === 0 ? 'LITERAL' : patternType),
    principalFilter: filter.principal ?? null,
    hostFilter: filter.host ?? null,
    operation: aclOperations.codeOf(filter.operation ?? 'ANY'),
    permissionType: aclPermissionTypes.codeOf(filter.permissionType ?? 'ANY'),
  }
}

function described(acl: {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}): DescribedAcl {
  return {
    resourceType: aclResourceTypes.nameOf(acl.resourceType) as AclResourceType | Unknown,
    resourceName: acl.resourceName,
    patternType: aclPatternTypes.nameOf(acl.patternType) as AclPatternType | Unknown,
    principal: acl.principal,
    host: acl.host,
    operation: aclOperations.nameOf(acl.operation) as AclOperation | Unknown,
    permissionType: aclPermissionTypes.nameOf(acl.permissionType) as AclPermissionType | Unknown,
  }
}

function aboutAcl(acl: AclBinding | DescribedAcl): string {
  const { permissionType = 'ALLOW', operation, principal, resourceType, resourceName } = acl
  return `${permissionType} ${operation} to ${principal} on ${resourceType} ${resourceName}`
}
