/**
 * What is left to connect to an application where the user's answer is due before the backend's own
 * limit.
 *
 * @see spec/PROTOCOL.md, "Claims"
 * @module
 */
import { CONNECT_TIMEOUT, fault } from './application-faults.ts'

/** Runs from the start of a call to its connection. */
export class ConnectLimit {
  #timer: NodeJS.Timeout | undefined

  /**
   * @param answerMs milliseconds until an answer comes too late
   * @param connectMs the backend's own limit; where that is shorter no timer runs here
   * @param expired told once, later, unless it is cleared before
   */
  constructor(answerMs: number, connectMs: number, expired: (error: Error) => void) {
    if (answerMs >= connectMs) return
    this.#timer = setTimeout(
      () => expired(fault(CONNECT_TIMEOUT, `no connection within the ${answerMs} ms left`)),
      answerMs,
    )
  }

  clear(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
