import { systemClocks } from '../runtime/clocks.ts'
import { systemScheduler } from '../runtime/scheduler.ts'
import type { ConnectorEnvironment } from './ports.ts'

/** The runtime's own clocks, timers, randomness and Web Crypto; each can be replaced. */
export function systemEnvironment(parts: Partial<ConnectorEnvironment> = {}): ConnectorEnvironment {
  const clocks = parts.clocks ?? systemClocks
  const scheduler = parts.scheduler ?? systemScheduler({ clocks })
  return {
    crypto: parts.crypto ?? globalThis.crypto,
    clocks,
    scheduler,
    random: parts.random ?? Math.random,
  }
}
