/** What a hostile broker does to its answers. Each is told its dice, so a seed tells all of it. */
import {
  encodeResponseFrame,
  Fetch,
  Reader,
  readResponseHeader,
  ShareFetch,
  crc32c,
  type Api,
  type ResponseInput,
} from '@millrace/protocol'
import { mutate, type Dice } from '../mutate.ts'
import { harmless, type Answer, type Mischief, type Victim } from './hostile-proxy.ts'

/** Hosts and ports that a client may be sent to: damage must not send it to machines that are not ours. */
export interface Neighbourhood {
  readonly port: number
  /** Where nobody listens. */
  readonly deadPort: number
}

type Fields = Record<string, unknown>

const correlationIdOf = (frame: Uint8Array) => new DataView(frame.buffer, frame.byteOffset).getInt32(4)

/** The answer's fields; null when it cannot be read. */
function decoded({ api, version, frame }: Answer): Fields | null {
  if (api === null || frame.length < 8) return null
  try {
    const reader = new Reader(frame.subarray(4))
    readResponseHeader(reader, api, version)
    return api.response.decode(reader, version) as Fields
  } catch {
    return null
  }
}

function encoded({ api, version, frame }: Answer, fields: Fields): Uint8Array {
  try {
    return Buffer.concat(encodeResponseFrame(api as Api, version, correlationIdOf(frame), fields as ResponseInput<Api>))
  } catch {
    // The damage has no form on the wire.
    return frame
  }
}

/** Calls `visit` with every object in `value`, at any depth. */
function visitObjects(value: unknown, visit: (fields: Fields) => void): void {
  if (Array.isArray(value)) for (const item of value) visitObjects(item, visit)
  else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    visit(value as Fields)
    for (const item of Object.values(value)) visitObjects(item, visit)
  }
}

/** Keeps brokers where they are, give or take a port that is dead. */
function tamed(answer: Answer, neighbourhood: Neighbourhood, random: Dice): Uint8Array {
  const fields = decoded(answer)
  if (fields === null) return answer.frame
  let strayed = false
  visitObjects(fields, (object) => {
    if (typeof object['host'] !== 'string' || typeof object['port'] !== 'number') return
    if (object['host'] === '' || (object['host'] === '127.0.0.1' && object['port'] === neighbourhood.port)) return
    strayed = true
    object['host'] = '127.0.0.1'
    object['port'] = random.roll(2) === 0 ? neighbourhood.deadPort : neighbourhood.port
  })
  return strayed ? encoded(answer, fields) : answer.frame
}

const errorCodes = [
  -1, 1, 2, 3, 5, 6, 7, 9, 14, 15, 16, 22, 25, 27, 29, 35, 45, 47, 51, 59, 67, 74, 76, 90, 100, 110, 113, 133,
]
const extremes = [0, -1, 1, 2, 0x7f, 0x7fff, -0x8000, 0x7fffffff, -0x80000000]
const bigExtremes = [0n, -1n, 1n, 1_000_000n, 0x7fffffffffffffffn, -0x8000000000000000n]

function failEverywhere(fields: Fields, code: number): void {
  visitObjects(fields, (object) => {
    for (const name of Object.keys(object))
      if (name === 'errorCode' || name === 'partitionErrorCode') object[name] = code
  })
}

/** A value that the field may have, though no sane broker would say so. */
function twist(fields: Fields, random: Dice): void {
  const places: [Fields, string][] = []
  visitObjects(fields, (object) => {
    for (const name of Object.keys(object)) places.push([object, name])
  })
  for (let count = 1 + random.roll(3); count > 0 && places.length > 0; count--) {
    const [object, name] = places[random.roll(places.length)]!
    const value = object[name]
    if (typeof value === 'number') object[name] = extremes[random.roll(extremes.length)]
    else if (typeof value === 'bigint') object[name] = bigExtremes[random.roll(bigExtremes.length)]
    else if (typeof value === 'boolean') object[name] = !value
    else if (typeof value === 'string') object[name] = random.roll(2) === 0 ? '' : `${value}x`
    else if (ArrayBuffer.isView(value)) object[name] = damagedRecords(value as Uint8Array, random)
    else if (Array.isArray(value)) object[name] = twistedArray(value, random)
    else if (value === null) object[name] = null
  }
}

