/** What a test has seen so far, for it to wait until it has seen enough. */
export class Notes {
  readonly all: string[] = []
  #waiting: (() => void)[] = []

  add(note: string): void {
    this.all.push(note)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  /** Asked again with every note. */
  async until(isEnough: (all: readonly string[]) => boolean): Promise<void> {
    while (!isEnough(this.all)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
