/**
 * Checks assertions before the application is called. Whoever can inject offers, but has no key of
 * the signer's, gets nothing to the application: a broker, a binding, another instance. It protects
 * against the signer itself in no way.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { AssertionRefused } from '../../assertion/assertion-refused.ts'
import type { AssertionClaims, AssertionKeySet } from '../../assertion/assertion-claims.ts'
import { verifyAssertion, type AssertionKeySource } from '../../assertion/verify-assertion.ts'
import {
  foldName,
  headerValues,
  joinInternal,
  pathAfter,
  SignOnFailed,
} from '../../protocol/internal.ts'
import type { BackendRequest } from '../backend.ts'
import type { Preparation, SignOn } from './sign-on.ts'

/** Options of {@link assertionSignOn}. They are the connector's own: nothing of them is pulled. */
export interface AssertionSignOnOptions {
  /**
   * The keys of the service, from a file; or a function that finds one by name, for a file that is
   * read again.
   */
  readonly keys: AssertionKeySet | Exclude<AssertionKeySource, URL | AssertionKeySet>
  /** The service. Default: scheme, host and port of each application's external URL. */
  readonly issuer?: string | undefined
  /** How far clocks may be apart. Milliseconds, default 5 000. */
  readonly clockTolerance?: number | undefined
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly now?: (() => number) | undefined
}

/**
 * Lets only requests pass that carry an assertion: of the service, for this application, this
 * request, this exchange and its user.
 *
 *     const keys = JSON.parse(await readFile(path, 'utf8'))
 *     startConnector({ …, signOn: [assertionSignOn({ keys })] })
 */
export function assertionSignOn(options: AssertionSignOnOptions): SignOn {
  return { kind: 'assertion', prepare: (request) => checked(request, options) }
}

/** Nothing is added: what was checked is in the request. */
const UNCHANGED: Preparation = { reserved: [] }

async function checked(
  request: BackendRequest,
  options: AssertionSignOnOptions,
): Promise<Preparation> {
  const { application, method } = request
  const { origin } = new URL(application.externalUrl)
  const { issuer = origin, ...checks } = options
  const token = tokenOf(request)
  try {
    const claims = await verifyAssertion(token, {
      ...{ ...checks, issuer, audience: application.externalUrl },
      request: { method, url: origin + externalPath(request) },
    })
    if (!isOf(request, claims)) throw refused('it is of another exchange, or another user')
    return UNCHANGED
  } catch (error) {
    if (error instanceof AssertionRefused) throw refused(error.reason, error)
    throw error
  }
}

function tokenOf({ application, headers }: BackendRequest): string | undefined {
  const { kind: _, header, ...others } = application.signOn!
  if (typeof header !== 'string' || Object.keys(others).length > 0)
    throw new SignOnFailed('misconfigured', 'settings that are not understood')
  const name = header.toLowerCase()
  // An application may take another spelling for it: then there are two.
  const spellings = headers.filter((text, i) => i % 2 === 0 && foldName(text) === foldName(name))
  const [token, ...more] = headerValues(headers, name)
  if (more.length > 0 || spellings.length > 1) throw refused('there is more than one')
  return name === 'authorization' ? token?.replace(/^Bearer /, '') : token
}

/** The path as the user asked for it, without the query. */
function externalPath({ application, target }: BackendRequest): string {
  const [path] = target.split('?', 1)
  const [external, internal] = [application.externalUrl, application.internalUrl]
  const rest = pathAfter(new URL(internal).pathname, path!)
  return joinInternal(new URL(external).pathname, rest)
}

function isOf({ exchangeId, user }: BackendRequest, claims: AssertionClaims): boolean {
  const isSameUser = claims.sub === user?.subject && claims.sub_iss === user.issuer
  return isSameUser && claims.jti.startsWith(`${exchangeId}.`)
}

const refused = (detail: string, cause?: unknown) =>
  new SignOnFailed('assertion-refused', detail, { cause })
