/**
 * XXH3 with 64 bits, seed 0 and the default secret: what Kafka hashes subscribed topics with, so that a change of them is noticed.
 * Source: the xxHash specification, xxhash.h of version 0.8.
 */

const secretText =
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
  'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
  'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
  '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e'
const secret = Buffer.from(secretText, 'hex')
const secretView = new DataView(secret.buffer, secret.byteOffset, secret.length)

const prime32a = 0x9e37_79b1n
const prime32b = 0x85eb_ca77n
const prime32c = 0xc2b2_ae3dn
const prime64a = 0x9e37_79b1_85eb_ca87n
const prime64b = 0xc2b2_ae3d_27d4_eb4fn
const prime64c = 0x1656_67b1_9e37_79f9n
const prime64d = 0x85eb_ca77_c2b2_ae63n
const prime64e = 0x27d4_eb2f_1656_67c5n
const mixer1 = 0x1656_6791_9e37_79f9n
const mixer2 = 0x9fb2_1c65_1e98_df25n

const stripeBytes = 64
const stripesPerBlock = 16
const blockBytes = stripeBytes * stripesPerBlock
/** 64-bit numbers that are summed up side by side. */
const lanes = 8

/** The hash as a signed number of 64 bits. */
export function xxh3(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return BigInt.asIntN(64, hash(view))
}

function hash(data: DataView): bigint {
  const length = data.byteLength
  if (length > 240) return hashLong(data)
  if (length > 128) return hashTo240(data)
  if (length > 16) return hashTo128(data)
  if (length > 8) return hashTo16(data)
  if (length > 3) return hashTo8(data)
  if (length > 0) return hashTo3(data)
  return avalanche64(key(56) ^ key(64))
}

function hashTo3(data: DataView): bigint {
  const { byteLength: length } = data
  const first = data.getUint8(0)
  const middle = data.getUint8(length >> 1)
  const last = data.getUint8(length - 1)
  const combined = ((first << 16) | (middle << 24) | last | (length << 8)) >>> 0
  const flip = (secretView.getUint32(0, true) ^ secretView.getUint32(4, true)) >>> 0
  return avalanche64(BigInt(combined) ^ BigInt(flip))
}

function hashTo8(data: DataView): bigint {
  const { byteLength: length } = data
  const input = BigInt(data.getUint32(length - 4, true)) + (BigInt(data.getUint32(0, true)) << 32n)
  let mixed = input ^ key(8) ^ key(16)
  mixed ^= rotateLeft(mixed, 49n) ^ rotateLeft(mixed, 24n)
  mixed = wrap(mixed * mixer2)
  mixed ^= (mixed >> 35n) + BigInt(length)
  mixed = wrap(mixed * mixer2)
  return mixed ^ (mixed >> 28n)
}

function hashTo16(data: DataView): bigint {
  const { byteLength: length } = data
  const low = read(data, 0) ^ key(24) ^ key(32)
  const high = read(data, length - 8) ^ key(40) ^ key(48)
  return avalanche(BigInt(length) + swapBytes(low) + high + foldedProduct(low, high))
}

function hashTo128(data: DataView): bigint {
  const { byteLength: length } = data
  let sum = BigInt(length) * prime64a
  for (let pair = Math.floor((length - 1) / 32); pair >= 0; pair--)
    sum += mix(data, pair * 16, pair * 32) + mix(data, length - (pair + 1) * 16, pair * 32 + 16)
  return avalanche(sum)
}

function hashTo240(data: DataView): bigint {
  const { byteLength: length } = data
  let sum = BigInt(length) * prime64a
  for (let at = 0; at < 128; at += 16) sum += mix(data, at, at)
  sum = avalanche(sum)
  for (let at = 128; at + 16 <= length; at += 16) sum += mix(data, at, at - 125)
  return avalanche(sum + mix(data, length - 16, 119))
}

