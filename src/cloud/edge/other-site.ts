/**
 * Where the session's cookie comes with the requests of any site's page (`sameSite: "none"`), the
 * cookie does not say that its user meant it. What changes something then needs a page of the
 * application's own, or of an origin that the CORS rule lets act in users' names.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"
 * @module
 */
import { ExchangeFailed, headerValue, headerValues } from '../../protocol/internal.ts'
import type { Published } from '../directory/published.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'

/** Such a request changes nothing, and its answer is for readers: CORS is their rule. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @throws ExchangeFailed `origin-refused` */
export function checkOtherSite(
  { method, headers }: UserRequestHead,
  application: Published,
  path: string,
): void {
  if (application.application.session?.sameSite !== 'none' || SAFE.has(method)) return
  const origins = headerValues(headers, 'origin')
  const isMeant =
    origins.length === 0
      ? // No browser leaves it out when another site asks.
        headerValue(headers, 'sec-fetch-site') !== 'cross-site'
      : origins.every(
          (origin) =>
            application.isOwnOrigin(origin) || application.cors?.mayAct(origin, path) === true,
        )
  if (!isMeant) throw new ExchangeFailed('user', 'origin-refused')
}
