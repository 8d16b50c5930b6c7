/**
 * The name of a service in a directory of Kerberos, as both ends read it: class and host, and a
 * port where it has one. Its realm is the connector's to say.
 *
 * @module
 */

const PRINCIPAL =
  /^([A-Za-z][A-Za-z0-9_-]{0,31})\/([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::\d{1,5})?$/

/** The parts of a service principal: of `HTTP/wiki.corp.example`, for example. */
export interface ServicePrincipal {
  readonly serviceClass: string
  readonly host: string
}

/** What a text says as the name of a service; undefined: it is none, or has a realm. */
export function readServicePrincipal(text: string): ServicePrincipal | undefined {
  const [, serviceClass, host] = PRINCIPAL.exec(text) ?? []
  return serviceClass === undefined || host === undefined ? undefined : { serviceClass, host }
}
