import type { TLSSocket } from 'node:tls'
import { mayServe, Refused, takesOffers } from '../../protocol/index.ts'
import type { Cloud } from '../cloud.ts'
import type { IdentifiedConnector } from '../connectors/connector-certificate.ts'
import type { Claimer } from '../offers/submission.ts'

/** Who is at the other end of each connection: its certificate is read once, and ends it. */
export class Callers {
  readonly #cloud: Cloud
  readonly #certificates = new WeakMap<TLSSocket, Uint8Array | undefined>()
  readonly #ending = new WeakSet<TLSSocket>()
  #changes = 0

  constructor(cloud: Cloud) {
    this.#cloud = cloud
  }

  /** @throws Refused as {@link ConnectorCertificates.identify} does */
  async identify(socket: TLSSocket): Promise<IdentifiedConnector> {
    const { certificates, clocks } = this.#cloud
    const before = this.#changes
    const caller = await certificates.identify(this.#certificate(socket), clocks.wallClock())
    // Whoever was cut while the registry was asked had nothing yet to cut: look again.
    if (before !== this.#changes) return this.identify(socket)
    this.#endAt(socket, caller.certificate.expiresAt - clocks.wallClock())
    return caller
  }

  /** A connector's standing is another than it was. */
  changed(): void {
    this.#changes += 1
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
