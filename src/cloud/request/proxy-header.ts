/**
 * The header of the PROXY protocol, by which a load balancer says at the beginning of a connection
 * whose it is: version 1, a line of text, and version 2, in binary.
 *
 * Read strictly, for who sends it is believed: what two readers could read differently is refused,
 * and so is what could still become a header but is too long for one.
 *
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 * @module
 */
import { canonicalAddress } from '../rules/network.ts'

/** Whose connection it is. */
export type ProxySource =
  | { readonly of: 'client'; readonly address: string; readonly port: number }
  /** A client's, and the proxy does not say which. */
  | { readonly of: 'nobody' }
  /** The proxy's own, such as a check whether this listener is there. */
  | { readonly of: 'proxy' }

/** What octets are, from the first of a connection on. */
export type ProxyHeader =
  /** The beginning of a header. */
  | { readonly is: 'part' }
  /** A header of so many octets; what follows is the connection's. */
  | { readonly is: 'whole'; readonly octets: number; readonly source: ProxySource }
  | { readonly is: 'refused'; readonly detail: string }

/** Octets of version 1's line, its end included: as long as two addresses of IPv6 need. */
const MAX_LINE = 107
/** Octets behind version 2's first sixteen: addresses, and what else the proxy tells. */
export const MAX_TOLD = 4096

const LINE = [...'PROXY '].map((character) => character.charCodeAt(0))
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const FIXED = 16
const CR = 0x0d
const LF = 0x0a

/** Looks at all octets that came so far. */
export function readProxyHeader(octets: Uint8Array): ProxyHeader {
  if (begins(octets, SIGNATURE)) return octets.length < FIXED ? PART : readBinary(octets)
  if (begins(octets, LINE)) return octets.length < LINE.length ? PART : readLine(octets)
  return refused('it begins with no header of the PROXY protocol')
}

const PART = { is: 'part' } as const
const refused = (detail: string): ProxyHeader => ({ is: 'refused', detail })

/** Whether octets begin so, as far as they go. */
function begins(octets: Uint8Array, expected: readonly number[]): boolean {
  const length = Math.min(octets.length, expected.length)
  for (let at = 0; at < length; at++) if (octets[at] !== expected[at]) return false
  return true
}

// ── version 1 ───────────────────────────────────────────────────────────────────────────────────

const PORT = '(0|[1-9]\\d{0,4})'
const TCP = new RegExp(`^PROXY TCP([46]) ([\\d.a-fA-F:]+) ([\\d.a-fA-F:]+) ${PORT} ${PORT}$`)
const UNKNOWN = /^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/

function readLine(octets: Uint8Array): ProxyHeader {
  const end = octets.indexOf(CR)
  if (end === -1 || end + 1 === octets.length)
    return octets.length < MAX_LINE ? PART : refused('its line is too long')
  if (octets[end + 1] !== LF) return refused('its line does not end as one')
  if (end + 2 > MAX_LINE) return refused('its line is too long')
  const line = String.fromCharCode(...octets.subarray(0, end))
  const whole = (source: ProxySource): ProxyHeader => ({ is: 'whole', octets: end + 2, source })
  if (UNKNOWN.test(line)) return whole({ of: 'nobody' })
  const [, family, from = '', to = '', port, toPort] = TCP.exec(line) ?? []
  const isSix = family === '6'
  const address = canonicalAddress(from)
  const isRead = [from, to].every(
    (text) => text.includes(':') === isSix && canonicalAddress(text) !== undefined,
  )
  if (family === undefined || !isRead || !isPort(port) || !isPort(toPort))
    return refused('its line is none of version 1')
  return whole({ of: 'client', address: address!, port: Number(port) })
}

const isPort = (text: string | undefined): boolean => Number(text) <= 65_535

// ── version 2 ───────────────────────────────────────────────────────────────────────────────────

/** Octets of one address, by the family and transport that the header names. */
const ADDRESS_OCTETS: Readonly<Record<number, number>> = { 0x11: 4, 0x21: 16 }
/** No address of a network: the kind is not told, or it is a socket of a machine. */
const ELSEWHERE: Readonly<Record<number, number>> = { 0x00: 0, 0x31: 2 * 108 }

function readBinary(octets: Uint8Array): ProxyHeader {
  const command = octets[12]!
  const kind = octets[13]!
  const told = octets[14]! * 256 + octets[15]!
  if (command !== 0x20 && command !== 0x21) return refused('its version or command is unknown')
  if (told > MAX_TOLD) return refused('it tells too much')
  if (octets.length < FIXED + told) return PART
  const whole = (source: ProxySource): ProxyHeader => ({
    ...{ is: 'whole', octets: FIXED + told, source },
  })
  if (command === 0x20) return whole({ of: 'proxy' })
  const elsewhere = ELSEWHERE[kind]
  if (elsewhere !== undefined)
    return told < elsewhere ? refused('its addresses are cut short') : whole({ of: 'nobody' })
  const length = ADDRESS_OCTETS[kind]
  if (length === undefined) return refused('it is for another kind of connection')
  if (told < 2 * length + 4) return refused('its addresses are cut short')
  const at = FIXED + 2 * length
  const port = octets[at]! * 256 + octets[at + 1]!
  const address = canonicalAddress(written(octets.subarray(FIXED, FIXED + length)))!
  return whole({ of: 'client', address, port })
}

/** An address as text. */
function written(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups: string[] = []
  for (let at = 0; at < octets.length; at += 2)
    groups.push((octets[at]! * 256 + octets[at + 1]!).toString(16))
  return groups.join(':')
}
