/**
 * Keeps an authority's root in a file: readable by its owner alone, written at once or not at all.
 *
 * @module
 */
import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AuthorityStore, StoredAuthority } from '../authority/authority-root.ts'
import { ConfigurationInvalid } from '../../protocol/index.ts'

/**
 * A store for `createCertificateAuthority` and `createServerAuthority`: one PEM file with key (PKCS#8) and certificate, mode
 * 0600, in a directory of mode 0700. Of two processes that start at once, one makes the root and both use it.
 *
 * @param path for example `<state>/connector-authority.pem`
 * @throws ConfigurationInvalid (from `load`) when others than the owner may read the file, or it holds something else
 */
export function authorityFile(path: string): AuthorityStore {
  return {
    async load() {
      const pem = await readPrivate(path)
      return pem === undefined ? undefined : parse(path, pem)
    },
    save: (authority) => writeOnce(path, format(authority)),
  }
}

async function readPrivate(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new ConfigurationInvalid('authority', `${path} must be readable by its owner alone`)
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Complete and on disk under its name, or not there; never replaces what is there. */
async function writeOnce(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = join(dirname(path), `.${randomUUID()}`)
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
  await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
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
    throw new ConfigurationInvalid('authority', `${path} is not a key and a certificate in PEM`, {
      cause,
    })
  }
}
