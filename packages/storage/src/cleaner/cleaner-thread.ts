/** Entry of a cleaner's thread; thread-hand.ts tells how it is found. Does one job after another, with a disk of its own. */
import { parentPort } from 'node:worker_threads'
import { nodeRuntime } from '@millrace/runtime'
import { FilePool } from '../file-pool.ts'
import { createLogServices } from '../log-services.ts'
import { SegmentCleaner, type CleaningSteps } from './segment-cleaner.ts'
import { plainError, type FromCleaner, type ToCleaner } from './thread-messages.ts'

const { disk, clock, random } = nodeRuntime()
/** The segment being read, the one being written, its indexes. */
const maxOpenFiles = 8
const cleaner = new SegmentCleaner(
  createLogServices({ disk, clock, random, files: new FilePool({ disk, maxOpenFiles }) }),
)
let goOn = (): void => {}

function tell(message: FromCleaner): void {
  parentPort?.postMessage(message)
}

async function run<Result>(steps: CleaningSteps<Result>, isThrottled: boolean): Promise<Result> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (!isThrottled) continue
    const paid = new Promise<void>((resolve) => (goOn = resolve))
    tell({ kind: 'spent', bytes: step.value })
    await paid
  }
}

parentPort?.on('message', (message: ToCleaner) => {
  if (message.kind === 'go-on') return goOn()
  const { isThrottled } = message
  const result =
    message.kind === 'map'
      ? run(cleaner.buildMap(message.job), isThrottled)
      : run(cleaner.cleanGroup(message.job), isThrottled)
  result.then(
    (value) => tell({ kind: 'done', result: value }),
    (error: unknown) => tell({ kind: 'failed', error: plainError(error) }),
  )
})

tell({ kind: 'up' })
