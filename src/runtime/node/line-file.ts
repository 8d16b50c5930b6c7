/**
 * A file that lines are appended to, for as long as a process lives: full disks, missing
 * directories and rotation included.
 *
 * Lines wait in memory, bounded, while the file cannot be written; the oldest of too many are
 * dropped. It is told once that it cannot be written, is tried again every second, and goes on
 * where it was: with the rest of the line that was begun. Before it writes, at most once a second,
 * it looks whether the path leads to another file than the one that is open (or to none), and opens
 * that: so it follows whoever renames the file away. `reopen` does it at once.
 *
 * @module
 */
import { open, stat, type FileHandle } from 'node:fs/promises'

export interface LineFileOptions {
  /** Lines that may wait; the oldest of more are dropped. Default 10 000. */
  readonly limit?: number | undefined
  /**
   * How often a file that cannot be written is tried again, and the path is looked at.
   * Milliseconds, default 1 000.
   */
  readonly retryMs?: number | undefined
  /** Told once when it cannot be written, and again only after it could. */
  readonly failed: (error: unknown) => void
}

/** Lines together in one write. */
const AT_ONCE = 1000
const OWNER_ONLY = 0o600

export class LineFile {
  readonly #path: string
  readonly #options: LineFileOptions
  #waiting: string[] = []
  /** What is being written: begun, perhaps. */
  #rest = Buffer.alloc(0)
  #handle: FileHandle | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #hasFailed = false
  #isReopening = false
  #dropped = 0

  constructor(path: string, options: LineFileOptions) {
    this.#path = path
    this.#options = options
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped
  }

  /** Never throws nor waits. */
  write(line: string): void {
    if (this.#waiting.length >= (this.#options.limit ?? 10_000)) {
      this.#waiting.shift()
      this.#dropped += 1
    }
    this.#waiting.push(line)
    if (this.#timer === undefined) this.#writing ??= this.#drain()
  }

  /** Opens the path anew before the next line; tries at once where it could not be written. */
  reopen(): void {
    this.#isReopening = true
    this.#tryAgain()
  }

  /** Resolves when nothing waits, or what waits cannot be written now. Never rejects. */
  async flush(): Promise<void> {
    this.#tryAgain()
    while (this.#writing !== undefined) await this.#writing
  }

  /**
   * As {@link flush}; then the file is closed. A line that is written afterwards opens it again.
   */
  async close(): Promise<void> {
    await this.flush()
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#close()
  }

  #tryAgain(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.length > 0 || this.#rest.length > 0) this.#writing ??= this.#drain()
  }

  async #drain(): Promise<void> {
    // Lines of one turn go together.
    await Promise.resolve()
    try {
      while (this.#rest.length > 0 || this.#waiting.length > 0) {
        const handle = await this.#opened()
        if (this.#rest.length === 0)
          this.#rest = Buffer.from(`${this.#waiting.splice(0, AT_ONCE).join('\n')}\n`)
        const { bytesWritten } = await handle.write(this.#rest)
        this.#rest = this.#rest.subarray(bytesWritten)
        this.#hasFailed = false
      }
    } catch (error) {
      await this.#close()
      if (!this.#hasFailed) this.#options.failed(error)
      this.#hasFailed = true
      this.#timer = setTimeout(() => this.#tryAgain(), this.#options.retryMs ?? 1_000).unref()
    } finally {
      this.#writing = undefined
    }
  }

  async #opened(): Promise<FileHandle> {
    const now = performance.now()
    if (this.#handle !== undefined) {
      const isDue = now - this.#lookedAt >= (this.#options.retryMs ?? 1_000)
      if (!this.#isReopening && !isDue) return this.#handle
      if (!this.#isReopening && (await this.#isCurrent(this.#handle))) {
        this.#lookedAt = now
        return this.#handle
      }
      await this.#close()
    }
    this.#isReopening = false
    this.#lookedAt = now
    this.#handle = await open(this.#path, 'a', OWNER_ONLY)
    return this.#handle
  }

  /** Whether the path still leads to the file that is open. */
  async #isCurrent(handle: FileHandle): Promise<boolean> {
    const [named, ours] = await Promise.all([
      stat(this.#path).catch(() => undefined),
      handle.stat(),
    ])
    return named !== undefined && named.ino === ours.ino && named.dev === ours.dev
  }

  async #close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    // What it cannot say any more was said when it could not be written.
    await handle?.close().catch(() => undefined)
  }
}
