/**
 * What a sign-on by Kerberos costs, with a real KDC in a process of its own on this machine:
 *
 *     node --import tsx bench/kerberos.ts
 *
 * Needs the Debian packages of `test/kerberos/kerberos-world.ts`. It prints, and records nothing.
 *
 * @module
 */
import { foreignTokens } from '../test/kerberos/foreign-tokens.ts'
import { KerberosWorld, REALM, REALM_PACKAGES } from '../test/kerberos/kerberos-world.ts'
import { missingPackages } from '../test/debian-package-files.ts'
import { describeMachine } from './harness/machine.ts'

const SERVICE = `HTTP/backend.test@${REALM}`
const ROUNDS = 1_000
const NEW_USERS = 200

const missing = missingPackages(...REALM_PACKAGES)
if (missing !== undefined) {
  console.error(missing)
  process.exit(2)
}
const world = await KerberosWorld.start()
try {
  process.env['KRB5_CONFIG'] = world.configuration
  const { processor, cores, kernel, node } = describeMachine()
  console.log(`${processor}, ${cores} cores, ${kernel}, Node ${node}`)
  await measure('a token of a user who has tickets', ROUNDS, await asking({}))
  await measure('the same, mutual', ROUNDS, await asking({ isMutual: true }))
  await measure('a new user, the KDC included', NEW_USERS, await asking({ ticketAgeMs: 0 }))
} finally {
  await world.stop()
}

async function asking({ isMutual = false, ticketAgeMs = 600_000 }) {
  const tokens = await foreignTokens({ keytab: world.keytab, ticketAgeMs })
  const signal = new AbortController().signal
  return async (i: number) => {
    const user = `${i % 2 === 0 ? 'alice' : 'bob'}@${REALM}`
    const token = await tokens.token({ user, service: SERVICE, isMutual, signal })
    token.end()
  }
}

/** One after the other. */
async function measure(title: string, rounds: number, once: (i: number) => Promise<void>) {
  for (let i = 0; i < 50; i++) await once(i)
  const took: number[] = []
  for (let i = 0; i < rounds; i++) {
    const from = performance.now()
    await once(i)
    took.push(performance.now() - from)
  }
  took.sort((a, b) => a - b)
  const at = (share: number) => took[Math.floor(took.length * share)]!.toFixed(2)
  console.log(`${title}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${rounds})`)
}
