/**
 * A body that is decoded, translated and encoded again, at the pace of whoever reads it.
 *
 * @module
 */
import type { BodyTranslator } from './body-translator.ts'
import {
  DECODING_LIMITS,
  isWindowAllowed,
  type ContentCoder,
  type ContentCodings,
} from './content-codings.ts'

/** Where it goes. */
export interface CodedBodyOutput {
  /** `false`: wait until {@link CodedBody.drained} is called. */
  write(bytes: Uint8Array): boolean
  /** All that was written is through. */
  ready(): void
  end(): void
  failed(error: unknown): void
}

/** One body on its way. */
export class CodedBody {
  readonly #coding: string
  readonly #translator: BodyTranslator
  readonly #output: CodedBodyOutput
  readonly #opener: ContentCoder
  readonly #closer: ContentCoder
  /** What waits for the decoder, and whether it is at work. */
  #queue: Uint8Array[] = []
  #isOpening = false
  #isEnded = false
  /** The same for the encoder. */
  #translated: Uint8Array[] = []
  #isClosing = false
  #isTranslated = false
  #isUnflushed = false
  /** Octets that went in, and came out. */
  #taken = 0
  #opened = 0
  #isOver = false

  constructor(
    coding: string,
    codings: ContentCodings,
    translator: BodyTranslator,
    output: CodedBodyOutput,
  ) {
    this.#coding = coding
    this.#translator = translator
    this.#output = output
    const failed = (error: unknown) => this.#fail(error)
    this.#opener = codings.open(coding, {
      data: (bytes) => this.#decoded(bytes),
      taken: () => this.#openerTook(),
      ended: () => this.#decodedAll(),
      failed,
    })
    this.#closer = codings.close(coding, {
      data: (bytes) => this.#encoded(bytes),
      taken: () => this.#closerTook(),
      ended: () => this.#encodedAll(),
      failed,
    })
  }

  write(bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return
    if (this.#taken === 0 && this.#queue.length === 0 && !isWindowAllowed(this.#coding, bytes[0]!))
      return this.#fail(new RangeError('its window is too large'))
    this.#queue.push(bytes)
    this.#open()
  }

  end(): void {
    this.#isEnded = true
    this.#open()
  }

  /** Whoever reads it takes more. */
  drained(): void {
    if (!this.#isOver) this.#closer.resume()
  }

  /** Nobody reads it any more. */
  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#queue = []
    this.#translated = []
    this.#opener.destroy()
    this.#closer.destroy()
  }

  // ── decoding ──────────────────────────────────────────────────────────────────────────────

  #open(): void {
    if (this.#isOpening || this.#isOver) return
    const bytes = this.#queue.shift()
    if (bytes !== undefined) {
      this.#isOpening = true
      this.#taken += bytes.length
      this.#opener.write(bytes)
    } else if (this.#isEnded) {
      this.#isOpening = true
      this.#opener.end()
    }
  }

  #decoded(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.#opened += bytes.length
    const { freeBytes, ratio } = DECODING_LIMITS
    if (this.#opened > freeBytes && this.#opened > ratio * this.#taken)
      return this.#fail(new RangeError('far more came out than went in'))
    this.#give(this.#translator.write(bytes))
    if (this.#translated.length > 0) this.#opener.pause()
  }

  #openerTook(): void {
    if (this.#isOver) return
    this.#isOpening = false
    if (this.#queue.length === 0) {
      this.#flush()
      this.#output.ready()
    }
    this.#open()
  }

  #decodedAll(): void {
    if (this.#isOver) return
    this.#isTranslated = true
    this.#give(this.#translator.end())
    this.#close()
  }

  // ── encoding ──────────────────────────────────────────────────────────────────────────────

  #give(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return
    this.#translated.push(bytes)
    this.#close()
  }

  #close(): void {
    if (this.#isClosing || this.#isOver) return
    const bytes = this.#translated.shift()
    if (bytes !== undefined) {
      this.#isClosing = true
      this.#isUnflushed = true
      this.#closer.write(bytes)
    } else if (this.#isTranslated) {
      this.#isClosing = true
      this.#closer.end()
    }
  }

  #closerTook(): void {
    if (this.#isOver) return
    this.#isClosing = false
    if (this.#translated.length === 0) {
      this.#opener.resume()
      if (!this.#isOpening) this.#flush()
    }
    this.#close()
  }

  /** Nothing more is on its way here: what there is shows. */
  #flush(): void {
    if (!this.#isUnflushed || this.#isClosing || this.#isEnded) return
    this.#isUnflushed = false
    this.#closer.flush()
  }

  #encoded(bytes: Uint8Array): void {
    if (!this.#isOver && !this.#output.write(bytes)) this.#closer.pause()
  }

  #encodedAll(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#output.end()
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.destroy()
    this.#output.failed(error)
  }
}
