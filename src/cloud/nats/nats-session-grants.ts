/**
 * Refresh tokens that all instances of a cloud share, in a bucket of NATS. They are sealed twice:
 * under the key ring, and under the deployment's keys. Names are hashed: the broker learns neither
 * sessions nor users.
 *
 * Keys: `s.<session>` is a grant; `l.<label>.<session>` says which grants bear a label.
 *
 * @module
 */
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { Kvm, type KV, type KvEntry } from '@nats-io/kv'
import { randomInt } from 'node:crypto'
import type { KeptGrant, SessionGrants, VersionedGrant } from '../session/session-grants.ts'
import { decodeEntry, encodeEntry } from './log-entries.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { unavailable } from './shared-log.ts'
import { hashedName, SUBJECT_ROOT } from './subjects.ts'

/** Options of {@link openNatsSessionGrants}. */
export interface NatsSessionGrantsOptions extends NatsEngineOptions {
  /**
   * The broker forgets what was not written for so long: as long as a session may last at most.
   * Fixed when the bucket is made. Milliseconds, default 25 hours.
   */
  readonly keepMs?: number | undefined
}

const KEEP_MS = 25 * 3_600_000
const BUCKET = `${SUBJECT_ROOT}_grants`
const WRONG_LAST_SEQUENCE = 10_071
/** Of instances that write one grant at once one is first; the others look again, so many times. */
const MOST_TRIES = 16
const NO_OCTETS = new Uint8Array()

interface Found {
  readonly grant: VersionedGrant
  readonly revision: number
}

/**
 * Nothing of it is kept in memory. While the broker cannot be asked every call is refused: sessions
 * go on with what they have, and are not renewed.
 */
export class NatsSessionGrants implements SessionGrants {
  readonly #bucket: KV
  readonly #options: NatsEngineOptions

  /** @internal */
  constructor(bucket: KV, options: NatsEngineOptions) {
    this.#bucket = bucket
    this.#options = options
  }

  async read(sessionId: string): Promise<VersionedGrant | undefined> {
    return (await this.#find(grantKey(sessionId)))?.grant
  }

  async write(sessionId: string, kept: KeptGrant, version?: number): Promise<number | undefined> {
    const key = grantKey(sessionId)
    // A label that leads nowhere does no harm; a grant without its labels would.
    for (const label of kept.labels) await this.#put(labelKey(label, key), NO_OCTETS)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = await this.#find(key)
      if (version !== undefined && found?.grant.version !== version) return undefined
      const next = randomInt(2 ** 47)
      if (await this.#replace(key, { kept, version: next }, found)) return next
    }
    throw unavailable('others were always first')
  }

  async endAt(sessionId: string, endsAt: number): Promise<void> {
    const key = grantKey(sessionId)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = await this.#find(key)
      if (found === undefined) return
      const { kept, version } = found.grant
      if (await this.#replace(key, { kept: { ...kept, endsAt }, version }, found)) return
    }
    throw unavailable('others were always first')
  }

  async remove(sessionId: string): Promise<void> {
    const key = grantKey(sessionId)
    const found = await this.#find(key)
    if (found !== undefined) await this.#remove(key, found)
  }

  async removeLabelled(label: string, startedUpTo: number): Promise<void> {
    const prefix = labelKey(label, '')
    const keys = await this.#asked(this.#bucket.keys(`${prefix}s.*`))
    const labelled: string[] = []
    await this.#asked(
      (async () => {
        for await (const key of keys) labelled.push(key.slice(prefix.length))
      })(),
    )
    for (const key of labelled) {
      const found = await this.#find(key)
      const isMeant = found?.grant.kept.labels.includes(label)
      if (isMeant && found!.grant.kept.startedAt <= startedUpTo) await this.#remove(key, found!)
    }
  }

  async #remove(key: string, { grant }: Found): Promise<void> {
    await this.#asked(this.#bucket.purge(key))
    for (const label of grant.kept.labels)
      await this.#asked(this.#bucket.purge(labelKey(label, key)))
  }

  async #find(key: string): Promise<Found | undefined> {
    const entry = await this.#asked<KvEntry | null>(this.#bucket.get(key))
    if (entry === null || entry.operation !== 'PUT') return undefined
    const { deploymentKeys } = this.#options
    const opened = deploymentKeys.open(`${BUCKET} ${key}`, entry.value)
    return { grant: decodeEntry(opened) as VersionedGrant, revision: entry.revision }
  }

  /** `false`: it is another than the one that was found. */
  async #replace(key: string, grant: VersionedGrant, found: Found | undefined): Promise<boolean> {
    const sealed = this.#options.deploymentKeys.seal(`${BUCKET} ${key}`, encodeEntry(grant))
    try {
      if (found === undefined) await this.#asked(this.#bucket.create(key, sealed))
      else await this.#asked(this.#bucket.update(key, sealed, found.revision))
      return true
    } catch (error) {
      if (isConflict((error as Error).cause)) return false
      throw error
    }
  }

  #put(key: string, value: Uint8Array): Promise<unknown> {
    return this.#asked(this.#bucket.put(key, value))
  }

  /** @throws Refused `unavailable`, whose cause is what the client said */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    const { connection } = this.#options
    answer.catch(() => undefined)
    if (!connection.isConnected) throw unavailable('there is no connection')
    try {
      return await connection.within(answer)
    } catch (error) {
      throw unavailable('the broker did not do it', error)
    }
  }
}

/**
 * Opens the grants, and makes their bucket if there is none.
 *
 * @throws PortFailed `nats` when the broker cannot be asked
 */
export async function openNatsSessionGrants(
  options: NatsSessionGrantsOptions,
): Promise<NatsSessionGrants> {
  const { connection, keepMs = KEEP_MS } = options
  const manager = await jetstreamManager(connection.client, {
    timeout: connection.options.answerMs,
  })
  const bucket = await new Kvm(manager.jetstream()).create(BUCKET, {
    ...{ history: 1, ttl: keepMs, allow_direct: false },
  })
  return new NatsSessionGrants(bucket, options)
}

const grantKey = (sessionId: string) => `s.${hashedName(sessionId)}`
const labelKey = (label: string, grant: string) => `l.${hashedName(label)}.${grant}`

function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE
}
