/**
 * Gathers what is wrong with a configuration, so that all of it is told at once.
 *
 * @module
 */
import { ConfigurationInvalid, type ConfigurationMistake } from '../protocol/wire/errors.ts'

/** Where a configuration comes from; said with each mistake. */
export interface ConfigurationSource {
  /** The file. Default: none is named. */
  readonly file?: string | undefined
  /** Where in the file the value stands, such as `directory`. Default: it is the whole file. */
  readonly at?: string | undefined
}

/**
 * Tells a mistake. `path`: where, such as `applications[0].externalUrl`; `detail`: what is wrong,
 * in words that quote no value; `meant`: the name that was probably meant.
 */
export type TellMistake = (path: string, detail: string, meant?: string) => void

/** For whoever has no list to gather in: the first mistake is thrown. */
export const refuseMistake: TellMistake = (path, detail) => {
  throw new ConfigurationInvalid(path, detail)
}

/** Where a member of what stands at `path` is. */
export const memberOf = (path: string, name: string) => (path === '' ? name : `${path}.${name}`)

/** The mistakes of one configuration. */
export class Mistakes {
  readonly #value: unknown
  readonly #source: ConfigurationSource
  readonly #told: { readonly steps: readonly string[]; readonly mistake: ConfigurationMistake }[] =
    []
  readonly #paths = new Set<string>()

  /** @param value the whole configuration: what is wrong is quoted from it, secrets excepted */
  constructor(value: unknown, source: ConfigurationSource = {}) {
    this.#value = value
    this.#source = source
  }

  /** Of one place the first mistake is enough: what else is wrong there mostly follows from it. */
  readonly tell: TellMistake = (path, detail, meant) => {
    if (this.#paths.has(path)) return
    this.#paths.add(path)
    const { file, at } = this.#source
    const steps = stepsOf(path)
    const mistake = {
      file,
      path: at === undefined ? path : `${at}${/^(?:\[|$)/.test(path) ? '' : '.'}${path}`,
      detail,
      value: detail.startsWith(UNKNOWN) ? undefined : quoted(this.#value, steps),
      application: applicationOf(this.#value, steps),
      meant,
    }
    this.#told.push({ steps, mistake })
  }

  get isEmpty(): boolean {
    return this.#told.length === 0
  }

  /** Whether something is wrong there, or with a part of it. */
  has(path: string): boolean {
    const inside = (told: string) => told.startsWith(`${path}.`) || told.startsWith(`${path}[`)
    return this.#paths.has(path) || [...this.#paths].some(inside)
  }

  /** All of them, in the order in which they are written. */
  error(): ConfigurationInvalid {
    if (this.isEmpty) this.tell('', 'is not as it must be')
    const places = new Places()
    const told = this.#told.map(({ steps, mistake }) => ({
      mistake,
      order: places.of(this.#value, steps),
    }))
    told.sort((one, other) => compare(one.order, other.order))
    return new ConfigurationInvalid(told.map(({ mistake }) => mistake))
  }
}

/** Said of a name that no option has; its value may be anything, a secret too. */
export const UNKNOWN = 'is not known here'

/** `applications[0].id` in steps. */
function stepsOf(path: string): readonly string[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) => index ?? name!)
}

function valueAt(value: unknown, steps: readonly string[]): unknown {
  let found = value
  for (const step of steps) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Record<string, unknown>)[step]
  }
  return found
}

/** Where what is written stands: looked up once for each object, however much is wrong in it. */
class Places {
  readonly #places = new Map<object, ReadonlyMap<string, number>>()

  /** The how-manieth each step is among its neighbours; what is missing comes last. */
  of(value: unknown, steps: readonly string[]): readonly number[] {
    let found = value
    return steps.map((step) => {
      const place = this.#among(found).get(step)
      found = place === undefined ? undefined : (found as Record<string, unknown>)[step]
      return place ?? Infinity
    })
  }

  #among(value: unknown): ReadonlyMap<string, number> {
    if (typeof value !== 'object' || value === null) return NOWHERE
    let places = this.#places.get(value)
    if (places === undefined) {
      places = new Map(Object.keys(value).map((name, i) => [name, i]))
      this.#places.set(value, places)
    }
    return places
  }
}

const NOWHERE: ReadonlyMap<string, number> = new Map()

function compare(one: readonly number[], other: readonly number[]): number {
  const i = one.findIndex((place, at) => place !== other[at])
  if (i === -1) return one.length - other.length
  return one[i]! < (other[i] ?? -1) ? -1 : 1
}

function applicationOf(value: unknown, steps: readonly string[]): string | undefined {
  const list = steps.indexOf('applications')
  if (list === -1) return undefined
  const id = valueAt(value, [...steps.slice(0, list + 2), 'id'])
  return typeof id === 'string' && id.length <= MOST_CHARACTERS ? id : undefined
}

const MOST_CHARACTERS = 100

/** Names of what nobody but its owner may read. */
const SECRET =
  /secret|password|passphrase|credential|private|^key$|^(?:client|d|pin|pwd|token|authorization)$/i
/** Members of such a one that are none. */
const NO_SECRET: ReadonlySet<string> = new Set(['authentication', 'assertionAudience'])

/**
 * The value as JSON, shortened to be read in a line; none of what is a secret by its name. What
 * looks like one no mistake keeps.
 */
function quoted(value: unknown, steps: readonly string[]): string | undefined {
  if (!NO_SECRET.has(steps.at(-1) ?? '') && steps.some((step) => SECRET.test(step)))
    return undefined
  const found = valueAt(value, steps)
  if (typeof found === 'string') {
    const isLong = found.length > MOST_CHARACTERS
    return JSON.stringify(isLong ? `${found.slice(0, MOST_CHARACTERS)}…` : found)
  }
  return typeof found === 'number' || typeof found === 'boolean' || found === null
    ? String(found)
    : undefined
}

/** Deeper nesting is no configuration. */
export const MAX_DEPTH = 64

/** The schema library passes over them in silence, and with them whatever they ask for. */
const NO_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * The same without the members that are `undefined`: whoever writes those leaves them out.
 *
 * @throws ConfigurationInvalid when it is nested too deeply, or within itself, or a member has a
 *   name that every object has
 */
export function withoutUndefined(value: unknown, source: ConfigurationSource = {}): unknown {
  const refuse: TellMistake = (path, detail) => {
    const mistakes = new Mistakes(undefined, source)
    mistakes.tell(path, detail)
    throw mistakes.error()
  }
  const copied = (one: unknown, path: string, depth: number): unknown => {
    if (typeof one !== 'object' || one === null) return one
    if (depth > MAX_DEPTH) refuse(path, `is nested deeper than ${MAX_DEPTH}`)
    // A hole in a list is a member that is missing.
    if (Array.isArray(one))
      return Array.from(one, (item, i) => copied(item, `${path}[${i}]`, depth + 1))
    const prototype: unknown = Object.getPrototypeOf(one)
    if (prototype !== Object.prototype && prototype !== null) return one
    const members = Object.entries(one).filter(([, member]) => member !== undefined)
    return Object.fromEntries(
      members.map(([name, member]) => {
        const at = memberOf(path, name)
        if (NO_NAMES.has(name)) refuse(at, `${UNKNOWN}: no member may be called so`)
        return [name, copied(member, at, depth + 1)]
      }),
    )
  }
  return copied(value, '', 0)
}
