import type { Application } from '../directory/directory-port.ts'
import { USUAL_TRANSLATION } from '../directory/translate-configuration.ts'
import type { CookieScope } from './set-cookie.ts'
import type { UrlTranslation } from './url-translation.ts'

/** The names and the reach of an application's cookies. */
export interface ApplicationCookies extends CookieScope {
  /** Before the names of others on the host, whose cookies it is not shown. */
  readonly foreignPrefixes: readonly string[]
}

/** `neighbours`: the applications on its external host; it may be among them. */
export function cookiesOf(
  application: Application,
  urls: UrlTranslation,
  neighbours: readonly Application[],
): ApplicationCookies {
  const { internal, external } = urls.own
  const { cookies } = application.translate ?? USUAL_TRANSLATION
  const others = neighbours.filter(({ id }) => id !== application.id)
  return {
    isSecure: external.scheme === 'https',
    ...{ internalHost: internal.host, externalHost: external.host },
    ...{ internalBase: internal.base, externalBase: external.base },
    isHostShared: urls.isHostShared,
    domain: cookies.domain,
    isCrossSite: cookies.crossSite ?? application.embedding !== undefined,
    prefix: prefixOf(application, urls.isHostShared),
    foreignPrefixes: others.flatMap((one) => prefixOf(one, true) ?? []),
  }
}

/** No id has the sign in it. */
function prefixOf({ id, translate }: Application, isHostShared: boolean): string | undefined {
  return isHostShared && translate?.cookies.prefixed === true ? `${id}~` : undefined
}
