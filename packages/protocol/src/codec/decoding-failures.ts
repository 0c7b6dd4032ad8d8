/** How compiled decoders complain. All of this is off the hot path: it finds out again what exactly went wrong. */
import { MalformedMessageError } from '../malformed-message-error.ts'
import type { Reader } from './reader.ts'

/** One field of a run whose bytes are checked at once: its path, versions and size. */
export interface RunTerm {
  readonly path: string
  readonly oldest: number
  readonly newest: number
  readonly classicBytes: number
  readonly flexibleBytes: number
}

export interface DecodingFailures {
  short(reader: Reader, version: number, at: number, end: number, run: readonly RunTerm[], ...indexes: number[]): never
  negative(reader: Reader, version: number, at: number, path: string, length: number, ...indexes: number[]): never
  tooLong(
    reader: Reader,
    version: number,
    at: number,
    path: string,
    length: number,
    end: number,
    ...indexes: number[]
  ): never
  tooMany(
    reader: Reader,
    version: number,
    at: number,
    path: string,
    count: number,
    end: number,
    ...indexes: number[]
  ): never
  badVarint(reader: Reader, version: number, at: number, path: string, ...indexes: number[]): never
  badTag(reader: Reader, version: number, at: number, path: string, tag: number, ...indexes: number[]): never
  badTagSize(reader: Reader, version: number, at: number, path: string, stop: number, ...indexes: number[]): never
}

/** `name` and `flexible` are the message's. A path has `[]` where an index goes. */
export function decodingFailures(name: string, flexible: number | null): DecodingFailures {
  const fail = (
    reader: Reader,
    version: number,
    at: number,
    path: string,
    indexes: number[],
    problem: string,
  ): never => {
    let next = 0
    const place = path.replaceAll('[]', () => `[${indexes[next++] ?? ''}]`)
    throw new MalformedMessageError(problem, at - reader.start, `${name} v${version}: ${place}`)
  }
  return {
    short(reader, version, at, end, run, ...indexes) {
      let position = at
      for (const { path, oldest, newest, classicBytes, flexibleBytes } of run) {
        if (version < oldest || version > newest) continue
        const bytes = flexible !== null && version >= flexible ? flexibleBytes : classicBytes
        if (position + bytes > end)
          fail(reader, version, position, path, indexes, `${bytes} bytes expected, ${end - position} left`)
        position += bytes
      }
      throw new Error('unreachable: the run fits')
    },
    negative(reader, version, at, path, length, ...indexes) {
      return fail(reader, version, at, path, indexes, length === -1 ? 'null is not allowed' : `length is ${length}`)
    },
    tooLong(reader, version, at, path, length, end, ...indexes) {
      const problem = length > end - at ? `${end - at} bytes left` : 'at most 32767 allowed'
      return fail(reader, version, at, path, indexes, `length is ${length} with ${problem}`)
    },
    tooMany(reader, version, at, path, count, end, ...indexes) {
      return fail(reader, version, at, path, indexes, `count is ${count} with ${end - at} bytes left`)
    },
    badVarint(reader, version, at, path, ...indexes) {
      return fail(reader, version, at, path, indexes, 'varint does not end or does not fit 32 bits')
    },
    badTag(reader, version, at, path, tag, ...indexes) {
      return fail(reader, version, at, path, indexes, `tag ${tag} does not belong to this version`)
    },
    badTagSize(reader, version, at, path, stop, ...indexes) {
      return fail(reader, version, at, path, indexes, `tagged value ends ${Math.abs(stop - at)} bytes off its size`)
    },
  }
}
