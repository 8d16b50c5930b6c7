/** A connector that checks assertions itself, and what lies between it and the cloud: whoever can change offers there. */
import { afterEach, describe, expect, test } from 'vitest'
import type { AssertionKeySet } from '../src/assertion/index.ts'
import { AssertionKeys } from '../src/cloud/index.ts'
import {
  assertionSignOn,
  ForwardingBackend,
  SignOnBackend,
  type Backend,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from '../src/connector/index.ts'
import { systemScheduler } from '../src/runtime/scheduler.ts'
import { systemClocks } from '../src/runtime/clocks.ts'
import { assertedWorld, type AssertedWorld } from '../test/assertion/asserted-world.ts'

/** Changes requests on their way to the connector's check. */
class Tampering extends ForwardingBackend {
  change: (request: BackendRequest) => BackendRequest = (request) => request

  override call(request: BackendRequest, events: BackendEvents): BackendCall {
    return super.call(this.change(request), events)
  }
}

let world: AssertedWorld
let tampering: Tampering
let signer: AssertionKeys
afterEach(() => world.close())

async function start(pinned?: AssertionKeySet, features = ['sign-on/assertion']) {
  signer = await AssertionKeys.open()
  const kind = assertionSignOn({ keys: pinned ?? signer.publicKeys() })
  const decorated = (backend: Backend) => {
    const kinds = new Map([[kind.kind, kind]])
    const checking = new SignOnBackend({
      ...{ backend, kinds, clocks: systemClocks },
      scheduler: systemScheduler({ keepsAlive: false }),
    })
    return (tampering = new Tampering(checking))
  }
  world = await assertedWorld({ signer, decorated, features, signOn: { verify: true } })
}

async function ask(subject = 'alice', path = '/page') {
  const headers = { cookie: await world.signIn('wiki', subject), accept: 'application/json' }
  const { status, body } = await world.ask(world.host, path, headers)
  return status === 200 ? 200 : `${status} ${(JSON.parse(body) as { code: string }).code}`
}

const FIELD = 'X-App-Proxy-Assertion'
const tokenIn = ({ headers }: BackendRequest) => headers[headers.indexOf(FIELD) + 1]!
const withToken = (request: BackendRequest, token: string): BackendRequest => ({
  ...request,
  headers: request.headers.with(request.headers.indexOf(FIELD) + 1, token),
})

test('R6.2g what the cloud made passes, and the application gets it too', async () => {
  await start()
  expect([await ask(), await ask('alice', '/a/b?c'), await ask('alice', '/')]).toEqual([
    200, 200, 200,
  ])
  expect(world.reached[0]!.headers['x-app-proxy-assertion']).toMatch(/^eyJ/)
})

describe('R6.2g what somebody changed on the way does not', () => {
  test.each<[string, (request: BackendRequest) => BackendRequest]>([
    ['none', (request) => ({ ...request, headers: ['Host', 'wiki'] })],
    ['two', (request) => ({ ...request, headers: [...request.headers, FIELD, 'x'] })],
    [
      'another spelling beside it',
      (request) => ({ ...request, headers: [...request.headers, 'x_app_proxy.assertion', 'x'] }),
    ],
    ['of another path', (request) => ({ ...request, target: '/admin' })],
    ['of another method', (request) => ({ ...request, method: 'DELETE' })],
    ['of another exchange', (request) => ({ ...request, exchangeId: 'f'.repeat(32) })],
    [
      'of another user',
      (request) => ({ ...request, user: { ...request.user!, subject: 'administrator' } }),
    ],
    ['of nobody', (request) => ({ ...request, user: undefined })],
    ['cut short', (request) => withToken(request, tokenIn(request).slice(0, -4))],
    [
      'with settings that are not known',
      (request) => ({
        ...request,
        application: {
          ...request.application,
          signOn: { ...request.application.signOn!, optional: true },
        },
      }),
    ],
  ])('R6.2g %s', async (_, change) => {
    await start()
    tampering.change = change
    expect(await ask()).toBe('502 sign-on-failed')
    expect(world.reached).toEqual([])
  })

  test('R6.2g one that was good before', async () => {
    await start()
    let token = ''
    tampering.change = (request) => {
      token = tokenIn(request)
      return request
    }
    expect(await ask()).toBe(200)
    tampering.change = (request) => withToken(request, token)
    expect(await ask('bob')).toBe('502 sign-on-failed')
    expect(world.reached).toHaveLength(1)
  })
})

test('R6.2g nor what another service signed: the keys are those of the connector’s own file', async () => {
  await start((await AssertionKeys.open()).publicKeys())
  expect(await ask()).toBe('502 sign-on-failed')
  expect(world.reached).toEqual([])
})

test('R6.2g a connector that cannot check is not offered the application', async () => {
  await start(undefined, [])
  expect(await ask()).toBe('501 connector-too-old')
})
