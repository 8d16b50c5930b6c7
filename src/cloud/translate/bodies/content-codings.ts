/**
 * Content codings that bodies are taken out of and put back into, and the bounds for what comes
 * out.
 *
 * @see RFC 9110, section 8.4
 * @module
 */

/**
 * The port that knows codings. On Node: `nodeContentCodings()` of `app-proxy/cloud/node`.
 */
export interface ContentCodings {
  /** Their names as `Content-Encoding` says them, in lower case, the preferred first. */
  readonly names: readonly string[]
  /** Decodes one body. */
  open(coding: string, output: ContentCoderOutput): ContentCoder
  /** Encodes one body. */
  close(coding: string, output: ContentCoderOutput): ContentCoder
}

/** What decodes or encodes one body, piece by piece. */
export interface ContentCoder {
  /** Takes octets. The next come when they are `taken`. */
  write(bytes: Uint8Array): void
  /** Gives out all that it was given so far, if it encodes. */
  flush(): void
  /** No more come. */
  end(): void
  /** Gives nothing until it is resumed. */
  pause(): void
  resume(): void
  /** Nobody wants more of it. */
  destroy(): void
}

/** Whom a coder tells; none from inside its methods. */
export interface ContentCoderOutput {
  data(bytes: Uint8Array): void
  /** What was written is through, but for what waits for an end or a flush. */
  taken(): void
  ended(): void
  /** What was written is not of that coding, or not whole. */
  failed(error: unknown): void
}

/** What may come out of so many octets, and how far a decoder may look back. */
export const DECODING_LIMITS = {
  ratio: 100,
  /** Up to here any ratio will do. */
  freeBytes: 2 ** 20,
  windowBytes: 8 * 2 ** 20,
} as const

/** The one coding of a body; `identity`: none; undefined: several, or what cannot be told. */
export function soleCoding(values: readonly string[]): string | undefined {
  if (values.length === 0) return 'identity'
  const coding = values.join(',').trim().toLowerCase()
  return coding === 'x-gzip' ? 'gzip' : /^[a-z0-9-]+$/.test(coding) ? coding : undefined
}

/**
 * Whether a body of that coding begins as one that looks back no farther than allowed. Brotli says
 * it in its first octet (RFC 7932, section 9.1); the others cannot look farther than 32 KiB.
 */
export function isWindowAllowed(coding: string, first: number): boolean {
  if (coding !== 'br') return true
  // 24 bits are 16 MiB; the other is how larger windows begin, which are no part of the standard.
  return (first & 0x0f) !== 0x0f && (first & 0x7f) !== 0x11
}

/**
 * `Accept-Encoding` without what could not be opened. `*` means these; `identity` is what is left
 * where nothing is.
 */
export function openableEncodings(value: string, names: readonly string[]): string {
  const members = value.split(',').map((member) => member.trim())
  const said = members.flatMap((member) => {
    const [name = '', ...weights] = member.split(';')
    const coding = name.trim().toLowerCase()
    if (coding === 'identity' || names.includes(coding === 'x-gzip' ? 'gzip' : coding))
      return [member]
    return coding === '*' ? names.map((one) => [one, ...weights].join(';')) : []
  })
  return said.length === 0 ? 'identity' : said.join(', ')
}
