/** The bytes of a file in memory, in pages of 64 KiB, so that appending copies nothing. A small file takes about its size. */

const PAGE_BYTES = 64 * 1024
const SMALLEST_PAGE_BYTES = 256

export class FileContent {
  /** Every page but the last has PAGE_BYTES; absent ones are holes. */
  #pages: (Uint8Array | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Bytes of memory taken. */
  get allocatedBytes(): number {
    let sum = 0
    for (const page of this.#pages) sum += page?.length ?? 0
    return sum
  }

  /** Fills `into` from `position`; returns the bytes read, fewer only at the end. */
  read(into: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(into.length, this.#size - position))
    for (let done = 0; done < length;) {
      const at = (position + done) % PAGE_BYTES
      const piece = Math.min(length - done, PAGE_BYTES - at)
      const page = this.#pages[Math.floor((position + done) / PAGE_BYTES)]
      const present = page === undefined ? 0 : Math.max(0, Math.min(piece, page.length - at))
      if (present > 0) into.set(page!.subarray(at, at + present), done)
      into.fill(0, done + present, done + piece)
      done += piece
    }
    return length
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length;) {
      const at = (position + done) % PAGE_BYTES
      const piece = Math.min(bytes.length - done, PAGE_BYTES - at)
      this.#page(Math.floor((position + done) / PAGE_BYTES), at + piece).set(bytes.subarray(done, done + piece), at)
      done += piece
    }
    if (bytes.length > 0) this.#size = Math.max(this.#size, position + bytes.length)
  }

  /** Cuts, or extends with zeros. */
  truncate(size: number): void {
    if (size < this.#size) {
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(size / PAGE_BYTES))
      // What is cut must read as zeros when the file grows again.
      if (size % PAGE_BYTES > 0) this.#pages[Math.floor(size / PAGE_BYTES)]?.fill(0, size % PAGE_BYTES)
    }
    this.#size = size
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#size)
    this.read(bytes, 0)
    return bytes
  }

  copy(): FileContent {
    const copy = new FileContent()
    copy.#size = this.#size
    copy.#pages = this.#pages.map((page) => page?.slice())
    return copy
  }

  #page(index: number, length: number): Uint8Array {
    const page = this.#pages[index]
    if (page !== undefined && page.length >= length) return page
    // Only the first page of a file is worth starting small.
    const size = index > 0 ? PAGE_BYTES : Math.max(SMALLEST_PAGE_BYTES, 2 ** Math.ceil(Math.log2(length)))
    const grown = new Uint8Array(size)
    if (page !== undefined) grown.set(page)
    while (this.#pages.length < index) this.#pages.push(undefined)
    this.#pages[index] = grown
    return grown
  }
}
