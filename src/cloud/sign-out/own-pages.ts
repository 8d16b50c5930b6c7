/**
 * Whether a page of this host sent a request: what changes something for its user needs one.
 *
 * @module
 */
import { headerValue, headerValues } from '../../protocol/internal.ts'
import { publishedOf } from '../directory/published.ts'
import type { OwnCall } from '../request/own-paths.ts'
import type { Application } from '../directory/directory-port.ts'

/**
 * Whether one of our own pages sent the POST. Browsers always say; a request without the field is
 * not from a page.
 */
export function isFromOwnPage({ request, applications }: OwnCall): boolean {
  const { headers } = request.user.head
  const site = headerValue(headers, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  const origins = headerValues(headers, 'origin')
  return (
    origins.length === 1 && applications.some((one) => publishedOf(one).isOwnOrigin(origins[0]!))
  )
}

/** The applications of the host that users sign in to. */
export const withSignIn = ({ applications }: OwnCall): readonly Application[] =>
  applications.filter((one) => one.preAuthentication === 'oidc')