function twistedArray(items: readonly unknown[], random: Dice): unknown[] {
  switch (random.roll(4)) {
    case 0:
      return []
    case 1:
      return [...items, ...items]
    case 2:
      return items.toReversed()
    default:
      return items.slice(0, -1)
  }
}

const batchCrcAt = 17
const batchAttributesAt = 21

/** Cut, flipped, or changed with a checksum that fits the change. */
function damagedRecords(records: Uint8Array, random: Dice): Uint8Array {
  if (records.length < 62) return records
  const copy = records.slice(0, random.roll(3) === 0 ? random.roll(records.length) : records.length)
  if (copy.length < 62) return copy
  for (let count = 1 + random.roll(6); count > 0; count--) {
    const at = random.roll(2) === 0 ? random.roll(62) : random.roll(copy.length)
    copy[at] = random.roll(2) === 0 ? copy[at]! ^ (1 << random.roll(8)) : [0, 0xff, 0x7f, 0x80][random.roll(4)]!
  }
  const view = new DataView(copy.buffer)
  if (random.roll(3) > 0) {
    const end = Math.min(copy.length, 12 + Math.max(50, view.getInt32(8)))
    view.setUint32(batchCrcAt, crc32c(copy.subarray(batchAttributesAt, end)))
  }
  return copy
}

type Maker = (random: Dice, neighbourhood: Neighbourhood) => Mischief

/** Does `harm` to one answer in `oneIn`, the others pass. */
function sometimes(random: Dice, oneIn: number, harm: Mischief['answered']): Mischief {
  return {
    answered: (answer, victim) => (random.roll(oneIn) === 0 ? harm(answer, victim) : harmless.answered(answer, victim)),
  }
}

function structural(change: (fields: Fields, random: Dice, answer: Answer) => void, oneIn: number): Maker {
  return (random, neighbourhood) =>
    sometimes(random, oneIn, (answer, victim) => {
      const fields = decoded(answer)
      if (fields === null) return victim.write(answer.frame)
      change(fields, random, answer)
      const frame = encoded(answer, fields)
      victim.write(tamed({ ...answer, frame }, neighbourhood, random))
    })
}

const mutatedBytes =
  (oneIn: number): Maker =>
  (random, neighbourhood) =>
    sometimes(random, oneIn, (answer, victim) =>
      victim.write(tamed({ ...answer, frame: mutate(answer.frame, random) }, neighbourhood, random)),
    )

const deadly = (act: (victim: Victim) => void): Mischief => ({
  connected: (victim) => {
    act(victim)
    return false
  },
  answered: () => {},
})

/** A frame that says it is `length` bytes long, and goes on for `sent`. */
function endless(victim: Victim, length: number, sent: number): void {
  const head = Buffer.alloc(4)
  head.writeInt32BE(length)
  victim.write(head)
  const chunk = Buffer.alloc(64 * 1024, 0x5a)
  for (let bytes = 0; bytes < sent; bytes += chunk.length) victim.write(chunk)
}

