/**
 * Entity tags of what is translated: they say of which octets they are, and by which translation.
 *
 * @see RFC 9110, sections 8.8.3 and 13.1
 * @module
 */

/**
 * The tags of one application's translated bodies: `W/"x~1a2b3c4d"`, for whatever `x` was. Weak,
 * for the application compared other octets. Its own tag was weak or strong, which the digits tell
 * as well: so it can be given back.
 */
export class TranslatedTags {
  readonly #strong: string
  readonly #weak: string

  /** @param version eight hexadecimal digits or more, others for every other translation */
  constructor(version: string) {
    const digits = version.slice(0, 8)
    this.#strong = digits
    this.#weak = ((parseInt(digits, 16) ^ 1) >>> 0).toString(16).padStart(8, '0')
  }

  /** The tag that users get; undefined: it is none. */
  outward(tag: string): string | undefined {
    const match = /^[ \t]*(W\/)?"([^"]*)"[ \t]*$/.exec(tag)
    if (match === null) return undefined
    return `W/"${match[2]}~${match[1] === undefined ? this.#strong : this.#weak}"`
  }

  /**
   * The value of `If-Match` or `If-None-Match` as the application gets it.
   *
   * @param known is told of each of its tags that was found
   * @param others what becomes of tags that no translation made; undefined: they are left out
   * @returns Undefined: no tag is left
   */
  inward(
    value: string,
    known: (tag: string) => void,
    others: 'kept' | 'dropped' = 'kept',
  ): string | undefined {
    let isAny = others === 'kept'
    const list = value.replace(TAG, (tag, opaque: string) => {
      const own = this.#inward(opaque)
      if (own === undefined) return others === 'kept' ? tag : ''
      isAny = true
      known(own)
      return own
    })
    if (!isAny) return undefined
    return others === 'kept'
      ? list
      : list
          .split(',')
          .filter((tag) => tag.trim() !== '')
          .join(',')
          .trim()
  }

  #inward(opaque: string): string | undefined {
    const at = opaque.length - 9
    if (opaque[at] !== '~') return undefined
    const digits = opaque.slice(at + 1)
    if (digits === this.#strong) return `"${opaque.slice(0, at)}"`
    return digits === this.#weak ? `W/"${opaque.slice(0, at)}"` : undefined
  }
}

const TAG = /(?:W\/)?"([^"]*)"/g
