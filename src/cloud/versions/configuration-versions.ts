/**
 * Versions of the configuration: what is published is checked, kept as a version, and put in force
 * on every instance that shares the store.
 *
 * 1. what was sent gets the secrets that it says are kept
 * 2. it is checked, all of it
 * 3. it is written down
 * 4. it is added, if what it was made of is the newest still; else all of this again
 * 5. each instance takes the newest, and tells its connectors
 *
 * A version that an instance cannot read, of a newer program perhaps, is not in force there: it
 * stays with its last good one, and says so.
 *
 * @module
 */
import { ConfigurationInvalid, PortFailed, Refused } from '../../protocol/internal.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Containment } from '../../runtime/containment.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import { readDirectory } from '../directory/directory-configuration.ts'
import type { DirectoryInput } from '../directory/directory-input.ts'
import {
  changeWords,
  configurationChanges,
  type ConfigurationChange,
} from './configuration-changes.ts'
import type { ConfigurationStore, VersionHead, VersionMaker } from './configuration-store.ts'
import { restoredPart } from './tenant-part.ts'
import { checked, lastChanged, nothingYet, scoped, type ReadVersion } from './version-content.ts'
import { earlierVersion, scopedNumber, versionsOf, type Scope } from './version-history.ts'
import {
  canonicalJson,
  isSame,
  writtenDirectory,
  type WrittenDirectory,
} from './written-directory.ts'

export interface ConfigurationVersionsOptions {
  /** Rejects with Refused and PortFailed only. */
  readonly store: ConfigurationStore
  readonly directory: { replace(input: DirectoryInput): void }
  /** Throws where it fails: then nothing is done. */
  readonly audit: AuditSink
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly crypto: Pick<CryptoProvider, 'subtle'>
  readonly containment: Containment
  /** Called when another version is in force on this instance. */
  readonly onReplaced: () => void
}

/** How a change is asked for. */
export interface VersionOrder {
  readonly by: VersionMaker
  readonly comment?: string | undefined
  /** The number that the scope's version must have. Absent: whichever it is. */
  readonly expected?: number | undefined
}

/** What came of a change. */
export interface VersionMade {
  /** The newest version. */
  readonly head: VersionHead
  readonly changes: readonly ConfigurationChange[]
  /** `false`: it changes nothing, and no version was made. */
  readonly isMade: boolean
}

/** Of those who change it at once one is first; the others look again, so many times. */
const MOST_TRIES = 16
/** Changes that the audit names. */
const NAMED = 100

interface Wanted {
  readonly content: WrittenDirectory
  readonly by: VersionMaker
  readonly comment?: string | undefined
  readonly restored?: number
  readonly file?: string
}

/** Versions of the configuration. */
export class ConfigurationVersions {
  readonly #options: ConfigurationVersionsOptions
  /** What is taken, one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #inForce: number | undefined
  #refused: number | undefined
  #endWatch: () => void = () => undefined

  private constructor(options: ConfigurationVersionsOptions) {
    this.#options = options
  }

  /** Takes the newest version; where there is none, `initial` becomes the first. @internal */
  static async open(
    options: ConfigurationVersionsOptions,
    initial: DirectoryInput,
    by: VersionMaker,
  ): Promise<ConfigurationVersions> {
    const versions = new ConfigurationVersions(options)
    const { store, containment } = options
    const changed = containment.notify('versions.take', () => versions.#take())
    versions.#endWatch = store.watch?.(changed) ?? versions.#endWatch
    await versions.#change(async (current) => {
      if (current !== undefined) return undefined
      const content = checked(initial, nothingYet().content, undefined)
      return { by, content, file: await versions.#digest(initial) }
    })
    await versions.#take()
    return versions
  }

