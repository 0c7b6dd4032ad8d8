import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { ShareRunner } from './share-runner.ts'
import { acquired, StagedBrokers } from './testing/staged-brokers.ts'

test('when the broker has lost the session, handlers are asked to stop, and what waits for them is not begun', async () => {
  const brokers = new StagedBrokers()
  const { reading, clock, time } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const begun: bigint[] = []
  const stopped: bigint[] = []
  const end = new AbortController()
  const runner = new ShareRunner({
    reading,
    clock,
    maxPollRecords: 10,
    concurrency: 2,
    signal: end.signal,
    handlerFailed: (error) => reading.troubled(error),
    eachRecord: ({ offset }, { signal }) => {
      begun.push(offset)
      if (offset === 0n) return
      return new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          stopped.push(offset)
          resolve()
        }),
      )
    },
  })
  const running = runner.run()
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 4n) })
  assert.deepEqual(begun, [0n, 1n, 2n])
  await time.advance(10_000)
  await (await brokers.request('ShareAcknowledge')).answer({}, { errorCode: ErrorCode.SHARE_SESSION_NOT_FOUND })
  await time.advance(6_000)
  assert.deepEqual(
    [begun, stopped],
    [
      [0n, 1n, 2n],
      [1n, 2n],
    ],
  )
  end.abort()
  await brokers.asked[0]?.answer()
  await time.run(running)
})
