import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import {
  configuredSecrets,
  SecretConfiguration,
} from '../../../src/connector/inject/secret-configuration.ts'
import { SignOnFailed, type UserClaims } from '../../../src/protocol/internal.ts'

const { signal } = new AbortController()
const issuer = 'https://login.example'
const user = (subject: string, email?: string, from = issuer): UserClaims => ({
  ...{ subject, issuer: from },
  ...(email !== undefined && { email }),
})

const basicOf = (username: string) => ({ username, password: `${username}’s` })
const SECRETS = [
  { form: 'bearer', token: 'nameless', origins: ['https://*.corp.example'] },
  {
    form: 'bearer',
    token: 'nearer',
    origins: ['https://*.wiki.corp.example', 'https://wiki.corp.example'],
  },
  { form: 'bearer', token: 'named', name: 'wiki', origins: ['https://wiki.corp.example'] },
  {
    form: 'basic',
    name: 'crm',
    issuer,
    origins: ['https://crm.corp.example'],
    users: {
      'sub:1': basicOf('alice'),
      'email:Bob@Corp.example': basicOf('bob'),
      'email:alice@corp.example': basicOf('not alice'),
    },
  },
]
const source = configuredSecrets(v.parse(v.array(SecretConfiguration), SECRETS))
/** The secret, or why there is none. */
const secretOf = (internalOrigin: string, name?: string, who?: UserClaims) => {
  try {
    const found = source.secretFor({ internalOrigin, name, user: who, application: 'x', signal })
    if (found === undefined || found instanceof Promise) return 'none'
    if (found.form === 'bearer') return found.token
    return found.form === 'basic' ? found.username : found.value
  } catch (error) {
    return (error as SignOnFailed).reason
  }
}

test.each([
  ['https://crm.corp.example', undefined, 'nameless'],
  ['https://wiki.corp.example', undefined, 'nearer'],
  ['https://a.wiki.corp.example', undefined, 'nearer'],
  ['https://wiki.corp.example', 'wiki', 'named'],
  ['https://crm.corp.example', 'wiki', 'none'],
  ['https://wiki.corp.example', 'other', 'none'],
  ['https://wiki.corp.example', 'Wiki', 'none'],
  ['https://evil.example', 'wiki', 'not-allowed-here'],
  ['https://evil.example', undefined, 'not-allowed-here'],
  ['http://wiki.corp.example', 'wiki', 'not-allowed-here'],
  ['https://wiki.corp.example:8443', 'wiki', 'not-allowed-here'],
])('at %s, named %s: %s', (origin, name, secret) => expect(secretOf(origin, name)).toBe(secret))

describe('each user has their own', () => {
  test.each<[what: string, who: UserClaims | undefined, secret: string]>([
    ['a subject', user('1'), 'alice'],
    ['a subject before an address', user('1', 'bob@corp.example'), 'alice'],
    ['an address', user('2', 'bob@corp.example'), 'bob'],
    ['an address in capitals', user('2', 'BOB@CORP.EXAMPLE'), 'bob'],
    ['the Kelvin sign', user('2', 'bob@corp.example'.replace('b', '\u212a')), 'none'],
    ['an address as the subject', user('bob@corp.example'), 'none'],
    ['a subject as the address', user('2', 'sub:1'), 'none'],
    ['a typed subject', user('email:bob@corp.example'), 'none'],
    ['a stranger', user('3'), 'none'],
    ['another issuer', user('1', 'bob@corp.example', 'https://other.example'), 'user-unknown'],
    ['the issuer with a slash', user('1', undefined, `${issuer}/`), 'user-unknown'],
    ['nobody', undefined, 'user-unknown'],
  ])('%s', (_, who, secret) =>
    expect(secretOf('https://crm.corp.example', 'crm', who)).toBe(secret),
  )
})

test('nothing of the others comes with one', () => {
  const found = source.secretFor({
    ...{ internalOrigin: 'https://crm.corp.example', name: 'crm', user: user('1') },
    ...{ application: 'x', signal },
  })
  expect(JSON.stringify(found)).not.toContain('bob')
})

test('an account has its own, by its name alone', () => {
  const users = { 'account:alice': basicOf('alice'), 'sub:1': basicOf('of the subject') }
  const [secret] = v.parse(v.array(SecretConfiguration), [
    { form: 'basic', issuer, origins: ['https://crm.corp.example'], users },
  ])
  const own = configuredSecrets([secret!])
  const of = (account: string | undefined, who = user('1')) => {
    const wanted = { internalOrigin: 'https://crm.corp.example', name: undefined, user: who }
    const found = own.secretFor({
      ...{ ...wanted, application: 'x', signal },
      ...(account !== undefined && { account }),
    })
    return (found as { username?: string } | undefined)?.username
  }
  expect(of('alice')).toBe('alice')
  expect(of('alice', user('account:bob'))).toBe('alice')
  for (const account of ['Alice', 'bob', '1', 'sub:1', 'account:alice', '__proto__', ''])
    expect(of(account)).toBeUndefined()
  expect(of(undefined)).toBe('of the subject')
  expect(of(undefined, user('account:alice'))).toBeUndefined()
  expect(() => of('alice', user('1', undefined, 'https://other.example'))).toThrow(SignOnFailed)
})
