/**
 * HELLO as the query of a call: the plain binding has no frame to put it in.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import { PeerViolation } from './errors.ts'
import type { Hello } from './frame-types.ts'
import { decodeHello, encodeHello } from './greetings.ts'

/** How one element of HELLO stands in the query. */
interface QueryKey {
  readonly key: string
  /** `list`: joined by commas, which no name contains. */
  readonly form: 'number' | 'numbers' | 'text' | 'list'
  /** It may be left out, and reads as in the frame then. */
  readonly isOptional?: true
}

/** The key of every element. Unknown keys are ignored. */
export const HELLO_QUERY = {
  versions: { key: 'versions', form: 'numbers' },
  run: { key: 'run', form: 'text' },
  index: { key: 'index', form: 'number' },
  epoch: { key: 'epoch', form: 'number' },
  offers: { key: 'offers', form: 'number' },
  granted: { key: 'granted', form: 'number' },
  maxDataBytes: { key: 'max-data', form: 'number' },
  features: { key: 'features', form: 'list' },
  slots: { key: 'slots', form: 'number', isOptional: true },
  streams: { key: 'streams', form: 'number', isOptional: true },
} as const satisfies Readonly<Record<keyof Hello, QueryKey>>

/** Keys and values, in order; what is undefined is left out. */
export function helloQuery(hello: Hello): readonly (readonly [key: string, value: string])[] {
  const pairs: [string, string][] = []
  for (const [element, { key }] of Object.entries(HELLO_QUERY)) {
    const value = hello[element as keyof Hello]
    if (value !== undefined) pairs.push([key, String(value)])
  }
  return pairs
}

/**
 * Reads HELLO from a query, within the bounds of the frame.
 *
 * @param valueOf the value of a key; null where the query lacks it
 * @throws PeerViolation `MALFORMED_MESSAGE` for what is no number, `MALFORMED_FRAME` for what is
 *   out of bounds
 */
export function readHelloQuery(valueOf: (key: string) => string | null): Hello {
  const read = (rule: QueryKey): unknown => {
    const value = valueOf(rule.key)
    if (value === null && rule.isOptional) return undefined
    if (rule.form === 'number') return wholeNumber(rule.key, value)
    if (rule.form === 'text') return value ?? ''
    const members = (value ?? '').split(',').filter((member) => member !== '')
    return rule.form === 'list' ? members : members.map((member) => wholeNumber(rule.key, member))
  }
  const elements = Object.entries(HELLO_QUERY).map(([element, rule]) => [element, read(rule)])
  return decodeHello(encodeHello(Object.fromEntries(elements) as Hello))
}

/** A parameter that is a whole number, of at most ten digits. */
export function wholeNumber(key: string, value: string | null): number {
  if (value === null || !/^\d{1,10}$/.test(value))
    throw new PeerViolation('MALFORMED_MESSAGE', `"${key}" must be a whole number`)
  return Number(value)
}
