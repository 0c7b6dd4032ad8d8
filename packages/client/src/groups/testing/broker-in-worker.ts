/** A broker in a thread of its own, which goes on when the test keeps its event loop busy. Tells where it listens. */
import { parentPort, workerData } from 'node:worker_threads'
import { startBroker, type StartBrokerOptions } from 'millrace'

const broker = await startBroker(workerData as StartBrokerOptions)
parentPort?.postMessage(broker.bootstrapServers)
