/** Passwords of users for SCRAM, of which brokers keep only what proves them (KIP-554). */
import { AlterUserScramCredentials, DescribeUserScramCredentials, ErrorCode } from '@millrace/protocol'
import { stretch, type Random } from '@millrace/runtime'
import { enumeration, type Unknown } from './enumeration.ts'
import { outcome, check, matched, allFailed, type AdminRequests, type CallOptions } from './requests.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { toAny, toController } from './routing.ts'

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface ScramCredentialInfo {
  readonly mechanism: ScramMechanism | Unknown
  readonly iterations: number
}

export interface UserScramCredentials {
  readonly user: string
  readonly credentials: readonly ScramCredentialInfo[]
}

export interface ScramUpsertion {
  readonly user: string
  readonly mechanism: ScramMechanism
  /** Never leaves this process: what is sent is derived from it. */
  readonly password: string
  /** How dear guessing shall be: 4096 to 16384. Default 4096. */
  readonly iterations?: number
  /** Default: 26 random bytes. */
  readonly salt?: Uint8Array
}

export interface ScramDeletion {
  readonly user: string
  readonly mechanism: ScramMechanism
  readonly delete: true
}

export interface ScramAdmin {
  /** Of all users, when none are named. */
  describeUserScramCredentials(
    users?: readonly string[] | null,
    options?: CallOptions,
  ): Promise<readonly UserScramCredentials[]>
  alterUserScramCredentials<Alterations extends readonly unknown[]>(
    alterations: ListOf<Alterations, ScramUpsertion | ScramDeletion>,
    options?: CallOptions,
  ): Promise<EachOf<Alterations, { readonly user: string }>>
}

const mechanisms = enumeration<ScramMechanism>('SCRAM mechanism', { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 })

const DEFAULT_ITERATIONS = 4096
const SALT_BYTES = 26

const aboutUser = ({ user }: { readonly user: string }): string => `SCRAM credentials of user ${user}`

export function scramAdmin(requests: AdminRequests): ScramAdmin {
  return {
    describeUserScramCredentials: async (users = null, options = {}) => {
      const describe = async (names: readonly string[] | null) =>
        requests.one('describeUserScramCredentials', options, async ({ send }) => {
          const answer = await send('any', DescribeUserScramCredentials, {
            users: names?.map((name) => ({ name })) ?? null,
          })
          check('describeUserScramCredentials', answer)
          return answer.results
        })
      if (users === null) return (await describe(null)).map(credentialsOf)
      // An empty list would ask for all.
      if (users.length === 0) return []
      return requests.each(
        {
          operation: 'describeUserScramCredentials',
          routing: toAny,
          ask: async ({ send }, destination, asked: readonly string[]) => {
            const answer = await send(destination, DescribeUserScramCredentials, {
              users: [...new Set(asked)].map((name) => ({ name })),
            })
            const about = (user: string): string => aboutUser({ user })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, about, answer)
            return matched(
              asked,
              answer.results.map((result) => [result.user, result] as const),
              {
                keyOf: (user) => user,
                about,
                outcome: (result) => outcome(aboutUser(result), result, () => credentialsOf(result)),
              },
            )
          },
        },
        users,
        options,
      )
    },
    alterUserScramCredentials: async (alterations, options = {}) => {
      const { random } = requests.cluster.world
      const upsertions = await Promise.all(
        alterations.flatMap((alteration) => ('password' in alteration ? [salted(alteration, random)] : [])),
      )
      const byAlteration = new Map(
        alterations.filter((alteration) => 'password' in alteration).map((one, index) => [one, upsertions[index]!]),
      )
      return requests.each(
        {
          operation: 'alterUserScramCredentials',
          routing: toController,
          ask: async ({ send }, destination, asked: readonly (ScramUpsertion | ScramDeletion)[]) => {
            const { results } = await send(destination, AlterUserScramCredentials, {
              deletions: asked.flatMap((one) =>
                'password' in one ? [] : [{ name: one.user, mechanism: mechanisms.codeOf(one.mechanism) }],
              ),
              upsertions: asked.flatMap((one) => ('password' in one ? [byAlteration.get(one)!] : [])),
            })
            return matched(
              asked,
              results.map((result) => [result.user, result] as const),
              {
                keyOf: ({ user }) => user,
                about: aboutUser,
                outcome: (result, { user }) => outcome(aboutUser({ user }), result, () => ({ user })),
              },
            )
          },
        },
        alterations,
        options,
      )
    },
  }
}

function credentialsOf({
  user,
  credentialInfos,
}: {
  readonly user: string
  readonly credentialInfos: readonly { readonly mechanism: number; readonly iterations: number }[]
}): UserScramCredentials {
  return {
    user,
    credentials: credentialInfos.map(({ mechanism, iterations }) => ({
      mechanism: mechanisms.nameOf(mechanism),
      iterations,
    })),
  }
}

async function salted({ user, mechanism, password, iterations, salt }: ScramUpsertion, random: Random) {
  if (user === '') throw new TypeError('alterUserScramCredentials: the name of a user may not be empty')
  if (password === '') throw new TypeError(`alterUserScramCredentials: the password of ${user} may not be empty`)
  const code = mechanisms.codeOf(mechanism)
  const grains = { salt: salt ?? random.bytes(SALT_BYTES), iterations: iterations ?? DEFAULT_ITERATIONS }
  const hash = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
  return {
    name: user,
    mechanism: code,
    ...grains,
    saltedPassword: await stretch(hash, Buffer.from(password), grains),
  }
}
