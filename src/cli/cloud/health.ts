/**
 * What a cloud says of itself on a port of its own, from before it is ready until it has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditSink, Cloud, CloudOptions } from 'app-proxy/cloud'
import {
  CloudFigures,
  Health,
  createHealthListener,
  type HealthOptions,
} from 'app-proxy/cloud/node'
import { openHealth } from '../program/health.ts'
import { ownVersion } from '../program/version.ts'
import type { CloudServerSettings } from './configuration.ts'

export class CloudHealth {
  readonly #figures = new CloudFigures()
  readonly #settings: Pick<CloudServerSettings, 'health' | 'directory'>
  #of: HealthOptions | undefined
  readonly #health = new Health({
    checks: () => this.#of?.checks() ?? [{ name: 'start', isGood: false, detail: 'not over' }],
    figures: (isReady) => this.#of?.figures(isReady) ?? '',
  })

  constructor(settings: Pick<CloudServerSettings, 'health' | 'directory'>) {
    this.#settings = settings
  }

  /** Resolves with its URL; `undefined`: nobody is to be told. */
  async open(file: string, closing: (() => unknown)[]): Promise<string | undefined> {
    const { health } = this.#settings
    if (health === undefined) return undefined
    return openHealth(
      createHealthListener(this.#health),
      { ...health, file, at: 'health.' },
      closing,
    )
  }

  /** What the cloud is made with. Nothing is counted where nobody is told. */
  get observed(): { readonly audit: readonly AuditSink[] } & Pick<CloudOptions, 'observer'> {
    if (this.#settings.health === undefined) return { audit: [] }
    return { observer: this.#figures.observer, audit: [this.#figures.audit] }
  }

  /** From now on it is ready where the cloud is. */
  watch(cloud: Cloud, isListening: () => boolean): void {
    const { health, directory } = this.#settings
    const required = health?.requireGroups ?? 'any'
    this.#of = this.#figures.of(cloud, {
      ...{ isListening, version: ownVersion() },
      requireGroups:
        typeof required === 'string'
          ? required
          : directory.groups
              .filter(({ id }) => required.includes(id))
              .map(({ id, tenantId }) => `${tenantId}/${id}`),
    })
  }

  /** Before anything is closed. Resolves when whoever asks has had the time to notice. */
  async drain(): Promise<void> {
    this.#health.drain()
    const { drainDelayMs = 0 } = this.#settings.health ?? {}
    if (drainDelayMs > 0) await sleep(drainDelayMs)
  }
}
