/** Every record type of the internal topics against Kafka's own schemas. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { consumerOffsetsRecords, shareGroupStateRecords, transactionStateRecords } from '../index.ts'
import { checkAgainstSchema, loadSchema, referenceSchemas, skipWithoutSchemas } from '../testing/reference-schemas.ts'

const topics = [
  ['group-coordinator', consumerOffsetsRecords],
  ['transaction-coordinator', transactionStateRecords],
  ['share-coordinator', shareGroupStateRecords],
] as const

for (const [folder, types] of topics) {
  for (const { id, name, key, value } of types.values()) {
    test(`${name} is what Kafka's schemas say`, { skip: skipWithoutSchemas }, () => {
      assert.equal(loadSchema(folder, `${name}Key`)?.apiKey, id)
      assert.equal(loadSchema(folder, `${name}Value`)?.apiKey, id)
      assert.equal(value.versions[1], Number(loadSchema(folder, `${name}Value`)?.validVersions.replace(/^0-/, '')))
      checkAgainstSchema(key, folder, `${name}Key`)
      checkAgainstSchema(value, folder, `${name}Value`)
    })
  }

  test(
    `all records of the ${folder} are declared, except those of streams groups`,
    { skip: skipWithoutSchemas },
    () => {
      const expected = readdirSync(`${referenceSchemas}${folder}`)
        .filter((file) => file.endsWith('Key.json') && !file.startsWith('Streams'))
        .map((file) => file.replace('Key.json', ''))
      assert.deepEqual([...types.values()].map(({ name }) => name).toSorted(), expected.toSorted())
    },
  )
}
