/**
 * Certificates for users in a directory: pairs of files, chosen by server name, read again when
 * they change.
 *
 * @see docs/publishing.md
 * @module
 */
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { readPrivateFile } from '../../runtime/node/private-files.ts'
import { tlsCredentials, type ServerCredentials } from '../../runtime/node/server-credentials.ts'
import type { ShownCertificate } from '../stats.ts'

/** Options of {@link openCertificateDirectory}. */
export interface CertificateDirectoryOptions {
  /** Milliseconds between two looks at the files. Default 10 000. */
  readonly everyMs?: number
  /**
   * Told of a pair that cannot be used, each time its files change; what was read of it before
   * stays in use. Default: nobody is told.
   */
  readonly onMistake?: (mistake: ConfigurationInvalid) => void
  /** Where the ends of certificates are told: `cloud.shownCertificates`. Default: nowhere. */
  readonly shown?: Set<ShownCertificate>
}

/** Certificates in a directory. */
export interface CertificateDirectory {
  /** For `certificates` of `createUserListener`. */
  readonly certificateFor: (serverName: string) => ServerCredentials | undefined
  /** The names that certificates are there for, in alphabetical order. */
  readonly names: readonly string[]
  /** Looks at the files now. */
  reload(): Promise<void>
  /** Looks no more. */
  close(): void
}

/** A pair that was read. */
interface Pair {
  /** Says whether the files are the same. */
  readonly mark: string
  readonly credentials: ServerCredentials
  readonly names: readonly string[]
  readonly shown: ShownCertificate
}

/**
 * Opens a directory of pairs: `NAME.crt` or `NAME.pem` with a certificate and its chain, and
 * `NAME.key` with its private key, mode 0600. What a certificate is for is read in it (its DNS
 * names, `*.` for one label), never in the file's name; of two for one name, the one that ends
 * later is shown.
 *
 * @throws ConfigurationInvalid when the directory cannot be read, or a pair cannot be used
 */
export async function openCertificateDirectory(
  path: string,
  options: CertificateDirectoryOptions = {},
): Promise<CertificateDirectory> {
  const directory = new Directory(path, options)
  const [mistake] = await directory.look()
  if (mistake !== undefined) throw mistake
  directory.begin()
  return directory
}

class Directory implements CertificateDirectory {
  readonly #path: string
  readonly #options: CertificateDirectoryOptions
  /** By the name of its files. */
  #pairs = new Map<string, Pair>()
  /** By the marks of the files: what was wrong with them, which is told once. */
  #wrong = new Map<string, string>()
  /** By a server name that its certificate covers. */
  #byName = new Map<string, Pair>()
  #looking: Promise<unknown> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(path: string, options: CertificateDirectoryOptions) {
    this.#path = path
    this.#options = options
  }

  readonly certificateFor = (serverName: string): ServerCredentials | undefined => {
    const exact = this.#byName.get(serverName)
    if (exact !== undefined) return exact.credentials
    const dot = serverName.indexOf('.')
    return dot === -1 ? undefined : this.#byName.get(`*${serverName.slice(dot)}`)?.credentials
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()].sort()
  }

  begin(): void {
    const { everyMs = 10_000 } = this.#options
    this.#timer = setInterval(() => void this.reload(), everyMs).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    for (const { shown } of this.#pairs.values()) this.#options.shown?.delete(shown)
  }

  async reload(): Promise<void> {
    // Of two looks at once the second sees what the first did not.
    await this.#looking
    const looking = this.look().catch((error: unknown) => [error as ConfigurationInvalid])
    this.#looking = looking
    for (const mistake of await looking)
      try {
        this.#options.onMistake?.(mistake)
      } catch {
        // It is told nowhere else.
      }
  }

  /** Reads what has changed; gives what is wrong with it. */
  async look(): Promise<readonly ConfigurationInvalid[]> {
    const mistakes: ConfigurationInvalid[] = []
    const [pairs, wrong] = [new Map<string, Pair>(), new Map<string, string>()]
    for (const [name, certificate] of await this.#certificates()) {
      const before = this.#pairs.get(name)
      const marked = (): Promise<string> => this.#mark(certificate, join(this.#path, `${name}.key`))
      const mark = await marked()
      if (before?.mark === mark) {
        pairs.set(name, before)
        continue
      }
      try {
        pairs.set(name, await this.#read(name, certificate, mark))
      } catch (error) {
        if (!(error instanceof ConfigurationInvalid)) throw error
        if (before !== undefined) pairs.set(name, before)
        // Of what is being written the next look says what it came to.
        if ((await marked()) !== mark) continue
        wrong.set(name, mark)
        if (this.#wrong.get(name) !== mark) mistakes.push(error)
      }
    }
    this.#replace(pairs, wrong)
    return mistakes
  }

  /** Name → the file with its certificate. */
  async #certificates(): Promise<ReadonlyMap<string, string>> {
    let files: string[]
    try {
      files = await readdir(this.#path)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      throw new ConfigurationInvalid(this.#path, `cannot be read (${code})`, { cause })
    }
    const found = new Map<string, string>()
    for (const file of files.sort()) {
      const extension = extname(file)
      if (extension !== '.crt' && extension !== '.pem') continue
      const name = file.slice(0, -extension.length)
      if (!found.has(name)) found.set(name, join(this.#path, file))
    }
    return found
  }

  async #mark(...files: readonly string[]): Promise<string> {
    const marks = files.map(async (file) => {
      const stats = await stat(file, { bigint: true }).catch(() => undefined)
      return stats === undefined ? 'none' : `${stats.ino} ${stats.ctimeNs} ${stats.size}`
    })
    return (await Promise.all(marks)).join(' ')
  }

  async #read(name: string, certificate: string, mark: string): Promise<Pair> {
    const keyFile = join(this.#path, `${name}.key`)
    const key = await readPrivateFile(keyFile, { mayBeLink: true })
    if (key === undefined)
      throw new ConfigurationInvalid(keyFile, `is missing: it is the key of ${name}`)
    const cert = await readFile(certificate, 'utf8').catch((cause: unknown) => {
      throw new ConfigurationInvalid(certificate, 'cannot be read', { cause })
    })
    const read = tlsCredentials({ key, cert }, { key: keyFile, cert: certificate })
    const names = namesOf(read.cert)
    if (names.length === 0)
      throw new ConfigurationInvalid(certificate, 'names no host: it needs a DNS name')
    const shown = { name: `users: ${names[0]!}`, expiresAt: read.expiresAt }
    return { mark, credentials: { key: read.key, cert: read.cert }, names, shown }
  }

  #replace(pairs: Map<string, Pair>, wrong: Map<string, string>): void {
    const { shown } = this.#options
    for (const pair of this.#pairs.values())
      if (!Array.from(pairs.values()).includes(pair)) shown?.delete(pair.shown)
    this.#byName = new Map()
    for (const pair of pairs.values()) {
      shown?.add(pair.shown)
      for (const name of pair.names) {
        const other = this.#byName.get(name)
        if (other === undefined || other.shown.expiresAt < pair.shown.expiresAt)
          this.#byName.set(name, pair)
      }
    }
    this.#pairs = pairs
    this.#wrong = wrong
  }
}

/** Its DNS names, lower case. */
function namesOf(pem: string): readonly string[] {
  const { subjectAltName = '' } = new X509Certificate(pem)
  const names = [...subjectAltName.matchAll(/(?:^|, )DNS:([A-Za-z0-9*._-]+)/g)]
  return names.map(([, name]) => name!.toLowerCase())
}
