import { randomBytes } from 'node:crypto'
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  createGunzip,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { nodeContentCodings } from '../../../../src/cloud/node/content-codings.ts'
import { CodedBody } from '../../../../src/cloud/translate/bodies/coded-body.ts'
import { DECODING_LIMITS } from '../../../../src/cloud/translate/bodies/content-codings.ts'
import { htmlTranslator, INSIDE, OUTSIDE } from './bodies-world.ts'

const ROWS = (origin: string) =>
  Array.from(
    { length: 20_000 },
    (_, i) => `<p>${Math.imul(i, 2_654_435_761)}<a href="${origin}/${i}">`,
  ).join('')

/** Sends a body, and reads it as slowly as is said. */
class Reader {
  readonly body: CodedBody
  readonly said: Buffer[] = []
  readonly whole: Promise<Buffer>
  unread = 0
  mostUnread = 0
  #sendMore: () => void = () => undefined

  constructor(coding: string, pieces: readonly Uint8Array[], readsAfterMs?: number) {
    let settle!: { resolve: (octets: Buffer) => void; reject: (error: unknown) => void }
    this.whole = new Promise((resolve, reject) => (settle = { resolve, reject }))
    this.body = new CodedBody(coding, nodeContentCodings(), htmlTranslator(), {
      write: (bytes) => {
        this.said.push(Buffer.from(bytes))
        if (readsAfterMs === undefined) return true
        this.unread += bytes.length
        this.mostUnread = Math.max(this.mostUnread, this.unread)
        setTimeout(() => {
          this.unread = 0
          this.body.drained()
        }, readsAfterMs)
        return false
      },
      ready: () => this.#sendMore(),
      end: () => settle.resolve(Buffer.concat(this.said)),
      failed: (error) => settle.reject(error),
    })
    const rest = [...pieces]
    this.#sendMore = () => {
      const next = rest.shift()
      if (next === undefined) this.body.end()
      else this.body.write(next)
    }
    this.#sendMore()
  }
}

function pieces(octets: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(octets.length / length) }, (_, i) =>
    octets.subarray(i * length, (i + 1) * length),
  )
}

const brotli = (text: string) =>
  brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })
const CODINGS = [
  ['gzip', gzipSync, gunzipSync],
  ['br', brotli, brotliDecompressSync],
  ['deflate', deflateSync, inflateSync],
  ['deflate', deflateRawSync, inflateSync],
] as const

describe('a coded body', () => {
  test.each(CODINGS)('%s is the same in pieces of any size', async (coding, code, decode) => {
    const octets = code(ROWS(INSIDE))
    for (const length of [octets.length, 16_384, 999]) {
      const { whole } = new Reader(coding, pieces(octets, length))
      expect(decode(await whole).toString()).toBe(ROWS(OUTSIDE))
    }
  })

  test('waits for a slow reader', async () => {
    const reader = new Reader('gzip', pieces(gzipSync(ROWS(INSIDE)), 8_192), 2)
    expect(gunzipSync(await reader.whole).toString()).toBe(ROWS(OUTSIDE))
    expect(reader.mostUnread).toBeLessThan(128 * 1024)
  })

  test('shows what was sent so far', async () => {
    const gunzip = createGunzip()
    const octets = gzipSync(`<a href="${INSIDE}/1">`)
    const shown: string[] = []
    gunzip.on('data', (bytes: Buffer) => shown.push(bytes.toString()))
    const body = new CodedBody('gzip', nodeContentCodings(), htmlTranslator(), {
      write: (bytes) => gunzip.write(bytes),
      ...{ ready: () => undefined, end: () => undefined, failed: () => undefined },
    })
    // Its end is still missing.
    body.write(octets.subarray(0, -1))
    await expect.poll(() => shown.join(''), { timeout: 10_000 }).toBe(`<a href="${OUTSIDE}/1">`)
    body.destroy()
    gunzip.destroy()
  })

  const noise = randomBytes(20_000)
  test.each([
    ['up to a MiB whatever the ratio', gzipSync(Buffer.alloc(DECODING_LIMITS.freeBytes)), true],
    [
      'beyond it no more than a hundred for one',
      gzipSync(Buffer.alloc(DECODING_LIMITS.freeBytes + 65_536)),
      false,
    ],
    [
      'and that however much it is',
      gzipSync(Buffer.concat([noise, Buffer.alloc(1_200_000)])),
      true,
    ],
  ])('may be %s', async (_, octets, isAllowed) => {
    const { whole } = new Reader('gzip', pieces(octets, 1_024))
    if (isAllowed) expect(gunzipSync(await whole)).toEqual(gunzipSync(octets))
    else await expect(whole).rejects.toThrow('far more')
  })

  test.each([
    ['is cut off', gzipSync(ROWS(INSIDE)).subarray(0, -9)],
    ['has an octet changed', Buffer.from(gzipSync(ROWS(INSIDE))).fill(0xff, 5_000, 5_010)],
    ['is another coding', brotli(ROWS(INSIDE))],
  ])('that %s fails', async (_, octets) => {
    await expect(new Reader('gzip', pieces(octets, 4_096)).whole).rejects.toThrow()
  })
})
