// 1,000 records a second, 1 KiB, acks=all, linger 0, with Kafka's own kafka-producer-perf-test.
import { kafkaDistribution, runToSuccess } from '@millrace/interop/brokers'
import { firstAcknowledgedRecord } from '../first-record.ts'
import type { Measure } from '../measure.ts'
import { cpuSeconds } from '../process-usage.ts'

const topic = 'latency'

export const latency: Measure = {
  name: 'latency',
  figures: [
    { key: 'p99Ms', title: '1,000 records/s, acks=all: p99', target: 0.6 },
    { key: 'p50Ms', title: '1,000 records/s, acks=all: p50', target: null },
    { key: 'meanMs', title: '1,000 records/s, acks=all: mean', target: null },
    { key: 'cpuPerRecordMs', title: '1,000 records/s, acks=all: broker CPU per record', target: 0.6 },
  ],
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    await firstAcknowledgedRecord(broker, topic)
    const { classPath, toolFlags } = await kafkaDistribution()
    const records = environment.sizes.latencyRecords
    const before = cpuSeconds(broker.pid)
    const java = ['-Xmx512M', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', ...toolFlags, '-cp', classPath]
    const rate = ['--num-records', String(records), '--record-size', '1024', '--throughput', '1000']
    const warmUp = ['--warmup-records', String(Math.floor(records / 3))]
    const settings = ['--command-property', 'acks=all', '--command-property', 'linger.ms=0']
    const where = ['--bootstrap-server', broker.bootstrap, '--topic', topic]
    const tool = 'org.apache.kafka.tools.ProducerPerformance'
    const output = await runToSuccess('java', [...java, tool, ...where, ...rate, ...warmUp, ...settings], {
      timeoutMs: 300_000,
    })
    const cpu = cpuSeconds(broker.pid) - before
    // The tool rounds percentiles down to whole ms; half of one is added so that 0 is not a divisor.
    const steady = output
      .trim()
      .split('\n')
      .find((line) => line.includes('steady state') && line.includes('99th'))
    const found = /([\d.]+) ms avg latency.* (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th/.exec(steady ?? '')
    if (found === null) throw new Error(`kafka-producer-perf-test printed no steady state: ${output.slice(-400)}`)
    return {
      meanMs: Number(found[1]),
      p50Ms: Number(found[2]) + 0.5,
      p99Ms: Number(found[3]) + 0.5,
      cpuPerRecordMs: (cpu * 1000) / records,
    }
  },
}
