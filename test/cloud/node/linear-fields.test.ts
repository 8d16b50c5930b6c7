import { expect, test, vi } from 'vitest'
import { fieldsOf } from '../../../src/runtime/node/http2-fields.ts'
import { Multiplexer, Exchange } from '../../../src/protocol/internal.ts'

const nothing = (): undefined => undefined

/** Elements that any copy of a list moves while `run` runs. */
function moved(run: () => void): number {
  let elements = 0
  const count = function (this: unknown[]): void {
    elements += this.length
  }
  const { flat, concat, shift, splice } = Array.prototype
  const originals = { flat, concat, shift, splice }
  const spies = (Object.keys(originals) as (keyof typeof originals)[]).map((name) =>
    vi.spyOn(Array.prototype, name).mockImplementation(function (
      this: unknown[],
      ...rest: unknown[]
    ) {
      count.call(this)
      return (originals[name] as (...args: unknown[]) => unknown).apply(this, rest) as never
    }),
  )
  run()
  for (const spy of spies) spy.mockRestore()
  return elements
}

test.each([100, 1_000, 10_000])(
  '%i fields of one name are told in their order, and none is moved',
  (n) => {
    const list = Array.from({ length: n }, (_, i) => ['Set-Cookie', `${i}`]).flat()
    let fields: Record<string, string | string[]> = {}
    expect(moved(() => (fields = fieldsOf(list)))).toBe(0)
    expect(fields['set-cookie']).toEqual(Array.from({ length: n }, (_, i) => `${i}`))
  },
)

test.each([100, 10_000])(
  '%i pieces of a body that wait leave in their order, and none is moved',
  (n) => {
    const link = new Multiplexer(nothing, nothing)
    const wire = link.openNumber(1)
    const exchange = new Exchange(
      wire,
      { data: nothing, ended: nothing, writable: nothing, stopped: nothing, closed: nothing },
      { role: 'requester', now: 0, requestBody: true, sendCreditBytes: n, receiveWindowBytes: 1 },
    )
    link.adopt(wire, exchange)
    for (let i = 0; i < n; i++) exchange.send(new Uint8Array([i & 0xff]), 0)
    exchange.end(0)
    let octets: number[] = []
    let chunks: Uint8Array[] = []
    expect(moved(() => (chunks = link.takeOutput(Infinity)))).toBe(0)
    octets = Buffer.concat(chunks).reduce<number[]>((all, octet) => (all.push(octet), all), [])
    // Nine octets of header and one of body each; the last says END.
    expect(octets).toHaveLength(10 * n)
    expect(octets.filter((_, i) => i % 10 === 9)).toEqual(
      Array.from({ length: n }, (_, i) => i & 0xff),
    )
  },
)
