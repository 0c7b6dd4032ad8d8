// A test reporter that says nothing while all is well: each failure with its file, its error and what the file printed, then one line of totals.
import { inspect } from 'node:util'

export default async function* report(source) {
  let passed = 0
  let failed = 0
  let skipped = 0
  const printed = new Map()
  const started = Date.now()
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') {
      printed.set(data.file, ((printed.get(data.file) ?? '') + data.message).slice(-20_000))
    } else if (type === 'test:pass' && data.details.type !== 'suite') {
      if (data.skip !== undefined) skipped++
      else passed++
    } else if (type === 'test:fail') {
      const cause = data.details.error?.cause ?? data.details.error
      if (data.details.error?.failureType === 'subtestsFailed') continue
      failed++
      yield `\nFAILED ${data.name}\n  ${data.file}:${data.line ?? ''}\n${inspect(cause).replace(/^/gm, '  ')}\n`
      const output = printed.get(data.file)
      if (output) yield `  printed by that file:\n${output.replace(/^/gm, '  | ')}\n`
      printed.delete(data.file)
    }
  }
  yield `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`
  if (process.env.MILLRACE_TEST_SECONDS) yield `# ${((Date.now() - started) / 1000).toFixed(1)} s\n`
}
