/** Handlers, listeners and commits that fail in ways that are easily forgotten. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { ErrorCode, Kafka as ClientKafka, KafkaError, type Consumer as ClientConsumer } from '@millrace/client'
import { startBroker } from 'millrace'
import { KafkaJSConnectionError, KafkaJSNumberOfRetriesExceeded } from '../errors.ts'
import { InstrumentationEvents } from '../events.ts'
import { createLogger, logLevel } from '../logger.ts'
import { retryFrom, type RetryOptions } from '../retry.ts'
import { consumerEventNames } from './consumer-events.ts'
import { ConsumerRun, type ConsumerRunOptions } from './consumer-run.ts'
import type { EachMessageHandler } from './handlers.ts'
import { PausedPartitions } from './paused-partitions.ts'

interface Story {
  readonly eachMessage: EachMessageHandler
  readonly retry?: RetryOptions
  /** Commits that the client refuses before it makes one. */
  readonly refusedCommits?: number
}

/** A run that reads 'a', 'b' and 'c', which are there. */
async function running(context: TestContext, { eachMessage, retry, refusedCommits = 0 }: Story) {
  const owned = new AsyncDisposableStack()
  context.after(() => owned.disposeAsync())
  const broker = owned.use(await startBroker())
  const kafka = new ClientKafka({ brokers: broker.bootstrapServers })
  const producer = owned.use(kafka.producer())
  for (const value of ['a', 'b', 'c']) await producer.send({ topic: 't', value: Buffer.from(value) })
  const logger = createLogger(logLevel.NOTHING)
  const events = new InstrumentationEvents(consumerEventNames, logger)
  const run = new ConsumerRun({
    kafka: refusingCommits(kafka, refusedCommits),
    config: { groupId: 'g', sessionTimeout: 30_000, heartbeatInterval: 3_000, maxWaitTimeInMs: 100 },
    runConfig: { eachMessage },
    topics: new Map([['t', true]]),
    paused: new PausedPartitions(),
    retry: retryFrom({ initialRetryTime: 10 }, retry),
    events,
    logger,
  })
  owned.defer(() => run.stop())
  await run.joined
  return { run, events }
}

function refusingCommits(kafka: ClientKafka, count: number): ConsumerRunOptions['kafka'] {
  let left = count
  const consumer = (options: Parameters<ClientKafka['consumer']>[0]): ClientConsumer<Uint8Array, Uint8Array> => {
    const made = kafka.consumer<Uint8Array, Uint8Array>(options as never)
    const commit = made.commit.bind(made)
    made.commit = async (...offsets) => {
      if (left-- > 0) throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
      await commit(...offsets)
    }
    return made
  }
  return { consumer } as unknown as ClientKafka
}

/** Keeps the messages handled, and resolves when the last has been. */
function log() {
  const values: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  return {
    values,
    complete: promise,
    add: (value: string): void => {
      values.push(value)
      if (value === 'c') resolve()
    },
  }
}

test('no message is lost when neither a handler nor the commit behind it succeeds', async (context) => {
  const handled = log()
  let failures = 1
  await running(context, {
    refusedCommits: 1,
    eachMessage: async ({ message }) => {
      const value = String(message.value)
      if (value === 'b' && failures-- > 0) throw new Error('not now')
      handled.add(value)
    },
  })
  await handled.complete
  assert.deepEqual(handled.values, ['a', 'b', 'c'])
})

test('a handler that rejects with nothing at all gets its message again', async (context) => {
  const handled = log()
  let failures = 1
  await running(context, {
    eachMessage: ({ message }) => {
      const value = String(message.value)
      if (value === 'b' && failures-- > 0) return Promise.reject()
      handled.add(value)
      return Promise.resolve()
    },
  })
  await handled.complete
  assert.deepEqual(handled.values, ['a', 'b', 'c'])
})

test('when the program cannot say whether to restart, the consumer does', async (context) => {
  const handled = log()
  let failures = 1
  await running(context, {
    retry: { retries: 0, restartOnFailure: () => Promise.reject() },
    eachMessage: async ({ message }) => {
      const value = String(message.value)
      if (value === 'b' && failures-- > 0) throw new Error('not now')
      handled.add(value)
    },
  })
  await handled.complete
  assert.deepEqual(handled.values, ['a', 'b', 'c'])
})

test('a consumer begins anew when what a handler gave up on is worth another try', async (context) => {
  const handled = log()
  let failures = 1
  await running(context, {
    eachMessage: async ({ message }) => {
      const value = String(message.value)
      if (value === 'b' && failures-- > 0)
        throw new KafkaJSNumberOfRetriesExceeded(new KafkaJSConnectionError('no broker'), {
          retryCount: 5,
          retryTime: 10,
        })
      handled.add(value)
    },
  })
  await handled.complete
  assert.deepEqual(handled.values, ['a', 'b', 'c'])
})

test('a consumer ends when its handler has a mistake that trying again does not mend', async (context) => {
  let calls = 0
  const { run } = await running(context, {
    eachMessage: async () => {
      calls++
      throw new TypeError('no such property')
    },
  })
  await run.ended
  assert.equal(calls, 1)
})

test('listeners may reject with nothing at all', async (context) => {
  const { events, run } = await running(context, { eachMessage: async () => {} })
  const { promise, resolve } = Promise.withResolvers<void>()
  events.on(consumerEventNames.CRASH, () => {
    resolve()
    return Promise.reject()
  })
  events.emit(consumerEventNames.CRASH)
  await promise
  await run.stop()
})
