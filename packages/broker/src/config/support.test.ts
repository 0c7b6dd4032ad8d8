import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerConfigs } from './broker-configs.ts'
import { brokerConfigsBehind, isGroupConfig } from './group-configs.ts'
import { supportOf } from './support.ts'

const source = join(import.meta.dirname, '..')
/** Files that name settings without acting on them. */
const onlyNames =
  /\.test\.ts$|config[/\\](definitions|support|broker-config-rules|group-configs|alter-configs|dynamic-configs|broker-configs)/

/** Names of settings in quotes, by file. Who reads a setting of a group reads the broker's that stands behind it, too. */
function namedInSources(): Map<string, string> {
  const named = new Map<string, string>()
  for (const file of globSync('**/*.ts', { cwd: source })) {
    if (onlyNames.test(file)) continue
    for (const [, name] of readFileSync(join(source, file), 'utf8').matchAll(/'([a-z]+(?:\.[a-z0-9]+)*)'/g))
      if (Object.hasOwn(brokerConfigs, name!)) named.set(name!, file)
      else if (isGroupConfig(name!)) for (const behind of brokerConfigsBehind(name)) named.set(behind, file)
  }
  return named
}

test('a setting that is called honoured is read somewhere', () => {
  const named = namedInSources()
  const unread = Object.keys(brokerConfigs).filter((name) => supportOf(name) === 'honoured' && !named.has(name))
  assert.deepEqual(unread, [])
})

test('a setting that the broker reads is called honoured', () => {
  const unsaid = [...namedInSources()].filter(
    ([name, file]) => !file.startsWith('config') && supportOf(name) !== 'honoured',
  )
  assert.deepEqual(unsaid, [])
})

test('every setting has its place', () => {
  assert.equal(supportOf('num.io.threads'), 'harmless')
  assert.equal(supportOf('sasl.enabled.mechanisms'), 'no effect yet')
  assert.equal(supportOf('super.users'), 'no effect yet')
  assert.equal(supportOf('controller.quorum.voters'), 'KRaft only')
  assert.equal(supportOf('zookeeper.session.timeout.ms'), 'removed from Kafka')
  assert.equal(supportOf('made.up'), 'unknown')
})

test('docs/configuration.md lists what has an effect, and nothing else', () => {
  const text = readFileSync(join(source, '../../../docs/configuration.md'), 'utf8')
  const section = text.slice(text.indexOf('## Settings that have an effect'), text.indexOf('## Topics'))
  const listed = new Set([...section.matchAll(/`([a-z]+(?:\.[a-z0-9]+)*)`/g)].map(([, name]) => name!))
  const honoured = Object.keys(brokerConfigs).filter((name) => supportOf(name) === 'honoured')
  assert.deepEqual(
    honoured.filter((name) => !listed.has(name)),
    [],
  )
  const wrong = [...listed].filter((name) => Object.hasOwn(brokerConfigs, name) && supportOf(name) !== 'honoured')
  assert.deepEqual(wrong, [])
})
