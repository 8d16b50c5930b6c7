import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DATA_BYTES,
  helloQuery,
  lacking,
  MAX_DATA_BYTES,
  MAX_OFFERS,
  MAX_STREAMS,
  readHelloQuery,
} from '../../../src/protocol/internal.ts'

const read = (query: string) => {
  const parameters = new URLSearchParams(query)
  return readHelloQuery((key) => parameters.get(key))
}
const QUERY = 'versions=1&run=run&index=0&epoch=1&offers=3&granted=2&max-data=16384&features=plain'

test('what is written is read', () => {
  const name = fc.stringMatching(/^[\w.-]{1,20}$/)
  const hellos = fc
    .record({
      versions: fc.array(fc.nat(), { minLength: 1 }),
      run: name,
      index: fc.nat(),
      epoch: fc.nat(),
      offers: fc.nat(MAX_OFFERS),
      maxDataBytes: fc.integer({ min: DATA_BYTES, max: MAX_DATA_BYTES }),
      features: fc.array(name),
      slots: fc.nat(MAX_OFFERS),
      streams: fc.nat(MAX_STREAMS),
    })
    .chain((hello) => fc.nat(hello.offers).map((granted) => ({ ...hello, granted })))
  fc.assert(
    fc.property(hellos, (hello) => {
      const query = new URLSearchParams(helloQuery(hello).map(([key, value]) => [key, value]))
      expect(readHelloQuery((key) => query.get(key))).toEqual(hello)
    }),
  )
})

describe('a connector of a later version', () => {
  test('names versions, features and keys that nobody here knows', () => {
    const query = `${QUERY}&teleport=yes&grease-1=x`.replace('versions=1', 'versions=7,1')
    const hello = read(query.replace('=plain', '=plain,teleport'))
    expect(hello).toMatchObject({ versions: [7, 1], features: ['plain', 'teleport'], slots: 3 })
  })

  test.each([
    ['offers=3', 'offers=many', 'MALFORMED_MESSAGE', '"offers"'],
    ['versions=1', 'versions=1.1', 'MALFORMED_MESSAGE', '"versions"'],
    ['offers=3', 'offers=10001', 'MALFORMED_FRAME', '"offers"'],
    ['granted=2', 'granted=4', 'MALFORMED_FRAME', '"granted"'],
    ['max-data=16384', 'max-data=1', 'MALFORMED_FRAME', '"maxDataBytes"'],
    ['run=run', 'run=', 'MALFORMED_FRAME', '"run"'],
  ])('%s as %s is refused, and named', (from, to, reason, named) =>
    expect(() => read(QUERY.replace(from, to))).toThrow(
      expect.objectContaining({ reason, message: expect.stringContaining(named) }),
    ),
  )
})

test('of what is needed, what is not named is lacking', () => {
  expect(lacking(['sign-on/basic', 'affinity'], ['link', 'affinity'])).toEqual(['sign-on/basic'])
  expect(lacking([], [])).toEqual([])
})
