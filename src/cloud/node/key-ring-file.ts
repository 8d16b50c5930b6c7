/**
 * The key ring in a file that only its owner may read. A new version is written beside it, flushed,
 * then renamed over it: a crash leaves the old one or the new one.
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import {
  readPrivateFile,
  replacePrivateFile,
  watchFile,
  withFileLocked,
} from '../../runtime/node/private-files.ts'
import type { KeyRingStore, SealingKey } from '../session/key-ring.ts'

const KeyRingFile = v.object({
  version: v.literal(1),
  keys: v.array(
    v.object({
      id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/)),
      secret: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
      createdAt: v.number(),
    }),
  ),
})

/** How often it is looked whether the file is another. Milliseconds. */
const WATCH_MS = 250

/**
 * A {@link KeyRingStore} in one file, mode 0600; missing directories are made with 0700. Processes
 * may share it: what one writes the others take up within a second, and of two that rotate at once
 * the second keeps the key of the first.
 *
 * @throws ConfigurationInvalid (from `load`) as {@link readPrivateFile}, or when it holds something
 *   else
 */
export function keyRingFile(path: string): KeyRingStore {
  return {
    load: () => load(path),
    save: (keys, before) =>
      withFileLocked(path, async () => {
        const kept = await load(path)
        if (kept.map(({ id }) => id).join() !== before.map(({ id }) => id).join()) return false
        await save(path, keys)
        return true
      }),
    watch: (changed) => watchFile(path, WATCH_MS, changed),
  }
}

async function load(path: string): Promise<readonly SealingKey[]> {
  const text = await readPrivateFile(path)
  if (text === undefined) return []
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), KeyRingFile), text)
  // The issues would quote key material: they stay out of message and cause.
  if (!parsed.success) throw new ConfigurationInvalid(path, 'is not a key ring')
  return parsed.output.keys.map(({ id, secret, createdAt }) => ({
    id,
    secret: new Uint8Array(Buffer.from(secret, 'base64url')),
    createdAt,
  }))
}

async function save(path: string, keys: readonly SealingKey[]): Promise<void> {
  const text = JSON.stringify({
    version: 1,
    keys: keys.map(({ id, secret, createdAt }) => ({
      id,
      secret: Buffer.from(secret).toString('base64url'),
      createdAt,
    })),
  })
  await replacePrivateFile(path, text)
}
