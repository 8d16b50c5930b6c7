import type { TLSSocket } from 'node:tls'
import { mayServe, Refused, takesOffers } from '../../protocol/internal.ts'
import type { Cloud } from '../cloud.ts'
import type { IdentifiedConnector } from '../connectors/connector-certificate.ts'
import { answerOn } from '../../runtime/node/request-turns.ts'
import type { Claimer } from '../offers/submission.ts'

/**
 * For how long a connection's caller is taken for the one that it was: as long as a change that
 * nobody tells of may stay unseen. Milliseconds.
 */
const REMEMBERED_MS = 250

/** Who called on a connection, and when that was looked up. */
interface Known {
  readonly caller: IdentifiedConnector
  readonly at: number
  readonly changes: number
}

/** Who is at the other end of each connection: its certificate is read once, and ends it. */
export class Callers {
  readonly #cloud: Cloud
  readonly #certificates = new WeakMap<TLSSocket, Uint8Array | undefined>()
  readonly #known = new WeakMap<TLSSocket, Known>()
  readonly #held = new WeakSet<TLSSocket>()
  readonly #linked = new WeakSet<TLSSocket>()
  readonly #ending = new WeakSet<TLSSocket>()
  #changes = 0

  constructor(cloud: Cloud) {
    this.#cloud = cloud
  }

  /**
   * @param version what the caller says that it runs
   * @throws Refused as {@link ConnectorCertificates.identify} does
   */
  async identify(socket: TLSSocket, version?: string): Promise<IdentifiedConnector> {
    const { alarms, certificates, clocks, sightings } = this.#cloud
    const before = this.#changes
    const caller = await certificates.identify(this.#certificate(socket), clocks.wallClock())
    // Whoever was cut while the registry was asked had nothing yet to cut: look again.
    if (before !== this.#changes) return this.identify(socket, version)
    const at = clocks.wallClock()
    this.#hold(socket, caller.authorityKeyId)
    sightings.saw(caller.connector.id, at, socket.remoteAddress, version)
    alarms.called(caller.connector, socket.remoteAddress)
    this.#endAt(socket, caller.certificate.expiresAt - at)
    this.#known.set(socket, { caller, at, changes: before })
    return caller
  }

  /**
   * Whom {@link Callers.identify} found a moment ago, if that still holds; else ask it again. Of a
   * hundred calls on a connection one looks into the registry.
   */
  recent(socket: TLSSocket): IdentifiedConnector | undefined {
    const known = this.#known.get(socket)
    if (known === undefined || known.changes !== this.#changes) return undefined
    const now = this.#cloud.clocks.wallClock()
    const isRecent = now >= known.at && now < known.at + REMEMBERED_MS
    return isRecent && now < known.caller.certificate.expiresAt ? known.caller : undefined
  }

  /** A connection is a link from now on. */
  linked(socket: TLSSocket): void {
    this.#linked.add(socket)
  }

  /** A connector's standing is another than it was. */
  changed(): void {
    this.#changes += 1
  }

  #hold(socket: TLSSocket, authorityKeyId: string): void {
    if (this.#held.has(socket)) return
    this.#held.add(socket)
    const { connections } = this.#cloud.certificates
    const isLinked = () => this.#linked.has(socket)
    const connection = {
      get isServing() {
        return isLinked() || answerOn(socket)?.writableEnded === false
      },
      destroy: () => void socket.destroy(),
    }
    connections.opened(connection, authorityKeyId)
    socket.once('close', () => connections.closed(connection))
    if (socket.destroyed) connections.closed(connection)
  }

  #certificate(socket: TLSSocket): Uint8Array | undefined {
    if (!this.#certificates.has(socket)) {
      this.#certificates.set(socket, socket.getPeerCertificate()?.raw as Uint8Array | undefined)
    }
    return this.#certificates.get(socket)
  }

  /** Breaks the connection when its certificate ends, whatever it carries then. */
  #endAt(socket: TLSSocket, leftMs: number): void {
    if (this.#ending.has(socket) || leftMs > 2 ** 31 - 1) return
    this.#ending.add(socket)
    const timer = setTimeout(() => socket.destroy(), Math.max(0, leftMs)).unref()
    socket.once('close', () => clearTimeout(timer))
  }
}

/** Only an active connector gets offers; a pending one waits for its approval. */
export function active(caller: IdentifiedConnector): Claimer {
  if (takesOffers(caller.connector.standing)) return claimerOf(caller)
  throw notNow(caller)
}

/** What was offered to a connector that drains since, it may still do. */
export function serving(caller: IdentifiedConnector): Claimer {
  if (mayServe(caller.connector.standing)) return claimerOf(caller)
  throw notNow(caller)
}

function claimerOf({ connector }: IdentifiedConnector): Claimer {
  return { tenantId: connector.tenantId, connectorId: connector.id, groupId: connector.groupId }
}

function notNow({ connector }: IdentifiedConnector): Refused {
  return new Refused('unavailable', `the connector is ${connector.standing}`, {
    retryAfterMs: 10_000,
  })
}
