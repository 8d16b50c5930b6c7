import { expect, test } from 'vitest'
import { edgeWorld, HOST, MemoryUser } from './edge-world.ts'

const AT_A_PATH = { externalUrl: `https://${HOST}/wiki/`, bearer: { audiences: ['wiki'] } }

test.each([
  ['/wiki/', true],
  ['/wiki', true],
  ['/wiki/page?x', true],
  ['/wikis', false],
  ['/', false],
  ['/WIKI/', false],
  // The service's own.
  ['/.app-proxy/sign-in/callback?code=x', true],
  ['/.well-known/oauth-protected-resource/wiki', true],
  ['/.well-known/openid-configuration', false],
  // OPTIONS of the service as a whole.
  ['*', true],
  // What could be read in two ways is nobody else's: it would pass by the application's rules.
  ['/wiki/..%2fsecret', true],
  ['/a/../wiki/', true],
  ['/%77iki/', true],
  ['/wiki\\page', true],
])('an application at /wiki/: whether %s is for it: %j', async (target, isOurs) => {
  const { edge } = await edgeWorld({}, { secure: AT_A_PATH })
  expect(edge.publishes(HOST, target)).toBe(isOurs)
  expect(edge.publishes(`${HOST.toUpperCase()}:8443`, target)).toBe(isOurs)
  expect(edge.publishes('other.example', target)).toBe(false)
  expect(edge.publishes(undefined, target)).toBe(false)
})

test('what is not for it would be answered that there is no such application', async () => {
  const { edge } = await edgeWorld({}, { secure: AT_A_PATH })
  const user = new MemoryUser({ authority: HOST, target: '/wikis', headers: ['host', HOST] })
  edge.handle(user)
  expect(user.said[0]!.slice(0, 2)).toEqual(['respond', 404])
})

test('without a target: whether the host has an application', async () => {
  const { edge } = await edgeWorld({}, { secure: AT_A_PATH })
  expect([HOST, 'other.example', undefined].map((host) => edge.publishes(host))).toEqual([
    ...[true, false, false],
  ])
})
