/**
 * Where a user comes from, when reverse proxies stand in front of the user listener.
 *
 * Nothing that a request says of its origin is believed, except from a peer the operator named, and
 * of that only the part that the named proxies wrote themselves: entries are read from the right,
 * and the first that no trusted proxy vouches for is the user. Only one header is read, the one
 * those proxies write: a user can send the other, and nobody on the way would notice.
 *
 * @see RFC 7239; spec/PROTOCOL.md, "The user's address"
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { headerValues, type HeaderList } from '../../protocol/internal.ts'
import { networksOf } from '../rules/conditions.ts'
import { canonicalAddress, isInside, parseAddress, type Network } from '../rules/network.ts'

/** Options of {@link ClientAddresses}. */
export interface TrustedProxies {
  /**
   * Networks, as `address/prefix-length`, of the proxies that reach the user listener, and of those
   * before them.
   */
  readonly networks: readonly string[]
  /** The header in which each of them adds its peer. Default `x-forwarded-for`. */
  readonly header?: 'x-forwarded-for' | 'forwarded' | undefined
}

/** What is known of an address when a trusted proxy does not tell it: RFC 7239's word. */
export const UNKNOWN_ADDRESS = 'unknown'

/** Peers remembered, trusted or not. */
const MAX_PEERS = 1024

export class ClientAddresses {
  readonly #networks: readonly Network[]
  readonly #header: 'x-forwarded-for' | 'forwarded'
  /**
   * Peer as it was told → its address and whether it is a proxy: connections last for many
   * requests.
   */
  readonly #peers = new BoundedCache<Peer>(MAX_PEERS)

  /** @throws ConfigurationInvalid when a network is none */
  constructor({ networks, header = 'x-forwarded-for' }: TrustedProxies = { networks: [] }) {
    this.#networks = networksOf(networks, 'trustedProxies.networks')
    this.#header = header
  }

  /**
   * The user's address, in canonical form; {@link UNKNOWN_ADDRESS} when a trusted proxy does not
   * say. `remoteAddress`: the peer of the connection.
   */
  of(remoteAddress: string, headers: HeaderList): string {
    const peer = this.#peers.get(remoteAddress) ?? this.#meet(remoteAddress)
    return peer.isTrusted ? this.#behind(headers) : peer.address
  }

  /** Whether the peer of a connection is a proxy that was named. */
  isProxy(remoteAddress: string): boolean {
    return (this.#peers.get(remoteAddress) ?? this.#meet(remoteAddress)).isTrusted
  }

  #meet(remoteAddress: string): Peer {
    const peer = {
      address: canonicalAddress(remoteAddress) ?? UNKNOWN_ADDRESS,
      isTrusted: this.#isTrusted(remoteAddress),
    }
    this.#peers.set(remoteAddress, peer)
    return peer
  }

  /**
   * The address is unknown when a trusted proxy does not tell it. The proxy's own address would put
   * every user into its network.
   */
  #behind(headers: HeaderList): string {
    const list = headerValues(headers, this.#header).join(',')
    const entries = this.#header === 'forwarded' ? forwardedFor(list) : list.split(',')
    if (entries === undefined) return UNKNOWN_ADDRESS
    let address = UNKNOWN_ADDRESS
    for (const entry of entries.reverse()) {
      const text = entry.trim()
      // An empty element of a list says nothing (RFC 9110 §5.6.1).
      if (text === '') continue
      address = nodeAddress(text) ?? UNKNOWN_ADDRESS
      if (!this.#isTrusted(address)) return address
    }
    return address
  }

  #isTrusted(text: string): boolean {
    const address = parseAddress(text)
    return address !== undefined && isInside(address, this.#networks)
  }
}

/**
 * The user's address; for one request. @see ClientAddresses, which remembers the peers it met
 *
 * @throws ConfigurationInvalid when a network is none
 */
export function clientAddress(
  remoteAddress: string,
  headers: HeaderList,
  trustedProxies: TrustedProxies,
): string {
  return new ClientAddresses(trustedProxies).of(remoteAddress, headers)
}

interface Peer {
  readonly address: string
  readonly isTrusted: boolean
}

/**
 * An address as proxies write it: bare, or with a port, which is dropped; IPv6 then in brackets.
 */
function nodeAddress(text: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)
  if (bracketed !== null)
    return bracketed[1]!.includes(':') ? canonicalAddress(bracketed[1]!) : undefined
  return canonicalAddress(/^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text)
}

const PAIR = /[ \t]*([!#$%&'*+.^_`|~\w-]+)=(?:([!#$%&'*+.^_`|~\w-]+)|"((?:[^"\\]|\\.)*)")[ \t]*/y

/**
 * The `for` of each element of `Forwarded`, `unknown` where there is none. `undefined`: the field
 * does not follow RFC 7239, so a user's part cannot be told from a proxy's.
 */
function forwardedFor(field: string): string[] | undefined {
  const nodes: string[] = []
  let node: string | undefined
  let isEmpty = true
  for (let at = 0; at <= field.length;) {
    PAIR.lastIndex = at
    const pair = PAIR.exec(field)
    if (pair !== null) {
      at = PAIR.lastIndex
      isEmpty = false
      if (pair[1]!.toLowerCase() === 'for') {
        if (node !== undefined) return undefined
        node = pair[2] ?? pair[3]!.replace(/\\(.)/g, '$1')
      }
    } else while (field[at] === ' ' || field[at] === '\t') at += 1
    const end = field[at]
    if (end !== undefined && end !== ',' && end !== ';') return undefined
    if (end !== ';') {
      nodes.push(isEmpty ? '' : (node ?? UNKNOWN_ADDRESS))
      node = undefined
      isEmpty = true
    }
    at += 1
  }
  return nodes
}
