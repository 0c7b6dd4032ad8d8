// The stacks of disposables for Node 22, which does not have them yet. Injected into the bundle instead of the global names, so that
// nothing global is changed.

class OwnAsyncDisposableStack {
  #disposers = []
  #disposed = false

  get disposed() {
    return this.#disposed
  }

  use(value) {
    if (value === null || value === undefined) return value
    const dispose = value[Symbol.asyncDispose] ?? value[Symbol.dispose]
    if (typeof dispose !== 'function') throw new TypeError('the value has no method to dispose of it')
    this.#add(() => dispose.call(value))
    return value
  }

  adopt(value, onDispose) {
    this.#add(() => onDispose(value))
    return value
  }

  defer(onDispose) {
    this.#add(onDispose)
  }

  move() {
    if (this.#disposed) throw new ReferenceError('the stack is disposed of already')
    const moved = new OwnAsyncDisposableStack()
    moved.#disposers = this.#disposers
    this.#disposers = []
    this.#disposed = true
    return moved
  }

  async disposeAsync() {
    if (this.#disposed) return
    this.#disposed = true
    let failure
    let hasFailed = false
    for (const dispose of this.#disposers.reverse()) {
      try {
        await dispose()
      } catch (error) {
        failure = hasFailed
          ? Object.assign(new Error('disposing failed more than once'), { error, suppressed: failure })
          : error
        hasFailed = true
      }
    }
    if (hasFailed) throw failure
  }

  async [Symbol.asyncDispose]() {
    await this.disposeAsync()
  }

  #add(dispose) {
    if (this.#disposed) throw new ReferenceError('the stack is disposed of already')
    this.#disposers.push(dispose)
  }
}

const NativeAsyncDisposableStack = globalThis.AsyncDisposableStack
const Chosen = NativeAsyncDisposableStack ?? OwnAsyncDisposableStack
export { Chosen as AsyncDisposableStack }
