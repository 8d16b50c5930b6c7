/** Whatever the order of octets, pauses and the end: a reader hears of the end once, behind all octets, and never while it is paused. */
import fc from 'fast-check'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { HeldEnd } from '../../../src/connector/node/held-end.ts'

/** A connection whose far end is moved by hand. */
class Line extends Duplex {
  override _read(): void {}
  override _write(_octets: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

/** Reads as undici's parser does: as much as there is, and gives back what it paused in front of. */
class Reader {
  read = ''
  readonly faults: string[] = []
  ends = 0
  isPaused = false
  /** How many octets it takes before it pauses. */
  patience = Infinity
  readonly #line: Line
  readonly #end: HeldEnd

  constructor(line: Line) {
    this.#line = line
    this.#end = new HeldEnd(line as unknown as Socket)
    line.on('readable', () => this.#readMore())
    line.on('end', () => {
      this.ends += 1
      if (this.isPaused) this.faults.push('told while it is paused')
      if (line.readableLength > 0) this.faults.push('told in front of octets')
    })
  }

  resume(): void {
    if (!this.isPaused) return
    this.#end.resumed()
    this.isPaused = false
    this.#take((this.#line.read() as Buffer | null) ?? Buffer.alloc(0))
    this.#readMore()
    this.#end.settled()
  }

  #readMore(): void {
    while (!this.isPaused) {
      const octets = this.#line.read() as Buffer | null
      if (octets === null) return
      this.#take(octets)
    }
  }

  #take(octets: Buffer): void {
    const taken = octets.subarray(0, this.patience)
    this.read += taken.toString('latin1')
    this.patience -= taken.length
    if (this.patience > 0) return
    this.patience = Infinity
    this.#end.paused()
    this.isPaused = true
    if (taken.length < octets.length) this.#line.unshift(octets.subarray(taken.length))
  }
}

const move = fc.oneof(
  { weight: 4, arbitrary: fc.nat(9).map((octets) => ({ octets: octets + 1 })) },
  { weight: 3, arbitrary: fc.nat(12).map((patience) => ({ patience })) },
  { weight: 3, arbitrary: fc.constant('resume' as const) },
  { weight: 3, arbitrary: fc.constant('turn' as const) },
  { weight: 1, arbitrary: fc.constant('end' as const) },
  { weight: 1, arbitrary: fc.constant('twice' as const) },
)

test('told once, behind the last octet, and never to who is paused', () =>
  fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 40 }), fc.boolean(), async (moves, isCut) => {
      const line = new Line()
      const reader = new Reader(line)
      let sent = ''
      let hasEnded = false
      const end = (): void => {
        hasEnded = true
        line.push(null)
      }
      for (const one of moves) {
        if (one === 'turn') await turn()
        else if (one === 'resume') reader.resume()
        else if (one === 'end') end()
        else if (one === 'twice') {
          end()
          end()
        } else if ('patience' in one) reader.patience = one.patience + 1
        else if (!hasEnded) {
          const text = Array.from({ length: one.octets }, (_, i) => (sent.length + i) % 10).join('')
          sent += text
          line.push(Buffer.from(text))
        }
        expect(sent.startsWith(reader.read)).toBe(true)
        if (reader.isPaused) expect(reader.ends).toBe(0)
      }
      if (isCut) line.destroy()
      else if (!hasEnded) end()
      for (let i = 0; i < 3 + sent.length; i++) {
        reader.resume()
        await turn()
        if (reader.ends > 0) break
      }
      expect(reader.faults).toEqual([])
      if (isCut) expect(reader.ends).toBeLessThanOrEqual(hasEnded ? 1 : 0)
      else expect([reader.read, reader.ends]).toEqual([sent, 1])
    }),
    { numRuns: 1_000 },
  ))
