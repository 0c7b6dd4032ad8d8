/** What may be allowed, and on what: the vocabulary of access control. */
import { enumeration, type Unknown } from './enumeration.ts'

export type AclOperation =
  | 'ALL'
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'CLUSTER_ACTION'
  | 'DESCRIBE_CONFIGS'
  | 'ALTER_CONFIGS'
  | 'IDEMPOTENT_WRITE'
  | 'CREATE_TOKENS'
  | 'DESCRIBE_TOKENS'
  | 'TWO_PHASE_COMMIT'

export type AclResourceType = 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID' | 'DELEGATION_TOKEN' | 'USER'
export type AclPermissionType = 'ALLOW' | 'DENY'
export type AclPatternType = 'LITERAL' | 'PREFIXED'

export const aclOperations = enumeration<AclOperation | 'ANY'>('ACL operation', {
  ANY: 1,
  ALL: 2,
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
  CREATE_TOKENS: 13,
  DESCRIBE_TOKENS: 14,
  TWO_PHASE_COMMIT: 15,
})

export const aclResourceTypes = enumeration<AclResourceType | 'ANY'>('ACL resource type', {
  ANY: 1,
  TOPIC: 2,
  GROUP: 3,
  CLUSTER: 4,
  TRANSACTIONAL_ID: 5,
  DELEGATION_TOKEN: 6,
  USER: 7,
})

export const aclPatternTypes = enumeration<AclPatternType | 'ANY' | 'MATCH'>('ACL pattern type', {
  ANY: 1,
  MATCH: 2,
  LITERAL: 3,
  PREFIXED: 4,
})

export const aclPermissionTypes = enumeration<AclPermissionType | 'ANY'>('ACL permission type', {
  ANY: 1,
  DENY: 2,
  ALLOW: 3,
})

/** What brokers answer when they were not asked which operations are allowed. */
const NOT_ASKED = -0x8000_0000
const FIRST_OPERATION = 3

/** The operations of a bit field, one bit for each code; null when the broker was not asked or is too old. */
export function allowedOperations(bits: number): readonly (AclOperation | Unknown)[] | null {
  if (bits === NOT_ASKED) return null
  const operations: (AclOperation | Unknown)[] = []
  for (let code = FIRST_OPERATION; code < 32; code++) {
    if ((bits & (1 << code)) !== 0) operations.push(aclOperations.nameOf(code) as AclOperation | Unknown)
  }
  return operations
}

export interface AuthorizedOperationsOption {
  /** Ask which operations this client is allowed. Default false. */
  readonly includeAuthorizedOperations?: boolean
}

export interface AuthorizedOperations {
  /** Null when not asked for. */
  readonly authorizedOperations: readonly (AclOperation | Unknown)[] | null
}
