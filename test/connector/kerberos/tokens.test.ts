import { expect, test } from 'vitest'
import { SignOnFailed } from '../../../src/protocol/wire/errors.ts'
import { GssFailure, reasonOf, type GssStep } from '../../../src/connector/kerberos/gss-failure.ts'
import type { GssapiCalls } from '../../../src/connector/kerberos/gssapi.ts'
import { Tokens } from '../../../src/connector/kerberos/tokens.ts'
import { VirtualTime } from '../virtual-time.ts'

const USER = 'alice@CORP.EXAMPLE'
const SERVICE = 'HTTP/wiki.corp.example@CORP.EXAMPLE'
const CREDENTIALS_EXPIRED = 11 << 16
const CONTEXT_EXPIRED = 12 << 16

/** A library that says everything is well, but for what a test puts in. */
function library(faults: Partial<GssapiCalls> = {}): GssapiCalls {
  return {
    acquire: () => Promise.resolve(1),
    impersonate: () => Promise.resolve(2),
    credentialFacts: () =>
      Promise.resolve({ principal: USER, lifetimeSeconds: 3_600, hasSpnego: true }),
    begin: () => Promise.resolve({ context: [3], token: new Uint8Array([1]) }),
    contextFacts: () => ({ initiator: USER, target: SERVICE, lifetimeSeconds: 3_600 }),
    proceed: () => undefined,
    releaseCredential: () => undefined,
    releaseContext: () => undefined,
    ...faults,
  }
}

function tokensOf(gssapi: GssapiCalls): Tokens {
  const { clocks, scheduler } = new VirtualTime().environment
  return new Tokens({
    ...{ gssapi, keytab: 'keytab', principal: undefined, capacity: 10 },
    ...{ ticketAgeMs: 60_000, lanes: 1, limitMs: 1_000, clocks, scheduler },
  })
}

/** `works`, but for the calls whose numbers are given, counted from 1. */
function expiringAt<A extends unknown[], R>(
  major: number,
  at: readonly number[],
  works: (...given: A) => R,
): (...given: A) => R {
  let calls = 0
  return (...given) => {
    calls += 1
    if (at.includes(calls)) throw new GssFailure('a call', major, ['it has expired', 'Success'])
    return works(...given)
  }
}

/** The same of a call that is answered later. */
const expiringLaterAt = <A extends unknown[], R>(
  ...given: Parameters<typeof expiringAt<A, Promise<R>>>
) => {
  const call = expiringAt(...given)
  return async (...asked: A): Promise<R> => await call(...asked)
}

const signal = new AbortController().signal
const request = { user: USER, service: SERVICE, isMutual: false, signal }
const well = library()

// A ticket lives until a second that may begin between any two calls.
test.each([CREDENTIALS_EXPIRED, CONTEXT_EXPIRED])(
  'what expires at any call (status %i) is asked for anew, once',
  async (major) => {
    const expiring: readonly Partial<GssapiCalls>[] = [
      { impersonate: expiringLaterAt(major, [1], well.impersonate) },
      { credentialFacts: expiringLaterAt(major, [1], well.credentialFacts) },
      { credentialFacts: expiringLaterAt(major, [2], well.credentialFacts) },
      ...[1, 2].map((at) => ({ begin: expiringLaterAt(major, [at], well.begin) })),
      ...[1, 2].map((at) => ({ contextFacts: expiringAt(major, [at], well.contextFacts) })),
    ]
    for (const faults of expiring) {
      const tokens = tokensOf(library(faults))
      expect((await tokens.token(request)).octets).toEqual(new Uint8Array([1]))
      await tokens.close()
    }
  },
)

test('what expires again is told as such', async () => {
  const faults = { contextFacts: expiringAt(CONTEXT_EXPIRED, [2, 4], well.contextFacts) }
  const tokens = tokensOf(library(faults))
  const failure = await tokens.token(request).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(SignOnFailed)
  expect(failure).toMatchObject({ reason: 'credentials-expired' })
  await tokens.close()
})

test.each<GssStep>(['account', 'user', 'service', 'answer'])(
  'at the step %s both statuses of what has expired are one reason',
  (step) => {
    for (const major of [CREDENTIALS_EXPIRED, CONTEXT_EXPIRED])
      expect(reasonOf(step, new GssFailure('a call', major, ['Success']))).toBe(
        'credentials-expired',
      )
  },
)
