/**
 * Which certificate a user's connection is shown, by the server name that it asks for; and whether
 * what is asked on it is what that certificate is for.
 *
 * @see docs/publishing.md; RFC 6066, section 3; RFC 9110, section 7.4
 * @module
 */
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { canonicalHost } from '../../protocol/internal.ts'
import { serverCredentials, type ServerCredentials } from '../../runtime/node/server-credentials.ts'

/**
 * The key and the certificate for a server name, lower case, as SNI has it. `undefined`: none, and
 * the listener's `tls` is shown, or the handshake fails where there is no `tls`. The same object
 * for the same certificate: it is read once. Whatever it throws, or rejects with, ends that
 * handshake.
 */
export type CertificateFor = (
  serverName: string,
) => ServerCredentials | undefined | Promise<ServerCredentials | undefined>

/** What an https server is given to ask for certificates. */
export function certificateCallback(certificateFor: CertificateFor) {
  const contexts = new WeakMap<ServerCredentials, SecureContext>()
  const contextFor = async (serverName: string): Promise<SecureContext | undefined> => {
    const credentials = await certificateFor(serverName.toLowerCase())
    if (credentials === undefined) return undefined
    let context = contexts.get(credentials)
    if (context === undefined) {
      const { key, cert } = serverCredentials(credentials, 'certificates')
      context = createSecureContext({ key, cert, minVersion: 'TLSv1.2' })
      contexts.set(credentials, context)
    }
    return context
  }
  return (
    serverName: string,
    done: (error: Error | null, context?: SecureContext) => void,
  ): void => {
    contextFor(serverName).then(
      (context) => done(null, context),
      (error: unknown) => done(error instanceof Error ? error : new Error('no certificate')),
    )
  }
}

/** Hosts that were found to be covered on a connection, as they were written. */
const COVERED = Symbol('covered')
const MAX_COVERED = 64

/** A connection whose certificate was chosen by name. */
interface Named {
  [COVERED]?: Set<string>
}

/** As browsers read certificates. */
const BY_NAME = { subject: 'never', partialWildcards: false } as const

/** From now on what is asked on this connection has to be what its certificate is for. */
export function heedServerName(socket: TLSSocket): void {
  // Whoever asked for no name was shown what is shown to everybody.
  if (typeof socket.servername === 'string' && socket.servername !== '')
    (socket as Named)[COVERED] = new Set()
}

/**
 * Whether a request is for a host that the certificate of its connection does not cover. Browsers
 * use a connection for every host that its certificate names; another one was meant.
 */
export function isMisdirected(socket: object, authority: string): boolean {
  const hosts = (socket as Named)[COVERED]
  if (hosts === undefined || hosts.has(authority)) return false
  const host = canonicalHost(authority)?.replace(/:\d+$/, '')
  const certificate = (socket as TLSSocket).getX509Certificate()
  const isCovered = host !== undefined && certificate?.checkHost(host, BY_NAME) !== undefined
  if (!isCovered) return true
  if (hosts.size >= MAX_COVERED) hosts.clear()
  hosts.add(authority)
  return false
}
