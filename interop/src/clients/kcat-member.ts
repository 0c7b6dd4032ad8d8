// kcat -G as a member of a consumer group: its records from standard output, its partitions from what it says of rebalances.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

interface Join {
  readonly group: string
  readonly topic: string
  readonly assignor: string
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
}

/** `% Group g rebalanced (memberid m): assigned: topic [0], topic [1]` */
const rebalance = /^% Group .* rebalanced .*: (assigned|revoked): (.*)$/

export class KcatMember {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #assigned: number[] = []
  #rebalances = 0
  #revoked = 0
  #records: [number, number, string][] = []
  #lastMessage = ''

  constructor(bootstrap: string, join: Join) {
    const settings = {
      'session.timeout.ms': join.sessionTimeoutMs,
      'heartbeat.interval.ms': 300,
      'auto.commit.interval.ms': 200,
      'auto.offset.reset': 'earliest',
      'fetch.wait.max.ms': 100,
      'topic.metadata.refresh.interval.ms': 1000,
      'partition.assignment.strategy': join.assignor,
      ...(join.instanceId === null ? {} : { 'group.instance.id': join.instanceId }),
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`])
    const args = ['-b', bootstrap, ...options, '-u', '-f', '%p %o %s\n', '-G', join.group, join.topic]
    this.#child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const [, partition, offset, value] = /^(\d+) (\d+) (.*)$/.exec(line)!
      this.#records.push([Number(partition), Number(offset), value!])
    })
    createInterface({ input: this.#child.stderr! }).on('line', (line) => this.#takeMessage(line))
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()))
  }

  async poll(timeoutMs: number) {
    await delay(timeoutMs)
    if (this.#child.exitCode !== null) throw new Error(`kcat ended with ${this.#child.exitCode}: ${this.#lastMessage}`)
    return {
      assigned: this.#assigned,
      rebalances: this.#rebalances,
      revoked: this.#revoked,
      records: this.#records.splice(0),
    }
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #takeMessage(line: string): void {
    this.#lastMessage = line
    const match = rebalance.exec(line)
    if (match === null) return
    const partitions = [...match[2]!.matchAll(/\[(\d+)\]/g)].map(([, partition]) => Number(partition))
    if (match[1] === 'assigned') {
      this.#rebalances++
      this.#assigned = partitions
    } else {
      this.#revoked += partitions.length
      this.#assigned = this.#assigned.filter((one) => !partitions.includes(one))
    }
  }
}
