/**
 * What a connector says of itself on a port of its own, from before it is registered until it has
 * ended.
 */
import {
  ConnectorFigures,
  Health,
  createHealthListener,
  type HealthOptions,
  type RunningConnector,
} from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readPort } from '../program/flags.ts'
import { openHealth } from '../program/health.ts'
import { ownVersion } from '../program/version.ts'

/** The two options, as they were given. */
export interface HealthGiven {
  readonly 'health-port'?: string | undefined
  readonly 'health-host'?: string | undefined
}

/**
 * Where it is to be told; `undefined`: nowhere.
 *
 * @throws ConfigurationInvalid
 */
export function healthSettings({ 'health-port': port, 'health-host': host }: HealthGiven) {
  if (port !== undefined)
    return { port: readPort(port, '--health-port'), host: host ?? '127.0.0.1', at: '--health-' }
  if (host !== undefined)
    throw new ConfigurationInvalid('--health-host', 'means nothing without --health-port')
  return undefined
}

export class ConnectorHealth {
  readonly #given: HealthGiven
  readonly #figures = new ConnectorFigures()
  #of: HealthOptions | undefined
  readonly #health = new Health({
    checks: () => this.#of?.checks() ?? [{ name: 'registration', isGood: false }],
    figures: (isReady) => this.#of?.figures(isReady) ?? '',
  })

  constructor(given: HealthGiven) {
    this.#given = given
  }

  /** Nothing is counted where nobody is told. */
  get observer() {
    return this.#given['health-port'] === undefined ? undefined : this.#figures.observer
  }

  /**
   * Resolves with its URL; `undefined`: nobody is to be told.
   *
   * @throws ConfigurationInvalid
   */
  async open(closing: (() => unknown)[]): Promise<string | undefined> {
    const settings = healthSettings(this.#given)
    return settings && openHealth(createHealthListener(this.#health), settings, closing)
  }

  /** From now on it is ready where the connector is. */
  watch(connector: RunningConnector): void {
    this.#of = this.#figures.of(connector, { version: ownVersion() })
  }

  /** Before it takes nothing new. */
  drain(): void {
    this.#health.drain()
  }
}
