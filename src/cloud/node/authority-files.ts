/**
 * Keeps an authority's root in a file: readable by its owner alone, written at once or not at all.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { AuthorityStore, StoredAuthority } from '../authority/authority-root.ts'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { createPrivateFile, readPrivateFile } from '../../runtime/node/private-files.ts'

/**
 * A store for `createCertificateAuthority` and `createServerAuthority`: one PEM file with key
 * (PKCS#8) and certificate, mode 0600, in a directory of mode 0700. Of two processes that start at
 * once, one makes the root and both use it.
 *
 * @param path for example `<state>/connector-authority.pem`
 * @throws ConfigurationInvalid (from `load`) as {@link readPrivateFile}, or when it holds something
 *   else
 */
export function authorityFile(path: string): AuthorityStore {
  return {
    async load() {
      const pem = await readPrivateFile(path)
      return pem === undefined ? undefined : parse(path, pem)
    },
    save: async (authority) => void (await createPrivateFile(path, format(authority))),
  }
}

function format({ key, certificate }: StoredAuthority): string {
  const privateKey = createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' })
  return `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${new X509Certificate(certificate)}`
}

function parse(path: string, pem: string): StoredAuthority {
  try {
    return {
      key: createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
      certificate: new X509Certificate(pem).raw,
    }
  } catch (cause) {
    throw new ConfigurationInvalid(path, 'is not a key and a certificate in PEM', { cause })
  }
}
