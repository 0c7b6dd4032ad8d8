// Apache Kafka as a KRaft single node, with the heap, collector and settings that its distribution ships.
import { join } from 'node:path'
import type { BrokerKind, RunningBroker, StartOptions } from './broker.ts'
import { freePorts } from './free-port.ts'
import { kafkaDistribution } from './kafka-distribution.ts'
import { startKraftNode } from './kraft-node.ts'

/** What kafka-server-start sets: heap, collector, the JMX agent. */
const serverFlags = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
  '-Dcom.sun.management.jmxremote=true',
  '-Dcom.sun.management.jmxremote.authenticate=false',
  '-Dcom.sun.management.jmxremote.ssl=false',
]

async function start({ dataDirectory, port, properties = {} }: StartOptions): Promise<RunningBroker> {
  const [freePort, controllerPort] = (await freePorts(2)) as [number, number]
  return startKraftNode({
    dataDirectory,
    nodeId: 1,
    port: port ?? freePort,
    controllerPort,
    voters: new Map([[1, controllerPort]]),
    flags: (settings) => [
      ...serverFlags,
      `-Xlog:gc*:file=${join(settings, 'gc.log')}:time,tags:filecount=10,filesize=100M`,
    ],
    properties,
  })
}

export const apacheKafka: BrokerKind = {
  name: 'apache',
  preallocatesIndexes: true,
  prepare: async () => {
    await kafkaDistribution()
  },
  start,
}
