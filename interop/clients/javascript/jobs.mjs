// The dialogue between the interop runner and a client program: one JSON job a line in, one JSON answer a line out.
import { createInterface } from 'node:readline'

export const unpack = (text) => (text === null ? null : Buffer.from(text, 'base64'))
export const pack = (bytes) => (bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64'))

/** Answers jobs one after another until standard input ends. `codeOf` finds Kafka's error code in a client's error. */
export async function serve(handlers, codeOf) {
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line)
    let answer
    try {
      if (handlers[job.op] === undefined) throw new Error(`operation ${job.op} is not in this program`)
      answer = { ok: true, result: await handlers[job.op](job) }
    } catch (error) {
      answer = { ok: false, error: `${error?.name}: ${error?.message}`, code: codeOf(error) }
    }
    process.stdout.write(
      `${JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? Number(value) : value))}\n`,
    )
  }
  process.exit(0)
}
