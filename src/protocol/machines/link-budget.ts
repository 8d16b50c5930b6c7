/**
 * What the bodies of one link may hold together: the bound of its memory.
 *
 * @see spec/PROTOCOL.md, "Bodies"
 * @module
 */
import { LINK_BUDGET_BYTES } from '../wire/limits.ts'
import type { CreditBudget } from './body-receiver.ts'
import { copyOf, restorePlain } from './table.ts'

/** Bytes that may still be set aside: for first windows, and for widening them. */
export interface LinkBudgetMemory {
  first: number
  widening: number
}

/**
 * What all receivers of a link have granted together: first windows as many as it may carry
 * exchanges, long ones too, and room to widen them.
 */
export class LinkBudget implements CreditBudget {
  readonly #memory: LinkBudgetMemory

  /**
   * @param bodies how many of `windowBytes` there may be at once
   * @param wideningBytes default 16 MiB
   */
  constructor(bodies: number, windowBytes: number, wideningBytes = LINK_BUDGET_BYTES) {
    this.#memory = { first: bodies * windowBytes, widening: wideningBytes }
  }

  reserve(bytes: number): boolean {
    if (bytes > this.#memory.first) return false
    this.#memory.first -= bytes
    return true
  }

  widen(bytes: number): boolean {
    if (bytes > this.#memory.widening) return false
    this.#memory.widening -= bytes
    return true
  }

  release(first: number, widened: number): void {
    this.#memory.first += first
    this.#memory.widening += widened
  }

  /** All that it knows. */
  save(): LinkBudgetMemory {
    return copyOf(this.#memory)
  }

  /** Becomes the budget that was saved. */
  restore(saved: LinkBudgetMemory): void {
    restorePlain(this.#memory, saved)
  }
}
