/**
 * What waits for the end of a turn of the event loop: one Immediate for all of it.
 *
 * @module
 */
export class EndOfTurn {
  #waiting: (() => void)[] = []

  /** Calls `run` once this turn is over. It must not throw: others wait behind it. */
  then(run: () => void): void {
    if (this.#waiting.push(run) > 1) return
    setImmediate(() => {
      const waiting = this.#waiting
      this.#waiting = []
      for (const each of waiting) each()
    })
  }
}