export const mischiefs: Readonly<Record<string, Maker>> = {
  'mutated bytes, now and then': mutatedBytes(6),
  'mutated bytes, always': mutatedBytes(1),
  'fields set to what no broker says': structural((fields, random) => twist(fields, random), 3),
  'an error everywhere, now and then': structural(
    (fields, random) => failEverywhere(fields, errorCodes[random.roll(errorCodes.length)]!),
    3,
  ),
  'the same error, always': (random, neighbourhood) => {
    const code = errorCodes[random.roll(errorCodes.length)]!
    return structural((fields) => failEverywhere(fields, code), 1)(random, neighbourhood)
  },
  'an error in all but ApiVersions and Metadata, always': (random, neighbourhood) => {
    const code = errorCodes[random.roll(errorCodes.length)]!
    return structural((fields, _, { api }) => {
      if (api!.key !== 18 && api!.key !== 3) failEverywhere(fields, code)
    }, 1)(random, neighbourhood)
  },
  'damaged batches': structural((fields, random, { api }) => {
    if (api!.key !== Fetch.key && api!.key !== ShareFetch.key) return
    visitObjects(fields, (object) => {
      if (ArrayBuffer.isView(object['records']))
        object['records'] = damagedRecords(object['records'] as Uint8Array, random)
    })
  }, 1),
  'versions that are not served': structural((fields, random, { api }) => {
    if (api!.key !== 18) return
    visitObjects(fields, (object) => {
      if (typeof object['maxVersion'] !== 'number' || random.roll(4) > 0) return
      object['minVersion'] = random.roll(2) === 0 ? 900 : object['minVersion']
      object['maxVersion'] = [0, 999, -1, 1][random.roll(4)]
    })
  }, 1),
  'wrong correlation ids': (random) =>
    sometimes(random, 4, ({ frame }, victim) => {
      const copy = frame.slice()
      new DataView(copy.buffer).setInt32(4, correlationIdOf(frame) + random.roll(5) - 2)
      victim.write(copy)
    }),
  'the answer before, once more': (random) => {
    let before: Uint8Array | null = null
    return {
      answered: ({ frame }, victim) => {
        victim.write(frame)
        if (before !== null && random.roll(4) === 0) victim.write(before)
        before = frame
      },
    }
  },
  'the body of another answer': (random) => {
    let before: Uint8Array | null = null
    return sometimes(random, 3, ({ frame }, victim) => {
      const copy = (before ?? frame).slice()
      new DataView(copy.buffer).setInt32(4, correlationIdOf(frame))
      before = frame
      victim.write(copy)
    })
  },
  'late answers': (random) => sometimes(random, 2, ({ frame }, victim) => victim.writeLater(frame, random.roll(900))),
  'answers that never come': (random) => sometimes(random, 3, () => {}),
  'no answer at all': () => ({ answered: () => {} }),
  'half an answer, then the end': (random) =>
    sometimes(random, 3, ({ frame }, victim) => {
      victim.write(frame.subarray(0, random.roll(frame.length)))
      if (random.roll(2) === 0) victim.end()
      else victim.destroy()
    }),
  'half an answer, then nothing': (random) =>
    sometimes(random, 3, ({ frame }, victim) => victim.write(frame.subarray(0, random.roll(frame.length)))),
  'drop by drop': () => ({
    answered: ({ frame }, victim) => {
      for (let at = 0; at < Math.min(frame.length, 200); at++) victim.write(frame.subarray(at, at + 1))
      victim.write(frame.subarray(200))
    },
  }),
  'two answers in one write': (random) => {
    let held: Uint8Array[] = []
    return {
      answered: ({ frame }, victim) => {
        held.push(frame)
        if (random.roll(2) === 0) return
        victim.write(Buffer.concat(held))
        held = []
      },
    }
  },
  'connections end at once': () => deadly((victim) => victim.end()),
  'connections are reset at once': () => deadly((victim) => victim.destroy()),
  'connections are never served': () => deadly(() => {}),
  'another protocol': () =>
    deadly((victim) => {
      victim.write(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'))
      victim.end()
    }),
  'a frame of 2 GiB': () => deadly((victim) => endless(victim, 0x7fffffff, 1_000_000)),
  'a frame of 400 MiB that stops': () => deadly((victim) => endless(victim, 400 * 1024 * 1024, 20_000_000)),
  'a frame of negative length': () => deadly((victim) => endless(victim, -5, 1000)),
}

/** The first connection is reset when `bytes` of answers have passed; those after it are left alone. */
export function cutAfter(bytes: number): Mischief {
  let cut: Victim | null = null
  let left = bytes
  return {
    connected(victim) {
      if (cut !== null) return true
      cut = victim
      if (bytes === 0) victim.destroy()
      return bytes > 0
    },
    answered({ frame }, victim) {
      if (victim !== cut) return victim.write(frame)
      if (left > 0) victim.write(frame.subarray(0, left))
      left -= frame.length
      // The bytes shall arrive before the end does.
      if (left <= 0) victim.end()
    },
  }
}
