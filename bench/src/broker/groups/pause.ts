/** A wait that can be cut short. */
export class Pause {
  #end: (() => void) | null = null

  for(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), ms)
      this.#end = () => {
        clearTimeout(timer)
        this.#end = null
        resolve()
      }
    })
  }

  end(): void {
    this.#end?.()
  }
}
