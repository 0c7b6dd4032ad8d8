/** Leaves out of a request what its version has no field for, so that one scenario can be written for all versions. */
import type { AnyField, Shape } from '@millrace/protocol'

export function fit(fields: Shape, value: object, version: number): object {
  const fitted: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(value)) {
    const field = fields[name]
    if (field === undefined) throw new Error(`no field ${name}, only ${Object.keys(fields).join(', ')}`)
    if (version >= field.oldest && version <= field.newest) fitted[name] = fitValue(field, part, version)
  }
  return fitted
}

function fitValue(field: AnyField, value: unknown, version: number): unknown {
  if (value === null || value === undefined) return value
  if (field.kind === 'array') return (value as unknown[]).map((one) => fitValue(field.element!, one, version))
  return field.kind === 'struct' ? fit(field.fields!, value as object, version) : value
}
