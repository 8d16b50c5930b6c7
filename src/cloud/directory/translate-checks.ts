import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import type { ApplicationPart } from './application-configuration.ts'
import { hostOf, isWithinDomain } from './translate-configuration.ts'
import { externalUrlsOf } from './wildcard.ts'

/**
 * What translation lets one application do to others: a cookie's domain is no other tenant's, and
 * whoever is trusted is an application of the same.
 *
 * @param tenantOf the tenant of a group; undefined: it is not known
 */
export function tellTranslations(
  applications: readonly ApplicationPart[],
  tenantOf: (groupId: string | undefined) => string | undefined,
  tell: TellMistake,
): void {
  applications.forEach(({ translate, groupId }, i) => {
    const own = tenantOf(groupId)
    if (translate === undefined || own === undefined) return
    const at = `applications[${i}].translate`
    const { cookies, trustedOrigins } = translate
    const { domain } = cookies
    const isOthers = (one: ApplicationPart) => {
      if (tenantOf(one.groupId) === own) return false
      return externalUrlsOf(one).some((url) => {
        const host = hostOf(url)
        return host !== undefined && isWithinDomain(host, domain!)
      })
    }
    if (domain !== undefined && applications.some(isOthers))
      tell(`${at}.cookies.domain`, 'has a host of another tenant')
    trustedOrigins.forEach((origin, j) => {
      const isKnown = applications.some(
        (one) =>
          tenantOf(one.groupId) === own &&
          externalUrlsOf(one).some((url) => originOf(url) === origin),
      )
      if (!isKnown) tell(`${at}.trustedOrigins[${j}]`, 'is that of no application of the tenant')
    })
  })
}

function originOf(externalUrl: string): string | undefined {
  if (!URL.canParse(externalUrl)) return undefined
  return new URL(externalUrl).origin
}
