// Something our admin does, and whether it has come about.
export interface Effect {
  readonly what: string
  /** Returns a note. @throws what is wrong. */
  readonly run: () => Promise<string | void>
}
