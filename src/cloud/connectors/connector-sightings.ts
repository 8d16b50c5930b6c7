/**
 * Where connectors were last seen on this instance: for whoever operates them. Nothing goes by it.
 *
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'

/** What is known of a connector's last call. */
export interface Sighting {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The IP address that it called from. */
  readonly address?: string | undefined
  /** What it says that it runs, where it has. */
  readonly version?: string | undefined
}

/** Of so many connectors it is remembered. */
const REMEMBERED = 50_000
/** What a connector says of itself is kept so far. Characters. */
const LONGEST = 64

export class ConnectorSightings {
  readonly #last = new BoundedCache<Sighting>(REMEMBERED)

  /** It has called, and says what it runs, if it does. */
  saw(connectorId: string, at: number, address: string | undefined, version?: string): void {
    const known = version?.slice(0, LONGEST) ?? this.#last.get(connectorId)?.version
    this.#last.set(connectorId, { at, address, version: known })
  }

  of(connectorId: string): Sighting | undefined {
    return this.#last.get(connectorId)
  }
}