function hashLong(data: DataView): bigint {
  const { byteLength: length } = data
  const sums = new Sums()
  const lastBlock = Math.floor((length - 1) / blockBytes) * blockBytes
  for (let at = 0; at < lastBlock; at += blockBytes) {
    for (let stripe = 0; stripe < stripesPerBlock; stripe++) sums.add(data, at + stripe * stripeBytes, stripe * 8)
    sums.scramble()
  }
  const stripes = Math.floor((length - 1 - lastBlock) / stripeBytes)
  for (let stripe = 0; stripe < stripes; stripe++) sums.add(data, lastBlock + stripe * stripeBytes, stripe * 8)
  sums.add(data, length - stripeBytes, secret.length - stripeBytes - 7)
  let merged = BigInt(length) * prime64a
  for (let lane = 0; lane < lanes; lane += 2)
    merged += foldedProduct(sums.get(lane) ^ key(11 + lane * 8), sums.get(lane + 1) ^ key(19 + lane * 8))
  return avalanche(merged)
}

/** The sums of the lanes as halves of 32 bits: several times as fast as bigints. */
class Sums {
  readonly #low = new Uint32Array(lanes)
  readonly #high = new Uint32Array(lanes)

  constructor() {
    const start = [prime32c, prime64a, prime64b, prime64c, prime64d, prime32b, prime64e, prime32a]
    start.forEach((value, lane) => this.#set(lane, value))
  }

  get(lane: number): bigint {
    return (BigInt(this.#high[lane]!) << 32n) | BigInt(this.#low[lane]!)
  }

  #set(lane: number, value: bigint): void {
    this.#low[lane] = Number(value & 0xffff_ffffn)
    this.#high[lane] = Number(value >> 32n)
  }

  /** Adds 64 bytes: each number to its neighbour's sum, and the product of its halves, after the secret, to its own. */
  add(data: DataView, at: number, secretAt: number): void {
    for (let lane = 0; lane < lanes; lane++) {
      const low = data.getUint32(at + lane * 8, true)
      const high = data.getUint32(at + lane * 8 + 4, true)
      this.#addTo(lane ^ 1, low, high)
      const keyedLow = (low ^ secretView.getUint32(secretAt + lane * 8, true)) >>> 0
      const keyedHigh = (high ^ secretView.getUint32(secretAt + lane * 8 + 4, true)) >>> 0
      const smallest = (keyedLow & 0xffff) * (keyedHigh & 0xffff)
      const middle =
        (keyedLow >>> 16) * (keyedHigh & 0xffff) +
        (keyedLow & 0xffff) * (keyedHigh >>> 16) +
        Math.floor(smallest / 0x1_0000)
      const productLow = (((middle % 0x1_0000) << 16) | (smallest & 0xffff)) >>> 0
      const productHigh = (keyedLow >>> 16) * (keyedHigh >>> 16) + Math.floor(middle / 0x1_0000)
      this.#addTo(lane, productLow, productHigh)
    }
  }

  #addTo(lane: number, low: number, high: number): void {
    const sum = this.#low[lane]! + low
    this.#low[lane] = sum
    this.#high[lane] = this.#high[lane]! + high + (sum > 0xffff_ffff ? 1 : 0)
  }

  scramble(): void {
    for (let lane = 0; lane < lanes; lane++) {
      const sum = this.get(lane)
      this.#set(lane, wrap((sum ^ (sum >> 47n) ^ key(secret.length - stripeBytes + lane * 8)) * prime32a))
    }
  }
}

function mix(data: DataView, at: number, secretAt: number): bigint {
  return foldedProduct(read(data, at) ^ key(secretAt), read(data, at + 8) ^ key(secretAt + 8))
}

function foldedProduct(one: bigint, other: bigint): bigint {
  const product = one * other
  return wrap(product) ^ (product >> 64n)
}

function avalanche(value: bigint): bigint {
  let mixed = wrap(value)
  mixed = wrap((mixed ^ (mixed >> 37n)) * mixer1)
  return mixed ^ (mixed >> 32n)
}

/** That of the older XXH64. */
function avalanche64(value: bigint): bigint {
  let mixed = wrap((value ^ (value >> 33n)) * prime64b)
  mixed = wrap((mixed ^ (mixed >> 29n)) * prime64c)
  return mixed ^ (mixed >> 32n)
}

function read(data: DataView, at: number): bigint {
  return data.getBigUint64(at, true)
}

function key(at: number): bigint {
  return secretView.getBigUint64(at, true)
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return wrap(value << bits) | (value >> (64n - bits))
}

function swapBytes(value: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, value)
  return view.getBigUint64(0, true)
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}
