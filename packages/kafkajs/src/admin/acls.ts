/** Access control, as KafkaJS's admin has it. */
import type { AclBinding, AclFilter as ClientAclFilter, Admin as ClientAdmin, DescribedAcl } from '@millrace/client'
import { translated } from '../translate-error.ts'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  codeIn,
  nameIn,
  ResourcePatternTypes,
} from './resource-types.ts'

export interface Acl {
  principal: string
  host: string
  operation: AclOperationTypes
  permissionType: AclPermissionTypes
}

export interface AclResource {
  resourceType: AclResourceTypes
  resourceName: string
  resourcePatternType: ResourcePatternTypes
}

export type AclEntry = Acl & AclResource

export type DescribeAclResource = AclResource & { acls: Acl[] }

export interface AclFilter {
  resourceType: AclResourceTypes
  resourceName?: string
  resourcePatternType: ResourcePatternTypes
  principal?: string
  host?: string
  operation: AclOperationTypes
  permissionType: AclPermissionTypes
}

export type MatchingAcl = AclEntry & { errorCode: number; errorMessage?: string }

export interface DescribeAclResponse {
  throttleTime: number
  errorCode: number
  errorMessage?: string
  resources: DescribeAclResource[]
}

export interface DeleteAclFilterResponses {
  errorCode: number
  errorMessage?: string
  matchingAcls: MatchingAcl[]
}

export interface DeleteAclResponse {
  throttleTime: number
  filterResponses: DeleteAclFilterResponses[]
}

export interface AclAdmin {
  createAcls(options: { acl: AclEntry[] }): Promise<boolean>
  describeAcls(filter: AclFilter): Promise<DescribeAclResponse>
  deleteAcls(options: { filters: AclFilter[] }): Promise<DeleteAclResponse>
}

export function aclAdmin(admin: () => ClientAdmin): AclAdmin {
  return {
    async createAcls({ acl }) {
      await translated(admin().createAcls(acl.map(bindingOf)))
      return true
    },

    async describeAcls(filter) {
      const byResource = new Map<string, DescribeAclResource>()
      for (const described of await translated(admin().describeAcls(filterOf(filter)))) {
        const { principal, host, operation, permissionType, ...resource } = entryFrom(described)
        const name = JSON.stringify(resource)
        const entry = byResource.get(name) ?? { ...resource, acls: [] }
        byResource.set(name, entry)
        entry.acls.push({ principal, host, operation, permissionType })
      }
      return { throttleTime: 0, errorCode: 0, resources: [...byResource.values()] }
    },

    async deleteAcls({ filters }) {
      const deleted = await translated(admin().deleteAcls(filters.map(filterOf)))
      return {
        throttleTime: 0,
        filterResponses: deleted.map((one) => ({
          errorCode: 0,
          matchingAcls: one.deleted.map((acl) => ({ errorCode: 0, ...entryFrom(acl) })),
        })),
      }
    },
  }
}

function bindingOf(acl: AclEntry): AclBinding {
  return {
    resourceType: nameIn(AclResourceTypes, acl.resourceType, 'resource type') as AclBinding['resourceType'],
    resourceName: acl.resourceName,
    patternType: nameIn(ResourcePatternTypes, acl.resourcePatternType, 'resource pattern type') as
      | 'LITERAL'
      | 'PREFIXED',
    principal: acl.principal,
    host: acl.host,
    operation: nameIn(AclOperationTypes, acl.operation, 'operation type') as AclBinding['operation'],
    permissionType: nameIn(AclPermissionTypes, acl.permissionType, 'permission type') as 'ALLOW' | 'DENY',
  }
}

/** What is ANY is left out. */
function filterOf(filter: AclFilter): ClientAclFilter {
  const named = {
    resourceType: nameIn(AclResourceTypes, filter.resourceType, 'resource type'),
    patternType: nameIn(ResourcePatternTypes, filter.resourcePatternType, 'resource pattern type'),
    operation: nameIn(AclOperationTypes, filter.operation, 'operation type'),
    permissionType: nameIn(AclPermissionTypes, filter.permissionType, 'permission type'),
    resourceName: filter.resourceName,
    principal: filter.principal,
    host: filter.host,
  }
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined && value !== 'ANY'),
  ) as ClientAclFilter
}

function entryFrom(acl: DescribedAcl): AclEntry {
  return {
    resourceType: codeIn(AclResourceTypes, acl.resourceType) as AclResourceTypes,
    resourceName: acl.resourceName,
    resourcePatternType: codeIn(ResourcePatternTypes, acl.patternType) as ResourcePatternTypes,
    principal: acl.principal,
    host: acl.host,
    operation: codeIn(AclOperationTypes, acl.operation) as AclOperationTypes,
    permissionType: codeIn(AclPermissionTypes, acl.permissionType) as AclPermissionTypes,
  }
}
