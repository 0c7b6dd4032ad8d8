import { BufferPool } from '@millrace/runtime'
import type { Clock, Logger } from '@millrace/runtime'
import { ReceiveMemory } from './receive-memory.ts'
import { SLAB_BYTES } from './slab.ts'

const KEPT_BYTES = 1024 * 1024

/**
 * Memory to receive answers into, for any number of connections. Large answers are mostly records, which their readers keep (`Frame.keep`): they get
 * memory of just their size. Rounded up to powers of two, the usual fetch of 1 MiB and some bytes around it would take 2 MiB of fresh
 * memory every time, and the garbage collector's time with it. Without bound, as whoever asks for answers says how large they may be.
 */
export function answerMemory(clock: Clock, logger: Logger): ReceiveMemory {
  const pool = new BufferPool({ maxKeptBytes: KEPT_BYTES, largestBytes: SLAB_BYTES })
  return new ReceiveMemory({ pool, clock, logger, limitBytes: Number.MAX_SAFE_INTEGER })
}
