/**
 * Keys that all instances of a cloud share, in NATS: sealed under the deployment's keys, and only
 * as they are now.
 *
 * @module
 */
import { Containment } from '../../runtime/containment.ts'
import type { KeptKey, KeyStore } from '../session/kept-keys.ts'
import type { KeyRingStore, SealingKey } from '../session/key-ring.ts'
import type { AssertionKey, AssertionKeyStore } from '../sign-on/assertion-keys.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { SharedLog } from './shared-log.ts'

/** A {@link KeyRingStore}: what one instance rotates seals on the others in milliseconds. */
export function openNatsKeyRing(
  options: NatsEngineOptions,
): Promise<KeyRingStore & { close(): void }> {
  return openKeys<SealingKey>('key-ring', options)
}

/** An {@link AssertionKeyStore}, as {@link openNatsKeyRing} is one. */
export function openNatsAssertionKeys(
  options: NatsEngineOptions,
): Promise<AssertionKeyStore & { close(): void }> {
  return openKeys<AssertionKey>('assertion-keys', options)
}

async function openKeys<Key extends KeptKey>(
  name: string,
  { connection, deploymentKeys, onError }: NatsEngineOptions,
): Promise<KeyStore<Key> & { close(): void }> {
  let kept: readonly Key[] = []
  const listeners = new Set<() => void>()
  const log = await SharedLog.open<readonly Key[]>(connection, {
    ...{ name, keys: deploymentKeys, keepEntries: 1 },
    apply: (keys) => {
      kept = keys
      for (const listener of listeners) listener()
    },
  })
  const idsOf = (keys: readonly Key[]) => keys.map(({ id }) => id).join()
  return {
    load: () => Promise.resolve(kept),
    save: (keys, before) =>
      log.append(() => {
        const isFirst = idsOf(kept) === idsOf(before)
        return { result: isFirst, ...(isFirst && { entry: keys }) }
      }),
    watch: (changed) => {
      const listener = new Containment(onError).notify(`${name}.watch`, changed)
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => log.close(),
  }
}
