/**
 * Signing in again and again without a session in between, told by counts alone: nothing that a
 * browser says of its requests takes part.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mayCircle, MAX_ROUNDS, SignInRounds } from '../../../src/cloud/sign-in/sign-in-rounds.ts'
import type { SignInAttempt } from '../../../src/protocol/machines/sign-in.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import { HostileIssuer } from '../../hostile-issuer/issuer.ts'
import { scripted } from './scripted-sign-in.ts'

const WITHIN = 20_000

/** Which of the sign-ins, at these times, are told to be a circle. */
const loopsAt = (
  times: readonly number[],
  who = (_: number) => ['contoso', 'app', 'i', 'mick'],
) => {
  const rounds = new SignInRounds()
  return times.map((time, i) => rounds.isLoop(who(i), time))
}
const every = (ms: number, count: number) => Array.from({ length: count }, (_, i) => i * ms)

describe('sign-ins of one user at one application', () => {
  test('the eighth within 20 s is a circle, and so is each after it', () => {
    expect(MAX_ROUNDS).toBe(8)
    expect(loopsAt(every(1, 10)).map(Number)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
  })

  test.each([
    ['at the same moment', every(0, 8), true],
    ['seven only', every(0, 7), false],
    ['a millisecond less than 20 s', [...every(0, 7), WITHIN - 1], true],
    ['20 s', [...every(0, 7), WITHIN], false],
    ['one every three seconds, for ever', every(3_000, 200), false],
    ['one every two seconds', every(2_000, 8), true],
    ['a circle, and a rest of 20 s', [...every(1, 8), WITHIN + 8], false],
    ['two bursts that overlap', [...every(1, 4), ...every(1, 4).map((t) => t + 19_000)], true],
    ['two bursts that do not', [...every(1, 4), ...every(1, 4).map((t) => t + 21_000)], false],
  ])('%s', (_, times, expected) => {
    expect(loopsAt(times).at(-1)).toBe(expected)
  })

  test.each([
    ['tenant', (i: number) => [`t${i % 2}`, 'app', 'i', 'mick']],
    ['application', (i: number) => ['contoso', `a${i % 2}`, 'i', 'mick']],
    ['issuer', (i: number) => ['contoso', 'app', `i${i % 2}`, 'mick']],
    ['user', (i: number) => ['contoso', 'app', 'i', `u${i % 2}`]],
    ['name that could be read as two', (i: number) => (i % 2 ? ['a', 'b,c'] : ['a,b', 'c'])],
  ])('another %s counts apart', (_, who) => {
    expect(loopsAt(every(1, 14), who)).not.toContain(true)
    expect(loopsAt(every(1, 15), who).at(-1)).toBe(true)
  })

  test('the users remembered are bounded: the oldest are forgotten', () => {
    const rounds = new SignInRounds()
    for (let i = 0; i < 7; i++) rounds.isLoop(['first'], i)
    for (let i = 0; i < 10_000; i++) rounds.isLoop([`${i}`], 8)
    expect(rounds.isLoop(['first'], 9)).toBe(false)
  })
})

test('only where the attempt’s cookie comes and the session’s may not', () => {
  const embedding = { ancestors: ['https://portal.example'] }
  const none = { sameSite: 'none' }
  const cases: readonly (readonly [object, boolean, boolean])[] = [
    [{}, false, false],
    [{}, true, true],
    [{ session: none }, true, false],
    [{ embedding }, false, true],
    [{ embedding, session: none }, false, false],
    [{ embedding, session: { sameSite: 'lax' } }, true, true],
  ]
  for (const [application, isPosted, expected] of cases) {
    const attempt = { isPosted } as SignInAttempt
    expect(mayCircle(application as Application, attempt), JSON.stringify(application)).toBe(
      expected,
    )
  }
})

describe('at an issuer', () => {
  let issuer: HostileIssuer
  beforeAll(async () => {
    issuer = await HostileIssuer.start()
  })
  afterAll(() => issuer.close())
  const FORM = { externalUrl: 'https://app.localhost/', responseMode: 'form_post' }

  test('the eighth is refused and sets no session; after 20 s it goes on', async () => {
    let now = 0
    const { signIn, audit } = await scripted(issuer, { application: FORM, now: () => now })
    const outcomes: string[] = []
    for (let i = 0; i < 8; i++) {
      const result = await signIn()
      outcomes.push('reason' in result ? result.reason : result.kind)
      if ('reason' in result)
        expect(result.setCookies.filter((cookie) => !/Max-Age=0/.test(cookie))).toEqual([])
      now += 2_000
    }
    expect(outcomes).toEqual([...Array<string>(7).fill('signed-in'), 'sign-in-loop'])
    expect(audit.at(-1)).toMatchObject({ type: 'sign-in.denied', reason: 'sign-in-loop' })
    now += WITHIN
    expect(await signIn()).toMatchObject({ kind: 'signed-in' })
  })

  test.each([
    ['whose session is brought back', FORM, true],
    ['of an application where it cannot come to that', {}, false],
  ])('nobody is refused %s', async (_, application, keepsSession) => {
    const { signIn } = await scripted(issuer, { application, now: () => 0 })
    let cookies: string[] = []
    for (let i = 0; i < 12; i++) {
      const result = await signIn({}, undefined, cookies)
      expect(result).toMatchObject({ kind: 'signed-in' })
      if (keepsSession && 'setCookies' in result)
        cookies = result.setCookies
          .filter((cookie) => !/Max-Age=0/.test(cookie))
          .map((cookie) => cookie.split(';', 1)[0]!)
    }
  })
})
