/** Names for numbers on the wire: Kafka's own, as its enums are written. */

/** What a broker newer than this client says, when there is no name for it here. */
export type Unknown = 'UNKNOWN'

export interface Enumeration<Name extends string> {
  /** @throws TypeError for a text that is none of the names. */
  codeOf(name: Name): number
  nameOf(code: number): Name | Unknown
}

export function enumeration<Name extends string>(
  what: string,
  codes: Readonly<Record<Name, number>>,
): Enumeration<Name> {
  const names = new Map(Object.entries<number>(codes).map(([name, code]) => [code, name as Name]))
  return {
    codeOf: (name) => {
      const code = (codes as Readonly<Record<string, number>>)[name]
      if (code === undefined || !Object.hasOwn(codes, name))
        throw new TypeError(
          `there is no ${what} ${JSON.stringify(name)}; expected one of ${Object.keys(codes).join(', ')}`,
        )
      return code
    },
    nameOf: (code) => names.get(code) ?? 'UNKNOWN',
  }
}
