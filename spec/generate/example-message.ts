/**
 * One message as it is on the wire, for the beginning of PROTOCOL.md.
 *
 * @module
 */
import { encode } from '../../src/protocol/internal.ts'
import { vectors } from './vectors.ts'

const FILE = 'message-application-request.json'

/** The first vector of an ApplicationRequest: its value, and each of its octets. */
export function exampleMessage(): string {
  const { value, hex } = vectors().get(FILE)!.valid[0]!
  const entries = Object.entries(value as Readonly<Record<string, unknown>>)
  const lines = [
    [hex.slice(0, 2), `a map of ${entries.length}`],
    ...entries.map(([key, one]) => [
      hexOf(encode(key)) + hexOf(encode(one)),
      `${key}: ${JSON.stringify(one)}`,
    ]),
  ] as const
  if (lines.map(([octets]) => octets).join('') !== hex)
    throw new Error('the example is not the whole message')
  const written = lines.map(([octets]) => octets!.replace(/..(?=.)/g, '$& '))
  const width = Math.max(...written.map(({ length }) => length))
  const rows = lines.map(([, words], at) => `${written[at]!.padEnd(width)}  ${words}`)
  return ['```text', ...rows, '```'].join('\n')
}

const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
