/**
 * Header names that an application's neighbours use: what nobody may say to one of several that
 * share a host, or stand in one server.
 *
 * @module
 */
import { canonicalHost } from '../../protocol/internal.ts'
import { assertionHeader } from './assertion-sign-on.ts'
import type { Application } from './directory-port.ts'

/**
 * The same applications; those with neighbours that are told by assertions know in which fields. A
 * request that nobody has signed in for cannot bring one to a server that would believe it.
 */
export function withReservedHeaders(applications: readonly Application[]): readonly Application[] {
  const names = new Map<string, Set<string>>()
  for (const application of applications) {
    const { signOn } = application
    if (signOn?.kind !== 'assertion') continue
    for (const place of placesOf(application)) {
      const here = names.get(place)
      if (here === undefined) names.set(place, new Set([assertionHeader(signOn)]))
      else here.add(assertionHeader(signOn))
    }
  }
  if (names.size === 0) return applications
  return applications.map((application) => {
    const near = placesOf(application).flatMap((place) => [...(names.get(place) ?? [])])
    return near.length === 0 ? application : { ...application, reservedHeaders: [...new Set(near)] }
  })
}

/** The host that users see, and the server behind. */
function placesOf({ externalUrl, internalUrl }: Application): readonly string[] {
  return [`host ${canonicalHost(new URL(externalUrl).host)}`, new URL(internalUrl).origin]
}
