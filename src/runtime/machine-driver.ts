import type { Scheduler } from './scheduler.ts'

/**
 * What every control-plane state has: the number of the effect under way and, while waiting, a
 * deadline.
 */
interface Driven {
  readonly state: string
  readonly op?: number
  readonly deadline?: number
}

interface MachineDriverOptions<State, Event> {
  readonly initial: State
  readonly step: (from: State, event: Event) => State
  readonly scheduler: Scheduler
  /** The event to send when a deadline passes. */
  readonly timeout: () => Event
  /** After each event. */
  readonly changed?: (to: State, from: State) => void
}

/**
 * Drives one pure control-plane machine: holds its state, sends `timeout` at its deadline, drops
 * stale results.
 *
 * Effects run while an event is being sent; their results must come later, never from inside.
 */
export class MachineDriver<State extends Driven, Event> {
  readonly #options: MachineDriverOptions<State, Event>
  #state: State
  #cancelTimer: () => void = () => undefined
  #stopped = false

  constructor(options: MachineDriverOptions<State, Event>) {
    this.#options = options
    this.#state = options.initial
  }

  get state(): State {
    return this.#state
  }

  send(event: Event): void {
    if (this.#stopped) return
    const from = this.#state
    this.#state = this.#options.step(from, event)
    if (from.deadline !== this.#state.deadline || from.op !== this.#state.op) this.#arm()
    this.#options.changed?.(this.#state, from)
  }

  /** Sends the result of effect `op`, unless the machine has stopped waiting for it. */
  result(op: number, event: Event): void {
    if (op === this.#state.op) this.send(event)
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTimer()
  }

  #arm(): void {
    this.#cancelTimer()
    this.#cancelTimer = () => undefined
    const { deadline } = this.#state
    if (deadline === undefined || deadline === Infinity) return
    this.#cancelTimer = this.#options.scheduler.at(deadline, () =>
      this.send(this.#options.timeout()),
    )
  }
}
