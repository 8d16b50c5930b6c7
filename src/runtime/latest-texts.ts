/**
 * What long texts were looked up last, found without their hashes: a text that has just come off a
 * wire has none yet, and to compute it costs more than to compare it with the one text that it can
 * only be.
 *
 * Before a map, never instead of one. For texts whose last characters differ, such as what is
 * sealed or signed.
 *
 * @module
 */

/** Texts kept at most; a power of two. */
const PLACES = 512
/** Characters from the end that say where a text lies. */
const SAMPLED = [5, 9, 14, 20] as const
/** Shorter texts are not kept. */
const SHORTEST = 20

/** Each in the one place where it can be. */
export class LatestTexts<V> {
  readonly #mask: number
  readonly #texts: (string | undefined)[] = []
  readonly #values: (V | undefined)[] = []

  /** `most`: texts kept at most, if that is less than 512; at least 1. */
  constructor(most: number = PLACES) {
    this.#mask = 2 ** Math.floor(Math.log2(Math.min(Math.max(most, 1), PLACES))) - 1
  }

  get(text: string): V | undefined {
    const place = placeOf(text) & this.#mask
    return this.#texts[place] === text ? this.#values[place] : undefined
  }

  /** In the place of whatever was there. The text is kept: no slice of something larger. */
  set(text: string, value: V): void {
    if (text.length < SHORTEST) return
    const place = placeOf(text) & this.#mask
    this.#texts[place] = text
    this.#values[place] = value
  }

  clear(): void {
    this.#texts.length = 0
    this.#values.length = 0
  }
}

function placeOf(text: string): number {
  const { length } = text
  let place = 0
  for (const back of SAMPLED) place = place * 31 + text.charCodeAt(length - back)
  return place
}
