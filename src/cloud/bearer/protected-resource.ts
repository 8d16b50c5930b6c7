/**
 * What a program needs to know to get a token for an application: whose tokens it takes, and which
 * scopes it asks for. Public, and readable for pages of every site.
 *
 * @see RFC 9728 sections 2 and 3; spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import type { EdgeRequest } from '../request/edge-request.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { PROTECTED_RESOURCE_PATH } from '../request/challenge.ts'
import { publishedOf } from '../directory/published.ts'

const MAX_AGE_SECONDS = 300

/** Whether a path is where metadata would be; applications without tokens may use it themselves. */
export function isProtectedResourcePath(path: string): boolean {
  return path.startsWith(PROTECTED_RESOURCE_PATH)
}

/** Answers for the application whose metadata is at that path. True: it was answered. */
export function serveProtectedResource(
  request: EdgeRequest,
  applications: readonly Application[],
  path: string,
  directory: Pick<Directory, 'tenant'>,
): boolean {
  const { method } = request.user.head
  const rest = path.slice(PROTECTED_RESOURCE_PATH.length)
  const application = applications.find(({ bearer, externalUrl }) => {
    const { pathname } = new URL(externalUrl)
    return bearer !== undefined && (rest === pathname || `${rest}/` === pathname)
  })
  const tenant = application && directory.tenant(application.tenantId)
  if (tenant === undefined || !(method === 'GET' || method === 'HEAD' || method === 'OPTIONS'))
    return false
  const { bearer, externalUrl, name } = publishedOf(application!).application
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
