/**
 * Where the keys of assertions are published: for anybody, on each host with an application that is
 * told by them, and on the service's own.
 *
 * @module
 */
import { ASSERTION_KEYS_PATH } from '../../assertion/assertion-claims.ts'
import { canonicalHost } from '../../protocol/internal.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import { KEYS_MAX_AGE_MS } from './assertion-keys.ts'
import type { Assertions } from './assertions.ts'

export function assertionKeyPaths(assertions: Assertions): OwnPathTable {
  const serve = (call: OwnCall): Promise<void> | void => {
    const { request, applications } = call
    const isHere =
      isServiceHost(assertions, request.user.head.authority) ||
      applications.some(({ signOn }) => signOn?.kind === 'assertion')
    return isHere ? serveKeys(assertions, request) : nothingHere(call)
  }
  return { [ASSERTION_KEYS_PATH]: { GET: serve, HEAD: serve } }
}

/** Whether a host that publishes nothing is the service's own. */
export function isServiceHost({ serviceHost }: Assertions, authority: string): boolean {
  return serviceHost !== undefined && canonicalHost(authority) === serviceHost
}

export async function serveKeys(assertions: Assertions, request: EdgeRequest): Promise<void> {
  request.json(await assertions.publicKeys(), KEYS_MAX_AGE_MS / 1000)
}
