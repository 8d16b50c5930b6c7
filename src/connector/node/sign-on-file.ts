/**
 * What a connector on Node has for applications, in one file of its own: secrets, certificates, and
 * where each of them may go; and whose assertions it takes. The file is taken up again when it, or
 * one that it names, is another.
 *
 * @see docs/single-sign-on/inject.md, docs/single-sign-on/client-certificate.md
 * @module
 */
import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { soundMembers, tellShape } from '../../runtime/check-configuration.ts'
import { Mistakes, withoutUndefined } from '../../runtime/configuration-mistakes.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import { parseJson } from '../../runtime/json-text.ts'
import { readPrivateFile, watchFile } from '../../runtime/node/private-files.ts'
import type { ApplicationTlsOf } from '../application-tls.ts'
import type { SecretSource, SecretWanted } from '../inject/inject-sign-on.ts'
import type { InjectedSecret } from '../inject/injected-secret.ts'
import {
  configuredSecrets,
  SecretConfiguration,
  tellSecrets,
  type SecretPart,
} from '../inject/secret-configuration.ts'
import {
  LocalApplication,
  namedFiles,
  readLocalApplications,
  type LocalApplicationPart,
  type LocalApplications,
} from './local-applications.ts'
import {
  PinnedAssertions,
  readPinnedKeys,
  type PinnedAssertionsPart,
  type PinnedKeys,
} from './pinned-keys.ts'

/** What the file holds. */
const Written = v.strictObject({
  secrets: v.exactOptional(v.array(SecretConfiguration), []),
  applications: v.exactOptional(v.array(LocalApplication), []),
  assertions: v.exactOptional(PinnedAssertions),
})

/** What becomes of a file that was changed. */
export type SignOnFileEvent =
  | { readonly type: 'sign-on-file'; readonly state: 'taken' }
  /** It is wrong, and what it said before still holds. `error`: all mistakes, as a rule. */
  | { readonly type: 'sign-on-file'; readonly state: 'refused'; readonly error: unknown }

/** Options of {@link SignOnFile.open}. */
export interface SignOnFileOptions {
  /** Told what becomes of each change. Default: nobody is told. */
  readonly onEvent?: ((event: SignOnFileEvent) => void) | undefined
  /** Told what `onEvent` throws. Default: nobody is told. */
  readonly onError?: OnError | undefined
  /** How often it is looked whether a file is another. Milliseconds; default 1 000. */
  readonly watchMs?: number | undefined
}

/** What the file says, as of one moment. */
interface Content {
  readonly secrets: SecretSource
  readonly applications: LocalApplications
  readonly assertions: PinnedKeys | undefined
  /** Tells it from another. */
  readonly digest: string
}

/**
 * The file, and whatever it names:
 *
 *     const file = await SignOnFile.open('/etc/app-proxy/sign-on.json')
 *     await startConnector({
 *       ...,
 *       signOn: [injectSignOn({ secrets: file })],
 *       applicationTls: file.applicationTls,
 *     })
 *
 * One that names keys of assertions: `assertionSignOn(file.assertions)` beside `injectSignOn`.
 *
 * The file and private keys must be readable by nobody but their owner.
 */
export class SignOnFile implements SecretSource {
  readonly #path: string
  readonly #watchMs: number
  readonly #tell: (event: SignOnFileEvent) => void
  readonly #watched = new Map<string, () => void>()
  #content: Content
  /** What was told of it last. */
  #refusal = ''
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false

  /** @throws ConfigurationInvalid with all mistakes, of which none quotes a secret */
  static async open(path: string, options: SignOnFileOptions = {}): Promise<SignOnFile> {
    const named = new Set<string>()
    return new SignOnFile(path, await read(path, named), named, options)
  }

  private constructor(
    path: string,
    content: Content,
    named: ReadonlySet<string>,
    { onEvent, onError, watchMs = 1_000 }: SignOnFileOptions,
  ) {
    const nobody = (): void => undefined
    this.#path = path
    this.#content = content
    this.assertions = content.assertions && this.#live(content.assertions)
    this.#watchMs = watchMs
    this.#tell = new Containment(onError).notify('onEvent', onEvent ?? nobody)
    this.#watch(named)
  }

  readonly knowsAccounts = true

