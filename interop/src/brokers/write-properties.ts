import { writeFileSync } from 'node:fs'

/** A file of Java's properties, one a line. */
export function writeProperties(file: string, properties: Readonly<Record<string, string>>): void {
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
}
