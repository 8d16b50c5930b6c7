import { hexadecimal } from '../../protocol/wire/octets.ts'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { Identities } from '../identity.ts'
import { FileIdentityStore } from './file-identity-store.ts'

/** Options of {@link connectorKeyThumbprint}. */
export interface KeyThumbprintOptions {
  /** That of the connector that is to be registered. */
  readonly stateDirectory: string
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
}

/**
 * SHA-256, 64 hexadecimal digits, of the public key that a connector will register with: an
 * enrolment ticket that is bound to it (`keyThumbprint`) is of no use to whoever else reads it. The
 * key is made, and stays in `stateDirectory`, if there is none yet.
 *
 * @throws ConfigurationInvalid when the connector is registered already, or the directory is not
 *   private
 */
export async function connectorKeyThumbprint(options: KeyThumbprintOptions): Promise<string> {
  const { stateDirectory: directory, crypto = globalThis.crypto } = options
  const identities = await Identities.open(new FileIdentityStore({ directory, crypto }), crypto)
  if (identities.current !== undefined)
    throw new ConfigurationInvalid('stateDirectory', 'the connector is registered already')
  const { publicKey } = await identities.preparePendingKey()
  const spki = await crypto.subtle.exportKey('spki', publicKey)
  return hexadecimal(new Uint8Array(await crypto.subtle.digest('SHA-256', spki)))
}
