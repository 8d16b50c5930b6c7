/**
 * Keys in files that only their owner may read, one file for each purpose. A new version is written
 * beside it, flushed, then renamed over it: a crash leaves the old one or the new one.
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
import type { KeptKey, KeyStore } from '../session/kept-keys.ts'
import type { KeyRingStore } from '../session/key-ring.ts'
import type { AssertionKeyStore } from '../sign-on/assertion-keys.ts'

const common = {
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/)),
  createdAt: v.number(),
}
/** 32 octets. */
const octets = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/))
const SealingKeys = v.array(v.object({ ...common, secret: octets }))
const AssertionKeys = v.array(v.object({ ...common, x: octets, y: octets, d: octets }))

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
  return keyFile({
    ...{ path, schema: SealingKeys, fault: 'is not a key ring' },
    read: ({ secret, ...key }) => ({
      ...key,
      secret: new Uint8Array(Buffer.from(secret, 'base64url')),
    }),
    write: ({ secret, ...key }) => ({ ...key, secret: Buffer.from(secret).toString('base64url') }),
  })
}

/**
 * An {@link AssertionKeyStore} in one file, as {@link keyRingFile} is one. The two are not the same
 * file.
 */
export function assertionKeyFile(path: string): AssertionKeyStore {
  return keyFile({
    ...{ path, schema: AssertionKeys, fault: 'is no file of assertion keys' },
    read: (key) => key,
    write: (key) => key,
  })
}

interface KeyFile<Key extends KeptKey, Written> {
  readonly path: string
  readonly schema: v.GenericSchema<unknown, Written[]>
  readonly fault: string
  read(written: Written): Key
  write(key: Key): Written
}

function keyFile<Key extends KeptKey, Written>(file: KeyFile<Key, Written>): KeyStore<Key> {
  const { path } = file
  return {
    load: () => load(file),
    save: (keys, before) =>
      withFileLocked(path, async () => {
        const kept = await load(file)
        if (kept.map(({ id }) => id).join() !== before.map(({ id }) => id).join()) return false
        await replacePrivateFile(path, JSON.stringify({ version: 1, keys: keys.map(file.write) }))
        return true
      }),
    watch: (changed) => watchFile(path, WATCH_MS, changed),
  }
}

async function load<Key extends KeptKey, Written>(
  file: KeyFile<Key, Written>,
): Promise<readonly Key[]> {
  const { path, schema, fault } = file
  const text = await readPrivateFile(path)
  if (text === undefined) return []
  const whole = v.object({ version: v.literal(1), keys: schema })
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), whole), text)
  // The issues would quote key material: they stay out of message and cause.
  if (!parsed.success) throw new ConfigurationInvalid(path, fault)
  return parsed.output.keys.map(file.read)
}
