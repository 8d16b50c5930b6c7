/**
 * Answers of old devices, mended before Node's parser reads them: their heads, and nothing behind.
 *
 * A connection that is mended carries one request. So whatever the head is taken to say, no octet
 * of this answer can pass for the answer to another request.
 *
 * @see docs/publishing.md
 * @module
 */
import type { Socket } from 'node:net'
import {
  headEnd,
  isAnswerFault,
  MAX_HEAD_BYTES,
  MAX_INTERIM,
  mendedHead,
  type AnswerFault,
} from '../../protocol/internal.ts'

/** What the options of a request name for its connection. */
export interface MendedAnswers {
  /** Names of faults; those that are not known are not mended. */
  readonly lenient?: readonly string[] | undefined
}

/** From now on what comes on `socket` is mended; to be called before anything has come. */
export function mendAnswers(socket: Socket, { lenient }: MendedAnswers): void {
  if (lenient === undefined) return
  const faults = new Set(lenient.filter(isAnswerFault))
  if (faults.size === 0) return
  const push = socket.push.bind(socket)
  const heads = new HeadMender(faults)
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (heads.isThrough) return push(chunk, encoding)
    const mended = chunk === null ? heads.rest() : heads.mended(chunk as Buffer)
    // What is withheld is on its way to nobody: more may come.
    const mayGoOn = mended === undefined || push(mended)
    return chunk === null ? push(null) : mayGoOn
  }
}

/** Withholds a head until all of it is there. */
export class HeadMender {
  /** The final head has passed; what follows is content. */
  isThrough = false
  readonly #faults: ReadonlySet<AnswerFault>
  /** Octets as code points. */
  #withheld = ''
  #interim = 0

  constructor(faults: ReadonlySet<AnswerFault>) {
    this.#faults = faults
  }

  /** What can be told of all that has come. */
  mended(chunk: Buffer): Buffer | undefined {
    const from = Math.max(0, this.#withheld.length - 3)
    this.#withheld += chunk.toString('latin1')
    let told = ''
    for (let start = from; !this.isThrough; start = 0) {
      const end = headEnd(this.#withheld, this.#faults, start)
      if (end === -1) break
      const head = this.#withheld.slice(0, end)
      this.#withheld = this.#withheld.slice(end)
      told += mendedHead(head, this.#faults)
      this.#interim += 1
      // Another head follows an interim one; 101 is followed by another protocol.
      this.isThrough = !/^HTTP\/\d\.\d 1(?!01)\d\d\b/.test(head) || this.#interim > MAX_INTERIM
    }
    if (this.#isHopeless) this.isThrough = true
    if (this.isThrough) {
      told += this.#withheld
      this.#withheld = ''
    }
    return told === '' ? undefined : Buffer.from(told, 'latin1')
  }

  /** The parser refuses it whatever follows: nobody need wait for its end. */
  get #isHopeless(): boolean {
    const head = this.#withheld
    if (head.length > MAX_HEAD_BYTES) return true
    if (!this.#faults.has('bare-line-feed') && /(?:^|[^\r])\n/.test(head)) return true
    return head.includes('\n') && !/^HTTP\/1\.[01] \d{3}\b/.test(head)
  }

  /** Nothing more comes. */
  rest(): Buffer | undefined {
    this.isThrough = true
    const rest = this.#withheld
    this.#withheld = ''
    return rest === '' ? undefined : Buffer.from(rest, 'latin1')
  }
}
