// The broker under test, whichever it is.

export interface StartOptions {
  /** Log directory. Made when missing; an existing one is started again as it is. */
  readonly dataDirectory: string
  /** Loopback port; a free one when left out. */
  readonly port?: number
  /** Further Kafka properties. */
  readonly properties?: Readonly<Record<string, string>>
  /** Further flags of the JVM. Heeded by the older Apache Kafkas. */
  readonly jvmFlags?: readonly string[]
}

export interface RunningBroker {
  readonly bootstrap: string
  readonly host: string
  readonly port: number
  readonly dataDirectory: string
  readonly pid: number
  /** `performance.now()` just before the process was started. */
  readonly startedAtMs: number
  /** Settles when the broker has answered an ApiVersions request. @throws Error when it ends first or takes too long. */
  ready(timeoutMs?: number): Promise<void>
  /** SIGTERM, then waits for the end of the process. @throws Error when it had to be killed. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** The last lines it printed. */
  output(): string
}

export interface BrokerKind {
  readonly name: string
  /** Index files of active segments end with unused space while the broker runs; kafka-dump-log stumbles over it. */
  readonly preallocatesIndexes: boolean
  /** Installs what is needed. Safe to call again. */
  prepare(): Promise<void>
  /** Starts the process and returns at once: await `ready()` before use. */
  start(options: StartOptions): Promise<RunningBroker>
}
