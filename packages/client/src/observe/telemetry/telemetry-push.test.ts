import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  ApiVersions,
  decompress,
  ErrorCode,
  GetTelemetrySubscriptions,
  Metadata,
  PushTelemetry,
  ZERO_UUID,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { clientOptions } from '../../config/client-options.ts'
import { ClientContexts } from '../../client-context.ts'
import { answers, ScriptedBroker } from '../../testing/scripted-broker.ts'
import { realWorld } from '../../world.ts'
import { isRequested, telemetryName } from './samples.ts'
import { TelemetryPush } from './telemetry-push.ts'

const instanceId = 'AAAAAAAAAAAAAAAAAAAAAQ'

async function pushing(
  context: TestContext,
  {
    subscription = {},
    pushCodes = [],
    greetings = Infinity,
  }: {
    subscription?: Partial<ResponseInput<typeof GetTelemetrySubscriptions>>
    pushCodes?: number[]
    /** So many connections are served, later ones are silent. */
    greetings?: number
  },
) {
  const subscriptions: Request<typeof GetTelemetrySubscriptions>[] = []
  const pushes: Request<typeof PushTelemetry>[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  let greeted = 0
  const apiKeys = [ApiVersions, Metadata, GetTelemetrySubscriptions, PushTelemetry].map(({ key, versions }) => ({
    apiKey: key,
    minVersion: versions[0],
    maxVersion: versions[1],
  }))
  const broker = await ScriptedBroker.start([
    answers(ApiVersions, () => (++greeted > greetings ? null : { errorCode: 0, apiKeys })),
    answers(GetTelemetrySubscriptions, (request) => {
      subscriptions.push(request)
      return {
        throttleTimeMs: 0,
        errorCode: 0,
        clientInstanceId: instanceId,
        subscriptionId: 7,
        acceptedCompressionTypes: [4, 1],
        pushIntervalMs: 20,
        telemetryMaxBytes: 1_000_000,
        deltaTemporality: true,
        requestedMetrics: ['*'],
        ...subscription,
      }
    }),
    answers(PushTelemetry, (request) => {
      pushes.push(request)
      for (const { count, resolve } of waiting) if (pushes.length >= count) resolve()
      return { throttleTimeMs: 0, errorCode: pushCodes.shift() ?? ErrorCode.NONE }
    }),
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  const stopped = Promise.withResolvers<void>()
  const logger = { ...silentLogger, debug: () => stopped.resolve() }
  const { cluster, metrics } = new ClientContexts({ brokers: broker.address, logger }, realWorld()).open(
    clientOptions,
    {},
    'test',
  )
  context.after(() => cluster[Symbol.asyncDispose]())
  const push = new TelemetryPush({ cluster, metrics, labels: { group_id: 'g' } })
  context.after(() => push[Symbol.asyncDispose]())
  await cluster.metadata.refresh()
  const pushed = (count: number): Promise<void> =>
    pushes.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))
  return { broker, greeted: () => greeted, push, metrics, subscriptions, pushes, pushed, stopped: stopped.promise }
}

/** Names of the metrics in a payload, with their doubles: fields are found by their tags, which is enough for what we write. */
function payloadText(request: Request<typeof PushTelemetry>): string {
  return Buffer.from(decompress(request.compressionType, request.metrics, 1_000_000)).toString('latin1')
}

test('metrics are pushed as the subscription says, and once more at the end', async (context) => {
  const { push, metrics, pushes, pushed, subscriptions } = await pushing(context, {})
  metrics.meter({ group: 'producer-metrics', name: 'record-send' }).record(5)
  await pushed(2)
  await push[Symbol.asyncDispose]()
  assert.equal(subscriptions[0]!.clientInstanceId, ZERO_UUID)
  assert.equal(await push.clientInstanceId(1000), instanceId)
  const last = pushes.at(-1)!
  assert.equal(last.terminating, true)
  assert.ok(pushes.slice(0, -1).every(({ terminating }) => !terminating))
  assert.deepEqual([last.clientInstanceId, last.subscriptionId, last.compressionType], [instanceId, 7, 4])
  const text = payloadText(pushes[0]!)
  for (const part of [
    'org.apache.kafka.producer.record.send.total',
    'org.apache.kafka.producer.record.send.rate',
    'group_id',
  ])
    assert.ok(text.includes(part), part)
  assert.ok(!text.includes('client_id'), 'the broker knows it from the request')
})

test('an unknown subscription is asked for again at once, keeping the instance id', async (context) => {
  const { pushed, subscriptions } = await pushing(context, { pushCodes: [ErrorCode.UNKNOWN_SUBSCRIPTION_ID] })
  await pushed(2)
  assert.equal(subscriptions.length, 2)
  assert.equal(subscriptions[1]!.clientInstanceId, instanceId)
})

test('the last push is given up in time, also when it needs a connection that does not come about', async (context) => {
  const { broker, greeted, push, pushed } = await pushing(context, { greetings: 1 })
  await pushed(1)
  broker.cutConnections()
  while (greeted() < 2) await new Promise((resolve) => setImmediate(resolve))
  const begunAtMs = performance.now()
  await push[Symbol.asyncDispose]()
  assert.ok(performance.now() - begunAtMs < 8000, 'the time to set up a connection is 10 s')
})

test('an answer that cannot be cured ends the pushing, and nothing else', async (context) => {
  const { push, stopped, pushes } = await pushing(context, { pushCodes: [ErrorCode.INVALID_REQUEST] })
  await stopped
  await push[Symbol.asyncDispose]()
  assert.equal(pushes.length, 1, 'not even a last one')
})

test('a cluster that collects nothing is not pushed to', async (context) => {
  const { push, pushes } = await pushing(context, { subscription: { requestedMetrics: [] } })
  await push.clientInstanceId(1000)
  await push[Symbol.asyncDispose]()
  assert.equal(pushes.length, 0)
})

test('a broker without telemetry is asked no further', async (context) => {
  const broker = await ScriptedBroker.start([])
  context.after(() => broker[Symbol.asyncDispose]())
  const { cluster, metrics } = new ClientContexts({ brokers: broker.address }, realWorld()).open(
    clientOptions,
    {},
    'test',
  )
  context.after(() => cluster[Symbol.asyncDispose]())
  await using push = new TelemetryPush({ cluster, metrics, labels: {} })
  await cluster.metadata.refresh()
  await assert.rejects(push.clientInstanceId(5000), /does not serve GetTelemetrySubscriptions/)
})

test('names are those of Kafka, and prefixes choose among them', () => {
  assert.equal(
    telemetryName('consumer-coordinator-metrics', 'rebalance-latency-avg'),
    'org.apache.kafka.consumer.coordinator.rebalance.latency.avg',
  )
  assert.ok(isRequested('org.apache.kafka.producer.x', ['org.apache.kafka.consumer', 'org.apache.kafka.producer.']))
  assert.ok(!isRequested('org.apache.kafka.producer.x', ['org.apache.kafka.consumer']))
})
