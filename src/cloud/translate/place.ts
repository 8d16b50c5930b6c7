import type { Application } from '../directory/directory-port.ts'
import {
  defaultPort,
  originKey,
  readAuthority,
  type Authority,
  type Scheme,
} from './url-spelling.ts'

/** What of an application its two URLs depend on. */
export type PlacedApplication = Pick<
  Application,
  'internalUrl' | 'externalUrl' | 'hostHeader' | 'groupId' | 'tenantId'
>

/** One of an application's two URLs. */
export interface Side {
  /** As a browser says it. */
  readonly origin: string
  readonly key: string
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  /** Ends in `/`. */
  readonly base: string
}

/** An application: where it is, and where its users see it. */
export interface Place {
  readonly application: PlacedApplication
  readonly internal: Side
  readonly external: Side
}

/** The place of an application; the same object for the same application. */
export function placeOf(application: PlacedApplication): Place {
  let place = places.get(application)
  if (place === undefined) {
    place = {
      application,
      internal: sideOf(application.internalUrl),
      external: sideOf(application.externalUrl),
    }
    places.set(application, place)
  }
  return place
}

const places = new WeakMap<PlacedApplication, Place>()

function sideOf(configured: string): Side {
  const { origin, host, protocol, pathname } = new URL(configured)
  const scheme = protocol.slice(0, -1) as Scheme
  // A host that nobody may ask for in `Host` can still be where an application is.
  const authority: Authority = readAuthority(host) ?? { host, port: undefined }
  return {
    ...{ origin, scheme, base: pathname },
    key: originKey(scheme, authority),
    host: authority.host,
    port: authority.port ?? defaultPort(scheme),
  }
}
