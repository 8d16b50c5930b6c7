/**
 * The one source of timers. Nothing else that runs on any runtime makes one: what waits can then be
 * tested in time that passes only when told to.
 *
 * @module
 */
import { systemClocks, type Clocks } from './clocks.ts'

/** Where timers come from; in tests, from time that passes only when told to. */
export interface Scheduler {
  /**
   * Calls `run` once, when the monotonic clock has reached `deadlineMs`; never from inside `at`.
   *
   * @returns a function that calls it off
   */
  at(deadlineMs: number, run: () => void): () => void
}

/** Options of {@link systemScheduler}. */
export interface SystemSchedulerOptions {
  /** What deadlines are told in. Default {@link systemClocks}. */
  readonly clocks?: Pick<Clocks, 'now'> | undefined
  /** Whether a timer keeps a Node process alive. Default true. */
  readonly keepsAlive?: boolean | undefined
}

/** `setTimeout` counts in 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The runtime's own timers. */
export function systemScheduler(options: SystemSchedulerOptions = {}): Scheduler {
  const { clocks = systemClocks, keepsAlive = true } = options
  return {
    at(deadlineMs, run) {
      let timer: ReturnType<typeof setTimeout>
      const arm = (): void => {
        const left = Math.max(0, Math.ceil(deadlineMs - clocks.now()))
        timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(run, left)
        if (!keepsAlive && typeof timer === 'object' && 'unref' in timer) timer.unref()
      }
      arm()
      return () => clearTimeout(timer)
    },
  }
}

/** Timers that run from now on. */
export interface Timer {
  /** Calls `run` once, after so many milliseconds; returns what calls it off. */
  after(ms: number, run: () => void): () => void
  /** Calls `run` again and again, first after so many milliseconds; returns what ends it. */
  every(ms: number, run: () => void): () => void
}

/** Options of {@link timerOf}. */
export interface TimerOptions {
  /** Default {@link systemClocks}. */
  readonly clocks?: Pick<Clocks, 'now'> | undefined
  /** Default: the runtime's timers, which keep no process alive. */
  readonly scheduler?: Scheduler | undefined
}

export function timerOf(options: TimerOptions = {}): Timer {
  const { clocks = systemClocks } = options
  const { scheduler = systemScheduler({ clocks, keepsAlive: false }) } = options
  const after: Timer['after'] = (ms, run) => scheduler.at(clocks.now() + ms, run)
  return {
    after,
    every(ms, run) {
      let callOff = (): void => undefined
      let isOver = false
      const again = (): void => {
        callOff = after(ms, () => {
          run()
          if (!isOver) again()
        })
      }
      again()
      return () => {
        isOver = true
        callOff()
      }
    },
  }
}

/**
 * What `work` comes to, or what `late` makes of it when that is not so within `ms`. Without work it
 * is what `late` makes of it.
 */
export async function inTime<T>(
  timer: Timer,
  ms: number,
  work: PromiseLike<T> | (() => PromiseLike<T>) | undefined,
  late: () => T,
): Promise<T> {
  let callOff = (): void => undefined
  const over = new Promise<T>((resolve, reject) => {
    callOff = timer.after(Math.max(0, ms), () => {
      try {
        resolve(late())
      } catch (error) {
        reject(error as Error)
      }
    })
  })
  try {
    const working = typeof work === 'function' ? work() : work
    return await (working === undefined ? over : Promise.race([working, over]))
  } finally {
    callOff()
  }
}

/** Does `work` with a signal that aborts after `ms`. */
export async function abortedAfter<T>(
  timer: Timer,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const callOff = timer.after(ms, () => controller.abort())
  try {
    return await work(controller.signal)
  } finally {
    callOff()
  }
}
