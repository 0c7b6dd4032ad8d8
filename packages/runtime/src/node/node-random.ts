import { randomBytes } from 'node:crypto'
import type { Random } from '../random.ts'

export class NodeRandom implements Random {
  next(): number {
    return Math.random()
  }

  integer(bound: number): number {
    return Math.floor(Math.random() * bound)
  }

  bytes(length: number): Uint8Array {
    return new Uint8Array(randomBytes(length))
  }
}
