import { expect, test } from 'vitest'
import {
  fieldOf,
  headerFault,
  secretFault,
  type BasicSecret,
  type BearerSecret,
  type HeaderSecret,
} from '../../../src/connector/inject/injected-secret.ts'

const origins = ['https://wiki.corp.example']

test.each<[secret: BasicSecret | BearerSecret | HeaderSecret, name: string, value: string]>([
  [
    { form: 'basic', username: 'Aladdin', password: 'open sesame' },
    'Authorization',
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
  ],
  [
    { form: 'basic', username: 'test', password: '123\u00a3' },
    'Authorization',
    'Basic dGVzdDoxMjPCow==',
  ],
  [
    { form: 'basic', username: '', password: 'pat:with:colons' },
    'Authorization',
    'Basic OnBhdDp3aXRoOmNvbG9ucw==',
  ],
  [{ form: 'bearer', token: 'abc.DEF-_~+/==' }, 'Authorization', 'Bearer abc.DEF-_~+/=='],
  [{ form: 'header', header: 'X-Api-Key', value: 'k e:y' }, 'X-Api-Key', 'k e:y'],
  [{ form: 'header', header: 'Authorization', value: 'ApiKey abc' }, 'Authorization', 'ApiKey abc'],
])('%o', (secret, name, value) => {
  expect(secretFault(secret)).toBeUndefined()
  expect(fieldOf({ ...secret, origins })).toEqual({ name, value, isRefusedBy401: true })
})

test('a 401 is for the user only where that is said', () => {
  const secret = { form: 'header', header: 'X-Api-Key', value: 'k', origins } as const
  expect(fieldOf({ ...secret, unauthorized: 'pass' }).isRefusedBy401).toBe(false)
  expect(fieldOf({ ...secret, unauthorized: 'refuse' }).isRefusedBy401).toBe(true)
  const basic = {
    form: 'basic',
    username: 'a',
    password: 'b',
    unauthorized: 'pass',
    origins,
  } as const
  expect(fieldOf(basic).isRefusedBy401).toBe(true)
})

test.each<[secret: BasicSecret | BearerSecret | HeaderSecret, member: string]>([
  [{ form: 'basic', username: 'a:b', password: 'c' }, 'username'],
  [{ form: 'basic', username: 'a\r\nX: y', password: 'c' }, 'username'],
  [{ form: 'basic', username: 'a', password: 'c\n' }, 'password'],
  [{ form: 'basic', username: 'a', password: '\u0085' }, 'password'],
  [{ form: 'bearer', token: '' }, 'token'],
  [{ form: 'bearer', token: 'a b' }, 'token'],
  [{ form: 'bearer', token: 'a\r\nX-Y: z' }, 'token'],
  [{ form: 'bearer', token: '=' }, 'token'],
  [{ form: 'header', header: 'X-Api-Key', value: '' }, 'value'],
  [{ form: 'header', header: 'X-Api-Key', value: ' k' }, 'value'],
  [{ form: 'header', header: 'X-Api-Key', value: 'a\r\nb' }, 'value'],
  [{ form: 'header', header: 'X-Api-Key', value: 'a\0' }, 'value'],
  [{ form: 'header', header: 'X-Api-Key', value: '\u20ac' }, 'value'],
  [{ form: 'header', header: 'Host', value: 'a' }, 'header'],
])('%j is no secret that can be sent', (secret, member) => {
  const fault = secretFault(secret)
  expect(fault?.[0]).toBe(member)
})

test.each([
  ...['', 'X Y', 'X:', ':authority', 'x\r\ny', 'Host', 'host', 'HOST', 'Cookie', 'Content-Length'],
  ...['content_length', 'Transfer-Encoding', 'transfer_encoding', 'Connection', 'Upgrade', 'TE'],
  ...[
    'Proxy-Authorization',
    'Via',
    'Forwarded',
    'X-Forwarded-For',
    'x_forwarded_user',
    'X-Real-IP',
  ],
  ...['X.Original.URL', 'Remote_User', 'Expect', 'Range', 'Origin', 'Sec-WebSocket-Key', 'Trailer'],
])('%j is no header for a secret', (name) => expect(headerFault(name)).toBeTypeOf('string'))

test.each(['Authorization', 'authorization', 'X-Api-Key', 'Api_Key', 'apikey', 'X-Vault-Token'])(
  '%j is one',
  (name) => expect(headerFault(name)).toBeUndefined(),
)
