/** The one source of timers. */
export interface Scheduler {
  /**
   * Calls `run` once, when the monotonic clock has reached `deadlineMs`; never from inside `at`.
   *
   * @returns a function that calls it off
   */
  at(deadlineMs: number, run: () => void): () => void
}
