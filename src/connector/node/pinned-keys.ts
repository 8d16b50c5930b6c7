/**
 * The keys that a connector verifies assertions with, as its own file names them.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { stat } from 'node:fs/promises'
import * as v from 'valibot'
import type { AssertionKeySet } from '../../assertion/assertion-claims.ts'
import { PublicKeys, readKeySet } from '../../assertion/public-keys.ts'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { readPlainFile } from '../../runtime/node/plain-file.ts'

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))

/** Where they are, and who signs with them. */
export const PinnedAssertions = v.strictObject({ keysFile: text, issuer: v.exactOptional(text) })

/** As much of it as its schema takes. */
export type PinnedAssertionsPart = Partial<v.InferOutput<typeof PinnedAssertions>> | undefined

/** For `assertionSignOn`. */
export interface PinnedKeys {
  readonly keys: AssertionKeySet
  /** The service. Undefined: scheme, host and port of each application's external URL. */
  readonly issuer: string | undefined
}

/** Nobody's. */
const NONE: AssertionKeySet = { keys: [] }
const EVERYBODY_WRITES = 2
/** A set that is published is far shorter. */
const MAX_OCTETS = 65_536

/**
 * Reads the file; tells what is wrong with it. Undefined: none is named.
 *
 * @param before what was read last: keys that did not change stay the same object
 */
export async function readPinnedKeys(
  part: PinnedAssertionsPart,
  toPath: (name: string) => string,
  before: PinnedKeys | undefined,
  tell: TellMistake,
): Promise<PinnedKeys | undefined> {
  if (part === undefined) return undefined
  const { keysFile, issuer } = part
  let keys = NONE
  try {
    if (keysFile !== undefined) keys = await readKeys(toPath(keysFile))
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    tell('assertions.keysFile', error.mistakes[0]!.detail)
  }
  const isSame = before !== undefined && JSON.stringify(before.keys) === JSON.stringify(keys)
  return { keys: isSame ? before.keys : keys, issuer }
}

async function readKeys(file: string): Promise<AssertionKeySet> {
  const octets = await readPlainFile(file)
  if (process.platform !== 'win32' && ((await stat(file)).mode & EVERYBODY_WRITES) !== 0)
    throw new ConfigurationInvalid(file, 'says who is trusted, and anybody may write it: chmod o-w')
  const set = octets.length > MAX_OCTETS ? undefined : readKeySet(octets.toString('utf8'))
  if (set === undefined)
    throw new ConfigurationInvalid(file, 'holds no set of keys: it is the one that the cloud wrote')
  if (set.keys.some((key) => typeof key === 'object' && key !== null && 'd' in key))
    throw new ConfigurationInvalid(
      file,
      'holds private keys, which belong to the cloud alone: give it the public ones',
    )
  if (new PublicKeys(set).size === 0)
    throw new ConfigurationInvalid(file, 'holds no key of P-256 that has a name')
  return set
}
