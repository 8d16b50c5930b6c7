/**
 * One spelling for one host. Whatever names a host (Host, `:authority`, an absolute-form target, a
 * configured URL, an Origin) goes through here before two of them are compared.
 *
 * @see RFC 3986, section 3.2; RFC 5952 for the text of IPv6 addresses
 * @module
 */

/**
 * The host of an authority in its one spelling, or `undefined` where it is none we would serve:
 * lower case, no trailing dot, IPv6 in brackets and compressed.
 *
 * The port is checked and left out, default or not. Which port a request came in on is the
 * listener's knowledge; behind a port mapping the client's is another anyway, and cookies do not
 * tell ports apart, so no two applications may either.
 *
 * Refused: user information, percent-encoding, anything outside ASCII (browsers send the `xn--`
 * form), empty labels, IPv6 zones and future address types.
 */
export function canonicalHost(authority: string): string | undefined {
  // ASCII before case: U+212A, the Kelvin sign, is a "k" in lower case.
  const match = /^(\[[0-9a-fA-F:.]*\]|[A-Za-z0-9._-]+)(?::([0-9]*))?$/.exec(authority)
  if (match === null || !isPort(match[2])) return undefined
  const host = match[1]!.toLowerCase()
  if (host.startsWith('[')) return canonicalIpv6(host.slice(1, -1))
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  return name.length <= MAX_NAME && NAME.test(name) ? name : undefined
}

/** RFC 1035, section 2.3.4. */
const MAX_NAME = 253
/** Underscores are no host name's by RFC 952, but private networks have them. */
const NAME = /^(?:[^.]{1,63}\.)*[^.]{1,63}$/

/** RFC 3986 allows the empty port. */
function isPort(port: string | undefined): boolean {
  return port === undefined || port === '' || (port.length <= 5 && Number(port) <= 65535)
}

function canonicalIpv6(text: string): string | undefined {
  const groups = readIpv6(text)
  return groups && `[${compress(groups)}]`
}

/** Eight groups of 16 bits, or `undefined`. */
function readIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [readGroups(halves[0]!), readGroups(halves[1] ?? '')]
  if (head === undefined || tail === undefined) return undefined
  // An address in dotted form is the end of the whole; before "::" it is in the middle.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined
  const missing = 8 - head.length - tail.length
  const isComplete = halves.length === 2 ? missing >= 1 : missing === 0
  return isComplete ? [...head, ...Array<number>(missing).fill(0), ...tail] : undefined
}

function readGroups(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    const dotted = i === parts.length - 1 ? readDotted(part) : undefined
    if (dotted !== undefined) groups.push(...dotted)
    else if (/^[0-9a-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** An IPv4 address as two groups. */
function readDotted(text: string): [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const bytes = match?.slice(1).map(Number)
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined
  return [bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!]
}

/** The first longest run of two or more zero groups becomes `::`. */
function compress(groups: number[]): string {
  let [start, length] = [0, 1]
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > length) [start, length] = [i, end - i]
  }
  const hex = groups.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}
