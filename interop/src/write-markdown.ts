import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repositoryRoot } from './cache.ts'
import { runToSuccess } from './command.ts'

/** Writes a Markdown file as `npm run check` wants it formatted. */
export async function writeMarkdown(file: string, text: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  const formatter = join(repositoryRoot, 'node_modules', '.bin', 'oxfmt')
  await runToSuccess(formatter, ['--no-error-on-unmatched-pattern', file], { cwd: repositoryRoot })
}
