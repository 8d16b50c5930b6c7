/**
 * Which segment of an application a path lies in.
 *
 * A path is judged under every reading that a server behind may have of it. Where readings differ
 * in who is admitted, nobody knows what would be answered, and the path is refused; else its octets
 * go on as they came.
 *
 * @see docs/publishing.md, "Segments"
 * @module
 */
import { ExchangeFailed, isReserved } from '../../protocol/internal.ts'
import { folded, isPlainPath, READING_STEPS, readingsOf } from './path-readings.ts'

/** A part of an application: a subtree, where its path ends in `/`, or one file. */
export interface Part<T> {
  /** As users see it; `''`: all of the application. */
  readonly path: string
  /** Who is admitted, as a text: two parts with the same text are the same to everybody. */
  readonly admission: string
  readonly value: T
}

interface Entry<T> extends Part<T> {
  /** Its path without a slash at the end, in every reading. */
  readonly stems: ReadonlySet<string>
  readonly isFile: boolean
}

export class Segments<T> {
  readonly #whole: Entry<T>
  readonly #entries: readonly Entry<T>[]
  /** By their stems in one letter case. */
  readonly #byStem = new Map<string, Entry<T>>()
  /** Parts of the longest path. */
  readonly #depth: number

  /** `segments` are sound: {@link segmentFault} has found nothing. */
  constructor(whole: Part<T>, segments: readonly Part<T>[]) {
    this.#whole = { ...whole, stems: new Set(['']), isFile: false }
    this.#entries = segments.map((part) => ({
      ...part,
      stems: new Set(stemsOf(part.path)),
      isFile: !part.path.endsWith('/'),
    }))
    for (const entry of this.#entries)
      for (const stem of entry.stems) this.#byStem.set(folded(stem), entry)
    this.#depth = Math.max(0, ...this.#entries.map(({ path }) => path.split('/').length))
  }

  /**
   * The one that a path lies in, else the whole.
   *
   * @param path as a target has it
   * @throws ExchangeFailed `user-malformed` when it can be read in two ways
   */
  of(path: string): T {
    const entry = isPlainPath(path) ? this.#ofPlain(path) : undefined
    if (entry !== undefined) return entry.value
    const written = withCapitalDigits(path)
    const raw = this.#longest(written, EXACT)
    for (const { admission } of this.#parts(written))
      if (admission !== raw.admission) throw ambiguous()
    return raw.value
  }

  /** Each segment. */
  all(): readonly T[] {
    return this.#entries.map(({ value }) => value)
  }

  /**
   * Those below a path, the one at it left out: what a method reaches that is for all that lies
   * there.
   *
   * @throws ExchangeFailed `user-malformed` for a path that has too many readings
   */
  below(path: string): readonly T[] {
    const stems = this.#readings(path).map((reading) => `${folded(withoutSlash(reading))}/`)
    return this.#entries
      .filter((entry) =>
        [...entry.stems].some((stem) => stems.some((above) => folded(stem).startsWith(above))),
      )
      .map(({ value }) => value)
  }

  /** Of a path with one reading but for its letters; `undefined`: it needs a closer look. */
  #ofPlain(path: string): Entry<T> | undefined {
    const lower = path.toLowerCase()
    let found = this.#byStem.get('') ?? this.#whole
    let at = 0
    for (let depth = 1; depth < this.#depth && at !== -1; depth++) {
      at = lower.indexOf('/', at + 1)
      const entry = this.#byStem.get(at === -1 ? lower : lower.slice(0, at))
      if (entry === undefined) continue
      if (entry.isFile && at !== -1) return undefined
      if (lower !== path && !entry.stems.has(at === -1 ? path : path.slice(0, at))) return undefined
      found = entry
    }
    return found
  }

  /** All that may be meant. */
  #parts(path: string): ReadonlySet<Entry<T>> {
    const parts = new Set<Entry<T>>()
    for (const reading of this.#readings(path)) {
      this.#longest(reading, EXACT, parts)
      this.#longest(folded(reading), FOLDED, parts)
    }
    return parts
  }

  #readings(path: string): readonly string[] {
    const readings = readingsOf(path, (reading) => this.#longNames(reading))
    if (readings === undefined) throw ambiguous()
    return readings
  }

  /**
   * The longest that covers a reading. Into `parts` goes what may be meant beside it: a file, where
   * more follows its name that some servers hand to it (`/file.php/more`).
   */
  #longest(reading: string, letters: Letters, parts?: Set<Entry<T>>): Entry<T> {
    let found = this.#byStem.get('') ?? this.#whole
    let at = 0
    for (let depth = 1; depth < this.#depth && at !== -1; depth++) {
      at = reading.indexOf('/', at + 1)
      const stem = at === -1 ? reading : reading.slice(0, at)
      const entry = this.#byStem.get(letters === FOLDED ? stem : folded(stem))
      if (entry === undefined || (letters === EXACT && !entry.stems.has(stem))) continue
      if (entry.isFile && at !== -1) parts?.add(entry)
      else found = entry
    }
    parts?.add(found)
    return found
  }

  /** Readings in which a short name of Windows (`SECRET~1.HTM`) is that of a segment. */
  #longNames(reading: string): readonly string[] {
    if (!/~\d/.test(reading)) return []
    const names = reading.split('/')
    // What lies deeper than any segment decides nothing.
    return names.slice(0, this.#depth).flatMap((name, i) => {
      const beginning = /^([^~]{1,2})[^~]{0,4}~\d{1,6}(?:\.[^.]{0,3})?$/.exec(name)?.[1]
      if (beginning === undefined) return []
      return this.#entries
        .flatMap(({ stems }) => [...stems].map((stem) => stem.split('/')[i] ?? ''))
        .filter((long) => folded(long).startsWith(folded(beginning)))
        .map((long) => names.with(i, long).join('/'))
    })
  }
}

