import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SignInDenied } from '../../../src/cloud/identity/sign-in-errors.ts'
import { screenToken } from '../../../src/cloud/issuer/token-screen.ts'
import { part } from '../../hostile-issuer/issuer.ts'

const OPTIONS = { algorithms: ['ES256'], types: [undefined, 'jwt'] }
const CLAIMS = { iss: 'https://i.example', sub: 'u', aud: 'a', iat: 1, exp: 2 }
const token = (header: unknown, claims: unknown) => `${part(header)}.${part(claims)}.c2ln`

test('whatever a token holds, it is taken as it is or refused for a reason', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.json(), fc.json()).map(([header, claims]) => token(header, claims)),
        fc.object().map((some) => token({ alg: 'ES256' }, { ...CLAIMS, ...some })),
        fc.object().map((some) => token({ ...some, alg: 'ES256' }, CLAIMS)),
      ),
      (text) => {
        try {
          const { header, claims } = screenToken(text, OPTIONS)
          expect(header.alg).toBe('ES256')
          expect(typeof claims.sub).toBe('string')
        } catch (error) {
          expect(error).toBeInstanceOf(SignInDenied)
          expect((error as SignInDenied).reason).toMatch(/^token-/)
        }
      },
    ),
  )
})

test('a member that comes twice is noticed at any depth, and a text that looks like one is not', () => {
  const body = (text: string) => `${part({ alg: 'ES256' })}.${part(text)}.c2ln`
  const rest = JSON.stringify(CLAIMS).slice(1)
  for (const twice of [
    '"x":{"a":1,"a":2}',
    '"x":[{"a":1,"\\u0061":2}]',
    '"sub":"v"',
    '"a" : 1, "a":2',
  ])
    expect(() => screenToken(body(`{${twice},${rest}`), OPTIONS)).toThrow('token-malformed')
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (value, key) => {
      const claims = { ...CLAIMS, [`x${key}`]: value }
      const { claims: read } = screenToken(token({ alg: 'ES256' }, claims), OPTIONS)
      // A claim that is null says what one that is absent says.
      const written: unknown = JSON.parse(JSON.stringify(value === null ? CLAIMS : claims))
      expect(read).toEqual(written)
    }),
  )
})

test('a type is compared without regard to case and to "application/"', () => {
  const options = { algorithms: ['ES256'], types: ['at+jwt'] }
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt'])
    expect(screenToken(token({ alg: 'ES256', typ }, CLAIMS), options).claims.sub).toBe('u')
  for (const typ of [undefined, 'jwt', 'text/at+jwt', 7])
    expect(() => screenToken(token({ alg: 'ES256', typ }, CLAIMS), options)).toThrow('token-header')
})
