// What a process has used, from /proc: all its threads, none of its children.
import { readFileSync, writeFileSync } from 'node:fs'

const ticksPerSecond = 100

/** User and system time in seconds, to 10 ms. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid)
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** User and system time of this process's children that have ended, in seconds. */
export function endedChildrenCpuSeconds(): number {
  const fields = statFields(process.pid)
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

/** Resident memory now, in bytes. */
export const residentBytes = (pid: number): number => statusBytes(pid, 'VmRSS')

/** Largest resident memory since the start or the last `resetPeak`, in bytes. */
export const peakResidentBytes = (pid: number): number => statusBytes(pid, 'VmHWM')

export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5')

const lookEveryMs = 20

/** The largest resident memory of a process that ends on its own: what was seen last, so a process of some hundred milliseconds at least. */
export class PeakMemory implements Disposable {
  #timer: NodeJS.Timeout | undefined
  #bytes = 0

  watch(pid: number): void {
    this.#timer = setInterval(() => {
      try {
        this.#bytes = peakResidentBytes(pid)
      } catch {
        clearInterval(this.#timer)
      }
    }, lookEveryMs)
  }

  get bytes(): number {
    return this.#bytes
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** Fields of /proc/PID/stat from the third on: the second, a name in parentheses, may hold anything. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function statusBytes(pid: number, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no ${name}`)
  return Number(kilobytes) * 1024
}
