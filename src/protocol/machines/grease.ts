/**
 * Grease: what means nothing, and is sent all the same, so that an end that fails on what it does
 * not know is found before a later version needs it to go on.
 *
 * HELLO and WELCOME get a feature and an element that nobody knows. Once after opening and about
 * once a minute an idle link gets a frame of an ignorable type. Randomness comes from the driver.
 *
 * @see spec/PROTOCOL.md, "What is not known"
 * @module
 */
import { GREASE_PREFIX } from '../wire/features.ts'

/** Types that no version will give a meaning. */
export const GREASE_TYPES: readonly number[] = [0x4a, 0x5a, 0x6a, 0x7a]
/** Octets of a frame of grease, at most. */
const MAX_OCTETS = 32
/** Between two frames: a minute, and up to a quarter more or less. */
const INTERVAL_MS = 60_000

/** A number from 0 up to, but not, 1; unpredictable enough is any. */
export type Random = () => number

/** A frame of grease. */
export interface GreaseFrame {
  readonly type: number
  readonly octets: Uint8Array
}

/** The grease of one end of a link. */
export class Grease {
  readonly #random: Random
  #at = Infinity

  constructor(random: Random) {
    this.#random = random
  }

  /** When the next frame is due; `Infinity` before {@link Grease.begin}. */
  get deadline(): number {
    return this.#at
  }

  /** Both ends are extensible: the first frame is due. */
  begin(now: number): void {
    this.#at = now
  }

  /** The next frame, if it is due; a link that is busy lets it go by. */
  take(now: number, isIdle: boolean): GreaseFrame | undefined {
    if (now < this.#at) return undefined
    this.#at = now + INTERVAL_MS * (0.75 + this.#random() / 2)
    if (!isIdle) return undefined
    const type = GREASE_TYPES[Math.floor(this.#random() * GREASE_TYPES.length)]!
    return { type, octets: this.octets() }
  }

  /** A feature that nobody knows. */
  feature(): string {
    return greaseName(this.#random)
  }

  /** 0 to 32 octets. */
  octets(): Uint8Array {
    const octets = new Uint8Array(Math.floor(this.#random() * (MAX_OCTETS + 1)))
    for (let i = 0; i < octets.length; i++) octets[i] = this.#random() * 256
    return octets
  }
}

/** A greeting with one more feature, if there is grease. */
export function greasedFeatures<T extends { readonly features: readonly string[] }>(
  greeting: T,
  grease: Grease | undefined,
): T {
  if (grease === undefined) return greeting
  return { ...greeting, features: [...greeting.features, grease.feature()] }
}

/** A name that nobody knows: of a feature, or of a key. */
export function greaseName(random: Random): string {
  return `${GREASE_PREFIX}${Math.floor(random() * 0x1_0000_0000).toString(36)}`
}
