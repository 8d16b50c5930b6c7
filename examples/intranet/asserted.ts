/**
 * How the private site knows its user where it is told by signed assertions: it checks them itself.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import {
  ASSERTION_HEADER,
  assertionGuard,
  AssertionRefused,
  type AssertionClaims,
  type AssertionKeySet,
} from 'app-proxy/assertion'

/** Where assertions come from, and whom they must be for. */
export interface AssertedSite {
  /** Its external URL. */
  readonly audience: string
  /** The service that signs. */
  readonly issuer: string
  /** The service's public keys, in a file. */
  readonly keysFile: string
}

/** Whom an assertion names; or why it is not taken. */
export type Asserted = { readonly claims: AssertionClaims } | { readonly refused: string }

/** Resolves to undefined for a request that carries none. */
export type WhoIsAsserted = (request: IncomingMessage) => Promise<Asserted | undefined>

/** A site that is told by no assertions, and takes none. */
export const nobodyAsserted: WhoIsAsserted = () => Promise.resolve(undefined)

export function assertedSite({ keysFile, ...site }: AssertedSite): WhoIsAsserted {
  let known: AssertionKeySet = { keys: [] }
  const guard = assertionGuard({
    ...site,
    // A name that is not known is a new key, or none: the file says which.
    keys: async (kid) => {
      const named = () => known.keys.find((key) => key.kid === kid)
      if (named() === undefined)
        known = JSON.parse(await readFile(keysFile, 'utf8')) as AssertionKeySet
      return named()
    },
  })
  return async ({ method, url, headers }) => {
    if (headers[ASSERTION_HEADER.toLowerCase()] === undefined) return undefined
    try {
      const request = { method: method!, url: url! }
      return { claims: await guard({ ...request, header: (name) => headers[name] }) }
    } catch (error) {
      return { refused: error instanceof AssertionRefused ? error.reason : 'no keys' }
    }
  }
}
