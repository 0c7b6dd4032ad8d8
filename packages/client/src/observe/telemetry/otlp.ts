/** Metrics as OpenTelemetry's protocol has them on the wire: `MetricsData` of opentelemetry.proto.metrics.v1, in protocol buffers. */

export interface Sample {
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  readonly value: number
  /** Null for a gauge; for a sum since when it counts, and whether that is since the last push or since ever. */
  readonly sum: { readonly startMs: number; readonly isDelta: boolean } | null
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const DELTA = 1
const CUMULATIVE = 2

/** `resource`: labels of the client as a whole. `timeMs`: when the samples were taken, ms since the epoch. */
export function encodeMetricsData(
  samples: readonly Sample[],
  { resource, timeMs }: { readonly resource: Readonly<Record<string, string>>; readonly timeMs: number },
): Uint8Array {
  const scopeMetrics = message(...samples.map((sample) => nested(2, metric(sample, timeMs))))
  const resourceMetrics = message(nested(1, message(...attributes(1, resource))), nested(2, scopeMetrics))
  return nested(1, resourceMetrics)
}

function metric({ name, tags, value, sum }: Sample, timeMs: number): Uint8Array {
  const point = message(
    ...(sum === null ? [] : [fixed64(2, nanos(sum.startMs))]),
    fixed64(3, nanos(timeMs)),
    double(4, value),
    ...attributes(7, tags),
  )
  const data =
    sum === null
      ? nested(5, nested(1, point))
      : nested(7, message(nested(1, point), varint(2, sum.isDelta ? DELTA : CUMULATIVE), varint(3, 1)))
  return message(text(1, name), data)
}

function attributes(field: number, values: Readonly<Record<string, string>>): Uint8Array[] {
  return Object.entries(values).map(([key, value]) => nested(field, message(text(1, key), nested(2, text(1, value)))))
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields)
}

function nested(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([tag(field, BYTES), unsigned(bytes.length), bytes])
}

function text(field: number, value: string): Uint8Array {
  return nested(field, Buffer.from(value, 'utf8'))
}

function varint(field: number, value: number): Uint8Array {
  return Buffer.concat([tag(field, VARINT), unsigned(value)])
}

function fixed64(field: number, value: bigint): Uint8Array {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(value)
  return Buffer.concat([tag(field, FIXED64), bytes])
}

function double(field: number, value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([tag(field, FIXED64), bytes])
}

function tag(field: number, wireType: number): Uint8Array {
  return unsigned((field << 3) | wireType)
}

function unsigned(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function nanos(ms: number): bigint {
  return BigInt(Math.trunc(ms)) * 1_000_000n
}
