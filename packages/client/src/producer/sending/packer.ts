/** Compresses batches before they are sent, large ones in the codec thread. */
import { CODEC_WORKER_FROM_BYTES, CodecWorker, compress } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { PackingOptions, ProducerBatch } from '../batches/producer-batch.ts'

export interface PackerOptions {
  readonly packing: PackingOptions
  readonly logger: Logger
  /** A batch of which `pack` said that it was not done is done, or has failed. */
  readonly onDone: () => void
  readonly onFailed: (batch: ProducerBatch, error: Error) => void
}

export class Packer implements AsyncDisposable {
  readonly #options: PackerOptions
  #codecs: CodecWorker | null = null

  constructor(options: PackerOptions) {
    this.#options = options
  }

  /** Whether the batch can be sent. Else it is being packed, or has failed. */
  pack(batch: ProducerBatch): boolean {
    if (batch.isPacking) return false
    const records = batch.recordsToPack
    if (records === null) return true
    batch.close()
    if (records.length >= CODEC_WORKER_FROM_BYTES) {
      void this.#packInThread(batch, records)
      return false
    }
    try {
      this.#packed(batch, this.#compress(records))
      return true
    } catch (error) {
      this.#options.onFailed(batch, error as Error)
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#codecs?.[Symbol.asyncDispose]()
  }

  async #packInThread(batch: ProducerBatch, records: Uint8Array): Promise<void> {
    const { packing, logger, onDone, onFailed } = this.#options
    this.#codecs ??= new CodecWorker({
      onTrouble: (error) => logger.warn('the thread that compresses has failed', { error }),
    })
    batch.isPacking = true
    try {
      const packed = this.#codecs.compress(packing.compression, records, packing.compressionLevel)
      this.#packed(batch, await packed.catch(() => this.#compress(records)))
    } catch (error) {
      onFailed(batch, error as Error)
    } finally {
      batch.isPacking = false
      onDone()
    }
  }

  #compress(records: Uint8Array): Uint8Array {
    const { compression, compressionLevel } = this.#options.packing
    return compress(compression, records, compressionLevel)
  }

  #packed(batch: ProducerBatch, bytes: Uint8Array): void {
    batch.packed(bytes)
    batch.queue.topic.compression.observed(batch.compressionRatio)
  }
}
