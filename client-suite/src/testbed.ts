// A broker, or a cluster, that the suite runs against.
import { join } from 'node:path'
import { ApacheKafkaCluster, type BrokerKind, freePorts, type RunningBroker } from '@millrace/interop/brokers'
import type { VersionRanges } from '@millrace/network'
import { Fixture } from './fixture.ts'
import type { Need } from './check.ts'

/** Short times, so that the run is short. Brokers warn of the settings they do not know. */
const properties = {
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '5',
  'share.coordinator.state.topic.num.partitions': '5',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'group.consumer.min.session.timeout.ms': '1000',
  'group.consumer.session.timeout.ms': '30000',
  'group.consumer.assignment.interval.ms': '0',
  'group.share.assignment.interval.ms': '0',
  'group.consumer.min.heartbeat.interval.ms': '200',
  'group.consumer.heartbeat.interval.ms': '300',
  'group.share.min.session.timeout.ms': '1000',
  'group.share.session.timeout.ms': '30000',
  'group.share.min.heartbeat.interval.ms': '200',
  'group.share.heartbeat.interval.ms': '300',
  'group.share.min.record.lock.duration.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  'delete.topic.enable': 'true',
}

export interface Testbed extends AsyncDisposable {
  readonly name: string
  readonly bootstrap: string
  /** Null where there is one broker only. */
  readonly cluster: ApacheKafkaCluster | null
  /** Makes topics without the help of the client under test. */
  readonly fixture: Fixture
  /** Why a check makes no sense here; null when it does. */
  missing(needs: readonly Need[]): string | null
  /** Kills the broker and starts it again on its port, after `downMs`. Of a cluster: nothing of the kind. */
  restart(downMs: number): Promise<void>
}

export interface TestbedKind {
  readonly name: string
  readonly open: (directory: string) => Promise<Testbed>
}

/** One broker. `name` is what the table calls it. */
export function single(name: string, kind: BrokerKind): TestbedKind {
  return {
    name,
    async open(directory) {
      await kind.prepare()
      const dataDirectory = join(directory, kind.name)
      const [port] = (await freePorts(1)) as [number]
      let broker: RunningBroker | null = null
      const start = async () => {
        broker = await kind.start({ dataDirectory, port, properties })
        await broker.ready(120_000)
      }
      await start()
      const bootstrap = `127.0.0.1:${port}`
      const fixture = await Fixture.open(bootstrap, { replicas: 1 })
      return {
        name,
        bootstrap,
        cluster: null,
        fixture,
        missing: (needs) => whatIsMissing(needs, fixture.versions),
        async restart(downMs) {
          await broker?.kill()
          await new Promise((resolve) => setTimeout(resolve, downMs))
          await start()
        },
        async [Symbol.asyncDispose]() {
          await broker?.kill()
        },
      }
    },
  }
}

export function threeNodes(name: string, prepare: () => Promise<void>): TestbedKind {
  return {
    name,
    async open(directory) {
      await prepare()
      const cluster = await ApacheKafkaCluster.start({ directory: join(directory, 'cluster'), properties })
      const fixture = await Fixture.open(cluster.bootstrap, { replicas: 3 })
      return {
        name,
        bootstrap: cluster.bootstrap,
        cluster,
        fixture,
        missing: (needs) => whatIsMissing(needs, fixture.versions),
        restart: () => Promise.reject(new Error('a cluster is not restarted as a whole')),
        [Symbol.asyncDispose]: () => cluster.kill(),
      }
    },
  }
}

function whatIsMissing(needs: readonly Need[], versions: VersionRanges): string | null {
  for (const { api, version = 0 } of needs) {
    const range = versions.rangeOf(api.key)
    if (range === null) return `the broker does not serve ${api.name}`
    if (range[1] < version) return `the broker serves ${api.name} up to version ${range[1]}, and this needs ${version}`
  }
  return null
}