  /** For `injectSignOn`. */
  secretFor(
    wanted: SecretWanted,
  ): InjectedSecret | undefined | Promise<InjectedSecret | undefined> {
    return this.#content.secrets.secretFor(wanted)
  }

  /** For `startConnector`. */
  readonly applicationTls: ApplicationTlsOf = (internalOrigin) =>
    this.#content.applications.tlsOf(internalOrigin)

  /**
   * For `assertionSignOn`: always what the file says at that moment. Undefined: it names no keys; a
   * connector says at its start what it can do, so that a file changes nothing about that.
   */
  readonly assertions: PinnedKeys | undefined

  /** Changes are no longer looked for. What was read still holds. */
  close(): void {
    this.#isClosed = true
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
  }

  #live(first: PinnedKeys): PinnedKeys {
    const now = () => this.#content.assertions ?? first
    return {
      get keys() {
        return now().keys
      },
      get issuer() {
        return now().issuer
      },
    }
  }

  /** One look after the other, so that the last change is what holds. */
  #changed(): void {
    this.#looking = this.#looking.then(() => this.#look())
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return
    const named = new Set<string>()
    try {
      const content = await read(this.#path, named, this.#content)
      const isAnother = content.digest !== this.#content.digest
      const wasRefused = this.#refusal !== ''
      this.#content = content
      this.#refusal = ''
      if (isAnother || wasRefused) this.#tell({ type: 'sign-on-file', state: 'taken' })
    } catch (error) {
      const refusal = (error as Error).message
      if (refusal !== this.#refusal) this.#tell({ type: 'sign-on-file', state: 'refused', error })
      this.#refusal = refusal
      // What holds still is looked after as well: it may be mended where it was.
      for (const path of this.#watched.keys()) named.add(path)
    }
    this.#watch(named)
  }

  #watch(named: ReadonlySet<string>): void {
    if (this.#isClosed) return
    for (const [path, stop] of this.#watched)
      if (!named.has(path)) {
        stop()
        this.#watched.delete(path)
      }
    for (const path of named)
      if (!this.#watched.has(path))
        this.#watched.set(
          path,
          watchFile(path, this.#watchMs, () => this.#changed(), MAY_BE_LINK),
        )
  }
}

/** Where secrets are mounted into a container, they are links that are led elsewhere. */
const MAY_BE_LINK = { mayBeLink: true }

/**
 * @param named gets the paths of all files that it depends on
 * @param before what it said last
 * @throws ConfigurationInvalid
 */
async function read(path: string, named: Set<string>, before?: Content): Promise<Content> {
  named.add(path)
  const text = await readPrivateFile(path, MAY_BE_LINK)
  if (text === undefined) throw new ConfigurationInvalid(path, 'there is no such file')
  const source = { file: path }
  const written = withoutUndefined(parseJson(text, path), source)
  const mistakes = new Mistakes(written, source)
  tellShape(Written, written, '', mistakes.tell)
  const parts = soundMembers(Written, written) as {
    readonly secrets?: readonly SecretPart[]
    readonly applications?: readonly LocalApplicationPart[]
    readonly assertions?: PinnedAssertionsPart
  }
  const { secrets = [], applications = [], assertions } = parts
  const toPath = (name: string) => resolve(dirname(path), name)
  for (const name of namedFiles(applications)) named.add(toPath(name))
  if (assertions?.keysFile !== undefined) named.add(toPath(assertions.keysFile))
  tellSecrets(secrets, 'secrets', mistakes.tell)
  const local = await readLocalApplications(applications, {
    ...{ toPath, before: before?.applications, at: 'applications', tell: mistakes.tell },
  })
  const pinned = await readPinnedKeys(assertions, toPath, before?.assertions, mistakes.tell)
  if (before !== undefined && (pinned === undefined) !== (before.assertions === undefined))
    mistakes.tell('assertions', 'can come and go at the start of a connector alone')
  if (!mistakes.isEmpty) throw mistakes.error()
  const digest = createHash('sha256')
    .update(text)
    .update(local.digest)
    .update(JSON.stringify(pinned) ?? '')
    .digest('hex')
  const checked = secrets as v.InferOutput<typeof Written>['secrets']
  return { secrets: configuredSecrets(checked), applications: local, assertions: pinned, digest }
}
