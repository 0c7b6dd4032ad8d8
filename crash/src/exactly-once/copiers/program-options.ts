import type { CopyJob } from './copier.ts'

/** How our two copying programs take a job. */
export const programOptions = (job: CopyJob): string[] => [
  `--bootstrap=${job.bootstrap}`,
  `--input=${job.inputTopic}`,
  `--output=${job.outputTopic}`,
  `--group=${job.group}`,
  `--group-protocol=${job.groupProtocol}`,
  `--transactional-id=${job.transactionalId}`,
  `--transaction-size=${job.transactionSize}`,
  `--transaction-timeout=${job.transactionTimeoutMs}`,
]
