/** The programs in the documentation of the clients are the examples, which `examples.test.ts` runs. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const pages = globSync('docs/clients/*.md', { cwd: root })
/** A program with the comment that names its file, if there is one. */
const block = /(?:<!-- (\S+) -->\s*)?```(?:ts|js)\n(.*?)\n```/gs

/** As it stands in the documentation: readers have their broker where it is by default. */
function shown(file: string): string {
  return readFileSync(join(root, file), 'utf8')
    .trimEnd()
    .replaceAll("process.env['KAFKA'] ?? 'localhost:9092'", "'localhost:9092'")
}

test('every program in the documentation of the clients is the example that it names', () => {
  let count = 0
  for (const page of pages) {
    for (const [, file, program] of readFileSync(join(root, page), 'utf8').matchAll(block)) {
      assert.ok(file !== undefined, `${page}: a program has no comment that names its example:\n${program}`)
      assert.equal(program, shown(file), `${page} shows something else than ${file}`)
      count++
    }
  }
  assert.ok(count > 15, `${count} programs`)
})

test('the first JavaScript in the README says hello as examples/hello.ts does', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, , first] = block.exec(readme) ?? []
  assert.equal(first, shown('examples/hello.ts'))
  block.lastIndex = 0
})

test('every example is run by a test, and shown in the documentation', () => {
  const tests = readFileSync(join(root, 'examples/examples.test.ts'), 'utf8')
  const shownFiles = pages.map((page) => readFileSync(join(root, page), 'utf8')).join('\n')
  for (const file of globSync('examples/**/*.ts', { cwd: root, exclude: ['**/dist/**'] })) {
    const example = file.replaceAll('\\', '/')
    if (example.endsWith('.test.ts') || example.includes('/testing/')) continue
    assert.ok(shownFiles.includes(example), `${example} is not in the documentation`)
    const name = example.slice('examples/'.length)
    // What belongs to another example is run with it.
    if (name.startsWith('by-key/')) continue
    const style = /^commits\/(automatic|awaited|without-waiting)\.ts$/.test(name)
    assert.ok(style || tests.includes(`'${name}`) || tests.includes(`${name} `), `${example} is not run`)
  }
})
