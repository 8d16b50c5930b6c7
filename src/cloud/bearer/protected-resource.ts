/**
 * What a program needs to know to get a token for an application: whose tokens it takes, what to
 * ask for one for, and which scopes it must have. Public, and readable for pages of every site.
 *
 * @see RFC 9728 sections 2 and 3; RFC 8707; spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import type { EdgeRequest } from '../request/edge-request.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { resourceOf } from '../directory/bearer-configuration.ts'
import { selectApplication } from '../directory/published.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import { PROTECTED_RESOURCE_PATH } from '../request/challenge.ts'

const MAX_AGE_SECONDS = 300

/** Whether a path is where metadata would be; applications without tokens may use it themselves. */
export function isProtectedResourcePath(path: string): boolean {
  if (!path.startsWith(PROTECTED_RESOURCE_PATH)) return false
  return (
    path.length === PROTECTED_RESOURCE_PATH.length || path[PROTECTED_RESOURCE_PATH.length] === '/'
  )
}

/**
 * Answers for the application that the path behind the well-known one belongs to, where it takes
 * tokens. True: it was answered.
 *
 * The metadata is at the path of its resource, and at that of its external URL for programs that
 * look there only. Elsewhere there is none: whoever asks for a resource that is not one must not be
 * told of another (RFC 9728 section 3.3).
 *
 * @throws ExchangeFailed `user-malformed` when the path can be read in two ways
 */
export function serveProtectedResource(
  request: EdgeRequest,
  applications: readonly Application[],
  path: string,
  directory: Pick<Directory, 'tenant'>,
): boolean {
  const { method } = request.user.head
  if (!(method === 'GET' || method === 'HEAD' || method === 'OPTIONS')) return false
  if (!applications.some(({ bearer }) => bearer !== undefined)) return false
  const asked = path.slice(PROTECTED_RESOURCE_PATH.length) || '/'
  const application = selectApplication(applications, asked)?.application
  const tenant = application && directory.tenant(application.tenantId)
  if (application?.bearer === undefined || tenant === undefined) return false
  request.site = request.asked = application
  request.isCorsDecided = true
  request.cors = ['Access-Control-Allow-Origin', '*']
  if (method === 'OPTIONS') request.empty(204, PREFLIGHT)
  else if (!isAt(application, asked)) request.answer(OWN_ANSWERS['not-found'])
  else {
    const { scopes } = application.bearer
    const metadata = {
      resource: resourceOf(application),
      authorization_servers: [tenant.issuer],
      bearer_methods_supported: ['header'],
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      resource_name: application.name,
    }
    request.json(metadata, MAX_AGE_SECONDS)
  }
  return true
}

function isAt(application: Application, asked: string): boolean {
  return [resourceOf(application), application.externalUrl].some(
    (url) => withSlash(new URL(url).pathname) === withSlash(asked),
  )
}

const withSlash = (path: string) => (path.endsWith('/') ? path : `${path}/`)

/** Programs name the version of their protocol in a field of their own. */
const PREFLIGHT = [
  ...['Access-Control-Allow-Methods', 'GET', 'Access-Control-Allow-Headers', '*'],
  ...['Access-Control-Max-Age', String(MAX_AGE_SECONDS)],
]
