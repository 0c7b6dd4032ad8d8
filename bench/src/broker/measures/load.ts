// Memory at rest and under load; CPU per GB in and out of the page cache.
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningBroker } from '@millrace/interop/brokers'
import { Connection } from '../../wire/connection.ts'
import { createTopics } from '../../wire/requests.ts'
import { firstAcknowledgedRecord } from '../first-record.ts'
import type { Environment, Measure, Sample } from '../measure.ts'
import { WarmMemory } from '../page-cache.ts'
import { cpuSeconds, peakResidentBytes, resetPeak, residentBytes } from '../process-usage.ts'
import { consumeLoad, produceLoad, type Load, type LoadResult, rdkafkaPerformance } from '../rdkafka-performance.ts'

const partitions = 4
const warmUpShare = 0.1

/** So much is produced between two fillings of the page cache. */
const sliceBytes = 256e6
/** The client and the broker's other memory want some of what is freed, and more is freed than is wanted. */
const warmFactor = 6
const warmBytesPerSecond = 900e6

interface Totals {
  brokerCpuSeconds: number
  clientCpuSeconds: number
  seconds: number
}

const bytesOf = ({ records, recordSize }: Load) => records * recordSize

async function addTo(totals: Totals, broker: RunningBroker, load: Load, run: (load: Load) => Promise<LoadResult>) {
  const before = cpuSeconds(broker.pid)
  const { megabytesPerSecond, clientCpuSeconds } = await run(load)
  totals.brokerCpuSeconds += cpuSeconds(broker.pid) - before
  totals.clientCpuSeconds += clientCpuSeconds
  totals.seconds += bytesOf(load) / 1e6 / megabytesPerSecond
}

/** The broker's and the client's CPU per GB of record payload, and the throughput. */
function sampleOf({ brokerCpuSeconds, clientCpuSeconds, seconds }: Totals, load: Load, key: string): Sample {
  const gigabytes = bytesOf(load) / 1e9
  return {
    [`${key}Cpu`]: brokerCpuSeconds / gigabytes,
    [`${key}ClientCpu`]: clientCpuSeconds / gigabytes,
    [`${key}Rate`]: bytesOf(load) / 1e6 / seconds,
  }
}

const nothing = (): Totals => ({ brokerCpuSeconds: 0, clientCpuSeconds: 0, seconds: 0 })

/** In slices, each into warm memory. */
async function produced(broker: RunningBroker, directory: string, load: Load, key: string): Promise<Sample> {
  const totals = nothing()
  const slices = Math.ceil(bytesOf(load) / sliceBytes)
  const slice = { ...load, records: Math.ceil(load.records / slices) }
  for (let done = 0; done < slices; done++) {
    using _warm = new WarmMemory(directory, warmFactor * bytesOf(slice), warmBytesPerSecond)
    await addTo(totals, broker, slice, produceLoad)
  }
  return sampleOf(totals, { ...load, records: slices * slice.records }, key)
}

async function consumed(broker: RunningBroker, load: Load, key: string): Promise<Sample> {
  const totals = nothing()
  await addTo(totals, broker, load, consumeLoad)
  return sampleOf(totals, load, key)
}

async function produceAndConsume(
  broker: RunningBroker,
  environment: Environment,
  load: Load,
  key: string,
): Promise<Sample> {
  using connection = await Connection.open(broker)
  const warmUp = { ...load, topic: `${load.topic}-warm-up`, records: Math.ceil(load.records * warmUpShare) }
  await createTopics(
    connection,
    [load, warmUp].map(({ topic }) => ({ name: topic, partitions })),
  )
  await produceLoad(warmUp)
  const sample = await produced(broker, environment.directory, load, `produce${key}`)
  await consumeLoad(warmUp)
  return { ...sample, ...(await consumed(broker, load, `consume${key}`)) }
}

export const load: Measure = {
  name: 'load',
  figures: [
    { key: 'idleMemory', title: 'resident memory, idle', target: 1 / 4 },
    { key: 'peakMemory', title: 'resident memory, peak while producing 1 KiB records', target: 1 / 3 },
    { key: 'produce1KiBCpu', title: 'produce, 1 KiB records: broker CPU per GB', target: 1 / 3, unit: 'CPU-s/GB' },
    { key: 'produce1KiBClientCpu', title: 'produce, 1 KiB records: client CPU per GB', target: null, unit: 'CPU-s/GB' },
    { key: 'produce1KiBRate', title: 'produce, 1 KiB records: throughput', target: null },
    { key: 'produce100BCpu', title: 'produce, 100 B records: broker CPU per GB', target: 0.4, unit: 'CPU-s/GB' },
    { key: 'produce100BClientCpu', title: 'produce, 100 B records: client CPU per GB', target: null, unit: 'CPU-s/GB' },
    { key: 'produce100BRate', title: 'produce, 100 B records: throughput', target: null },
    { key: 'consume1KiBCpu', title: 'consume, 1 KiB records: broker CPU per GB', target: 0.8, unit: 'CPU-s/GB' },
    { key: 'consume1KiBClientCpu', title: 'consume, 1 KiB records: client CPU per GB', target: null, unit: 'CPU-s/GB' },
    { key: 'consume1KiBRate', title: 'consume, 1 KiB records: throughput', target: null },
    { key: 'consume100BCpu', title: 'consume, 100 B records: broker CPU per GB', target: 0.8, unit: 'CPU-s/GB' },
    { key: 'consume100BClientCpu', title: 'consume, 100 B records: client CPU per GB', target: null, unit: 'CPU-s/GB' },
    { key: 'consume100BRate', title: 'consume, 100 B records: throughput', target: null },
    { key: 'peakMemory100B', title: 'resident memory, peak after 100 B records', target: null },
  ],
  prepare: rdkafkaPerformance,
  run: async (kind, environment) => {
    const { sizes } = environment
    const broker = await environment.start(kind)
    await firstAcknowledgedRecord(broker)
    await delay(sizes.settleMs)
    const idleMemory = residentBytes(broker.pid)
    resetPeak(broker.pid)
    const { bootstrap } = broker
    const large = { bootstrap, topic: 'load-1kib', partitions, records: sizes.records1KiB, recordSize: 1024 }
    const largeSample = await produceAndConsume(broker, environment, large, '1KiB')
    const peakMemory = peakResidentBytes(broker.pid)
    const small = { bootstrap, topic: 'load-100b', partitions, records: sizes.records100B, recordSize: 100 }
    const smallSample = await produceAndConsume(broker, environment, small, '100B')
    return { idleMemory, peakMemory, ...largeSample, ...smallSample, peakMemory100B: peakResidentBytes(broker.pid) }
  },
}
