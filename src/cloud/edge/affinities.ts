/**
 * Whose connections to an application a request goes on, where that knows its users by their
 * connections.
 *
 * A user's own connection names them, for as long as one session comes on it: another session, or
 * none any more, gets others. Where a proxy stands before this service its connections carry many
 * users, and only a session tells them apart.
 *
 * Only requests of such applications come here: for all others nothing is kept, and nothing drawn.
 *
 * @see spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import {
  bindingSchemes,
  FoldedNames,
  FORWARDING,
  handshakeAnswer,
  hexadecimal,
  isForwardingFamily,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Published } from '../directory/published.ts'
import type { Caller } from '../identity/caller.ts'
import type { Origin } from '../offers/origin.ts'
import type { ClientAddresses } from '../policy/client-address.ts'
import type { UserConnection, UserExchange } from '../request/user-exchange.ts'

/** Connections to one application that are one user's alone. */
export interface Affinity {
  /** 128 random bits, as 32 hexadecimal digits. */
  readonly id: string
  /** Several connections of the user share it: those of one session. */
  readonly isShared: boolean
  /** Who it is of: a session, somebody with a token, or nobody in particular. */
  readonly owner: string
  /** The schemes that the application asked for last. */
  schemes: readonly string[]
}

/** Sessions of which an affinity is kept; one that is forgotten begins with new connections. */
const MAX_SESSIONS = 10_000
/** What is asked for where nobody knows what the application would. */
const USUAL_SCHEMES: readonly string[] = ['Negotiate', 'NTLM']

export interface AffinitiesOptions {
  readonly crypto: CryptoProvider
  readonly origin: Pick<Origin, 'part'>
  readonly addresses: Pick<ClientAddresses, 'isProxy'>
}

export class Affinities {
  readonly #options: AffinitiesOptions
  /** By application, of each connection. */
  readonly #ofConnections = new WeakMap<UserConnection, Map<string, Affinity>>()
  /** By application and session id. */
  readonly #ofSessions = new BoundedCache<Affinity>(MAX_SESSIONS)

  constructor(options: AffinitiesOptions) {
    this.#options = options
  }

  /** Undefined: whoever asks cannot be told from others here, and is known by no connection. */
  of(user: UserExchange, application: Published, caller: Caller): Affinity | undefined {
    const { connection, head } = user
    const isProxied =
      this.#options.addresses.isProxy(head.remoteAddress) || showsProxy(head.headers)
    if (!isProxied && connection !== undefined)
      return this.#ofConnection(connection, application, ownerOf(caller))
    // Over HTTP/2 they are told to come by a connection of their own.
    const isOwn = !isProxied && head.httpVersion === '2'
    return isOwn || caller.id === undefined ? undefined : this.#ofSession(application, caller.id)
  }

  #ofConnection(connection: UserConnection, { destination }: Published, owner: string): Affinity {
    let known = this.#ofConnections.get(connection)
    if (known === undefined) {
      const own = (known = new Map<string, Affinity>())
      this.#ofConnections.set(connection, own)
      connection.once('close', () => {
        for (const [application, { id }] of own) this.#options.origin.part(application, id)
        own.clear()
      })
    }
    const before = known.get(destination.application)
    if (before?.owner === owner) return before
    if (before !== undefined) this.#options.origin.part(destination.application, before.id)
    const affinity = this.#drawn(owner, false)
    known.set(destination.application, affinity)
    return affinity
  }

  #ofSession({ destination }: Published, session: string): Affinity {
    const key = `${session} ${destination.application}`
    let affinity = this.#ofSessions.get(key)
    if (affinity === undefined) {
      affinity = this.#drawn(`session ${session}`, true)
      this.#ofSessions.set(key, affinity)
    }
    return affinity
  }

  #drawn(owner: string, isShared: boolean): Affinity {
    const id = hexadecimal(this.#options.crypto.getRandomValues(new Uint8Array(16)))
    return { id, isShared, owner, schemes: [] }
  }
}

/** Whether an answer asks for authentication that is bound to a connection. */
export function asksForConnection({ status, headers }: ResponseHead): boolean {
  const answer = handshakeAnswer(status, headers, 'none')
  return answer === 'challenged' || answer === 'goesOn'
}

/** Keeps what the application asks for, to ask for it in its place. */
export function heedChallenge(affinity: Affinity, { headers }: ResponseHead): void {
  affinity.schemes = bindingSchemes(headers)
}

/** The challenge of an application, as it makes it to those whom it does not know. */
export function challengeAgain({ schemes }: Affinity, headers: HeaderList): HeaderList {
  const shown = schemes.length > 0 ? schemes : bindingSchemes(headers)
  const asked = shown.length > 0 ? shown : USUAL_SCHEMES
  return asked.flatMap((scheme) => ['WWW-Authenticate', scheme])
}

const PROXIED = new FoldedNames([...FORWARDING, 'via'])

/** A proxy that nobody named, or somebody who imitates one. */
function showsProxy(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2)
    if (isForwardingFamily(headers[i]!) || PROXIED.has(headers[i]!)) return true
  return false
}

function ownerOf({ id, user }: Caller): string {
  if (id !== undefined) return `session ${id}`
  return user === undefined ? 'anybody' : `user ${user.issuer} ${user.subject}`
}
