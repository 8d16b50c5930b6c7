/**
 * Where in the private network something may go: internal origins, exact, or those below a host.
 *
 * @module
 */

/** A place as it is compared: in the canonical form of URLs. */
export interface Place {
  /** With its colon: `https:`. */
  readonly scheme: string
  /** The host; of all hosts below one: what their names end with, beginning with a dot. */
  readonly host: string
  readonly isBelow: boolean
  /** Empty: the scheme's own. */
  readonly port: string
}

const WRITTEN = /^(https?:\/\/)(\*\.)?([^\s\0-\x1f/?#\\@*]+)\/?$/i

/**
 * Reads `https://wiki.corp.example:8443`, or `https://*.corp.example` for every host below
 * `corp.example`, at the port that is written and no other. `undefined`: it is neither.
 */
export function parsePlace(text: string): Place | undefined {
  const [, scheme, below, authority] = WRITTEN.exec(text) ?? []
  if (scheme === undefined || !URL.canParse(`${scheme}${authority}`)) return undefined
  const { protocol, hostname, port, username, password, pathname } = new URL(
    `${scheme}${authority}`,
  )
  if (username !== '' || password !== '' || pathname !== '/') return undefined
  if (below === undefined) return { scheme: protocol, host: hostname, isBelow: false, port }
  if (isAddress(hostname)) return undefined
  return { scheme: protocol, host: `.${hostname}`, isBelow: true, port }
}

/**
 * Of the places at which an internal origin is, how closely the closest names it: a longer host
 * more closely than a shorter one, the host itself most. 0: it is at none.
 */
export function closeness(places: readonly Place[], internalOrigin: string): number {
  const { protocol, hostname, port } = new URL(internalOrigin)
  let closest = 0
  for (const { scheme, host, isBelow, port: asked } of places) {
    if (protocol !== scheme || port !== asked) continue
    if (!isBelow && hostname === host) return Infinity
    // Something stands before the dot.
    const isThere = isBelow && hostname.length > host.length && hostname.endsWith(host)
    if (isThere) closest = Math.max(closest, host.length)
  }
  return closest
}

/** The same place in one form. */
export function placeName({ scheme, host, isBelow, port }: Place): string {
  return `${scheme}//${isBelow ? '*' : ''}${host}${port === '' ? '' : `:${port}`}`
}

/** An IPv4 address, or one of IPv6 in its brackets, in the canonical form of URLs. */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(hostname)
}
