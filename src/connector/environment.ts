import type { ConnectorEnvironment } from './ports.ts'

/** `setTimeout` counts in 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The runtime's own clocks, timers, randomness and Web Crypto; each can be replaced. */
export function systemEnvironment(parts: Partial<ConnectorEnvironment> = {}): ConnectorEnvironment {
  const clocks = parts.clocks ?? {
    now: () => performance.now(),
    wallClock: () => Date.now(),
  }
  const scheduler = parts.scheduler ?? {
    at(deadlineMs: number, run: () => void): () => void {
      let timer: ReturnType<typeof setTimeout>
      const arm = () => {
        const left = Math.max(0, Math.ceil(deadlineMs - clocks.now()))
        timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(run, left)
      }
      arm()
      return () => clearTimeout(timer)
    },
  }
  return {
    crypto: parts.crypto ?? globalThis.crypto,
    clocks,
    scheduler,
    random: parts.random ?? Math.random,
  }
}
