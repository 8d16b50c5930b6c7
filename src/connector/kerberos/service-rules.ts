/**
 * Which services this connector's own settings let it show tickets to, and where. A cloud that is
 * taken over can name another service or move an application: it gets no ticket then.
 *
 * @module
 */
import { readServicePrincipal } from '../../protocol/internal.ts'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

/** A service, or several by the end of their host names. */
export interface KerberosService {
  /**
   * Class and host, as `HTTP/wiki.corp.example`; `HTTP/*.corp.example` stands for every host below
   * `corp.example`. Without a realm.
   */
  readonly servicePrincipal: string
  /**
   * The internal origins where it is, as `http://wiki.corp.example:8080`. Default: https at the
   * host that the principal names, at any port. Plain http is only where it is listed: who sees a
   * token on its way can use it before the service does.
   */
  readonly origins?: readonly string[] | undefined
}

/** Where a ticket is to be shown. */
export interface ServicePlace {
  readonly servicePrincipal: string
  readonly origin: string
  readonly hostname: string
  readonly isSecure: boolean
}

/** Whether a ticket may be shown there. */
export type ServiceRule = (place: ServicePlace) => boolean

/** Every host below one. */
const SUFFIX =
  /^([A-Za-z][A-Za-z0-9_-]{0,31})\/\*(\.[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)$/

/**
 * One rule made of all of them.
 *
 * @throws ConfigurationInvalid where a service or an origin is none
 */
export function serviceRules(services: readonly (string | KerberosService)[]): ServiceRule {
  const rules = services.map((service, i) =>
    ruleOf(typeof service === 'string' ? { servicePrincipal: service } : service, `services[${i}]`),
  )
  return (place) => rules.some((rule) => rule(place))
}

function ruleOf({ servicePrincipal, origins }: KerberosService, path: string): ServiceRule {
  const isService = principalRule(servicePrincipal, path)
  if (origins === undefined)
    return (place) => isService(place.servicePrincipal) && isItsOwnHost(place)
  const places = new Set(origins.map((origin, i) => originAt(origin, `${path}.origins[${i}]`)))
  return (place) => isService(place.servicePrincipal) && places.has(place.origin)
}

/** Letters count: directories of MIT tell their cases apart. */
function principalRule(principal: string, path: string): (asked: string) => boolean {
  if (readServicePrincipal(principal) !== undefined) return (asked) => asked === principal
  const [, serviceClass, end] = SUFFIX.exec(principal) ?? []
  if (end === undefined)
    throw new ConfigurationInvalid(
      `${path}.servicePrincipal`,
      'must be like "HTTP/wiki.corp.example" or "HTTP/*.corp.example", without a realm',
    )
  return (asked) => {
    const service = readServicePrincipal(asked)
    return (
      service !== undefined && service.serviceClass === serviceClass && service.host.endsWith(end)
    )
  }
}

function isItsOwnHost({ servicePrincipal, hostname, isSecure }: ServicePlace): boolean {
  const host = readServicePrincipal(servicePrincipal)?.host
  return isSecure && host?.toLowerCase() === hostname.toLowerCase()
}

function originAt(text: string, path: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (!isHttp || (url.origin !== text && `${url.origin}/` !== text))
    throw new ConfigurationInvalid(path, 'must be an origin, such as "https://wiki.corp.example"')
  return url.origin
}