type Letters = typeof EXACT | typeof FOLDED
const EXACT = 'exact'
const FOLDED = 'folded'

/** What a configured path is compared by. */
const stemsOf = (path: string) => formsOf(path).map(withoutSlash)

/** A path as it is written, decoded, and as characters. */
function formsOf(path: string): readonly string[] {
  const decoded = READING_STEPS.decoded(path)
  return [withCapitalDigits(path), decoded, READING_STEPS['compatible characters'](decoded)]
}

/**
 * What is wrong with a configured path, in words; `undefined`: nothing.
 *
 * @param base the path of the application's external URL
 */
export function segmentFault(path: string, base: string): string | undefined {
  if (!path.startsWith('/') || /[?#\\]|\/\//.test(path)) return 'must be a path, as users see it'
  const { pathname } = new URL(path, 'https://host.example')
  if (pathname !== path) return `must be in plain form: "${pathname}"`
  if (isReserved(path)) return 'must not lie under "/.app-proxy/"'
  if (!path.startsWith(base)) return 'is not a path of this application'
  const forms = formsOf(path)
  const isClear =
    !/~\d|%2f/i.test(path) &&
    readingsOf(withCapitalDigits(path))?.every((reading) => forms.includes(reading)) === true
  return isClear ? undefined : 'must be a path that can be read in one way only'
}

/** Two configured paths that some server takes for one. */
export function isSamePath(a: string, b: string): boolean {
  const stems = stemsOf(a).map(folded)
  return stemsOf(b).some((stem) => stems.includes(folded(stem)))
}

/** `%c3` and `%C3` are one octet to everybody. */
const withCapitalDigits = (path: string) =>
  path.replace(/%[0-9a-f]{2}/gi, (encoded) => encoded.toUpperCase())

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function ambiguous(): ExchangeFailed {
  const cause = 'a path that can be read as one of several segments'
  return new ExchangeFailed('user', 'user-malformed', { cause })
}
