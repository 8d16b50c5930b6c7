/**
 * Passwords that an application has refused: each further try may lock the account.
 *
 * What a 401 is about goes as far as RFC 7617 says, section 2.2: to all paths beside and below the
 * one that was asked for. So nobody who finds one such path in an application turns off the rest of
 * it. A password that is refused in several places is wrong everywhere.
 *
 * A password that is another is tried. What was refused is forgotten with the connector.
 *
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'

/** A password, and what it was shown for. */
export interface ShownSecret {
  /** The internal origin. */
  readonly origin: string
  /** The field's value: another user, or another password, is another one. */
  readonly value: string
  /** The target of the request. */
  readonly path: string
}

/** Refused in so many places, it is wrong. */
const MOST_PLACES = 3
/** Of more passwords those are forgotten that nobody asked for the longest. */
const CAPACITY = 10_000

export class RefusedSecrets {
  /** By origin and value: the directories in which it was refused. */
  readonly #places = new BoundedCache<readonly string[]>(CAPACITY)

  has(shown: ShownSecret): boolean {
    const places = this.#places.get(keyOf(shown))
    if (places === undefined) return false
    const path = withoutQuery(shown.path)
    return places.length >= MOST_PLACES || places.some((place) => path.startsWith(place))
  }

  add(shown: ShownSecret): void {
    const key = keyOf(shown)
    const places = this.#places.get(key) ?? []
    const path = withoutQuery(shown.path)
    const place = path.slice(0, path.lastIndexOf('/') + 1)
    if (!places.includes(place)) this.#places.set(key, [...places, place].slice(0, MOST_PLACES))
  }
}

const keyOf = ({ origin, value }: ShownSecret) => `${origin} ${value}`
const withoutQuery = (target: string) => target.replace(/\?.*$/s, '')
