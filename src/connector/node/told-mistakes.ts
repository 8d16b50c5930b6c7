/**
 * Mistakes that no retry mends: told once, again when they change, and once more when they are
 * mended.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { EXHAUSTED } from './failure-codes.ts'

/** Something that a person has to put right, and who. */
export interface Mistake {
  /** Stable: programs may switch on it. */
  readonly kind: MistakeKind
  /** Who has to act: whoever runs this connector, the cloud, or the application. */
  readonly owner: 'connector' | 'cloud' | 'application'
  /** The setting to look at, by its name in the configuration of whoever has to act. */
  readonly setting: string
  /** What is wrong, and what to do about it. */
  readonly message: string
}

/** What is wrong. Stable: programs may switch on it. */
export type MistakeKind =
  // the way to the cloud
  | 'cloud-name'
  | 'cloud-port'
  | 'cloud-route'
  | 'cloud-not-tls'
  | 'cloud-path'
  | 'cloud-authority'
  | 'cloud-certificate-name'
  | 'cloud-certificate-time'
  | 'clock'
  // a proxy on that way
  | 'proxy-unreachable'
  | 'proxy-certificate'
  | 'proxy-credentials'
  | 'proxy-refuses'
  | 'proxy-target'
  // what the cloud says of this connector
  | 'enrol-again'
  | 'token-refused'
  | 'ticket-refused'
  | 'connector-limit'
  // the way to an application
  | 'application-name'
  | 'application-port'
  | 'application-route'
  | 'application-certificate'
  | 'application-client-certificate'
  | 'application-not-tls'
  | 'application-tls'
  | 'application-http2'
  | 'application-not-http2'
  | 'application-closes'
  | 'application-sign-on'
  // this machine
  | 'descriptors'

/** Where it shows: the cloud's control calls, a link, or an application. */
export type MistakePlace =
  | { readonly to: 'cloud' }
  | { readonly to: 'instance'; readonly instance: string }
  | { readonly to: 'application'; readonly applicationId: string }

/** What is told of a mistake. */
export type MistakeEvent =
  | (MistakePlace & Mistake & { readonly type: 'mistake' })
  | (MistakePlace & { readonly type: 'mended'; readonly kind: MistakeKind })

/** Remembers what was told. */
export class ToldMistakes {
  readonly #tell: (event: MistakeEvent) => void
  readonly #told = new Map<string, Mistake>()

  constructor(tell: (event: MistakeEvent) => void) {
    this.#tell = tell
  }

  /** Whether nothing is wrong, as far as is known. */
  get isEmpty(): boolean {
    return this.#told.size === 0
  }

  /** Whether a mistake was told here, and still stands. */
  has(place: MistakePlace): boolean {
    return this.#told.has(keyOf(place))
  }

  /** It was met, again or for the first time. */
  met(place: MistakePlace, mistake: Mistake): void {
    const key = keyOf(place)
    if (this.#told.get(key)?.message === mistake.message) return
    const isKnown = [...this.#told.values()].some(({ message }) => message === mistake.message)
    this.#told.set(key, mistake)
    if (!isKnown) this.#tell({ type: 'mistake', ...place, ...mistake })
  }

  /** What did not work works. */
  mended(place: MistakePlace): void {
    const key = keyOf(place)
    const mistake = this.#told.get(key)
    if (mistake === undefined) return
    this.#told.delete(key)
    this.#tell({ type: 'mended', ...place, kind: mistake.kind })
  }
}

function keyOf(place: MistakePlace): string {
  if (place.to === 'instance') return `instance ${place.instance}`
  return place.to === 'application' ? `application ${place.applicationId}` : place.to
}

/**
 * No file descriptors, ports or buffers left: the fault of the machine that this runs on, whoever
 * was to be reached.
 */
export function machineMistake(code: string): Mistake | undefined {
  if (!EXHAUSTED.has(code)) return undefined
  return {
    kind: 'descriptors',
    owner: 'connector',
    setting: 'LimitNOFILE',
    message:
      `The machine of this connector has no file descriptors or ports left (${code}; the limit of open files is ` +
      `${openFilesLimit()}). Raise the limit: "ulimit -n", or LimitNOFILE= of its service.`,
  }
}

function openFilesLimit(): string {
  try {
    return (
      /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 'unknown'
    )
  } catch {
    return 'unknown'
  }
}
