/**
 * One-time codes that were used, in a bucket of NATS: of all instances one takes a code. Their
 * names are hashed; nothing else is said of them.
 *
 * @module
 */
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { Kvm, type KV } from '@nats-io/kv'
import type { SpentCodes } from '../session/spent-codes.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { unavailable } from './shared-log.ts'
import { hashedName, SUBJECT_ROOT } from './subjects.ts'

/** The longest that a code is good for. Fixed when the bucket is made. Milliseconds. */
const KEEP_MS = 60 * 60_000
const BUCKET = `${SUBJECT_ROOT}_codes`
const WRONG_LAST_SEQUENCE = 10_071
const NO_OCTETS = new Uint8Array()

class NatsSpentCodes implements SpentCodes {
  readonly #bucket: KV
  readonly #options: NatsEngineOptions

  constructor(bucket: KV, options: NatsEngineOptions) {
    this.#bucket = bucket
    this.#options = options
  }

  /** @throws Refused `unavailable` while the broker cannot be asked: the code may have been used */
  async spend(id: string, until: number): Promise<boolean> {
    const { connection } = this.#options
    const { wallClock } = connection.options.clocks
    if (until > wallClock() + KEEP_MS) throw unavailable('it is good for longer than is remembered')
    if (!connection.isConnected) throw unavailable('there is no connection')
    try {
      await connection.within(this.#bucket.create(`c.${hashedName(id)}`, NO_OCTETS))
      return true
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE) return false
      throw unavailable('the broker did not do it', error)
    }
  }
}

/**
 * Opens the codes, and makes their bucket if there is none.
 *
 * @throws PortFailed `nats` when the broker cannot be asked
 */
export async function openNatsSpentCodes(options: NatsEngineOptions): Promise<SpentCodes> {
  const { connection } = options
  const timeout = connection.options.answerMs
  const manager = await jetstreamManager(connection.client, { timeout })
  const bucket = await new Kvm(manager.jetstream()).create(BUCKET, {
    ...{ history: 1, ttl: KEEP_MS, allow_direct: false },
  })
  return new NatsSpentCodes(bucket, options)
}
