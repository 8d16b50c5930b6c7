/**
 * What a program needs to know to get a token for an application: whose tokens it takes, and which
 * scopes it asks for. Public, and readable for pages of every site.
 *
 * @see RFC 9728 sections 2 and 3; spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import type { EdgeRequest } from '../edge/edge-request.ts'
import type { Application, Directory } from '../ports.ts'
import { published, type Published } from '../directory/published.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const MAX_AGE_SECONDS = 300

/** Where the metadata of an application is; undefined: it takes no tokens. */
export function protectedResourceUrl({ application }: Published): string | undefined {
  if (application.bearer === undefined) return undefined
  const { origin, pathname } = new URL(application.externalUrl)
  return origin + WELL_KNOWN + (pathname === '/' ? '' : pathname)
}

/** Whether a path is where metadata would be; applications without tokens may use it themselves. */
export function isProtectedResourcePath(path: string): boolean {
  return path.startsWith(WELL_KNOWN)
}

/** Answers for the application whose metadata is at that path. True: it was answered. */
export function serveProtectedResource(
  request: EdgeRequest,
  applications: readonly Application[],
  path: string,
  directory: Pick<Directory, 'tenant'>,
): boolean {
  const { method } = request.user.head
  const rest = path.slice(WELL_KNOWN.length)
  const application = applications.find(({ bearer, externalUrl }) => {
    const { pathname } = new URL(externalUrl)
    return bearer !== undefined && (rest === pathname || `${rest}/` === pathname)
  })
  const tenant = application && directory.tenant(application.tenantId)
  if (tenant === undefined || !(method === 'GET' || method === 'HEAD' || method === 'OPTIONS'))
    return false
  const { bearer, externalUrl, name } = published(application!).application
  const metadata = {
    resource: externalUrl,
    authorization_servers: [tenant.issuer],
    bearer_methods_supported: ['header'],
    ...(bearer!.scopes.length > 0 && { scopes_supported: bearer!.scopes }),
    resource_name: name,
  }
  request.cors = ['Access-Control-Allow-Origin', '*']
  if (method === 'OPTIONS') request.empty(204, ['Access-Control-Allow-Methods', 'GET'])
  else request.json(metadata, MAX_AGE_SECONDS)
  return true
}
