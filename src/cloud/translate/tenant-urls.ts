import { placeOf, type Place, type PlacedApplication, type Side } from './place.ts'
import { defaultPort, originKey } from './url-spelling.ts'

/** Whom a URL may mean. */
export interface Meaning {
  readonly place: Place
  /** It is an origin as it is configured, and not merely another spelling. */
  readonly isExact: boolean
  /** It is the external host: the path may be that of either URL. */
  readonly isExternal: boolean
}

/** What a tenant publishes, looked up by origins: made once for all of its applications. */
export class TenantUrls {
  readonly meanings = new Map<string, Meaning[]>()
  /** By external origin. */
  readonly externals = new Map<string, Place[]>()
  /** By external host. */
  readonly hosts = new Map<string, Place[]>()
  readonly internalHosts = new Set<string>()

  constructor(applications: Iterable<PlacedApplication>) {
    for (const application of applications) {
      const place = placeOf(application)
      const { internal, external } = place
      addTo(this.externals, external.key, place)
      addTo(this.hosts, external.host, place)
      this.internalHosts.add(internal.host)
      for (const [key, meaning] of internalMeanings(place)) addTo(this.meanings, key, meaning)
    }
  }
}

/** By origins, what the inside of an application is called. */
export function internalMeanings(place: Place): readonly (readonly [string, Meaning])[] {
  const spelling: Meaning = { place, isExact: false, isExternal: false }
  return [
    [place.internal.key, { place, isExact: true, isExternal: false }],
    ...otherScheme(place.internal).map((key) => [key, spelling] as const),
  ]
}

/** The host with the other scheme, for whoever is told that its users come by that. */
function otherScheme({ scheme, host, port }: Side): readonly string[] {
  const other = scheme === 'https' ? 'http' : 'https'
  const isDefault = port === defaultPort(scheme)
  const ports = isDefault ? [port, undefined] : [port]
  return ports.map((one) => originKey(other, { host, port: one }))
}

export function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
