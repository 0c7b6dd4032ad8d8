import type { BoundListener } from '@millrace/broker'
import { version } from './version.ts'

export interface BannerFacts {
  readonly listeners: readonly Pick<BoundListener, 'name' | 'address' | 'advertised'>[]
  readonly directories: readonly string[]
  /** From the start of the process. */
  readonly startedMs: number
}

/** What a person sees when the broker is up: where it is, where its data is, how to say hello. */
export function banner({ listeners, directories, startedMs }: BannerFacts): string {
  const server = bootstrapOf(listeners[0]!)
  return `Millrace ${version} is up after ${startedMs} ms

  listens on  ${listeners.map(({ address }) => joined(address.host, address.port)).join(', ')}
  data in     ${directories.join(', ')}

  say hello   echo hello | kcat -P -b ${server} -t greetings
              kcat -C -b ${server} -t greetings -o beginning -e
              kafka-console-producer --bootstrap-server ${server} --topic greetings

Ctrl-C stops it.
`
}

const wildcards: readonly string[] = ['::', '0.0.0.0']
const loopbacks: readonly string[] = ['127.0.0.1', '::1']

/** What a client on this machine connects to. */
function bootstrapOf({ address, advertised }: BannerFacts['listeners'][number]): string {
  if (advertised !== null) return joined(advertised.host, advertised.port)
  const isLocal = wildcards.includes(address.host) || loopbacks.includes(address.host)
  return joined(isLocal ? 'localhost' : address.host, address.port)
}

function joined(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
