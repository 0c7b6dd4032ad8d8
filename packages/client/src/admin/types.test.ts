/** What the compiler must know of the admin's results. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Admin } from './admin.ts'
import type { TopicDescription } from './describe-topics.ts'
import { settled } from './partial-failure.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function type<_ extends true>(): void {}

test('results are as many as things were asked for', () => {
  // Compiled, not run.
  const compiles = async (admin: Admin, names: string[]) => {
    const pair = await admin.describeTopics(['a', 'b'])
    type<Equal<typeof pair, readonly [TopicDescription, TopicDescription]>>()
    const all = await admin.describeTopics(names)
    type<Equal<(typeof all)[number], TopicDescription>>()
    // @ts-expect-error -- there may be none.
    void all[0].name
    const [one, two] = await settled(admin.describeTopics(['a', 'b']))
    type<Equal<typeof one, PromiseSettledResult<TopicDescription>>>()
    if (two.status === 'fulfilled') void two.value.name
    // @ts-expect-error -- a name that is not known is no way to say something.
    await admin.createTopics([{ name: 't', numPartition: 1 }])
    const removal = { type: 'TOPIC', name: 't', delete: ['x'] } as const
    // @ts-expect-error -- the same within several.
    await admin.incrementalAlterConfigs([removal, { type: 'TOPIC', name: 'u', remove: ['x'] }])
    // @ts-expect-error -- offsets are bigint.
    await admin.alterGroupOffsets('g', [{ topic: 't', partition: 0, offset: 1 }])
    // @ts-expect-error -- there is no such operation.
    await admin.createAcls([{ resourceType: 'TOPIC', resourceName: 't', principal: 'User:a', operation: 'STEAL' }])
    // @ts-expect-error -- a topic has a name.
    await admin.createTopics([{ numPartitions: 1 }])
    // @ts-expect-error -- either a member or an instance.
    await admin.removeGroupMembers('g', [{ member: 'm' }])
    // @ts-expect-error -- one of the types of groups.
    await admin.listGroups({ types: ['Classic'] })
  }
  assert.equal(typeof compiles, 'function')
})
