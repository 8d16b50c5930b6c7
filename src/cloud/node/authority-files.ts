/**
 * Keeps an authority's root in a file: readable by its owner alone, written at once or not at all.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { AuthorityStore, StoredAuthority } from '../authority/authority-root.ts'
import { sameOctets } from '../../runtime/der.ts'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import {
  createPrivateFile,
  readPrivateFile,
  replacePrivateFile,
  watchFile,
  withFileLocked,
} from '../../runtime/node/private-files.ts'

/** How often it is looked whether the file is another. Milliseconds. */
const WATCH_MS = 250
/** Stands between a root and the one before it: text between blocks of PEM is for people. */
const LEAVING = /^app-proxy: leaves at ([^\s,]+)[^\n]*$/m

/**
 * A store for `createCertificateAuthority` and `createServerAuthority`: one PEM file with key
 * (PKCS#8) and certificate, mode 0600, in a directory of mode 0700. Of two processes that start at
 * once, one makes the root and both use it. While the authority is rolled it holds the next root
 * and, behind it, the one before; who replaces it is followed within a second.
 *
 * @param path for example `<state>/connector-authority.pem`
 * @throws ConfigurationInvalid (from `load`) as {@link readPrivateFile}, or when it holds something
 *   else
 */
export function authorityFile(path: string): AuthorityStore {
  const load = async (): Promise<StoredAuthority | undefined> => {
    const pem = await readPrivateFile(path)
    return pem === undefined ? undefined : parse(path, pem)
  }
  return {
    load,
    save: async (authority) => void (await createPrivateFile(path, format(authority))),
    replace: (authority, before) =>
      withFileLocked(path, async () => {
        const stored = await load()
        if (stored === undefined || !sameOctets(stored.certificate, before)) return false
        await replacePrivateFile(path, format(authority))
        return true
      }),
    watch: (changed) => watchFile(path, WATCH_MS, changed),
  }
}

type Root = Pick<StoredAuthority, 'key' | 'certificate'>

function format({ leaving, ...root }: StoredAuthority): string {
  if (leaving === undefined) return formatRoot(root)
  const time = new Date(leaving.leavesAt).toISOString()
  const line = `app-proxy: leaves at ${time}, and is trusted until the roll is finished`
  return `${formatRoot(root)}${line}\n${formatRoot(leaving)}`
}

function formatRoot({ key, certificate }: Root): string {
  const privateKey = createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' })
  return `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${new X509Certificate(certificate)}`
}

function parse(path: string, pem: string): StoredAuthority {
  const [root = '', time, leaving] = pem.split(LEAVING, 3)
  if (leaving === undefined) return parseRoot(path, root)
  const leavesAt = Date.parse(time!)
  if (Number.isNaN(leavesAt))
    throw new ConfigurationInvalid(path, 'does not say when the root before leaves')
  return { ...parseRoot(path, root), leaving: { ...parseRoot(path, leaving), leavesAt } }
}

function parseRoot(path: string, pem: string): Root {
  // Of two the second would be overlooked: a line between them was lost.
  if (pem.split('PRIVATE KEY-----').length > 3)
    throw new ConfigurationInvalid(path, 'holds more than one key, and does not say which leaves')
  try {
    return {
      key: createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
      certificate: new X509Certificate(pem).raw,
    }
  } catch (cause) {
    throw new ConfigurationInvalid(path, 'is not a key and a certificate in PEM', { cause })
  }
}