  /** The version in force on this instance, and a newer one that it cannot read. */
  get state(): { readonly inForce?: number; readonly refused?: number } {
    return {
      ...(this.#inForce !== undefined && { inForce: this.#inForce }),
      ...(this.#refused !== undefined && { refused: this.#refused }),
    }
  }

  /** Ends the watch on the store; what is in force stays. */
  close(): void {
    this.#endWatch()
  }

  /** Heads of those that changed something of the scope, the newest first. @internal */
  async list(scope: Scope): Promise<readonly VersionHead[]> {
    return versionsOf(await this.#options.store.heads(), scope)
  }

  /** The newest version, of a tenant its part. @internal */
  async newest(scope: Scope): Promise<ReadVersion> {
    return scoped(await this.#readable(await this.#newest()), scope)
  }

  /** @throws Refused `not-found`: it is not kept, or changed nothing of the tenant @internal */
  async version(number: number, scope: Scope): Promise<ReadVersion> {
    const head = (await this.list(scope)).find((one) => one.number === number)
    if (head === undefined) throw new Refused('not-found', `there is no version ${number}`)
    return scoped(await this.#readable(await this.#read(head)), scope)
  }

  /**
   * What would be other, if this were applied.
   *
   * @throws ConfigurationInvalid with all mistakes
   * @internal
   */
  async changes(value: unknown, scope: Scope): Promise<readonly ConfigurationChange[]> {
    const { content } = await this.#readable(await this.#newest())
    return configurationChanges(content, checked(value, content, scope))
  }

  /**
   * Puts another configuration in force; of a tenant its part.
   *
   * @throws ConfigurationInvalid with all mistakes; Refused `conflict`, `too-large`, `unavailable`
   * @internal
   */
  apply(value: unknown, scope: Scope, order: VersionOrder): Promise<VersionMade> {
    return this.#change(async (newest) => {
      const current = await this.#readable(newest)
      checkExpected(current, scope, order)
      return { ...order, content: checked(value, current.content, scope) }
    })
  }

  /**
   * Puts what an earlier version says in force again, of a tenant its part of it. Default: the one
   * before the content that is in force.
   *
   * @throws Refused `not-found`, `conflict`; ConfigurationInvalid where it cannot be any more
   * @internal
   */
  rollBack(to: number | undefined, scope: Scope, order: VersionOrder): Promise<VersionMade> {
    return this.#change(async (newest = nothingYet()) => {
      // All of it may be gone back from, even where this program cannot read it.
      const current = scope === undefined ? newest : await this.#readable(newest)
      checkExpected(current, scope, order)
      const target = earlierVersion(await this.#options.store.heads(), scope, to)
      if (target === undefined) throw new Refused('not-found', 'there is no such earlier version')
      const { content } = (await this.#read(target)) ?? nothingYet()
      const value = scope === undefined ? content : restoredPart(content, current.content, scope)
      const restored = target.number
      return { ...order, restored, content: checked(value, current.content, scope) }
    })
  }

  /**
   * What a configuration file says. It becomes a version if it is another than that file said
   * before, and than a file said last.
   *
   * @param said what came of this call the last time it was made for this file
   * @returns for the next time
   * @throws ConfigurationInvalid, Refused
   */
  async takeFile(value: DirectoryInput, instance: string, said?: string): Promise<string> {
    const file = await this.#digest(value)
    await this.#change(async (current) => {
      if (file === said || file === current?.head.file) return undefined
      const by: VersionMaker = { as: 'file', name: instance }
      return { by, file, content: checked(value, nothingYet().content, undefined) }
    })
    return file
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** `wanted` is asked again whenever another was first; `undefined`: nothing is to be done. */
  async #change(
    wanted: (current: ReadVersion | undefined) => Promise<Wanted | undefined>,
  ): Promise<VersionMade> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const current = await this.#newest()
      const next = await wanted(current)
      const before = current?.content ?? nothingYet().content
      const changes = next === undefined ? [] : configurationChanges(before, next.content)
      if (next === undefined || (current !== undefined && isSame(current.value, next.content)))
        return { head: current?.head ?? nothingYet().head, changes, isMade: false }
      const head = await this.#append(current, next, changes)
      if (head === undefined) continue
      await this.#take()
      return { head, changes, isMade: true }
    }
    throw new Refused('unavailable', 'others were always first', { retryAfterMs: 1_000 })
  }

  /** `undefined`: another was first. */
  async #append(
    current: ReadVersion | undefined,
    { content, by, comment, restored, file }: Wanted,
    changes: readonly ConfigurationChange[],
  ): Promise<VersionHead | undefined> {
    const { store, clocks } = this.#options
    const text = JSON.stringify(content)
    const number = (current?.head.number ?? 0) + 1
    const said = file ?? current?.head.file
    const head: VersionHead = {
      ...{ number, at: clocks.wallClock(), by },
      ...(comment !== undefined && { comment }),
      ...(restored !== undefined && { restored }),
      ...(said !== undefined && { file: said }),
      tenants: lastChanged(current, content, number),
      bytes: new TextEncoder().encode(text).length,
    }
    this.#writeDown(head, changes)
    try {
      if (await store.append(head, text)) return head
      this.#writeDown(head, changes, 'conflict')
      return undefined
    } catch (error) {
      this.#writeDown(head, changes, error instanceof Refused ? error.reason : 'unavailable')
      throw error
    }
  }

  /** @throws PortFailed where nothing went wrong before, and it cannot be written */
  #writeDown(head: VersionHead, changes: readonly ConfigurationChange[], reason?: string): void {
    const { number: version, by, comment, restored } = head
    const named = changes.slice(0, NAMED).map(changeWords)
    const event = {
      time: this.#options.clocks.wallClock(),
      type: 'configuration.applied',
      ...(reason === undefined
        ? ({ outcome: 'success' } as const)
        : ({ outcome: 'failed', reason } as const)),
      ...(by.tenantId !== undefined && { tenantId: by.tenantId }),
      detail: { version, by: by.as, name: by.name, comment, restored, changes: named },
    } as const
    try {
      this.#options.audit.write(event)
    } catch (error) {
      if (reason === undefined) throw error
    }
  }

  #take(): Promise<void> {
    const done = this.#turn.then(() => this.#takeNewest())
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #takeNewest(): Promise<void> {
    const { store, directory, audit, clocks, containment, onReplaced } = this.#options
    const [head] = await store.heads()
    if (head === undefined || head.number === (this.#refused ?? this.#inForce)) return
    const text = await store.read(head.number)
    // So many others came meanwhile that it is not kept: they are told of as well.
    if (text === undefined) return
    const event = { time: clocks.wallClock(), type: 'configuration.replaced' } as const
    const version = head.number
    let outcome: 'success' | 'failed' = 'success'
    let path: string | undefined
    try {
      directory.replace(readDirectory(JSON.parse(text)))
      this.#inForce = version
      this.#refused = undefined
    } catch (error) {
      outcome = 'failed'
      this.#refused = version
      if (error instanceof ConfigurationInvalid) path = error.path
      containment.tell('versions.take', error, true)
    }
    containment.notify('audit.write', () =>
      audit.write({ ...event, outcome, detail: { version, ...(path !== undefined && { path }) } }),
    )()
    if (outcome === 'success') onReplaced()
  }

  /** The newest, whether this program can read it or not. */
  async #newest(): Promise<ReadVersion | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const [head] = await this.#options.store.heads()
      if (head === undefined) return undefined
      const found = await this.#read(head)
      if (found !== undefined) return found
    }
    throw new PortFailed('versions.read', { detail: 'the newest version has no content' })
  }

  async #read(head: VersionHead): Promise<ReadVersion | undefined> {
    const text = await this.#options.store.read(head.number)
    if (text === undefined) return undefined
    const value: unknown = JSON.parse(text)
    return { head, content: writtenDirectory(value), value }
  }

  /**
   * What this program does not know is not shown, for it would not know which of it is secret; nor
   * is it written over.
   */
  async #readable(found: ReadVersion | undefined): Promise<ReadVersion> {
    if (found === undefined) throw new Refused('not-found', 'there is no version')
    try {
      readDirectory(found.value)
      return found
    } catch (error) {
      if (!(error instanceof ConfigurationInvalid)) throw error
      throw new Refused('unavailable', 'it was made by another program than this instance is')
    }
  }

  async #digest(value: unknown): Promise<string> {
    const octets = new TextEncoder().encode(canonicalJson(value))
    const digest = await this.#options.crypto.subtle.digest('SHA-256', octets)
    return hexadecimal(new Uint8Array(digest))
  }
}

function checkExpected({ head }: ReadVersion, scope: Scope, { expected }: VersionOrder): void {
  if (expected !== undefined && expected !== scopedNumber(head, scope))
    throw new Refused('conflict', 'the configuration was changed meanwhile')
}
