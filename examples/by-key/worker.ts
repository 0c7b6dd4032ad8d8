import { scryptSync } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

// Something that would keep the event loop of the consumer busy.
parentPort!.on('message', (secret: string) => {
  parentPort!.postMessage(scryptSync(secret, 'salt', 16).toString('hex'))
})
