// A member of a group whose handler keeps the thread of JavaScript for a long time, in a process of its own. Prints what happened to it meanwhile.
import { Kafka } from '@millrace/client'

interface Order {
  readonly bootstrap: string
  readonly groupId: string
  readonly topic: string
  readonly groupProtocol: 'classic' | 'consumer'
  readonly blockMs: number
}

const { bootstrap, groupId, topic, groupProtocol, blockMs } = JSON.parse(process.argv[2]!) as Order
const events: string[] = []
const errors: string[] = []
let blockedMs = 0

/** Keeps the thread, and costs the machine nothing. */
function block(ms: number): void {
  const startedMs = performance.now()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  blockedMs = performance.now() - startedMs
}

const consumer = new Kafka({ brokers: bootstrap }).consumer({
  groupId,
  topics: [topic],
  offsetReset: 'earliest',
  groupProtocol,
  ...(groupProtocol === 'classic' ? { sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 } : {}),
  onRebalance: {
    onAssigned: (partitions) => void (partitions.length > 0 && events.push('assigned')),
    onRevoked: (partitions) => void (partitions.length > 0 && events.push('revoked')),
    onLost: () => void events.push('lost'),
  },
  onError: (error) => void errors.push(error.message),
})
// A record for it may come only later: the other member had read all there was.
for await (const record of consumer) {
  block(blockMs)
  await consumer.commit(record)
  break
}
console.log(JSON.stringify({ events, errors, blockedMs }))
// The other member is told to look at what happened before this: so it does not leave.
await consumer.close({ leaveGroup: false })
