/**
 * Memory that octets are written into, one behind the other, and that is handed out in chunks as
 * large as they come.
 *
 * @module
 */

/** A slab grows with what is written between two times that it is taken, up to this. */
const MAX_SLAB_BYTES = 32_768
const MIN_SLAB_BYTES = 1_024

export class Slab {
  /** Write from {@link at} on, as far as {@link room} was made; that may bring other memory. */
  octets = new Uint8Array(0)
  at = 0
  /** Where the piece that is being written begins. */
  begun = 0
  /** Up to here it was handed out: nobody writes there again. */
  #from = 0
  #chunks: Uint8Array[] = []

  /** Whether there is anything since the last time. */
  get hasMore(): boolean {
    return this.at > this.#from || this.#chunks.length > 0
  }

  /** Begins a piece of so many octets or more: it stays together, whatever it turns out to need. */
  begin(bytes: number): void {
    this.begun = this.at
    this.room(bytes)
  }

  /** Takes back what was written of the piece. */
  undo(): void {
    this.at = this.begun
  }

  /** Makes room for so many octets more. */
  room(bytes: number): void {
    if (this.octets.length - this.at < bytes) this.#grow(bytes)
  }

  /** Writes octets as they are. */
  put(octets: Uint8Array): void {
    this.room(octets.length)
    this.octets.set(octets, this.at)
    this.at += octets.length
  }

  /** Octets that leave as they are, between what was written and what will be. */
  pass(octets: Uint8Array): void {
    this.#seal(this.at)
    this.#chunks.push(octets)
  }

  /** Everything since the last time, in order. */
  take(): Uint8Array[] {
    this.#seal(this.at)
    const chunks = this.#chunks
    this.#chunks = []
    return chunks
  }

  /** Lets go of memory that has no use for now. */
  release(): void {
    this.#seal(this.at)
    this.#renew(new Uint8Array(0))
  }

  #seal(end: number): void {
    if (end === this.#from) return
    this.#chunks.push(this.octets.subarray(this.#from, end))
    this.#from = this.begun = end
  }

  #grow(needed: number): void {
    const piece = this.octets.subarray(this.begun, this.at)
    const doubled = Math.min(MAX_SLAB_BYTES, Math.max(MIN_SLAB_BYTES, 2 * this.octets.length))
    this.#seal(this.begun)
    this.#renew(new Uint8Array(Math.max(doubled, piece.length + needed)))
    this.octets.set(piece)
    this.at = piece.length
  }

  #renew(octets: Uint8Array<ArrayBuffer>): void {
    this.octets = octets
    this.#from = this.at = this.begun = 0
  }
}
