/**
 * Spans and their propagation by OpenTelemetry, for applications that have `@opentelemetry/api`: it is given, so nobody else needs it.
 * Names and attributes: OpenTelemetry's semantic conventions for messaging, Kafka.
 */
import { errorName, KafkaError } from '@millrace/protocol'
import type { ConsumerRecord } from '../record.ts'
import type { SendEnded, Tracing } from './tracing.ts'

/** The part of `@opentelemetry/api` that is used: `openTelemetry(await import('@opentelemetry/api'))`. */
export interface OpenTelemetryApi {
  readonly trace: {
    getTracer(name: string, version?: string): OpenTelemetryTracer
    setSpan(context: unknown, span: unknown): unknown
    getSpanContext(context: unknown): unknown
  }
  readonly context: { active(): unknown; with<T>(context: unknown, callback: () => T): T }
  readonly propagation: {
    inject(context: unknown, carrier: unknown, setter?: unknown): void
    extract(context: unknown, carrier: unknown, getter?: unknown): unknown
  }
}

interface OpenTelemetryTracer {
  startSpan(name: string, options?: unknown, context?: unknown): OpenTelemetrySpan
}

interface OpenTelemetrySpan {
  setAttribute(name: string, value: unknown): unknown
  recordException(error: unknown): void
  setStatus(status: unknown): unknown
  end(): void
}

/** SpanKind and SpanStatusCode of the API: numbers that it promises not to change. */
const PRODUCER_SPAN = 3
const CONSUMER_SPAN = 4
const STATUS_ERROR = 2

/** For the option `tracing` of `new Kafka`. */
export function openTelemetry({ trace, context, propagation }: OpenTelemetryApi): Tracing {
  const tracer = trace.getTracer('@millrace/client')
  return {
    sending({ topic, partition }, addHeader): SendEnded {
      const span = tracer.startSpan(
        `send ${topic}`,
        {
          kind: PRODUCER_SPAN,
          attributes: {
            ...common(topic, partition),
            'messaging.operation.type': 'send',
            'messaging.operation.name': 'send',
          },
        },
        context.active(),
      )
      propagation.inject(trace.setSpan(context.active(), span), null, {
        set: (_carrier: unknown, name: string, value: string) => addHeader(name, value),
      })
      return (metadata, error) => {
        if (metadata !== null) {
          span.setAttribute('messaging.destination.partition.id', String(metadata.partition))
          if (metadata.offset >= 0n) span.setAttribute('messaging.kafka.offset', Number(metadata.offset))
        }
        if (error !== null) fail(span, error)
        span.end()
      }
    },

    handling<T>(record: ConsumerRecord<unknown, unknown>, groupId: string | null, handler: () => T): T {
      const active: unknown = context.active()
      const parent: unknown = propagation.extract(active, record, headersOf)
      // The span that sent it is the parent, and linked to as well, as the conventions ask: others make a parent of what is active.
      const sender: unknown = trace.getSpanContext(parent)
      const isSent = sender !== undefined && sender !== trace.getSpanContext(active)
      const span = tracer.startSpan(
        `process ${record.topic}`,
        {
          kind: CONSUMER_SPAN,
          ...(isSent ? { links: [{ context: sender }] } : {}),
          attributes: {
            ...common(record.topic, record.partition),
            'messaging.operation.type': 'process',
            'messaging.operation.name': 'process',
            'messaging.kafka.offset': Number(record.offset),
            ...(record.rawValue === null ? { 'messaging.kafka.message.tombstone': true } : {}),
            ...(groupId === null ? {} : { 'messaging.consumer.group.name': groupId }),
          },
        },
        parent,
      )
      return inSpan(span, () => context.with(trace.setSpan(parent, span), handler))
    },
  }
}

const headersOf = {
  keys: (record: ConsumerRecord<unknown, unknown>) => record.headers.map(({ key }) => key),
  get(record: ConsumerRecord<unknown, unknown>, name: string): string | undefined {
    const value = record.header(name)
    return value === undefined || value === null ? undefined : Buffer.from(value).toString('utf8')
  },
}

function common(topic: string, partition: number | undefined): Record<string, string> {
  return {
    'messaging.system': 'kafka',
    'messaging.destination.name': topic,
    ...(partition === undefined ? {} : { 'messaging.destination.partition.id': String(partition) }),
  }
}

/** Ends the span when what `work` returns, or the promise it returns, has ended. */
function inSpan<T>(span: OpenTelemetrySpan, work: () => T): T {
  let result: T
  try {
    result = work()
  } catch (error) {
    fail(span, error)
    span.end()
    throw error
  }
  if (!isThenable(result)) {
    span.end()
    return result
  }
  return Promise.resolve(result)
    .catch((error: unknown) => {
      fail(span, error)
      throw error
    })
    .finally(() => span.end()) as T
}

/** Also what query builders return, and promises of another realm. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function fail(span: OpenTelemetrySpan, error: unknown): void {
  span.recordException(error)
  span.setAttribute('error.type', errorType(error))
  span.setStatus({ code: STATUS_ERROR, message: error instanceof Error ? error.message : String(error) })
}

/** Of a few values, as they tell kinds of failures apart. */
function errorType(error: unknown): string {
  if (error instanceof KafkaError) return errorName(error.code)
  return error instanceof Error ? error.name : '_OTHER'
}
