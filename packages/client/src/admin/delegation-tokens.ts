/** Tokens by which others may act for a user for a while (KIP-48). */
import {
  CreateDelegationToken,
  DescribeDelegationToken,
  ExpireDelegationToken,
  RenewDelegationToken,
} from '@millrace/protocol'
import { unsupported } from './kafka-versions.ts'
import { check, type AdminRequests, type CallOptions } from './requests.ts'

/** Principals are texts such as `User:alice`. */
export interface DelegationToken {
  readonly tokenId: string
  /** What its holder proves to have: the password of `tokenId`, in base64. */
  readonly hmac: Uint8Array
  readonly owner: string
  /** Who asked for it; null from brokers before Kafka 3.3. */
  readonly requester: string | null
  /** Who may renew it, besides its owner. */
  readonly renewers: readonly string[]
  /** Times are milliseconds since the epoch. */
  readonly issuedAt: number
  /** When it ends unless renewed. */
  readonly expiresAt: number
  /** When it ends in any case. */
  readonly maxAt: number
}

export interface CreateDelegationTokenOptions extends CallOptions {
  /** Default: who asks. Somebody else: since Kafka 3.3. */
  readonly owner?: string
  readonly renewers?: readonly string[]
  /** Default: the broker's `delegation.token.max.lifetime.ms`. */
  readonly maxLifetimeMs?: number
}

export interface DelegationTokenAdmin {
  createDelegationToken(options?: CreateDelegationTokenOptions): Promise<DelegationToken>
  /** Resolves with the time at which it ends now. `renewPeriodMs` default: the broker's `delegation.token.expiry.time.ms`. */
  renewDelegationToken(hmac: Uint8Array, options?: CallOptions & { readonly renewPeriodMs?: number }): Promise<number>
  /** Resolves with the time at which it ends now. `expiryPeriodMs` is from now; default: at once. */
  expireDelegationToken(hmac: Uint8Array, options?: CallOptions & { readonly expiryPeriodMs?: number }): Promise<number>
  /** That these own or may renew; or all that this client may see. */
  describeDelegationToken(
    options?: CallOptions & { readonly owners?: readonly string[] },
  ): Promise<readonly DelegationToken[]>
}

/** What has the broker use its own setting, or, for the end of a token, end it at once. */
const UNSAID = -1

export function delegationTokenAdmin(requests: AdminRequests): DelegationTokenAdmin {
  return {
    createDelegationToken: ({ owner, renewers = [], maxLifetimeMs = UNSAID, ...options } = {}) =>
      requests.one('createDelegationToken', options, async ({ send }) => {
        const answer = await send('any', CreateDelegationToken, (version) => {
          if (owner === undefined)
            return {
              renewers: renewers.map(principal),
              maxLifetimeMs: BigInt(maxLifetimeMs),
              ...(version >= 3 ? { ownerPrincipalType: null, ownerPrincipalName: null } : {}),
            }
          if (version < 3) throw unsupported('createDelegationToken for another owner', '3.3')
          const { principalType, principalName } = principal(owner)
          return {
            ownerPrincipalType: principalType,
            ownerPrincipalName: principalName,
            renewers: renewers.map(principal),
            maxLifetimeMs: BigInt(maxLifetimeMs),
          }
        })
        check('createDelegationToken', answer)
        return {
          tokenId: answer.tokenId,
          hmac: answer.hmac,
          ...principalsOf(answer),
          renewers,
          issuedAt: Number(answer.issueTimestampMs),
          expiresAt: Number(answer.expiryTimestampMs),
          maxAt: Number(answer.maxTimestampMs),
        }
      }),
    renewDelegationToken: (hmac, { renewPeriodMs = UNSAID, ...options } = {}) =>
      requests.one('renewDelegationToken', options, async ({ send }) => {
        const answer = await send('any', RenewDelegationToken, { hmac, renewPeriodMs: BigInt(renewPeriodMs) })
        check('renewDelegationToken', answer)
        return Number(answer.expiryTimestampMs)
      }),
    expireDelegationToken: (hmac, { expiryPeriodMs = UNSAID, ...options } = {}) =>
      requests.one('expireDelegationToken', options, async ({ send }) => {
        const answer = await send('any', ExpireDelegationToken, { hmac, expiryTimePeriodMs: BigInt(expiryPeriodMs) })
        check('expireDelegationToken', answer)
        return Number(answer.expiryTimestampMs)
      }),
    describeDelegationToken: ({ owners, ...options } = {}) =>
      requests.one('describeDelegationToken', options, async ({ send }) => {
        const answer = await send('any', DescribeDelegationToken, { owners: owners?.map(principal) ?? null })
        check('describeDelegationToken', answer)
        return answer.tokens.map((token) => ({
          tokenId: token.tokenId,
          hmac: token.hmac,
          ...principalsOf(token),
          renewers: token.renewers.map(({ principalType, principalName }) => `${principalType}:${principalName}`),
          issuedAt: Number(token.issueTimestamp),
          expiresAt: Number(token.expiryTimestamp),
          maxAt: Number(token.maxTimestamp),
        }))
      }),
  }
}

/** @throws TypeError unless it is a type, a colon and a name. */
function principal(text: string): { readonly principalType: string; readonly principalName: string } {
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1)
    throw new TypeError(`a principal is a type and a name, as in User:alice, but got ${JSON.stringify(text)}`)
  return { principalType: text.slice(0, colon), principalName: text.slice(colon + 1) }
}

function principalsOf(token: {
  readonly principalType: string
  readonly principalName: string
  readonly tokenRequesterPrincipalType: string
  readonly tokenRequesterPrincipalName: string
}): Pick<DelegationToken, 'owner' | 'requester'> {
  const { principalType, principalName, tokenRequesterPrincipalType, tokenRequesterPrincipalName } = token
  return {
    owner: `${principalType}:${principalName}`,
    requester:
      tokenRequesterPrincipalName === '' ? null : `${tokenRequesterPrincipalType}:${tokenRequesterPrincipalName}`,
  }
}
