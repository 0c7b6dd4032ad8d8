/** The interface that validation libraries share. Source: https://standardschema.dev, version 1. */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardSchema.Result<Output> | Promise<StandardSchema.Result<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export declare namespace StandardSchema {
  type Result<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] }
  interface Issue {
    readonly message: string
    readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
  }
  type Output<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
}

/** What `schema` makes of `value`. @throws TypeError naming what is wrong, and for schemas that validate asynchronously. */
export function parseWith(schema: StandardSchema, value: unknown, place: string): unknown {
  const result = schema['~standard'].validate(value)
  // By its method, as it may be a promise of another realm, or of another make.
  if ('then' in result) {
    // Its failure would otherwise be nobody's.
    result.then(undefined, () => {})
    throw new TypeError('the schema validates asynchronously, which serdes cannot')
  }
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(({ message, path }) =>
    path === undefined || path.length === 0 ? message : `${pathText(path)}: ${message}`,
  )
  throw new TypeError(`a value ${place} does not fit its schema: ${issues.join('; ')}`)
}

function pathText(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return path.map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.')
}
