import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ConsumerRecord } from '../record.ts'
import { openTelemetry } from './open-telemetry.ts'

const exporter = new InMemorySpanExporter()

before(() => {
  api.trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
})

function recordWith(headers: ReadonlyMap<string, string>): ConsumerRecord<unknown, unknown> {
  return {
    topic: 'orders',
    partition: 3,
    offset: 17n,
    headers: [...headers].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    header: (name: string) => (headers.has(name) ? Buffer.from(headers.get(name)!) : undefined),
  } as unknown as ConsumerRecord<unknown, unknown>
}

test('the span of a handler is the child of the one that sent the record, and the parent of what the handler does', async () => {
  exporter.reset()
  const tracing = openTelemetry(api)
  const headers = new Map<string, string>()
  const sent = tracing.sending({ topic: 'orders' }, (name, value) => headers.set(name, value))
  sent({ topic: 'orders', partition: 3, offset: 17n, timestamp: 0 }, null)
  assert.match(headers.get('traceparent')!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)

  const result = await tracing.handling(recordWith(headers), 'billing', async () => {
    await Promise.resolve()
    api.trace.getTracer('test').startSpan('inner').end()
    return 'done'
  })
  assert.equal(result, 'done')
  const [send, inner, process_] = exporter.getFinishedSpans()
  assert.deepEqual([send!.name, inner!.name, process_!.name], ['send orders', 'inner', 'process orders'])
  assert.equal(process_!.parentSpanContext?.spanId, send!.spanContext().spanId)
  assert.equal(inner!.parentSpanContext?.spanId, process_!.spanContext().spanId)
  assert.equal(send!.kind, api.SpanKind.PRODUCER)
  assert.equal(process_!.kind, api.SpanKind.CONSUMER)
  assert.deepEqual(send!.attributes, {
    'messaging.system': 'kafka',
    'messaging.destination.name': 'orders',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.partition.id': '3',
    'messaging.kafka.offset': 17,
  })
  assert.equal(process_!.attributes['messaging.consumer.group.name'], 'billing')
  assert.deepEqual(
    process_!.links.map(({ context }) => context.spanId),
    [send!.spanContext().spanId],
  )
})

test('without a trace in the record the span of a handler belongs to what is active, and links to nothing', () => {
  exporter.reset()
  const tracing = openTelemetry(api)
  const active = api.trace.getTracer('test').startSpan('service')
  api.context.with(api.trace.setSpan(api.context.active(), active), () =>
    tracing.handling(recordWith(new Map()), null, () => {}),
  )
  const [span] = exporter.getFinishedSpans()
  assert.equal(span!.parentSpanContext?.spanId, active.spanContext().spanId)
  assert.deepEqual(span!.links, [])
})

test('the span of a handler lasts as long as what it returns, also when that is a promise of another realm', async () => {
  exporter.reset()
  const tracing = openTelemetry(api)
  const work = runInNewContext('(async () => { throw error })()', { error: new RangeError('late') }) as Promise<void>
  const handled = tracing.handling(recordWith(new Map()), null, () => work)
  assert.equal(exporter.getFinishedSpans().length, 0)
  await assert.rejects(handled, { message: 'late' })
  const [span] = exporter.getFinishedSpans()
  assert.equal(span!.status.code, api.SpanStatusCode.ERROR)
  assert.equal(span!.attributes['error.type'], 'RangeError')
})

test('what fails is recorded with its span, thrown at once or later', async () => {
  exporter.reset()
  const tracing = openTelemetry(api)
  tracing.sending({ topic: 't', partition: 1 }, () => {})(
    null,
    new KafkaError(ErrorCode.REQUEST_TIMED_OUT, 'no broker'),
  )
  const record = recordWith(new Map())
  assert.throws(
    () =>
      tracing.handling(record, null, () => {
        throw new Error('at once')
      }),
    { message: 'at once' },
  )
  await assert.rejects(
    tracing.handling(record, null, async () => {
      throw new Error('later')
    }),
    { message: 'later' },
  )
  assert.deepEqual(
    exporter.getFinishedSpans().map(({ status }) => status),
    ['no broker', 'at once', 'later'].map((message) => ({ code: api.SpanStatusCode.ERROR, message })),
  )
  assert.deepEqual(
    exporter.getFinishedSpans().map(({ attributes }) => attributes['error.type']),
    ['REQUEST_TIMED_OUT', 'Error', 'Error'],
  )
})
