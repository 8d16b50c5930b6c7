/**
 * Translates URLs in a body of which only its charset is known: JSON, XML, a script.
 *
 * What lies between two blanks, quotes or angle brackets is looked at as one: no URL goes beyond.
 *
 * @module
 */
import { MAX_HELD_BYTES, type BodyTranslator } from './body-translator.ts'
import { HeldOctets, latin1, octetsOf, OctetsOut } from './octets-out.ts'

/** A body in which URLs stand as they do in text. */
export class PlainTextTranslator implements BodyTranslator {
  readonly #translate: (text: string) => string
  readonly #out = new OctetsOut()
  /** The last part, which goes on. It begins with the octet that bounds it. */
  readonly #held = new HeldOctets()
  /** That part is too long, and goes through as it is. */
  #isTooLong = false

  /** @param translate what stands between two bounds, the first of them before it */
  constructor(translate: (text: string) => string) {
    this.#translate = translate
  }

  write(bytes: Uint8Array): Uint8Array | undefined {
    const first = nextBound(bytes, 0)
    if (first === -1) {
      this.#hold(bytes, 0)
      return this.#out.take()
    }
    this.#finishPart(bytes, first)
    const last = lastBound(bytes)
    this.#whole(bytes, first, last)
    this.#isTooLong = false
    this.#hold(bytes, last)
    return this.#out.take()
  }

  end(): Uint8Array | undefined {
    const rest = this.#held.take()
    this.#part(rest, 0, rest.length)
    return this.#out.take()
  }

  #hold(bytes: Uint8Array, from: number): void {
    if (this.#isTooLong) return this.#out.add(bytes, from)
    this.#held.add(bytes, from, bytes.length)
    if (this.#held.length <= MAX_HELD_BYTES) return
    this.#isTooLong = true
    this.#out.add(this.#held.take())
  }

  /** The part that was held ends before `to`. */
  #finishPart(bytes: Uint8Array, to: number): void {
    if (this.#held.length === 0)
      return this.#isTooLong ? this.#out.add(bytes, 0, to) : this.#part(bytes, 0, to)
    this.#held.add(bytes, 0, to)
    const part = this.#held.take()
    this.#part(part, 0, part.length)
  }

  /** Parts that are all there. Those without slashes, which is most, are not looked for. */
  #whole(bytes: Uint8Array, from: number, to: number): void {
    let said = from
    let at = from
    for (;;) {
      const slash = bytes.indexOf(SLASH, at)
      if (slash === -1 || slash >= to) break
      at = slash + 1
      if (!beginsAuthority(bytes, slash)) continue
      let begin = slash
      while (begin > said && !isBound(bytes[begin]!)) begin--
      const next = nextBound(bytes, at)
      const end = next === -1 ? to : Math.min(next, to)
      this.#out.add(bytes, said, begin)
      this.#part(bytes, begin, end)
      said = at = end
    }
    this.#out.add(bytes, said, to)
  }

  #part(bytes: Uint8Array, from: number, to: number): void {
    if (to - from > MAX_HELD_BYTES || to === from) return this.#out.add(bytes, from, to)
    const text = latin1(bytes, from, to)
    const translated = this.#translate(text)
    if (translated === text) this.#out.add(bytes, from, to)
    else this.#out.add(octetsOf(translated))
  }
}

/** Whether a slash is the first of `//` or `\/\/`. */
function beginsAuthority(bytes: Uint8Array, slash: number): boolean {
  if (bytes[slash + 1] === SLASH) return true
  return bytes[slash + 1] === BACKSLASH && bytes[slash + 2] === SLASH
}

function nextBound(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) if (isBound(bytes[at]!)) return at
  return -1
}

function lastBound(bytes: Uint8Array): number {
  let at = bytes.length - 1
  while (!isBound(bytes[at]!)) at--
  return at
}

/** Blanks, quotes and angle brackets. */
function isBound(octet: number): boolean {
  if (octet > 0x3e) return false
  if (octet <= 0x20) return octet === 0x20 || (octet >= 0x09 && octet <= 0x0d)
  return octet === 0x22 || octet === 0x27 || octet === 0x3c || octet === 0x3e
}

const SLASH = 0x2f
const BACKSLASH = 0x5c
